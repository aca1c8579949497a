"""Sleeping until a log's writer has something: the FIFO that it writes one byte to, shared by all readers of that log.

One reader takes the byte; it nudges the others of this process, so that none has to look by itself. A reader of another process that
takes it is noticed when the time is over: no sleep is longer than its caller can bear.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Sequence
from pathlib import Path

_lock = threading.Lock()
_sleepers: dict[tuple[int, int], list[Sleeper]] = {}
"""Those that share a FIFO, by its device and inode. Under the lock; a list is replaced, never changed."""


class Sleeper:
    """One reader's place at a FIFO, which is made if it is not there. Used by one thread; ``close`` when nobody sleeps any more."""

    def __init__(self, path: Path) -> None:
        with contextlib.suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        self._fifo = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)  # read-write, so that it never ends
        self._nudge = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._also: tuple[int, ...] = ()
        for fd in (self._fifo, self._nudge):
            self._poll.register(fd, select.POLLIN)
        status = os.fstat(self._fifo)
        self._key = (status.st_dev, status.st_ino)
        with _lock:
            _sleepers[self._key] = [*_sleepers.get(self._key, ()), self]

    def sleep(self, timeout_s: float, also: Sequence[int] = ()) -> None:
        """Until the writer, another reader's nudge, a descriptor of ``also``, or the time wakes it."""
        self._watch(tuple(also))
        awake = {fd for fd, _ in self._poll.poll(timeout_s * 1000)}
        if self._nudge in awake:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._nudge)
        if self._fifo in awake:
            with contextlib.suppress(BlockingIOError):
                os.read(self._fifo, 4096)
            self._nudge_others()

    def _watch(self, also: tuple[int, ...]) -> None:
        if also == self._also:
            return
        for fd in self._also:
            self._poll.unregister(fd)
        for fd in also:
            self._poll.register(fd, select.POLLIN)
        self._also = also

    def _nudge_others(self) -> None:
        if len(_sleepers[self._key]) == 1:
            return
        with _lock:  # none of them closes meanwhile
            for other in _sleepers[self._key]:
                if other is not self:
                    other.nudge()

    def nudge(self) -> None:
        """End its sleep, or its next one at once."""
        os.eventfd_write(self._nudge, 1)

    def close(self) -> None:
        """Let go of both descriptors."""
        with _lock:
            left = [other for other in _sleepers[self._key] if other is not self]
            if left:
                _sleepers[self._key] = left
            else:
                del _sleepers[self._key]
            os.close(self._nudge)
        os.close(self._fifo)


def barrier() -> None:
    """What was written before is seen by other processors before what follows is read: a lock is taken, which is a full barrier."""
    with _lock:
        pass
