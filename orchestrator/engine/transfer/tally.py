"""What a source connection has sent, and how old the oldest operation is that the target has not acknowledged.

The sending thread counts; ``lag_s`` may be asked from any thread. Lock: ``_lock`` guards ``_times``, all else is replaced whole.
"""

from __future__ import annotations

import threading
import time
from collections import deque


class Tally:
    """The counters of one connection, over all its sessions.

    Attributes:
        replication_bytes: operations, as they were encoded.
        operations: how many.
        sent_bytes: everything, with frames and mirror.
        acknowledged_time_ns: CLOCK_REALTIME of the newest operation known to be acknowledged; 0 before the first.
    """

    def __init__(self) -> None:
        self.replication_bytes = self.operations = self.sent_bytes = 0
        self.acknowledged_time_ns = 0
        self._lock = threading.Lock()
        self._times: deque[tuple[int, int]] = deque()

    def shipped(self, last: int, oldest_ns: int, count: int, size: int) -> None:
        """A run was sent: its last sequence, the time of its first operation, how many, and their bytes."""
        with self._lock:
            self._times.append((last, oldest_ns))
        self.replication_bytes += size
        self.operations += count

    def acknowledged(self, sequence: int) -> None:
        """The target has everything up to here."""
        with self._lock:
            while self._times and self._times[0][0] <= sequence:
                self.acknowledged_time_ns = self._times.popleft()[1]

    def begin_session(self) -> None:
        """What is not acknowledged will be sent again."""
        with self._lock:
            self._times.clear()

    def lag_s(self) -> float:
        """The age of the oldest operation that is on its way, or of the last acknowledged one when none is."""
        with self._lock:
            oldest_ns = self._times[0][1] if self._times else self.acknowledged_time_ns
        return max(0.0, (time.time_ns() - oldest_ns) / 1e9) if oldest_ns else 0.0
