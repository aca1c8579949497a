"""What people and the clock ask about snapshots: one answer for each replica concerned."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from orchestrator.engine.apply.replica import Replica
from orchestrator.engine.control.answers_snapshots import SnapshotShelf, SnapshotStatus
from orchestrator.engine.control.errors import Unknown
from orchestrator.engine.control.replicas import Replicas
from orchestrator.engine.control.schema_snapshots import SnapshotAction, SnapshotActionKind, SnapshotSettings
from orchestrator.engine.control.snapshots import Snapshots, nothing
from orchestrator.engine.snapshot import limits
from orchestrator.engine.snapshot.record import Reason, SnapshotRecord, new_id
from orchestrator.engine.snapshot.shelf import Shelf
from orchestrator.errors import DtamError

log = logging.getLogger(__name__)
LOOK_S = 5.0


class SnapshotDesk:
    """Lists and acts. Callable from any thread."""

    def __init__(self, snapshots: Snapshots, replicas: Replicas) -> None:
        self._snapshots = snapshots
        self._replicas = replicas

    def listed(self, replica: str | None, protection: str | None) -> list[SnapshotShelf]:
        """The shelves of one replica, of a protection's, or of all."""
        return [self._shelf(each) for each in self._chosen(replica, protection)]

    def act(self, action: SnapshotAction) -> list[SnapshotShelf]:
        """Do it, for each replica concerned; what takes longer than ``wait_s`` goes on.

        Raises:
            Unknown: there is no such replica, or it has no such snapshot.
            Conflict: something else is being done.
            SnapshotFailed: it could not be done.
        """
        chosen = self._chosen(action.replica, action.protection)
        snapshot = action.id or new_id()
        for replica in chosen:
            self._one(replica, action, snapshot, alone=len(chosen) == 1)
        return [self._shelf(each) for each in chosen]

    def _chosen(self, replica: str | None, protection: str | None) -> list[Replica]:
        if replica is not None:
            return [self._replicas.get(replica)]
        if protection is None:
            return self._replicas.all()
        found = self._replicas.of(protection)
        if not found:
            raise Unknown(kind="replica of protection", name=protection, listing="replicas list")
        return found

    def _one(self, replica: Replica, action: SnapshotAction, snapshot: str, *, alone: bool) -> None:
        record, shelf = replica.record, self._snapshots.shelf(replica.record.root)
        if action.action is SnapshotActionKind.SCHEDULE:
            self._snapshots.schedule(record, action.settings)
            return
        free = {SnapshotActionKind.TAKE, SnapshotActionKind.DROP_COPY}
        if action.action not in free and shelf.find(snapshot) is None:
            raise Unknown(kind="snapshot", name=snapshot, listing="snapshots list")
        deed = self._deed(replica, shelf, action, snapshot, alone=alone)
        says = f"{action.action} of snapshot {snapshot} of {record.root}"
        begun = self._snapshots.begin(record.root, says, deed, action.wait_s)
        if begun.error is not None:
            raise begun.error

    def _deed(
        self, replica: Replica, shelf: Shelf, action: SnapshotAction, snapshot: str, *, alone: bool
    ) -> Callable[[], str]:
        def carried_out() -> str:
            match action.action:
                case SnapshotActionKind.TAKE:
                    self._snapshots.take(replica, Reason.BY_HAND, snapshot=snapshot, label=action.label)
                case SnapshotActionKind.DELETE:
                    shelf.delete(snapshot)
                case SnapshotActionKind.REVERT:
                    self._snapshots.set_back(replica, snapshot)
                case SnapshotActionKind.COPY_OUT:
                    shelf.copy_out(snapshot, self._to(replica, action, alone=alone), nothing)
                case SnapshotActionKind.DROP_COPY:
                    shelf.drop_copy(self._to(replica, action, alone=alone))
                case SnapshotActionKind.MOUNT:
                    shelf.mount(snapshot, self._to(replica, action, alone=alone))
                case SnapshotActionKind.UNMOUNT:
                    shelf.unmount(snapshot)
                case SnapshotActionKind.SCHEDULE:
                    pass
            return snapshot

        return carried_out

    @staticmethod
    def _to(replica: Replica, action: SnapshotAction, *, alone: bool) -> Path:
        to = Path(action.to or "/")
        if alone:
            return to
        to.mkdir(parents=True, exist_ok=True)
        return to / replica.record.replication_set

    def _shelf(self, replica: Replica) -> SnapshotShelf:
        record = replica.record
        shelf, deed = self._snapshots.shelf(record.root), self._snapshots.deed(record.root)
        kind, why = self._snapshots.kind(record.root)
        settings, by_hand = self._snapshots.settings(record)
        found = shelf.listed()
        return SnapshotShelf.model_validate(
            {
                "replica": record.key,
                "protection": record.protection,
                "replication_set": record.replication_set,
                "root": record.root,
                "kind": kind,
                "why_not_better": why,
                "settings": settings,
                "settings_by_hand": by_hand,
                "next_ns": due_ns(settings, found, time.time_ns()),
                "under_way": deed.says if deed and not deed.over.is_set() else "",
                "last_id": deed.snapshot if deed else "",
                "last_problem": deed.problem if deed else "",
                "set_back_to": record.set_back_to,
                "snapshots": [status(one, shelf, needed_by(replica, one)) for one in found],
            }
        )


class Periodic:
    """Takes periodic snapshots when they are due, one after the other."""

    def __init__(self, snapshots: Snapshots, replicas: Callable[[], list[Replica]]) -> None:
        self._snapshots = snapshots
        self._replicas = replicas
        self._stopping = threading.Event()
        self._tried: dict[str, int] = {}
        self._thread = threading.Thread(target=self._run, name="periodic-snapshots", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; a snapshot that is being taken is given up."""
        self._stopping.set()
        for replica in self._replicas():
            replica.hurry.begin()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            for replica in self._replicas():
                try:
                    self._look(replica, time.time_ns())
                except (DtamError, OSError) as error:
                    log.warning("periodic snapshot of %s: %s", replica.record.root, error)

    def _look(self, replica: Replica, now_ns: int) -> None:
        """A good replica is kept when it is time. One that failed is tried again when the next is due."""
        record = replica.record
        if record.purpose != "protect" or record.promoted or record.set_back_to or record.data_state != "good":
            return
        settings, _ = self._snapshots.settings(record)
        due = due_ns(settings, self._snapshots.shelf(record.root).listed(), now_ns, self._tried.get(record.key))
        if due is None or due > now_ns or self._stopping.is_set():
            return
        self._tried[record.key] = now_ns
        take = partial(self._snapshots.take, replica, Reason.PERIODIC)
        self._snapshots.begin(record.root, f"the periodic snapshot of {record.root}", lambda: take().id, 0)


def due_ns(
    settings: SnapshotSettings, found: list[SnapshotRecord], now_ns: int, tried_ns: int | None = None
) -> int | None:
    """When the next periodic snapshot is due; an attempt that failed counts as one."""
    times = [one.time_ns for one in found if one.reason is Reason.PERIODIC]
    last = max([*times, *([tried_ns] if tried_ns else [])], default=None)
    return limits.due_ns(limits.Schedule(settings.interval_s, settings.start_ns), last, now_ns)


def needed_by(replica: Replica, one: SnapshotRecord) -> str:
    """Why a snapshot stays for now; empty when it may go."""
    record = replica.record
    if one.id == record.kept:
        return "the last good state until the mirror has completed"
    if one.id == record.set_back_to:
        return "the replica stands at it"
    return f"mounted at {one.mounted_at}" if one.mounted_at else ""


def status(one: SnapshotRecord, shelf: Shelf, needed: str) -> SnapshotStatus:
    """A snapshot as the control API shows it."""
    return SnapshotStatus.model_validate(
        {name: getattr(one, name) for name in SnapshotStatus.model_fields if hasattr(one, name)}
        | {"good": one.is_good, "path": str(shelf.place(one.id)), "needed": needed}
    )
