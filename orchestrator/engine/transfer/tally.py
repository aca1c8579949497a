"""What a source connection has sent, and how old the oldest operation is that the target has not acknowledged.

The sending thread counts; the figures may be asked from any thread. Lock: ``_lock`` guards ``_times``, all else is replaced whole.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

from orchestrator.engine.oplog.format import HEADER, LEAD
from orchestrator.engine.transfer.messages import Message, MirrorItem, Operations


@dataclass(slots=True)
class Sent:
    """Bytes of frames before encryption: as they are without compression, and as they went.

    Attributes:
        plain_bytes: as if nothing had been compressed.
        packed_bytes: as sent; the same where nothing was compressed.
    """

    plain_bytes: int = 0
    packed_bytes: int = 0

    def add(self, plain_bytes: int, packed_bytes: int) -> None:
        """One more frame."""
        self.plain_bytes += plain_bytes
        self.packed_bytes += packed_bytes


class Tally:
    """The counters of one connection, over all its sessions.

    Attributes:
        replication: operations.
        mirror: mirror items.
        total: everything, with signs of life.
        operations: how many.
        acknowledged_time_ns: CLOCK_REALTIME of the newest operation known to be acknowledged; 0 before the first.
    """

    def __init__(self) -> None:
        self.replication, self.mirror, self.total = Sent(), Sent(), Sent()
        self.operations = 0
        self.acknowledged_time_ns = 0
        self._lock = threading.Lock()
        self._times: deque[tuple[int, int]] = deque()
        self._last_run: memoryview | bytes = b""
        self._last_path = b""

    def sent(self, message: Message, plain_bytes: int, packed_bytes: int) -> None:
        """A frame was handed to the channel."""
        self.total.add(plain_bytes, packed_bytes)
        if isinstance(message, Operations):
            self.replication.add(plain_bytes, packed_bytes)
        elif isinstance(message, MirrorItem):
            self.mirror.add(plain_bytes, packed_bytes)

    def shipped(self, operations: Operations, oldest_ns: int) -> None:
        """A run goes out; the time of its first operation."""
        with self._lock:
            self._times.append((operations.last, oldest_ns))
        self.operations += operations.count
        self._last_run = operations.data

    def acknowledged(self, sequence: int) -> None:
        """The target has everything up to here."""
        with self._lock:
            while self._times and self._times[0][0] <= sequence:
                self.acknowledged_time_ns = self._times.popleft()[1]
            idle = not self._times
        if idle:
            self._last_path, self._last_run = self.last_path, b""

    @property
    def last_path(self) -> bytes:
        """The file that the last operation sent was about; empty before the first."""
        return last_path(self._last_run) or self._last_path

    def begin_session(self) -> None:
        """What is not acknowledged will be sent again."""
        with self._lock:
            self._times.clear()

    def lag_s(self) -> float:
        """The age of the oldest operation that is on its way, or of the last acknowledged one when none is."""
        with self._lock:
            oldest_ns = self._times[0][1] if self._times else self.acknowledged_time_ns
        return max(0.0, (time.time_ns() - oldest_ns) / 1e9) if oldest_ns else 0.0


def last_path(run: memoryview | bytes) -> bytes:
    """The path of the last record of a run that has one; empty when none has."""
    offset, found = 0, b""
    while offset < len(run):
        path_bytes = HEADER.unpack_from(run, offset)[5]
        found = bytes(run[offset + HEADER.size : offset + HEADER.size + path_bytes]) or found
        offset += LEAD.unpack_from(run, offset)[0]
    return found
