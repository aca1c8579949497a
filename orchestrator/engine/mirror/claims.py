"""Whose an inode of the target is, for files that have several names on the source."""

from __future__ import annotations

import os


class Claims:
    """Which group of names an inode was given to in this mirror; only files with several names are remembered."""

    def __init__(self) -> None:
        self._groups: dict[int, int] = {}

    def belongs(self, now: os.stat_result, group: int) -> bool:
        """Whether writing into this file changes no other that must stay: it has one name, or those of its own group."""
        if now.st_nlink == 1:
            return True
        return bool(group) and self._groups.get(now.st_ino, group) == group

    def claim(self, now: os.stat_result, group: int) -> None:
        """This inode holds a file of a group (0: of none)."""
        if group:
            self._groups[now.st_ino] = group

    def clear(self) -> None:
        """A new mirror begins."""
        self._groups.clear()
