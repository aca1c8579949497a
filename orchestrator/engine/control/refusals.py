"""What the journal is told of refused requests: a few of each minute, and how many more there were.

Whoever is refused is nobody known and may ask as often as they like; what else happened must not be driven out of the journal by that.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from orchestrator.engine.control.events import Events

TOLD_MAX = 60
WITHIN_S = 60.0
PATH_MAX = 200


class Refusals:
    """Used from one thread; ``now_s`` is a monotonic clock."""

    def __init__(self, events: Events, now_s: Callable[[], float] = time.monotonic) -> None:
        self._events = events
        self._now_s = now_s
        self._since_s = now_s()
        self._count = 0

    def tell(self, method: str, path: str, why: str, client: str) -> None:
        """Somebody was refused."""
        if self._now_s() - self._since_s >= WITHIN_S:
            self._sum_up()
        self._count += 1
        if self._count <= TOLD_MAX:
            self._events.tell("refused", f"{shown(f'{method} {path[:PATH_MAX]}')}: {why}", client=client)

    def _sum_up(self) -> None:
        if self._count > TOLD_MAX:
            sentence = f"{self._count - TOLD_MAX} more requests were refused, after the {TOLD_MAX} that are told"
            self._events.tell("refused", sentence, client="several")
        self._since_s, self._count = self._now_s(), 0


def shown(text: str) -> str:
    """What a stranger wrote, without characters that a terminal would act upon."""
    return "".join(one if one.isprintable() else "?" for one in text)
