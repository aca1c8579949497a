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
        self._waiting: deque[tuple[int, bytes, bool]] = deque()

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be told."""
        return not self._waiting

    def add(self, path: bytes, *, orphan: bool = False) -> None:
        """The source does not have this path now; ``orphan``: it never had, so the policy says what becomes of it."""
        self._waiting.append((self._source.reading_up_to(), path, orphan))

    def step(self) -> bool:
        """Tell what may be told; False if there was nothing to tell."""
        removed: list[bytes] = []
        orphans: list[bytes] = []
        back: list[bytes] = []
        position, count = self._source.changes.position, 0
        while self._waiting and self._waiting[0][0] <= position and count < MOST_A_MESSAGE:
            _, path, orphan = self._waiting.popleft()
            (back if not self._source.absent(path) else orphans if orphan else removed).append(path)
            count += 1
        for told, by_source in ((removed, True), (orphans, False)):
            if told:
                self._source.put(Gone, (told, by_source), sum(map(len, told)), [(path, How.SHALLOW) for path in told])
        for path in back:  # made again meanwhile
            self._source.changes.again(path, How.DEEP)
        self._source.settle(*removed, *orphans, *back)
        return count > 0

    def lost(self) -> list[tuple[bytes, How]]:
        """The connection is gone: look again."""
        again = [(path, How.SHALLOW) for _, path, _ in self._waiting]
        self._waiting.clear()
        return again
