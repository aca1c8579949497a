"""A clock for machines in a test's own process: it stands still unless somebody waits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class PassingClock:
    """Seconds that go on while somebody waits."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """They pass at once."""
        self.now += seconds
