"""The ports: small protocols through which plans reach hosts (``orchestrator.model.host``), replication, names and clients.

Every adapter and every fake joins the conformance suite of its port (tests/conformance). Rules for all of them:

- Every method may be called again: asking for what is already so is no error. Deeds look for themselves where it is cheap.
- A thing that may come right by waiting raises ``TryAgain``; what will not, a ``DtamError`` with a hint.
- Values in and out are JSON values or the structs of this room. Documents have the shape of the engine's control API.
- No method waits longer than a few seconds; waiting is the executor's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from orchestrator.model.domain import DomainInventory
from orchestrator.model.host import Host
from orchestrator.model.inventory import ReplicaFacts
from orchestrator.model.names import NameChanges, NameMove, NameRecords
from orchestrator.model.servers import Where
from orchestrator.model.settings_line import Level


class Link(msgspec.Struct, frozen=True):
    """A wanted connection, from the engine on ``origin`` to the other one. ``purpose`` is protect or restore.

    Without ``overwrite`` only missing files are sent; ``replicates``: it goes on after the mirror.
    """

    protection: str
    replication_set: str
    origin: Where
    source_path: str
    target_path: str
    purpose: str = "protect"
    epoch: int = 0
    mirror: str = "difference"
    checksum: bool = True
    orphans: dict[str, Any] = {}
    route: dict[str, Any] | None = None
    compression: Level | None = None
    bandwidth: dict[str, Any] | None = None
    mode: str = "asynchronous"
    synchronous_wait_s: float = 10.0
    when_late: str = "continue"
    ignore_deletes: bool = False
    overwrite: bool = True
    only_newer: bool = False
    replicates: bool = True


class LinkStatus(msgspec.Struct, frozen=True):
    """How a connection stands. ``data_state`` is good, mirroring, mirror_required, restore_required or not_ready.

    ``set_aside`` lists files that the receiving side had and that never arrived: kept beside before they were overwritten. ``differs``:
    fields of the link that are otherwise than asked for, as they are now; ``connect`` changes them.
    """

    state: str
    data_state: str
    mirror_percent: float | None = None
    queue_bytes: int = 0
    lag_s: float = 0.0
    acknowledged_sequence: int = 0
    committed_sequence: int = 0
    applied_sequence: int = 0
    sent_bytes: int = 0
    mirror_bytes: int = 0
    files_compared: int = 0
    files_different: int = 0
    epoch: int = 0
    last_error: str = ""
    set_aside: tuple[str, ...] = ()
    differs: dict[str, Any] = {}
    age_s: float | None = None
    """How old the state is that the receiving side holds; None where the way does not say."""

    @property
    def in_step(self) -> bool:
        """The other side is a state this side was in, and follows."""
        return self.state == "Started" and self.data_state == "good"


class Replication(Protocol):
    """A way to keep the target's data in step with the source's."""

    @property
    def capabilities(self) -> frozenset[str]:
        """What it can do, in the words of ``orchestrator.model.capabilities``; asked for anything else it raises ``NotOffered``."""
        ...

    def paired(self) -> bool:
        """Whether both engines trust each other's keys."""
        ...

    def pair(self) -> None:
        """Let both engines get to know each other."""
        ...

    def unpair(self) -> None:
        """They trust each other no more."""
        ...

    def captured(self, where: Where, path: str) -> bool:
        """Whether changes below ``path`` are captured on that side, now."""
        ...

    def capture(self, where: Where, path: str, limits: Mapping[str, Any]) -> None:
        """Capture changes from now on, also after restarts."""
        ...

    def uncapture(self, where: Where, path: str) -> None:
        """Capture no more."""
        ...

    def replication_set(self, where: Where, name: str) -> Mapping[str, Any] | None:
        """The set by that name on that side: root and rules, without its generation; or None."""
        ...

    def put_replication_set(self, where: Where, name: str, root: str, rules: Sequence[Mapping[str, Any]]) -> None:
        """Create or change a set."""
        ...

    def remove_replication_set(self, where: Where, name: str) -> None:
        """Forget a set that no connection uses."""
        ...

    def connect(self, link: Link) -> None:
        """Connect and start mirror and replication; one that is there already goes on as the link says."""
        ...

    def status(self, link: Link) -> LinkStatus | None:
        """How that connection stands (found by protection, set, origin and purpose), or None when there is none."""
        ...

    def disconnect(self, link: Link) -> None:
        """End the connection; the receiving side keeps its data."""
        ...

    def settle(self, link: Link) -> None:
        """Everything sent is applied; raises TryAgain until it is."""
        ...

    def replica(self, link: Link) -> ReplicaFacts | None:
        """The receiving side's view of the link, also when the sending side is gone."""
        ...

    def promote(self, link: Link, epoch: int) -> None:
        """The receiving side takes no more from the sender: its data lives on its own."""
        ...

    def demote(self, link: Link, epoch: int, *, discard_changes: bool) -> None:
        """A promoted side becomes a receiver again; with ``discard_changes`` a sender may mirror over what was changed here."""
        ...

    def pause(self, link: Link) -> None:
        """Nothing is sent until ``resume``; the connection stays."""
        ...

    def resume(self, link: Link) -> None:
        """What was held back travels."""
        ...

    def reverse(self, link: Link, epoch: int) -> None:
        """The link's origin sends from now on, the other side receives; TryAgain while the data that is to turn is not in step."""
        ...


class NameService(Protocol):
    """The name servers of a protection, reached with its key."""

    def records(self, move: NameMove) -> tuple[NameRecords, ...]:
        """The records that the move touches, as the writer has them now."""
        ...

    def resolve(self, name: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """What each listed server answers for the name: (server, addresses). An empty tuple where it has no such name."""
        ...

    def plan(self, move: NameMove) -> NameChanges:
        """The changes that the move needs, as of now; empty when it is done."""
        ...

    def apply(self, changes: NameChanges) -> None:
        """Make them, on the writer, and see them on every listed server (TryAgain until they are)."""
        ...

    def put_back(self, changes: NameChanges) -> None:
        """Undo them exactly: data, TTL, existence; records changed by others since are refused with their name."""
        ...

    def applied(self, changes: NameChanges) -> bool:
        """Whether every listed server answers with the ``after`` of every change."""
        ...

    def is_put_back(self, changes: NameChanges) -> bool:
        """Whether every listed server answers with the ``before`` of every change."""
        ...

    def set_ttl(self, changes: NameChanges) -> None:
        """Give each record the TTL of its change's ``after``, whatever its data is now; what is gone is left alone."""
        ...

    def has_ttl(self, changes: NameChanges) -> bool:
        """Whether every record of the changes that is there has the TTL of its ``after``."""
        ...

    def lock(self, changes: NameChanges) -> None:
        """Take the source's right to write the changed names, where a directory keeps them; elsewhere nothing is done.

        What is to be given back stands in the changes' nodes, so they are on disk before.
        """
        ...

    def is_locked(self, changes: NameChanges) -> bool:
        """Whether the source's account may not write any of the changes' nodes; true where there are none."""
        ...

    def unlock(self, changes: NameChanges) -> None:
        """Give the right back: owner and access list are as they were; what others changed in it meanwhile stays."""
        ...

    def is_unlocked(self, changes: NameChanges) -> bool:
        """Whether every node of the changes is as writable as it was before."""
        ...

    def refresh(self, changes: NameChanges) -> None:
        """Register the ``after`` of every change again, so that scavenging never takes it; what is gone comes back.

        A record that somebody changed since is left alone.
        """
        ...

    def test(self, name: str) -> tuple[tuple[str, str], ...]:
        """Whether this key may change the zone of ``name``, by writing and removing a probe: problems as (kind, sentence).

        Kinds: key-refused, unreachable, zone-missing, other.
        """
        ...


class DomainView(Protocol):
    """The directory, as far as inventory and checks need it."""

    def look(self, source: str, target: str, client_name: str, spns: Sequence[str] = ()) -> DomainInventory:
        """Both accounts, who holds their service names, the clock; what cannot be asked is a problem in words, never raised.

        ``spns`` are further names whose holders are looked for, ``{host}`` being each full name of the source: ``MSSQLSvc/{host}:1433``.
        """
        ...


class ServiceNames(Protocol):
    """Service principal names of two accounts, moved from here. Documents are those of ``dtam step spns``; the undo is on disk first."""

    def taken(self, protection: str, document: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether the target alone owns every wanted name, and who owns what in words."""
        ...

    def take(self, protection: str, document: Mapping[str, Any]) -> None:
        """The target alone owns them."""
        ...

    def given_back(self, protection: str, document: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether both accounts hold what they held before they were taken; true where nothing was."""
        ...

    def give_back(self, protection: str, document: Mapping[str, Any]) -> None:
        """Both accounts hold what they held before."""
        ...


class WitnessView(Protocol):
    """The arbiter, as far as a check needs it."""

    def problem(self) -> str:
        """Why it cannot be used; empty when it answers with the pinned key."""
        ...


class Grants(Protocol):
    """Who grants the next epoch where the target has no engine: the executor's ledger of leases, a fence command, the witness."""

    def granted(self, protection: str) -> int:
        """The newest epoch granted here; 0 when none was."""
        ...

    def grant(self, protection: str, epoch: int, holder: Host, *, forced: bool, by: str) -> None:
        """``holder`` has surely stopped, then the epoch is granted; TryAgain while it waits, GiveUp on a clear no."""
        ...

    def lease(self, protection: str, epoch: int, holder: Host) -> None:
        """``holder`` may serve under this epoch while its present boot lasts; TryAgain until it takes that."""
        ...

    def give_again(self, protection: str, epoch: int) -> None:
        """Leases are given again where that epoch was never granted."""
        ...


class HealthProbe(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the service is asked through the clients' name. ``url`` names the client name; ``expect`` is text in the answer, or empty.

    ``sql``: instances of SQL Server that are logged in to and read: ``access`` (a ``SqlAccess`` whose host is the address to be asked) and
    what else the deed ``probe`` takes.
    """

    name: str
    url: str = ""
    command: tuple[str, ...] = ()
    expect: str = ""
    timeout_s: float = 5.0
    sql: tuple[dict[str, Any], ...] = ()


class Clients(Protocol):
    """A client: it knows only the name."""

    def ask(self, probe: HealthProbe) -> str:
        """One sentence with what answered and from which address; TryAgain with the reason when nothing answers."""
        ...
