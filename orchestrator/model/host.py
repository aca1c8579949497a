"""The Host port: one server, reached over its engine's agent, or over WinRM where it runs Windows. The rules are those of ``ports``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from orchestrator.model.inventory import EngineFacts, PathFacts, ServiceFacts
from orchestrator.model.outcomes import Outcome
from orchestrator.model.shares import Samba
from orchestrator.model.windows import USUAL, Windows, WindowsAsk


class HostFacts(msgspec.Struct, frozen=True):
    """What a host says about itself and about the paths that were asked for."""

    hostname: str
    addresses: tuple[tuple[str, str], ...]
    paths: tuple[PathFacts, ...]
    listening: tuple[str, ...]


class ProtectionView(msgspec.Struct, frozen=True):
    """A protection as one engine sees it. ``phase`` is idle, detected, granting, settling, promoting, running_script, done or failed.

    ``document_sha256`` is that of the document it holds (``document_checksum``); empty when it holds none. A host that holds leases of
    `dtam serve` tells its own clock as well: ``ticks_s`` since the boot ``boot``, how long ago its guard looked, the newest lease's number and who gave it.
    """

    id: str
    role: str
    epoch: int
    fenced: bool
    monitor: bool
    phase: str = "idle"
    says: str = ""
    document_sha256: str = ""
    run_id: str | None = None
    waiting_for_person: bool = False
    lease_remaining_s: float | None = None
    detected_ns: int | None = None
    finished_ns: int | None = None
    boot: str = ""
    ticks_s: float | None = None
    guard_s: float | None = None
    lease_n: int = 0
    lease_giver: str = ""


class ScriptRun(msgspec.Struct, frozen=True):
    """One run of a script on its host: running, done, failed or interrupted; ``steps`` maps step id to its last event.

    ``outcomes`` is what became of each step, in order, with what it said and how long it took. ``ended_at_s``: when it ended, by its host's clock.
    """

    run_id: str
    state: str
    steps: dict[str, str] = {}
    says: str = ""
    outcomes: tuple[Outcome, ...] = ()
    ended_at_s: float | None = None


class Host(Protocol):
    """One server, reached over its engine's agent, or over WinRM where it runs Windows.

    What the other platform alone has (an engine, Samba, keytabs; ``windows``) is refused with ``NotOnThisPlatform``.
    """

    @property
    def name(self) -> str:
        """The server's short name."""
        ...

    def engine(self) -> EngineFacts:
        """Who its engine is, with peers and the offset of its clock."""
        ...

    def facts(self, paths: Sequence[str] = ()) -> HostFacts:
        """What the host says about itself and about ``paths``."""
        ...

    def samba(self, conf: str, keytabs: Sequence[str] = (), sids: Sequence[str] = ()) -> Samba:
        """Its shares, its place in a domain, its hosts file, networks and keytabs; ``sids`` are those to be given names there."""
        ...

    def windows(self, ask: WindowsAsk = USUAL) -> Windows:
        """What a Windows host says about itself: services, shares, addresses, volumes, and what ``ask`` names."""
        ...

    def call(self, script: str, arguments: Mapping[str, Any], *, deed: bool = True) -> tuple[Mapping[str, Any], ...]:
        """Run a script that lies on a Windows host, by its name; what it gives, one mapping an object. A question is no ``deed``."""
        ...

    def make_directory(self, path: str, mode: int = 0o755) -> None:
        """A directory with its parents; one that exists is left as it is."""
        ...

    def remove_directory(self, path: str) -> None:
        """An empty directory goes; one that is not empty, or not there, is left as it is."""
        ...

    def own_keytab(self, path: str, owner: int, mode: int) -> None:
        """A keytab has this owner (by number) and these permission bits; anything but a keytab is refused."""
        ...

    def services(self, wanted: Sequence[Mapping[str, Any]] = ()) -> tuple[ServiceFacts, ...]:
        """The protected services of this host, and what can be seen of ``wanted`` (service documents it does not manage yet)."""
        ...

    def start_service(self, name: str) -> None:
        """Start a service and wait until it is healthy; refused while the fence holds."""
        ...

    def stop_service(self, name: str, service: Mapping[str, Any] | None = None) -> None:
        """Stop a service; ``service`` is its document where the host does not manage it yet."""
        ...

    def set_start_type(self, service: Mapping[str, Any], start_type: str) -> None:
        """``manual`` or ``automatic``, for services of the system's own manager."""
        ...

    def protection(self, protection: str) -> ProtectionView | None:
        """How this engine sees a protection; None when it has no part in it."""
        ...

    def protections(self) -> tuple[tuple[str, str], ...]:
        """(id, role) of every protection that this engine has a part in."""
        ...

    def put_protection(self, document: Mapping[str, Any]) -> None:
        """Give the engine its document; one with an older epoch is refused."""
        ...

    def protection_document(self, protection: str) -> Mapping[str, Any] | None:
        """The document as it was given, or None."""
        ...

    def remove_protection(self, protection: str) -> None:
        """The engine has no part in it any more."""
        ...

    def act(self, protection: str, action: str, settings: Mapping[str, Any]) -> None:
        """An action of the control API: enable_monitor, disable_monitor, failover, undo_failover, fence, unfence, release, set_epoch.

        On Windows: fence, unfence, set_epoch, and renew_lease with ``epoch``, ``n``, ``boot`` and ``until_s``; the others are the executor's.
        """
        ...

    def deliver_script(self, protection: str, name: str, text: str) -> None:
        """Deliver a script; its hash is checked on the host."""
        ...

    def script_text(self, protection: str, name: str) -> str | None:
        """The text as it lies there, with people's part, or None."""
        ...

    def changed_scripts(self, protection: str) -> tuple[str, ...]:
        """The delivered scripts that somebody changed on the host since; they are not run."""
        ...

    def run_script(
        self, protection: str, name: str, run_id: str, segments: Sequence[str], *, undo: bool, epoch: int
    ) -> None:
        """Start (or go on with) a run of these segments; ask with ``script_run``."""
        ...

    def script_run(self, run_id: str, name: str) -> ScriptRun | None:
        """How a run stands, or None when this host does not know it."""
        ...
