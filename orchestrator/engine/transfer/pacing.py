"""A bandwidth limit as a token bucket, without a clock: time is an argument.

Invariant: what was taken between two instants never exceeds rate x time by more than the burst and the last piece. A piece may be taken as soon
as nothing is owed, and then owes what it is too large by; so however many take from one bucket, the sum keeps the rate.
"""

from __future__ import annotations

BURST_S = 0.05
"""What was not used is kept for so long: 0.5 % of ten seconds."""
PIECE_S = 0.05
SMALLEST_PIECE_BYTES = 1 << 10
LARGEST_PIECE_BYTES = 1 << 18


class TokenBucket:
    """Bytes that may be sent. Its owner holds a lock."""

    def __init__(self, rate_bytes_s: float | None, now_s: float) -> None:
        """Begin with nothing saved; None as rate: no limit."""
        self.rate_bytes_s = rate_bytes_s
        self._balance_bytes = 0.0
        self._then_s = now_s

    def set_rate(self, rate_bytes_s: float | None, now_s: float) -> None:
        """Another rate from now on; what is owed is forgotten, for it was owed at the old one."""
        self.rate_bytes_s, self._balance_bytes, self._then_s = rate_bytes_s, 0.0, now_s

    def wait_s(self, now_s: float) -> float:
        """How long nothing may be taken: until less than a byte is owed."""
        if self.rate_bytes_s is None:
            return 0.0
        self._fill(self.rate_bytes_s, now_s)
        return -self._balance_bytes / self.rate_bytes_s if self._balance_bytes <= -1 else 0.0

    def take(self, size: int, now_s: float) -> None:
        """Take so many bytes; ``wait_s`` has said that it may be done."""
        if self.rate_bytes_s is not None:
            self._fill(self.rate_bytes_s, now_s)
            self._balance_bytes -= size

    def piece_bytes(self) -> int | None:
        """How much is sent at once; None: all of it."""
        if self.rate_bytes_s is None:
            return None
        return max(SMALLEST_PIECE_BYTES, min(LARGEST_PIECE_BYTES, int(self.rate_bytes_s * PIECE_S)))

    def _fill(self, rate_bytes_s: float, now_s: float) -> None:
        passed_s, self._then_s = max(0.0, now_s - self._then_s), max(now_s, self._then_s)
        self._balance_bytes = min(self._balance_bytes + passed_s * rate_bytes_s, rate_bytes_s * BURST_S)
