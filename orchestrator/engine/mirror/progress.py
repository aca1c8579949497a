"""How far a mirror has come, and who wants to hear about each file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


@dataclass(slots=True)
class Progress:
    """Counts since the mirror began.

    Attributes:
        files_compared: regular files looked at.
        files_different: those of which something was sent (or would be, in a verification).
        sent_bytes: data that travelled.
        done_bytes: sizes of the files dealt with, sent or not.
        total_files: if the size was calculated, else None.
        total_bytes: likewise.
        orphan_files: removed, moved or logged at the target.
        current: the path last looked at.
    """

    files_compared: int = 0
    files_different: int = 0
    sent_bytes: int = 0
    done_bytes: int = 0
    skipped_paths: int = 0
    orphan_files: int = 0
    orphan_directories: int = 0
    orphan_bytes: int = 0
    total_files: int | None = None
    total_bytes: int | None = None
    current: bytes = b""

    @property
    def skipped_bytes(self) -> int:
        """Data that needed not to travel."""
        return max(0, self.done_bytes - self.sent_bytes)

    @property
    def remaining_bytes(self) -> int | None:
        """What is left to be dealt with when the size was calculated; None otherwise."""
        return None if self.total_bytes is None else max(0, self.total_bytes - self.done_bytes)

    def complete(self) -> None:
        """All was dealt with: what that was is the size, if nobody calculated it before."""
        if self.total_bytes is None:
            self.total_files, self.total_bytes = self.files_compared, self.done_bytes

    @property
    def percent(self) -> float | None:
        """0 to 100 when the size was calculated; None otherwise."""
        if self.total_bytes is None:
            return None
        if not self.total_bytes:
            return 100.0
        return min(100.0, 100.0 * self.done_bytes / self.total_bytes)


class Observer(Protocol):
    """Hears about each file: a verification writes its log so.

    Attributes:
        hears_same: whether it wants to hear of each file that is the same.
    """

    hears_same: bool

    def same(self, path: bytes, size: int) -> None:
        """Nothing of this file differs."""

    def different(self, path: bytes, size: int, why: str, blocks: list[int], block_count: int) -> None:
        """The file differs: in what, and in which blocks when they were compared (the first thousand offsets, and how many)."""

    def orphan(self, path: bytes) -> None:
        """Only the target has it."""

    def trouble(self, path: bytes, why: str) -> None:
        """It could not be read, or not made right."""


class Account:
    """Keeps the counts and tells the observer."""

    def __init__(self, progress: Progress, observer: Observer | None) -> None:
        self.progress = progress
        self.observer = observer

    def trouble(self, path: bytes, why: str) -> None:
        """A path that could not be read, or not made right; the mirror goes on without it."""
        self.progress.skipped_paths += 1
        if self.observer is not None:
            self.observer.trouble(path, why)

    def same(self, path: bytes, info: os.stat_result) -> None:
        """A file needs not to be sent."""
        progress = self.progress
        progress.files_compared += 1
        progress.done_bytes += info.st_size
        if self.observer is not None:
            self.observer.same(path, info.st_size)

    def all_same(self, files: int, size_bytes: int) -> None:
        """So many files need not to be sent; nobody hears of each."""
        self.progress.files_compared += files
        self.progress.done_bytes += size_bytes

    def different(self, path: bytes, size: int, why: str, blocks: Iterable[int] = (), count: int = 0) -> None:
        """A file was sent, or would be: why, and which blocks."""
        progress = self.progress
        progress.files_compared += 1
        progress.files_different += 1
        progress.done_bytes += size
        progress.current = path
        if self.observer is not None:
            self.observer.different(path, size, why, list(blocks), count)

    def orphans(self, files: int, directories: int, size_bytes: int) -> None:
        """What was done with orphans, in all."""
        progress = self.progress
        progress.orphan_files, progress.orphan_directories, progress.orphan_bytes = files, directories, size_bytes

    def orphan(self, path: bytes) -> None:
        """Only the target has it."""
        if self.observer is not None:
            self.observer.orphan(path)
