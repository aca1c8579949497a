"""The moving parts of one replica while it has a log: its writer with group commit, its queue, its applier, its checkpoints.

The order of things: operations are put in the queue and appended to the log; the group commit puts the log on the disk, and only
then are they acknowledged and applied; a checkpoint puts the applied files on the disk (syncfs), and only then are segments deleted.

Threads: the session's thread calls ``append`` and ``put_item``; ``group-commit``, ``applier`` and ``janitor`` are started here.
``_overflow_lock`` guards what the disk did not take yet; it is held while appending, so that the log's order is the stream's.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from orchestrator.engine.apply.applier import Applier, RetryPolicy, Supervisor
from orchestrator.engine.apply.errors import ReplicaUnusable
from orchestrator.engine.apply.operations import BeforeChange, FileOperations
from orchestrator.engine.apply.position import PositionPage, boot_id
from orchestrator.engine.apply.queue import StreamQueue
from orchestrator.engine.apply.root import Root
from orchestrator.engine.oplog.errors import LogUnusable
from orchestrator.engine.oplog.format import HEADER, LEAD
from orchestrator.engine.oplog.limits import Place, QueueLimits, QueueUse, alert_due, place, used_percent
from orchestrator.engine.oplog.reader import LogReader
from orchestrator.engine.oplog.writer import GroupCommit, LogWriter
from orchestrator.engine.transfer.messages import MirrorItem, Operations

POSITION_NAME = "position"
QUEUE_NAME = "queue"


@dataclass(frozen=True, slots=True)
class ReplicaSettings:
    """How a replica behaves; sizes in bytes, times in seconds."""

    limits: QueueLimits = field(default_factory=QueueLimits)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    segment_bytes: int = 5 << 20
    checkpoint_s: float = 2.0
    janitor_s: float = 0.2


class Owner(Supervisor, Protocol):
    """Who has these works (the replica)."""

    def logged(self, sequence: int) -> None:
        """Operations up to ``sequence`` are in the log on the disk."""

    def queue_alert(self, percent: int) -> None:
        """The disk queue has crossed the percentage that calls for a warning."""


class Works:
    """Writer, queue, applier and janitor over one log and one root."""

    def __init__(
        self,
        writer: LogWriter,
        position: PositionPage,
        root: Root,
        owner: Owner,
        settings: ReplicaSettings,
        *,
        before_change: BeforeChange | None,
    ) -> None:
        """Use ``create`` or ``open``; nothing runs until ``start``."""
        self.writer = writer
        self.position = position
        self.root = root
        self.replay_until = 0 if position.same_boot else writer.appended_sequence
        self.queue = StreamQueue(settings.limits.memory_limit_bytes, committed=writer.appended_sequence)
        self.acknowledged_time_ns = 0
        self.queue_full = False
        self.overflow_reason = ""
        self._owner = owner
        self._settings = settings
        self._overflow: deque[Operations] = deque()
        self._overflow_lock = threading.Lock()
        self._percent = 0
        self._checkpoint_due_s = 0.0
        self._checkpointing = threading.Lock()
        self._stopping = threading.Event()
        self._commit = GroupCommit(writer, self._committed, self._commit_failed)
        files = FileOperations(root, before_change=before_change)
        self.applier = Applier(
            files, position, self.queue, self._open_log, owner, replay_until=self.replay_until, policy=settings.retry
        )
        self._janitor = threading.Thread(target=self._tidy_for_ever, name="janitor", daemon=True)

    @classmethod
    def create(  # noqa: PLR0917
        cls,
        directory: Path,
        root: Path,
        log_id: uuid.UUID,
        start: int,
        owner: Owner,
        settings: ReplicaSettings,
        *,
        before_change: BeforeChange | None = None,
    ) -> Works:
        """A new, empty queue that continues ``log_id`` after ``start``; an older one in the directory is removed.

        Raises:
            LogUnusable: the queue's directory cannot be written.
            OSError: the root cannot be opened.
        """
        opened = Root(root)
        queue = directory / QUEUE_NAME
        shutil.rmtree(queue, ignore_errors=True)
        writer = LogWriter.create(queue, log_id, start=start, segment_bytes=settings.segment_bytes)
        position = PositionPage.create(directory / POSITION_NAME, log_id, boot_id(), applied=start)
        return cls(writer, position, opened, owner, settings, before_change=before_change)

    @classmethod
    def open(
        cls,
        directory: Path,
        root: Path,
        owner: Owner,
        settings: ReplicaSettings,
        *,
        before_change: BeforeChange | None = None,
    ) -> Works:
        """Go on after a stop, a kill or a crash of the machine.

        Raises:
            LogUnusable: the queue lost operations that were acknowledged.
            ReplicaUnusable: queue and position do not belong together.
            OSError: the root cannot be opened.
        """
        opened = Root(root)
        writer = LogWriter.open(directory / QUEUE_NAME)
        position = PositionPage(directory / POSITION_NAME, boot_id())
        if position.log_id != writer.state.log_id or position.applied > writer.appended_sequence:
            raise ReplicaUnusable(where=directory, why="its position is not in its queue")
        works = cls(writer, position, opened, owner, settings, before_change=before_change)
        if position.applied < writer.appended_sequence:
            works.queue.put_backlog(writer.appended_sequence)
        return works

    def start(self) -> None:
        """Begin to commit, to apply and to tidy up."""
        self._commit.start()
        self.applier.start()
        self._janitor.start()

    def stop(self) -> None:
        """End in order: what was applied is on the disk afterwards, what was not stays in the queue."""
        self._stopping.set()
        self.applier.stop()
        self._janitor.join()
        self._commit.stop()
        self._checkpoint()
        self.position.close()
        self.writer.close()
        self.root.close()

    # --- arriving

    def append(self, operations: Operations) -> None:
        """Operations arrived. If the disk does not take them now, they wait in memory, and the queue is full."""
        self.queue.put_operations(operations)
        with self._overflow_lock:
            self._overflow.append(operations)
            self._drain()
        self._measure()

    def _drain(self) -> None:
        """Append what waits; under ``_overflow_lock``."""
        try:
            while self._overflow:
                self.writer.append_records(self._overflow[0].data, self._overflow[0].last)
                self.acknowledged_time_ns = last_time_ns(self._overflow.popleft())
                self._commit.request()
        except OSError as error:
            self.overflow_reason = f"the queue's disk: {error.strerror}"
        else:
            self.overflow_reason = ""

    def put_item(self, item: MirrorItem) -> None:
        """A mirror item arrived, in its place among the operations."""
        self.queue.put_item(item)

    def _committed(self, sequence: int) -> None:
        self.queue.commit(sequence)
        self._owner.logged(sequence)

    def _commit_failed(self, error: LogUnusable) -> None:
        self._owner.lost_queue(str(error))

    def _open_log(self) -> LogReader:
        return LogReader(self.writer.directory, self.writer.directory, self.writer.state)

    # --- tidying

    def _tidy_for_ever(self) -> None:
        while not self._stopping.wait(self._settings.janitor_s):
            if self._overflow:
                with self._overflow_lock:
                    self._drain()
            if self.backlog or self.queue_full or self._percent:
                self._measure()
            if self.position.applied != self.position.checkpointed and time.monotonic() >= self._checkpoint_due_s:
                self._checkpoint()

    def _measure(self) -> None:
        use = self.use()
        percent = used_percent(self._settings.limits, use)
        if alert_due(self._settings.limits, self._percent, percent):
            self._owner.queue_alert(percent)
        self._percent = percent
        was_full = self.queue_full
        self.queue_full = bool(self._overflow) or self._is_full(use)
        if self.queue_full != was_full:
            self._owner.moved()

    def _is_full(self, use: QueueUse) -> bool:
        """Whether the source is to wait. A queue that has been worked off is never full, whatever its last segment takes."""
        if self.backlog == 0:
            return False
        short = use.free_bytes < self._settings.limits.minimum_free_bytes
        return short or place(self._settings.limits, use, 1) is Place.FULL

    def use(self) -> QueueUse:
        """What the queue takes: in memory, on disk (whole segments, while operations wait only there), and what the disk has left."""
        on_disk = self.writer.state.disk_bytes if self.queue.overflows else 0
        free = os.statvfs(self.writer.directory)
        return QueueUse(self.queue.memory_bytes, on_disk, free.f_bavail * free.f_frsize)

    @property
    def backlog(self) -> int:
        """How many operations wait to be applied."""
        return max(0, self.queue.queued - self.position.applied)

    def _checkpoint(self) -> None:
        """Put the applied files on the disk, note how far, then delete the segments that are no longer needed."""
        with self._checkpointing:
            applied = self.position.applied
            if applied == self.position.checkpointed:
                return
            try:
                self.root.sync()
            except OSError as error:
                self._owner.diverged(f"the target's disk did not take what was applied: {error.strerror}")
                return
            self.position.checkpoint(applied)
            self.writer.release(applied)
            self._checkpoint_due_s = time.monotonic() + self._settings.checkpoint_s

    # --- commands

    def settle(self, timeout_s: float, tick: Callable[[], bool] = lambda: True) -> bool:
        """Wait until everything that was acknowledged is applied and on the disk; whether that came to pass in time."""
        wanted = self.writer.commit()
        self.queue.commit(wanted)
        deadline_s = time.monotonic() + timeout_s
        while self.position.applied < wanted or not self.queue.is_empty:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0 or not tick():
                return False
            self.queue.wait_changed(min(left_s, 0.05))
        self._checkpoint()
        return True

    def discard(self) -> int:
        """Forget what was not applied; how many operations that were. The applier must be held."""
        dropped = self.backlog
        with self._overflow_lock:
            self._overflow.clear()
        self.queue.clear()
        end = self.writer.commit()
        self.queue.commit(end)
        self.position.advance(end, self.position.applied_time_ns)
        self._checkpoint()
        return dropped


def last_time_ns(operations: Operations) -> int:
    """When the source made the last of these operations."""
    offset, end, last = 0, len(operations.data), 0
    while offset < end:
        last, offset = offset, offset + LEAD.unpack_from(operations.data, offset)[0]
    return int(HEADER.unpack_from(operations.data, last)[4])
