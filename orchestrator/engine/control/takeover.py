"""What the target's executor works with, made of the daemon's rooms: each deed looks before it acts and is durable when done.

These are the ports of ``engine/monitor/ports.py`` for one protection.
"""

from __future__ import annotations

from typing import Any

from orchestrator.engine.control.confirming import SystemClock, witness_client
from orchestrator.engine.control.documents import ProtectionRecord
from orchestrator.engine.control.errors import Conflict, Unknown
from orchestrator.engine.control.guard import Rooms
from orchestrator.engine.control.schema import MountRequest, RunRequest
from orchestrator.engine.monitor.ports import (
    Collaborators,
    Done,
    GiveUp,
    Outcome,
    Pending,
    ReplicaStatus,
    Settle,
)
from orchestrator.errors import DtamError

SCRIPT_LOOK_S = 0.1
SETTLE_LOOK_S = 0.05
FALL_BACK_LOOK_S = 0.5


def collaborators(protection: str, rooms: Rooms) -> Collaborators:
    """Everything that the executor of one protection is given."""
    witness = rooms.documents.get(protection).witness
    return Collaborators(
        replica=OwnReplica(protection, rooms),
        mounts=OwnMounts(protection, rooms),
        scripts=OwnScripts(protection, rooms),
        services=OwnServices(protection, rooms),
        source=AbsentSource(),
        granter=witness_client(witness, rooms.identity) if witness else None,
        events=OwnEvents(rooms),
        clock=SystemClock(),
    )


class OwnReplica:
    """The replicas of the protection here."""

    def __init__(self, protection: str, rooms: Rooms) -> None:
        self._id = protection
        self._rooms = rooms

    def status(self) -> ReplicaStatus:
        """The worst of them."""
        return self._rooms.replicas.summary(self._id)

    def refuse_older(self, epoch: int) -> Outcome:
        """Know the epoch durably; sessions of an older one end."""
        self._rooms.documents.raise_epoch(self._id, epoch)
        self._rooms.replicas.refuse_older(self._id, epoch)
        return Done(f"whatever carries an epoch before {epoch} is refused")

    def settle(self, how: Settle) -> Outcome:
        """Apply or drop what is queued."""
        queued = self._rooms.replicas.settle(self._id, discard=how is Settle.DISCARD)
        if queued:
            return Pending(f"{queued} bytes are still to be applied", SETTLE_LOOK_S)
        return Done("all that arrived is applied" if how is Settle.APPLY else "what was queued is discarded")

    def fall_back(self, snapshot: str) -> Outcome:
        """Make the data a snapshot's, or its last good state."""
        try:
            left = self._rooms.replicas.fall_back(self._id, snapshot)
        except (Unknown, Conflict) as error:
            return GiveUp(str(error), "choose again: dtam failover --data snapshot:ID, or --data apply")
        if left:
            return Pending(left, FALL_BACK_LOOK_S)
        return Done(f"set back to snapshot {snapshot}" if snapshot else "in its last good state")

    def promote(self, epoch: int) -> Outcome:
        """Nobody writes into the replicas but the clients from now on."""
        self._rooms.replicas.promote(self._id, epoch)
        self._rooms.documents.change(self._id, lambda record: _promoted(record, epoch))
        return Done(f"promoted at epoch {epoch}")

    def demote(self, epoch: int) -> Outcome:
        """They are replicas again."""
        self._rooms.documents.change(self._id, lambda record: _promoted(record, None))
        self._rooms.replicas.demote(self._id, epoch)
        return Done("a replica again")


def _promoted(record: ProtectionRecord, epoch: int | None) -> ProtectionRecord:
    return record.model_copy(update={"promoted_epoch": epoch})


class OwnMounts:
    """Capture over the target's paths."""

    def __init__(self, protection: str, rooms: Rooms) -> None:
        self._id = protection
        self._rooms = rooms

    def mount(self, epoch: int) -> Outcome:  # noqa: ARG002  # the port's signature
        """Capture every target root, so that a failback sends only what changes here."""
        document = self._rooms.documents.get(self._id)
        if not document.failover.capture:
            return Done("capture after a failover is switched off")
        for root in document.roots:
            if self._rooms.mounts.capture(root.target_path) is None:
                self._rooms.mounts.mount(MountRequest(path=root.target_path))
            self._rooms.mounts.fence(root.target_path, on=False)
        return Done(", ".join(root.target_path for root in document.roots))

    def unmount(self, epoch: int) -> Outcome:  # noqa: ARG002  # the port's signature
        """Capture them no more."""
        for root in self._rooms.documents.get(self._id).roots:
            if self._rooms.mounts.capture(root.target_path) is not None:
                self._rooms.mounts.unmount(root.target_path)
        return Done()


class OwnScripts:
    """The protection's scripts here."""

    def __init__(self, protection: str, rooms: Rooms) -> None:
        self._id = protection
        self._rooms = rooms
        self._given_up: set[str] = set()

    def exists(self, name: str) -> bool:
        """Say whether the protection has such a script and its settings do not switch it off."""
        return self._rooms.scripts.exists(self._id, self._name(name)) if self._name(name) else False

    def run(self, name: str, *, run_id: str, epoch: int, wait: bool, undo: bool = False) -> Outcome:
        """Start it, or look at how it goes. One that failed is started anew when a person lets the run go on."""
        document = self._rooms.documents.get(self._id)
        script = self._name(name)
        key, request = f"{run_id}.{script}", RunRequest(run_id=run_id, undo=undo, epoch=epoch)
        known = self._rooms.runs.last(key)
        if known is None or known.undo != undo or known.state == "interrupted" or key in self._given_up:
            self._given_up.discard(key)
            self._rooms.runs.end_gathering(self._id)
            known = self._rooms.runs.run(document, script, request)
        if known.state == "failed":
            self._given_up.add(key)
            return GiveUp(f"{script} ended with {known.script_exit_code}", f"see dtengine runs show {key}")
        if known.state == "running" and wait:
            return Pending(f"{script} runs", SCRIPT_LOOK_S)
        return Done(f"{script} {'has started' if known.state == 'running' else 'is done'}")

    def _name(self, name: str) -> str:
        settings = self._rooms.documents.get(self._id).failover
        if name == "post_failover":
            return settings.post_script or ""
        return settings.pre_script or name


class OwnServices:
    """The protected services here."""

    def __init__(self, protection: str, rooms: Rooms) -> None:
        self._id = protection
        self._rooms = rooms

    def start(self, epoch: int) -> Outcome:  # noqa: ARG002  # the port's signature
        """Start them in order."""
        names = self._rooms.services.start_all(self._id)
        return Done(f"started {', '.join(names) or 'nothing: there are no services'}")

    def stop(self) -> Outcome:
        """Stop them in reverse order."""
        names = self._rooms.services.stop_all(self._id)
        return Done(f"stopped {', '.join(names) or 'nothing'}")


class AbsentSource:
    """The source is not asked from here: a graceful failover is led by the orchestrator, which stops the source first."""

    def stop_services(self, run_id: str) -> Outcome:
        """Not from here."""
        return self._not_here(run_id)

    def settled(self, run_id: str) -> Outcome:
        """Not from here."""
        return self._not_here(run_id)

    def release_lease(self, run_id: str, epoch: int) -> Outcome:  # noqa: ARG002  # the port's signature
        """Not from here."""
        return self._not_here(run_id)

    def resume_services(self, run_id: str) -> Outcome:
        """Not from here."""
        return self._not_here(run_id)

    @staticmethod
    def _not_here(run_id: str) -> Outcome:
        return GiveUp(f"run {run_id} wants the source stopped first", "run: dtam failover --graceful")


class OwnEvents:
    """The engine's journal."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def say(self, sentence: str, *, level: str = "info", **facts: object) -> None:
        """Record one event; must not raise."""
        plain: dict[str, Any] = {
            key: value if isinstance(value, int | float | str) else str(value) for key, value in facts.items()
        }
        try:
            self._rooms.events.tell("failover", sentence, level=level, **plain)
        except (OSError, DtamError):
            return
