"""What the source had during this mirror, or had elsewhere, and what the target must not keep, whatever the policy for orphans says.

An operation takes a name away at the target, too. Where the target had something else at that moment, sent from a later state of
the source, it may miss: what was moved along with its directory, or stood where a file was removed. Such names are no orphans of the
target's own. They are told only when the stream has passed everything that the source had done when the name was found missing,
so that the operations take what they can.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from orchestrator.engine.mirror.changes import How
from orchestrator.engine.mirror.messages import Gone

if TYPE_CHECKING:
    from orchestrator.engine.mirror.source import MirrorSource

MOST_A_MESSAGE = 512


class Vanished:
    """The part of a MirrorSource that tells them. ``sent`` is owed for each path (see ``Changes``) until it is told."""

    def __init__(self, source: MirrorSource) -> None:
        self._source = source
        self._waiting: deque[tuple[int, bytes]] = deque()

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be told."""
        return not self._waiting

    def add(self, path: bytes) -> None:
        """The source does not have this path now."""
        self._waiting.append((self._source.reading_up_to(), path))

    def step(self) -> bool:
        """Tell what may be told; False if there was nothing to tell."""
        told: list[bytes] = []
        back: list[bytes] = []
        position = self._source.changes.position
        while self._waiting and self._waiting[0][0] <= position and len(told) < MOST_A_MESSAGE:
            path = self._waiting.popleft()[1]
            (told if self._source.absent(path) else back).append(path)
        if told:
            self._source.put(Gone, (told, True), sum(map(len, told)), [(path, How.SHALLOW) for path in told])
        for path in back:  # made again meanwhile
            self._source.changes.again(path, How.DEEP)
        self._source.settle(*told, *back)
        return bool(told or back)

    def lost(self) -> list[tuple[bytes, How]]:
        """The connection is gone: look again."""
        again = [(path, How.SHALLOW) for _, path in self._waiting]
        self._waiting.clear()
        return again
