"""A replica: all that the target keeps of one connection, across sessions, restarts and crashes.

Its data state says what the files are worth: ``good`` (a state the source really was in), ``mirroring``, ``mirror_required``,
``restore_required`` (live since a failover), ``not_ready``. Invariants: a promoted replica applies nothing and takes no session; the
record on disk never claims a better state than the files have (it is worsened before the deed, bettered after it).

Locks: ``_lock`` guards record, works and listener; the applier takes it, so nobody waits for the applier while holding it.
``_command`` makes pause, discard, promote, demote, ``prepare_log`` and ``close`` one at a time; it is taken before ``_lock``.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from orchestrator.engine.apply.errors import ReplicaUnusable
from orchestrator.engine.apply.hearing import Hearing
from orchestrator.engine.apply.last_good import Moment
from orchestrator.engine.apply.ports import Listener
from orchestrator.engine.apply.record import ReplicaRecord, load_record, save_record
from orchestrator.engine.apply.works import ReplicaSettings, Works
from orchestrator.engine.oplog.errors import CorruptRecord, LogUnusable
from orchestrator.engine.snapshot.ways import make_root
from orchestrator.engine.transfer.messages import (
    DataState,
    Hello,
    MirrorItem,
    Operations,
    Refusal,
)


class Replica(Hearing):
    """One replica, in its own directory."""

    # --- coming and going

    @classmethod
    def create(
        cls, directory: Path, hello: Hello, peer: str, settings: ReplicaSettings | None = None, **ports: object
    ) -> Replica:
        """A replica for a connection that is introduced for the first time; its log comes with the first fresh session.

        Raises:
            OSError: the directory cannot be written.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        record = ReplicaRecord(
            key=hello.connection,
            source=hello.source,
            protection=hello.protection,
            replication_set=hello.replication_set,
            root=hello.target_root,
            peer=peer,
            epoch=hello.epoch,
            says="nothing was mirrored yet",
            purpose=hello.purpose,
        )
        save_record(directory, record)
        return cls(directory, record, settings, **ports)  # type: ignore[arg-type]

    @classmethod
    def open(cls, directory: Path, settings: ReplicaSettings | None = None, **ports: object) -> Replica:
        """A replica from before: it goes on applying what its queue holds.

        Raises:
            ReplicaUnusable: its record cannot be read.
        """
        replica = cls(directory, load_record(directory), settings, **ports)  # type: ignore[arg-type]
        replica._go_on()
        return replica

    def _go_on(self) -> None:
        record = self._record
        self._rebased = record.data_state is not DataState.GOOD
        if record.data_state is DataState.MIRRORING:
            self._worsen("the mirror was interrupted by a restart of the target")
        if record.promoted or not record.log_id:
            return
        try:
            root = Path(record.root)
            self._start(Works.open(self.directory, root, self, self._settings, before_change=self._before_change))
        except (LogUnusable, ReplicaUnusable, CorruptRecord, OSError) as error:
            self._save(log_id="")
            self.diverged(f"the target's queue was lost: {error}")

    def _start(self, works: Works) -> None:
        if works.writer.torn:
            self._happened(f"replica {self.key}: a torn tail was cut off the queue ({works.writer.torn})")
        self._works = works
        works.start()
        if self._paused:
            works.applier.hold(0)

    def _stop_works(self) -> None:
        """Stop everything; under ``_command``, never under ``_lock``."""
        with self._lock:
            works, self._works = self._works, None
        if works is not None:
            self.hurry.begin()
            works.stop()
        self.hurry.over()

    def close(self) -> None:
        """End in order; everything goes on with ``open``."""
        with self._command:
            self._stop_works()

    # --- a session comes

    def attach(self, listener: Listener) -> int:
        """A session opened; the one before it, if any, must end. The sequence up to which everything is acknowledged."""
        with self._lock:
            before, self._listener = self._listener, listener
            works = self._works
        self.hurry.over()
        if before is not None:
            before.denied(Refusal.NOT_READY, "a newer session of the same connection took over")
        if self._token != self.link.token:
            self._token = self.link.token
            self._new_numbering(works)
        return works.writer.state.committed_sequence if works is not None else 0

    def _new_numbering(self, works: Works | None) -> None:
        """The source started anew: what it had sent of a mirror is worth nothing now."""
        if works is not None:
            works.queue.drop_items()
        if self._record.data_state is DataState.MIRRORING:
            self._worsen("the source started anew in the middle of the mirror")

    def detach(self, listener: Listener) -> None:
        """The session is over."""
        with self._lock:
            if self._listener is listener:
                self._listener = None

    def prepare_log(self, hello: Hello, settle_s: float = 30.0) -> int:
        """Begin a new base that continues ``hello.log_id`` after ``hello.committed``; the position operations continue from.

        What was acknowledged under the old log is applied first.

        Raises:
            ReplicaPromoted: it is live.
            ReplicaUnusable: the old queue could not be applied in time, or the root or the disk is not usable.
        """
        with self._command:
            self._refuse_promoted()
            works = self._works
            if works is not None and self._record.log_id and not works.settle(settle_s):
                raise ReplicaUnusable(where=self.directory, why=f"operations are still waiting: {self.progress().says}")
            self._stop_works()
            self._rebased = True
            self._save(log_id="", epoch=max(hello.epoch, self._record.epoch))
            self._worsen("a new base began; a mirror is due", intact=True)
            self._start(self._new_works(hello))
            self._save(log_id=hello.log_id)
            return hello.committed

    def _new_works(self, hello: Hello) -> Works:
        root = Path(self._record.root)
        log_id = uuid.UUID(hello.log_id)
        try:
            make_root(root)
            return Works.create(
                self.directory, root, log_id, hello.committed, self, self._settings, before_change=self._before_change
            )
        except (OSError, LogUnusable) as error:
            raise ReplicaUnusable(where=self.directory, why=str(error)) from error

    def accept_epoch(self, epoch: int) -> None:
        """A source with this epoch was welcomed; an older one will be refused from now on."""
        with self._lock:
            if epoch > self._record.epoch:
                self._save(epoch=epoch)

    def append(self, operations: Operations) -> None:
        """Verified operations arrived. Raises ``ReplicaPromoted`` when it is live."""
        works = self._works
        if works is None:
            self._refuse_promoted()
            raise ReplicaUnusable(where=self.directory, why="it has no queue")
        works.append(operations)

    def put_item(self, item: MirrorItem) -> None:
        """A mirror item arrived in its place."""
        works = self._works
        if works is not None:
            works.put_item(item)

    # --- commands

    def pause(self) -> None:
        """Apply nothing until ``resume``; what arrives is queued and acknowledged."""
        with self._command:
            self._paused = True
            if self._works is not None:
                self._works.applier.hold()
        self.moved()

    def resume(self) -> None:
        """End a pause."""
        with self._command:
            self._paused = False
            if self._record.set_back_to:
                self._save(set_back_to="", says="it was set back; a mirror is due")
            if self._works is not None:
                self._works.applier.go_on()
        self.moved()

    @contextlib.contextmanager
    def standing_still(self, timeout_s: float = 10.0) -> Iterator[Moment]:
        """Nothing is applied meanwhile; what arrives is queued and acknowledged.

        Raises:
            ReplicaPromoted: it is live, others write to it.
            ReplicaUnusable: the applier did not come to a stop in time.
        """
        with self._command:
            self._refuse_promoted()
            works = self._works
            try:
                if works is not None and not works.applier.hold(timeout_s):
                    raise ReplicaUnusable(where=self.directory, why="one operation takes very long; try again")
                yield self._moment(works)
            finally:
                if works is not None and not self._paused:
                    works.applier.go_on()

    def set_back(self, snapshot: str, *, good: bool, replace: Callable[[Callable[[], None]], None]) -> None:
        """Replace the files by a snapshot's; what was queued is dropped, and no session is taken until ``resume``.

        Args:
            snapshot: its id.
            good: whether it is a state that the source was in.
            replace: does it; calls what it is given just before it touches the files, and raises when it could not do it.
        """
        with self._command:
            self._refuse_promoted()
            replace(lambda: self._let_go_for(snapshot))
            self.was_set_back(snapshot, good=good)
            listener = self._listener
        if listener is not None:
            listener.denied(Refusal.NOT_READY, self._record.says)

    def _let_go_for(self, snapshot: str) -> None:
        """From here on the files are worth nothing until it is over, or until somebody resumes the replica for a mirror."""
        says = f"it is being set back to snapshot {snapshot}"
        self._worsen(says)
        self._save(log_id="", intact=False, set_back_to=snapshot, says=says)
        self._stop_works()

    def take_over_good(self, before: ReplicaRecord) -> None:
        """Its files are those of a replica that was good, or whose last good state was kept."""
        good = before.data_state is DataState.GOOD or before.intact
        self._save(intact=good, kept=before.kept)

    def was_set_back(self, snapshot: str, *, good: bool) -> None:
        """The files are a snapshot's now."""
        says = f"set back to snapshot {snapshot}; it follows its source again, with a mirror, when it is resumed"
        state = DataState.MIRROR_REQUIRED
        self._save(set_back_to=snapshot, intact=good, log_id="", data_state=state, says=says)

    def settle(self, timeout_s: float) -> bool:
        """Wait until everything acknowledged is applied and on the disk; whether that came to pass in time."""
        works = self._works
        return works is None or works.settle(timeout_s)

    def discard_queue(self) -> int:
        """Forget what was not applied; how many operations. The files stay as they are; a mirror is needed to go on."""
        with self._command:
            works = self._works
            if works is None:
                return 0
            self._save(log_id="")
            works.applier.hold()
            dropped = works.discard()
            self._worsen(f"{dropped} operations were discarded by command", intact=True)
            if not self._paused:
                works.applier.go_on()
            listener = self._listener
        if listener is not None:
            listener.denied(Refusal.LOG_MISMATCH, "the target's queue was discarded")
        return dropped

    def promote(self, epoch: int) -> None:
        """The data goes live: apply stops, sessions are refused until ``demote``. Settle or discard first, as you wish."""
        with self._command:
            listener = self._listener
            says = "live since the failover; restore from it to the original source"
            self._save(
                promoted=True,
                epoch=max(epoch, self._record.epoch),
                data_state=DataState.RESTORE_REQUIRED,
                says=says,
                intact=False,
                set_back_to="",
            )
            self._stop_works()
        if listener is not None:
            listener.denied(Refusal.RESTORE_REQUIRED, "the target was promoted")

    def demote(self, epoch: int = 0) -> None:
        """The data is no longer live; it takes a fresh session and a mirror from now on. What the queue still held is dropped."""
        with self._command:
            if not self._record.promoted:
                return
            says = "it was live; a mirror is due"
            newest = max(epoch, self._record.epoch)
            state = DataState.MIRROR_REQUIRED  # what was kept before the failover is no state to go back to any more
            self._save(promoted=False, epoch=newest, log_id="", data_state=state, says=says, kept="")
