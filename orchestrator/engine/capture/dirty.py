"""What a watcher knows to be out of step: paths to look at again, kept few and ripened for a moment.

A path ripens when it was quiet for ``settle_s``, or when it has waited ``latest_s`` (a file written without end must travel too).
Past ``limit`` paths the set collapses: whole subtrees take the place of what lies below them, in the end the root. Pure: the
time is an argument.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Dirty:
    """Look at ``path`` (relative to the root, root = empty) again: send what is there, or delete what is not.

    With ``subtree`` everything below is to be looked at too.
    """

    path: bytes
    subtree: bool


@dataclass(slots=True)
class _Waiting:
    subtree: bool
    first_s: float
    last_s: float


class DirtySet:
    """Paths that wait to be looked at. Not thread-safe: its watcher's thread owns it."""

    def __init__(self, settle_s: float = 0.05, latest_s: float = 0.5, limit: int = 50_000) -> None:
        self._settle_s = settle_s
        self._latest_s = latest_s
        self._limit = limit
        self._waiting: dict[bytes, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, path: bytes, now_s: float, *, subtree: bool = False) -> None:
        """Note that a path changed."""
        known = self._waiting.get(path)
        if known is None:
            self._waiting[path] = _Waiting(subtree, now_s, now_s)
        else:
            known.last_s = now_s
            known.subtree |= subtree
        if len(self._waiting) > self._limit:
            self._collapse(now_s)

    def take_ripe(self, now_s: float) -> list[Dirty]:
        """Remove and give what is ripe, parents before what lies below them."""
        ripe = [path for path, waiting in self._waiting.items() if self._is_ripe(waiting, now_s)]
        return sorted(Dirty(path, self._waiting.pop(path).subtree) for path in ripe)

    def ripens_in_s(self, now_s: float) -> float | None:
        """How long until something is ripe; None when nothing waits."""
        if not self._waiting:
            return None
        soonest = min(min(one.last_s + self._settle_s, one.first_s + self._latest_s) for one in self._waiting.values())
        return max(0.0, soonest - now_s)

    def _is_ripe(self, waiting: _Waiting, now_s: float) -> bool:
        return now_s - waiting.last_s >= self._settle_s or now_s - waiting.first_s >= self._latest_s

    def _collapse(self, now_s: float) -> None:
        """Let directories stand for what lies in them, one level at a time, until half the limit is free again."""
        while len(self._waiting) > self._limit // 2:
            deepest = max(path.count(b"/") for path in self._waiting)
            for path in [path for path in self._waiting if path and path.count(b"/") >= deepest]:
                first_s = self._waiting.pop(path).first_s
                parent = self._waiting.setdefault(posixpath.dirname(path), _Waiting(True, first_s, now_s))
                parent.subtree = True
                parent.first_s = min(parent.first_s, first_s)
            if list(self._waiting) == [b""]:
                return
