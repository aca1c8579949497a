"""What other threads ask of a connection's sending thread, which alone touches the core; asking wakes it."""

from __future__ import annotations

import contextlib
import os
import select
from collections import deque
from collections.abc import Callable


class Inbox:
    """Deeds in the order in which they were asked for. ``ask`` and ``wake`` from any thread, the rest from the one that does them."""

    def __init__(self) -> None:
        self._deeds: deque[Callable[[], None]] = deque()
        self.wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        """Can be read when somebody asked or woke."""
        self._poll = select.poll()
        self._poll.register(self.wake_fd, select.POLLIN)

    def __len__(self) -> int:
        return len(self._deeds)

    def ask(self, deed: Callable[[], None]) -> None:
        """Let the sending thread do something."""
        self._deeds.append(deed)
        self.wake()

    def wake(self) -> None:
        """Let it look around."""
        os.eventfd_write(self.wake_fd, 1)

    def work_off(self) -> None:
        """Do what was asked for."""
        while self._deeds:
            self._deeds.popleft()()

    def sleep(self, seconds: float) -> None:
        """Until somebody asks or wakes, or the time is over."""
        self._poll.poll(seconds * 1000)
        self.slept()

    def slept(self) -> None:
        """Who slept on ``wake_fd`` is awake: the next sleep lasts until the next word."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.wake_fd)

    def close(self) -> None:
        """Nobody asks any more."""
        os.close(self.wake_fd)
