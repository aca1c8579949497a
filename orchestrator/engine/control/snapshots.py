"""The snapshots of this engine's replicas: by hand, periodic, before a good state is overwritten; and the way back to one.

Whatever may take long runs in a thread of its own, one deed a replica at a time; who asked looks again. The applier is held at an
operation boundary while a snapshot is taken: that of btrfs takes milliseconds, during a copy the queue grows. A failover ends a
snapshot that is being taken.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from orchestrator.engine.apply.last_good import Check, Moment
from orchestrator.engine.apply.record import ReplicaRecord
from orchestrator.engine.apply.replica import Replica
from orchestrator.engine.control import store
from orchestrator.engine.control.errors import Conflict, Unknown
from orchestrator.engine.control.events import Events
from orchestrator.engine.control.schema_snapshots import SnapshotSettings
from orchestrator.engine.snapshot import limits, ways
from orchestrator.engine.snapshot.exchange import SetBack
from orchestrator.engine.snapshot.record import Kind, Reason, SnapshotRecord, new_id
from orchestrator.engine.snapshot.shelf import Shelf, shelf_name
from orchestrator.errors import DtamError

SETTINGS = "settings.json"


@dataclass(slots=True)
class Deed:
    """What is being done, or was done last, with the snapshots of one replica."""

    says: str
    snapshot: str = ""
    problem: str = ""
    error: DtamError | None = None
    over: threading.Event = field(default_factory=threading.Event)


class Snapshots:
    """The shelves of all replicas, by root. Callable from any thread.

    Args:
        directory: STATE/snapshots.
        events: the journal.
        said: what a protection's document says about its snapshots; None where there is no such document.
    """

    def __init__(self, directory: Path, events: Events, said: Callable[[str], SnapshotSettings | None]) -> None:
        self._directory = directory
        self._events = events
        self._said = said
        self._lock = threading.Lock()
        self._deeds: dict[str, Deed] = {}
        self._kinds: dict[str, tuple[str, str]] = {}

    # -- what is there

    def shelf(self, root: str) -> Shelf:
        """The shelf of a root."""
        return Shelf(Path(root), self._directory / shelf_name(Path(root)))

    def deed(self, root: str) -> Deed | None:
        """The newest deed on a root."""
        return self._deeds.get(root)

    def kind(self, root: str) -> tuple[str, str]:
        """How snapshots are taken there, and why not in a better way."""
        if root not in self._kinds:
            try:
                way = self.shelf(root).way()
            except OSError as error:
                return "unknown", error.strerror or str(error)
            self._kinds[root] = (way.kind, way.why)
        return self._kinds[root]

    def settings(self, record: ReplicaRecord) -> tuple[SnapshotSettings, bool]:
        """What holds for a replica, and whether somebody set it by hand."""
        own = self._settings_file(record.root)
        if own.exists():
            return store.load(own, SnapshotSettings), True
        return self._said(record.protection) or SnapshotSettings(), False

    def schedule(self, record: ReplicaRecord, settings: SnapshotSettings | None) -> None:
        """Set by hand what holds for a replica; None: what its protection says."""
        path = self._settings_file(record.root)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if settings is None:
            store.remove(path)
        else:
            store.save(path, settings)

    def _settings_file(self, root: str) -> Path:
        return self._directory / shelf_name(Path(root)) / SETTINGS

    # -- a start

    def recover(self) -> dict[str, SetBack]:
        """Finish what a kill cut off, before anything is applied: the replacements that are to be told, by root."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        finished = {}
        for directory in sorted(self._directory.iterdir()):
            try:
                root = (directory / "root").read_text(encoding="utf-8", errors="surrogateescape")
                shelf = Shelf(Path(root), directory)
                begun = shelf.recover()
                removed = shelf.sweep()
            except (OSError, DtamError, msgspec.MsgspecError) as error:
                self._events.tell("snapshot", f"what was begun in {directory} cannot be finished: {error}")
                continue
            if begun is not None:
                finished[root] = begun
            if removed:
                self._events.tell("snapshot", f"{root}: removed what was cut off: {', '.join(removed)}")
        return finished

    def _remember_root(self, root: str) -> None:
        directory = self._directory / shelf_name(Path(root))
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (directory / "root").exists():
            store.write_text(directory / "root", root)

    # -- taken

    def take(
        self, replica: Replica, reason: Reason, *, snapshot: str = "", label: str = "", spared: str = ""
    ) -> SnapshotRecord:
        """Take one now, the applier held; ended where somebody needs the replica.

        ``spared``: the snapshot for whose sake this one is taken: nobody waits, and it stays.

        Raises:
            SnapshotFailed, ReplicaPromoted, ReplicaUnusable: there is none.
        """
        root = replica.record.root
        if Path(root).is_dir():
            ways.sync(Path(root))  # so that the applier need not stand still for it
        with replica.standing_still() as moment:
            wanted = self._wanted(moment, reason, snapshot or new_id(), label)
            made = self._taken(wanted, nothing if spared else replica.hurry.check)
        self.tidy(replica.record, spared)
        return made

    def _taken(self, wanted: SnapshotRecord, check: Check) -> SnapshotRecord:
        began = time.monotonic()
        self._remember_root(wanted.root)
        made = self.shelf(wanted.root).take(wanted, check)
        held_s = round(time.monotonic() - began, 4)
        says = (
            f"snapshot {made.id} of {made.root} ({made.kind}, {made.reason}, data {made.data_state}) took {held_s:g} s"
        )
        self._kinds.pop(wanted.root, None)
        self._events.tell("snapshot", says, id=made.id, replica=made.replica, held_s=held_s)
        return made

    @staticmethod
    def _wanted(moment: Moment, reason: Reason, snapshot: str, label: str) -> SnapshotRecord:
        record = moment.record
        return SnapshotRecord(
            id=snapshot,
            root=record.root,
            kind=Kind.COPY,
            reason=reason,
            time_ns=time.time_ns(),
            data_state="good" if moment.is_good else str(record.data_state),
            position=moment.position,
            position_time_ns=moment.position_time_ns,
            log_id=record.log_id,
            epoch=record.epoch,
            replica=record.key,
            protection=record.protection,
            source=record.source,
            replication_set=record.replication_set,
            label=label,
        )

    def tidy(self, record: ReplicaRecord, spared: str = "") -> None:
        """Delete what is beyond the limits."""
        settings, _ = self.settings(record)
        shelf, keep = self.shelf(record.root), limits.Limits(settings.keep, settings.max_age_s)
        needed = {record.kept, record.set_back_to, spared}
        for snapshot in limits.too_many(shelf.listed(), keep, time.time_ns(), needed=needed):
            self._delete(shelf, snapshot, "beyond the limits")

    def _delete(self, shelf: Shelf, snapshot: str, why: str) -> None:
        try:
            shelf.delete(snapshot)
        except (DtamError, OSError) as error:
            self._events.tell("snapshot", f"snapshot {snapshot} of {shelf.root} cannot be deleted yet: {error}")
        else:
            self._events.tell("snapshot", f"snapshot {snapshot} of {shelf.root} was deleted: {why}", id=snapshot)

    # -- before a good state is overwritten (Snapshotter)

    def before_remirror(self, moment: Moment, check: Check) -> str:
        """Keep a good state, by the policy of its replica. Called by the applier, which does nothing else meanwhile."""
        record = moment.record
        settings, _ = self.settings(record)
        known = record.set_back_to and self.shelf(record.root).find(record.set_back_to)
        if known or settings.before_remirror == "overwrite" or record.purpose != "protect":
            return known.id if known else ""
        protected = self._said(record.protection) is not None
        if not protected and settings.before_remirror == "snapshot" and self.kind(record.root)[0] == Kind.COPY:
            return ""
        try:
            return self._taken(self._wanted(moment, Reason.BEFORE_REMIRROR, new_id(), ""), check).id
        except (DtamError, OSError) as error:
            check()
            return self._without(record, settings, error)

    def _without(self, record: ReplicaRecord, settings: SnapshotSettings, error: Exception) -> str:
        if settings.before_remirror == "refuse":
            raise OSError(errno.EAGAIN, f"no snapshot of the good state could be kept: {error}") from error
        says = f"the good state of {record.root} is overwritten by a mirror, no snapshot could be kept: {error}"
        self._events.tell("snapshot", says, level="warning", replica=record.key)
        return ""

    def good_again(self, record: ReplicaRecord) -> None:
        """A mirror has completed: what was kept for the time of mirrors is let go, in a thread of its own."""
        shelf = self.shelf(record.root)
        kept = [one.id for one in shelf.listed() if one.reason is Reason.BEFORE_REMIRROR and not one.mounted_at]
        if kept:
            threading.Thread(target=self._let_go, args=(shelf, kept), name="snapshot-delete", daemon=True).start()

    def _let_go(self, shelf: Shelf, snapshots: list[str]) -> None:
        for snapshot in snapshots:
            self._delete(shelf, snapshot, "the mirror has completed, the replica is good again")

    # -- the way back

    def set_back(self, replica: Replica, snapshot: str, *, keep: Reason | None = Reason.BY_HAND) -> None:
        """Replace a replica's content by a snapshot's. A good state that goes is kept first where that costs little.

        Raises:
            SnapshotFailed, ReplicaPromoted, ReplicaUnusable: it was not done.
        """
        record = replica.record
        shelf = self.shelf(record.root)
        known = shelf.find(snapshot)
        if known is None:
            raise Unknown(kind="snapshot", name=snapshot, listing="snapshots list")
        now_good = record.data_state == "good" or (record.intact and not record.set_back_to)
        if keep is not None and now_good and self.kind(record.root)[0] != Kind.COPY:
            self.take(replica, keep, label=f"before going back to {snapshot}", spared=snapshot)
        replica.set_back(
            snapshot,
            good=known.is_good,
            replace=lambda let_go: shelf.set_back(snapshot, record.key, nothing, let_go),
        )
        shelf.forget_set_back()
        self._kinds.pop(record.root, None)
        says = f"{record.root} was set back to snapshot {snapshot} of {known.source}, data {known.data_state}"
        self._events.tell("snapshot", says, level="warning", id=snapshot, replica=record.key)

    def tell_set_back(self, replica: Replica, begun: SetBack) -> None:
        """After a start: a replica learns that its files are a snapshot's."""
        replica.was_set_back(begun.id, good=begun.good)
        self.shelf(replica.record.root).forget_set_back()
        self._events.tell(
            "snapshot", f"{replica.record.root} was set back to snapshot {begun.id} at the start", id=begun.id
        )

    def sent_back(self, replica: Replica, snapshot: str) -> str:
        """For a failover: begin to set back, or look how it goes; empty when it is done. Raises Unknown, or Conflict where it failed."""
        root = replica.record.root
        now = self.deed(root)
        if now is not None and not now.over.is_set():
            return now.says
        if replica.record.set_back_to == snapshot and self.shelf(root).under_way is None:
            return ""
        if self.shelf(root).find(snapshot) is None:
            raise Unknown(kind="snapshot", name=snapshot, listing="snapshots list")

        def deed() -> str:
            replica.hurry.begin()
            self.set_back(replica, snapshot, keep=Reason.BEFORE_FAILOVER)
            return snapshot

        begun = self.begin(root, f"setting {root} back to snapshot {snapshot}", deed, 2.0)
        if begun.problem:
            raise Conflict(what=begun.says, why=begun.problem, hint="choose another snapshot, or --data apply")
        return "" if begun.over.is_set() else begun.says

    def give_up_set_back(self, record: ReplicaRecord) -> None:
        """Somebody lets a replica follow its source again: what was not finished is not finished any more. Raises Conflict while it is done."""
        now, shelf = self.deed(record.root), self.shelf(record.root)
        if now is not None and not now.over.is_set() and record.set_back_to:
            raise Conflict(
                what=f"resuming {record.key}", why=f"{now.says} is under way", hint="ask again when it is over"
            )
        if shelf.under_way is not None:
            shelf.abandon_set_back()

    # -- in a thread of its own

    def begin(self, root: str, says: str, deed: Callable[[], str], wait_s: float) -> Deed:
        """Begin something that may take long; its outcome, or that it goes on after ``wait_s``.

        Raises:
            Conflict: something else is being done with the snapshots of that replica.
        """
        with self._lock:
            before = self._deeds.get(root)
            if before is not None and not before.over.is_set():
                why = f"{before.says} is under way"
                raise Conflict(what=says, why=why, hint="look again: dtengine snapshots list")
            begun = self._deeds[root] = Deed(says)
        threading.Thread(target=self._carry_out, args=(begun, deed), name="snapshot", daemon=True).start()
        begun.over.wait(wait_s)
        return begun

    def _carry_out(self, begun: Deed, deed: Callable[[], str]) -> None:
        try:
            begun.snapshot = deed()
        except DtamError as error:
            begun.problem, begun.error = str(error), error
        except OSError as error:
            begun.problem = f"{begun.says}: {error.strerror or error}"
        except Exception as error:
            begun.problem = f"{begun.says}: {error!r}"
            raise
        finally:
            if begun.problem:
                self._events.tell("snapshot", begun.problem, level="warning")
            begun.over.set()


def nothing() -> None:
    """Nobody ends it."""
