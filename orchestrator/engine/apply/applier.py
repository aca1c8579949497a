"""The thread that takes operations from the queue and does them to the files: in order, each once, whatever happens.

What a failing operation means is decided here. A target that is locked, full, read-only or denied is tried again, with the reason
in the status, and order holds meanwhile (the Linux guide, chapter 9 and message 4110). A path that is not as the log says is
passed over during a mirror, and is an error that calls for a mirror when the data was good.

Only this thread changes files and the position. It holds no lock while it does; it is steered by ``hold``, ``go_on`` and ``stop``.
"""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from orchestrator.engine.apply.operations import FileOperations
from orchestrator.engine.apply.position import Doubt, PositionPage
from orchestrator.engine.apply.queue import Entry, InLog, StreamQueue
from orchestrator.engine.oplog.errors import CorruptRecord, LogUnusable
from orchestrator.engine.oplog.format import (
    LEAD,
    NAMESPACE_KINDS,
    NEW_NAMES,
    Kind,
    NameFlag,
    Operation,
    UnlinkFlag,
    decode_verified,
)
from orchestrator.engine.oplog.reader import LogReader
from orchestrator.engine.transfer.messages import MirrorItem, Operations

log = logging.getLogger(__name__)
RETRIED = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EBUSY,
        errno.ETXTBSY,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.EAGAIN,
        errno.ESTALE,
    }
)
CREATING = frozenset({Kind.CREATE, Kind.MKDIR, Kind.SYMLINK, Kind.MKNOD})
DOUBTFUL = NAMESPACE_KINDS | CREATING
ATTRIBUTES = frozenset({Kind.SETXATTR, Kind.REMOVEXATTR})
LOG_RUN_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often an operation is tried again (None: for ever), and how long is waited between: doubling up to the longest."""

    limit: int | None = None
    first_s: float = 0.05
    longest_s: float = 2.0


class Supervisor(Protocol):
    """What the applier tells the replica."""

    @property
    def tolerant(self) -> bool:
        """Whether the files may differ from the log: anything but a good data state."""

    def retrying(self, reason: str | None) -> None:
        """An operation is being tried again, for this reason; None: no longer."""

    def succeeded(self, what: str, retries: int, reason: str) -> None:
        """What had failed was done after all."""

    def diverged(self, reason: str, *, intact: bool = False) -> None:
        """Only a mirror helps; ``intact``: the files are as the log says, but the log goes on elsewhere."""

    def about_to_change(self) -> None:
        """Something will be applied. Raises OSError when it must wait."""

    def lost_queue(self, reason: str) -> None:
        """The queue's log is damaged; the applier holds."""

    def replayed_name(self, operation: Operation) -> None:
        """A name-changing operation was replayed after a crash of the machine."""

    def marked(self, operation: Operation) -> None:
        """A MARK was reached."""

    def item(self, item: MirrorItem) -> None:
        """A mirror item is due: do it."""

    def moved(self) -> None:
        """The position moved on."""


class Applier:
    """One replica's applier."""

    def __init__(
        self,
        files: FileOperations,
        position: PositionPage,
        queue: StreamQueue,
        open_log: Callable[[], LogReader],
        supervisor: Supervisor,
        *,
        replay_until: int = 0,
        policy: RetryPolicy | None = None,
    ) -> None:
        """Ready to start; operations up to ``replay_until`` may have been done before a crash of the machine."""
        self._files = files
        self._position = position
        self._queue = queue
        self._open_log = open_log
        self._supervisor = supervisor
        self._replay_until = replay_until
        self._policy = policy or RetryPolicy()
        self._log: LogReader | None = None
        self._doubt = position.doubt
        self._held = threading.Event()
        self._stopping = False
        self._nudge = threading.Event()
        self._idle = threading.Event()
        self._thread = threading.Thread(target=self._run, name="applier", daemon=True)

    # --- steering

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def hold(self, timeout_s: float = 10.0) -> bool:
        """Stop between two operations and stay there; whether that came to pass in time."""
        self._idle.clear()  # the thread may have told it of the hold before, after ``go_on``
        self._held.set()
        self._nudge.set()
        self._queue.wake()
        return self._idle.wait(timeout_s)

    def go_on(self) -> None:
        """End a hold."""
        self._idle.clear()
        self._nudge.clear()
        self._held.clear()
        self._queue.wake()

    def stop(self) -> None:
        """End between two operations."""
        self._stopping = True
        self._held.set()
        self._nudge.set()
        self._queue.wake()
        if self._thread.ident is not None:
            self._thread.join()
        if self._log is not None:
            self._log.close()

    # --- the thread

    def _run(self) -> None:
        while not self._stopping:
            if self._held.is_set():
                self._idle.set()
                self._queue.wait_changed(0.2)
                continue
            entry = self._queue.head(0.5)
            if entry is not None and not self._held.is_set():
                self._step(entry)

    def _step(self, entry: Entry) -> None:
        try:
            finished = self._do(entry)
        except (CorruptRecord, LogUnusable) as error:
            self._supervisor.lost_queue(f"the target's queue cannot be read: {error}")
            self._held.set()
            return
        except Exception as error:
            log.exception("the applier stopped")
            self._supervisor.diverged(f"the applier stopped, please report this as a bug: {error!r}")
            self._held.set()
            return
        if finished:
            self._queue.done(entry)
        self._supervisor.moved()

    def _kept_first(self) -> bool:
        """A good state that is about to be overwritten is kept first; False when we are held before that was done."""
        return self._tried(
            self._supervisor.about_to_change, "keeping the good state before it is overwritten", _give_up
        )

    def _do(self, entry: Entry) -> bool:
        if not self._kept_first():
            return False
        match entry:
            case Operations(data=data):
                return self._apply_run(memoryview(data))
            case InLog(last):
                return self._apply_log(last)
            case MirrorItem():
                return self._apply_item(entry)

    def _apply_item(self, item: MirrorItem) -> bool:
        where = f"mirror item {item.index}"
        self._files.root.forget_tree()  # the mirror puts other files in the place of those we hold open
        return self._tried(
            lambda: self._supervisor.item(item), where, lambda error: self._supervisor.diverged(f"{where}: {error}")
        )

    def _apply_log(self, last: int) -> bool:
        """Apply what the log has, up to ``last``; False when there is more to come or we are held."""
        if self._log is None:
            self._log = self._open_log()
        if self._log.position != self._position.applied:
            self._log.seek(self._position.applied)
        run = self._log.read_run(LOG_RUN_BYTES, last)
        if run is None:
            self._queue.wait_changed(0.05)
            return self._position.applied >= last
        return self._apply_run(run.data) and self._position.applied >= last

    def _apply_run(self, data: memoryview) -> bool:
        offset, end, applied, held = 0, len(data), self._position.applied, self._held
        while offset < end:
            total, _, _, sequence = LEAD.unpack_from(data, offset)
            if sequence > applied:
                if held.is_set():
                    return False
                operation = decode_verified(data, offset)
                if not self._apply(operation):
                    return False
                self._position.advance(sequence, operation.time_ns)
            offset += total
        return True

    def _apply(self, operation: Operation) -> bool:
        """Do one operation; False when we are held before it could be done."""
        replaying = operation.sequence <= self._replay_until
        if operation.kind in DOUBTFUL:
            return self._apply_name(operation, replaying=replaying)
        if operation.kind in {Kind.MARK, Kind.GAP, Kind.SKIP}:
            self._note(operation)
            return operation.kind is not Kind.GAP or self._kept_first()
        return self._perform(operation, tolerant=replaying or self._supervisor.tolerant)

    def _note(self, operation: Operation) -> None:
        if operation.kind is Kind.MARK:
            self._supervisor.marked(operation)
        if operation.kind is Kind.GAP:
            self._supervisor.diverged(f"the source lost operations from {operation.sequence} on", intact=True)

    def _apply_name(self, operation: Operation, *, replaying: bool) -> bool:
        doubt, self._doubt = self._doubt, None
        again = doubt is not None and doubt.sequence == operation.sequence
        if again and doubt is not None and was_done(self._files, operation, doubt):
            return True
        if replaying:
            self._supervisor.replayed_name(operation)
        self._position.begin(_doubt_of(self._files, operation))
        halfway = again and operation.kind in CREATING
        mirrored = self._supervisor.tolerant and not replaying
        over_kept = operation.kind in NEW_NAMES and bool(operation.flags & NameFlag.OVER_KEPT)
        return self._perform(operation, tolerant=halfway or replaying or mirrored or over_kept, mirrored=mirrored)

    def _perform(self, operation: Operation, *, tolerant: bool, mirrored: bool = False) -> bool:
        try:
            self._files.perform(operation, tolerant=tolerant, mirrored=mirrored)
        except OSError as error:
            if not _worth_retrying(operation, error):
                self._pass_over(operation, error, tolerant=tolerant)
                return True
        else:
            return True
        return self._tried(
            lambda: self._files.perform(operation, tolerant=tolerant, mirrored=mirrored),
            _deed(operation),
            lambda error: self._pass_over(operation, error, tolerant=tolerant),
        )

    def _tried(self, deed: Callable[[], None], what: str, give_up: Callable[[OSError], None]) -> bool:
        """Do it, again and again while the reason may pass. True: done or given up; False: held before it was done."""
        retries, delay_s, reason = 0, self._policy.first_s, ""
        try:
            while True:
                try:
                    deed()
                except OSError as error:
                    if error.errno not in RETRIED:
                        give_up(error)
                        return True
                    reason = f"{what}: {error.strerror}"
                else:
                    if retries:
                        self._supervisor.succeeded(what, retries, reason)
                    return True
                if self._policy.limit is not None and retries >= self._policy.limit:
                    self._supervisor.diverged(f"given up after {retries} retries: {reason}")
                    return True
                self._supervisor.retrying(reason)
                if self._nudge.wait(delay_s):
                    return False
                retries, delay_s = retries + 1, min(delay_s * 2, self._policy.longest_s)
        finally:
            if reason:
                self._supervisor.retrying(None)

    def _pass_over(self, operation: Operation, error: OSError, *, tolerant: bool) -> None:
        lacking = operation.kind in ATTRIBUTES and error.errno == errno.EOPNOTSUPP
        if not tolerant and not lacking:
            self._supervisor.diverged(f"{_deed(operation)}: {error.strerror}")


def _give_up(error: OSError) -> None:
    """Nothing is done that was not prepared."""
    raise error


def was_done(files: FileOperations, operation: Operation, doubt: Doubt) -> bool:
    """Whether the operation in doubt was done before we were killed: the files tell, by their inodes."""
    match operation.kind:
        case Kind.RENAME:
            return doubt.inode not in {0, doubt.inode2} and files.inode(operation.path2) == doubt.inode
        case Kind.LINK:
            return doubt.inode not in {0, doubt.inode2} and files.inode(operation.path2) == doubt.inode
        case Kind.UNLINK if not operation.flags & UnlinkFlag.TREE:
            return doubt.inode != 0 and files.inode(operation.path) == 0
        case Kind.RMDIR:
            return doubt.inode != 0 and files.inode(operation.path) == 0
        case _:
            return False


def _doubt_of(files: FileOperations, operation: Operation) -> Doubt:
    two = operation.kind in {Kind.RENAME, Kind.LINK}
    return Doubt(operation.sequence, files.inode(operation.path), files.inode(operation.path2) if two else 0)


def _worth_retrying(operation: Operation, error: OSError) -> bool:
    hopeless = operation.kind is Kind.MKNOD and error.errno == errno.EPERM
    return error.errno in RETRIED and not hopeless


def _deed(operation: Operation) -> str:
    path = operation.path.decode("utf-8", "backslashreplace")
    return f"cannot {operation.kind.name.lower()} {path!r} (operation {operation.sequence})"
