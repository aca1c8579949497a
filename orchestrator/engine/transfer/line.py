"""The way to one target address: how frames are compressed there and how fast they go. All connections to the address share it.

Source: the Linux guide, chapters 9 and 12: replication sets connected to the same address of a target share both settings.

Lock: ``_lock`` guards the bucket; it is never held while waiting.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from orchestrator.engine.transfer.compression import Level
from orchestrator.engine.transfer.framing import Part
from orchestrator.engine.transfer.pacing import TokenBucket

LOOK_S = 0.25
"""A sender that waits looks up so often whether it still has to."""


class Line:
    """Compression and bandwidth of one way; both may be changed while it is used."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.level = Level.OFF
        self._clock = clock
        self._lock = threading.Lock()
        self._bucket = TokenBucket(None, clock())

    @property
    def rate_bytes_s(self) -> float | None:
        """The limit, in bytes of frames a second before encryption; None: none."""
        return self._bucket.rate_bytes_s

    def set(self, level: Level, rate_bytes_s: float | None) -> None:
        """Compress and send like this from now on."""
        self.level = level
        with self._lock:
            if rate_bytes_s != self._bucket.rate_bytes_s:
                self._bucket.set_rate(rate_bytes_s, self._clock())

    def send(
        self, parts: Sequence[Part], send: Callable[[Sequence[Part]], None], wait: Callable[[float], bool]
    ) -> None:
        """Send a frame no faster than allowed.

        Args:
            parts: the frame.
            send: sends some of it. May raise.
            wait: sleeps for so many seconds; True: give up pacing, the connection is ending.
        """
        if self._bucket.rate_bytes_s is None:
            send(parts)
            return
        for part in parts:
            view, start = memoryview(part), 0
            while start < len(view):
                size = self._bucket.piece_bytes() or len(view)
                piece = view[start : start + size]
                self._await_turn(len(piece), wait)
                send((piece,))
                start += len(piece)

    def _await_turn(self, size: int, wait: Callable[[float], bool]) -> None:
        while True:
            with self._lock:
                owed_s = self._bucket.wait_s(self._clock())
                if owed_s == 0:
                    self._bucket.take(size, self._clock())
                    return
            if wait(min(owed_s, LOOK_S)):
                return
