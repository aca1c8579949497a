"""What a mirror has to know of the ordered log beside which it runs."""

from __future__ import annotations

from typing import Protocol


class Log(Protocol):
    """Where the ordered log and the stream stand. A source without a log (a watcher) answers 0 twice."""

    def end(self) -> int:
        """The sequence of the last complete record."""

    def shipped(self) -> int:
        """All operations up to this sequence were sent, or left out by the rules."""


class NoLog:
    """For a tree that nobody changes, or whose changes are not captured in order."""

    def end(self) -> int:
        """Always 0."""
        return 0

    def shipped(self) -> int:
        """Always 0."""
        return 0
