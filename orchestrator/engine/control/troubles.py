"""Tells which paths a mirror had to leave out: too long, not readable, not made right at the target.

All go into the engine's log; the first of each mirror are alerts, and so is how many there were when it is over.
"""

from __future__ import annotations

import logging
import os

from orchestrator.engine.control.events import Events
from orchestrator.engine.mirror.progress import Observer

LOG = logging.getLogger(__name__)
ALERTS = 5
SHOWN_BYTES = 200


class Troubles:
    """The observer of one mirror; what else it hears goes to ``book``, where there is one."""

    def __init__(self, events: Events, replication_set: str, book: Observer | None = None) -> None:
        self._events = events
        self._set = replication_set
        self._book = book
        self.hears_same = book is not None
        self.count = 0
        self.orphans = 0

    def same(self, path: bytes, size: int) -> None:
        """Nothing of this file differs."""
        if self._book is not None:
            self._book.same(path, size)

    def different(self, path: bytes, size: int, why: str, blocks: list[int], block_count: int) -> None:
        """The file differs."""
        if self._book is not None:
            self._book.different(path, size, why, blocks, block_count)

    def orphan(self, path: bytes) -> None:
        """Only the target has it."""
        self.orphans += 1
        if self._book is not None:
            self._book.orphan(path)

    def trouble(self, path: bytes, why: str) -> None:
        """The mirror goes on without this path."""
        self.count += 1
        sentence = f"a mirror of {self._set} left out {shown(path)}: {why}"
        LOG.warning("%s", sentence)
        if self.count <= ALERTS:
            self._events.alert("mirror_trouble", sentence)
        if self._book is not None:
            self._book.trouble(path, why)

    def end(self) -> None:
        """The mirror is over."""
        if self.count > ALERTS:
            self._events.alert(
                "mirror_trouble", f"a mirror of {self._set} left out {self.count} paths; its log names all"
            )


def shown(path: bytes) -> str:
    """A path as text, whatever its bytes, and no longer than a line."""
    text = os.fsdecode(path[:SHOWN_BYTES]).encode(errors="backslashreplace").decode()
    return text if len(path) <= SHOWN_BYTES else f"{text}... ({len(path)} bytes)"
