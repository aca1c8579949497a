"""What the executor asks of the rest of the engine: protocols, implemented by the daemon (engine/control) and by the tests.

Every deed must be safe to do twice (the executor repeats the one that was in doubt when it was killed), must be durable when
it returns, and must look before it acts. Calls may block for seconds; what may take longer answers ``Pending`` instead.
A deed that fails raises ``DtamError`` (or OSError): the executor writes it down, and tries again later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from orchestrator.engine.witness.rules import GrantAnswer
from orchestrator.engine.witness.wire import ProtectionView


class Settle(StrEnum):
    """What is done before a failover with operations that arrived but were not applied yet (ENG-FO-08)."""

    APPLY = "apply"
    DISCARD = "discard"


SNAPSHOT = "snapshot:"
"""Before the id of a snapshot: the data a failover goes on with. Else it is a ``Settle``, or empty: as the settings say."""


@dataclass(frozen=True, slots=True)
class Done:
    """The deed is done; ``facts`` go into the journal and the decision record."""

    says: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pending:
    """The deed has begun and is not finished; ask again after ``after_s`` seconds."""

    says: str
    after_s: float = 1.0


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The deed cannot be done, and asking again will not help: a person must look."""

    says: str
    hint: str = ""


Outcome = Done | Pending | GiveUp


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """The replica of a protection as the target's daemon knows it.

    ``data_state`` is one of ``good mirroring mirror_required restore_required not_ready``. ``last_heard_s`` is how long ago
    (seconds) anything authentic came from the source over the data connection; None when nothing did since the daemon started.
    ``falls_back``: where the data is not good, its last good state was kept and can be had again.
    """

    data_state: str
    queue_bytes: int = 0
    acknowledged_sequence: int = 0
    applied_sequence: int = 0
    acknowledged_time_ns: int = 0
    last_heard_s: float | None = None
    falls_back: bool = False


class ReplicaControl(Protocol):
    """The replica of one protection at this target."""

    def status(self) -> ReplicaStatus:
        """Read what is known now; touches nothing and never waits for the network."""
        ...

    def refuse_older(self, epoch: int) -> Outcome:
        """Store ``epoch`` durably, close every data connection that carries an older one, refuse such from now on.

        When it returns Done, no operation of the old master can be acknowledged any more.
        """
        ...

    def settle(self, how: Settle) -> Outcome:
        """Apply (or drop) what is queued. Done only when the queue is empty and the files are on disk (syncfs)."""
        ...

    def fall_back(self, snapshot: str) -> Outcome:
        """Make the data a snapshot's; with none named, its last good state. What is queued after that is dropped."""
        ...

    def promote(self, epoch: int) -> Outcome:
        """Mark the replica promoted at ``epoch``, durably: apply never writes it again; new sessions get RestoreRequired."""
        ...

    def demote(self, epoch: int) -> Outcome:
        """Undo ``promote`` (only asked when nothing was served): it is a replica again and accepts sessions of ``epoch``."""
        ...


class Mounts(Protocol):
    """Capture over the target's paths."""

    def mount(self, epoch: int) -> Outcome:
        """Mount capture over every target root of the protection; Done as well where it is mounted already."""
        ...

    def unmount(self, epoch: int) -> Outcome:
        """Take capture away again, orderly."""
        ...


class Scripts(Protocol):
    """The protection's rendered scripts on this host, called by name, checked by hash, JSON on standard input (C6 form)."""

    def exists(self, name: str) -> bool:
        """Say whether the protection has such a script: pre_failover, post_failover."""
        ...

    def run(self, name: str, *, run_id: str, epoch: int, wait: bool, undo: bool = False) -> Outcome:
        """Start the script, or look at how it goes.

        The same ``run_id`` asked twice never starts it twice at once; after a crash it is started again with the same
        ``run_id`` and skips what its run file says is done. With ``wait`` Done means that it ended with success; without, that
        it has started. post_failover starts the services, moves the names, and checks health through the clients' name: its
        success is what makes the failover done (AM-30).
        """
        ...


class Services(Protocol):
    """The protected services on this host."""

    def start(self, epoch: int) -> Outcome:
        """Start them in order. Asked only when the protection has no post_failover script."""
        ...


class Source(Protocol):
    """The source's engine over its control API, for a graceful failover only. Unreachable raises DtamError."""

    def stop_services(self, run_id: str) -> Outcome:
        """Ask it to fence itself: services stopped, capture read-only. Durable there: it stays so after a boot."""
        ...

    def settled(self, run_id: str) -> Outcome:
        """Done when every operation of its log was acknowledged by this target."""
        ...

    def release_lease(self, run_id: str, epoch: int) -> Outcome:
        """Ask it to stop its keeper and to give its lease of ``epoch`` back to the witness."""
        ...

    def resume_services(self, run_id: str) -> Outcome:
        """Undo ``stop_services`` and ``release_lease``: register its epoch again, start the keeper, open the fence."""
        ...


class Granter(Protocol):
    """Who grants epochs: ``witness.client.WitnessClient``. Unreachable raises WitnessUnreachable."""

    def look(self, protection: str) -> ProtectionView | None:
        """What the witness knows, without asking for anything; None when it does not know the protection."""
        ...

    def grant(
        self,
        protection: str,
        from_epoch: int,
        candidate: str,
        *,
        lease_s: float | None = None,
        forced: bool = False,
        by: str = "",
    ) -> GrantAnswer:
        """Compare-and-set: the epoch after ``from_epoch`` for ``candidate``; asked again by the winner, it says yes again."""
        ...

    def release(self, protection: str, epoch: int, holder: str) -> bool:
        """Give the epoch back; False when it was not ours to give."""
        ...


class Events(Protocol):
    """Where events go: the daemon's event list, the system log, later SNMP."""

    def say(self, sentence: str, *, level: str = "info", **facts: object) -> None:
        """Record one event; level is info, warning or error. Must not raise."""
        ...


class Clock(Protocol):
    """Two clocks, both in nanoseconds."""

    def boottime_ns(self) -> int:
        """CLOCK_BOOTTIME: for every decision about durations."""
        ...

    def realtime_ns(self) -> int:
        """CLOCK_REALTIME: for people; never decides anything."""
        ...


@dataclass(frozen=True, slots=True)
class Collaborators:
    """All that the executor of one protection is given. ``granter`` None is ``witness none``."""

    replica: ReplicaControl
    mounts: Mounts
    scripts: Scripts
    services: Services
    source: Source
    granter: Granter | None
    events: Events
    clock: Clock
