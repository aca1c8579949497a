"""The source's tree, a page of names at a time.

Directories are entered page by page, so that neither a directory with a million names nor a deep tree is ever held in memory; only
below ``DEEPEST_OPEN`` levels are the names of subdirectories read ahead, to spare descriptors. A *node* counts what is still owed to
a directory; when nothing is, its own mode and times can travel.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Protocol

from orchestrator.engine.mirror import beneath
from orchestrator.engine.mirror.options import LONGEST_DATA_PATH_BYTES
from orchestrator.engine.mirror.rules import RuleSet

PAGE_NAMES = 512
DEEPEST_OPEN = 200


class Quick(Protocol):
    """A quicker way through directories."""

    def takes(self, node: Node) -> list[bytes] | None:
        """The names of a directory's subdirectories, if it takes over all else of it; None if the directory is to be read."""

    def passed(self, node: Node) -> None:
        """A directory that it took: its subdirectories are all under way."""


class Scan(Protocol):
    """What ``os.scandir`` returns."""

    def __iter__(self) -> Iterator[os.DirEntry[str]]:
        """The entries."""

    def close(self) -> None:
        """Release the descriptor."""


class Node:
    """A directory under way. ``owed`` counts its listing, its files and its subdirectories not yet done."""

    __slots__ = ("force", "owed", "parent", "path")

    def __init__(self, path: bytes, parent: Node | None, *, force: bool) -> None:
        self.path = path
        self.parent = parent
        self.force = force
        self.owed = 1
        if parent is not None:
            parent.owed += 1


class Page:
    """Some names of a directory, directories apart from the rest (name, whether it is a regular file)."""

    __slots__ = ("directories", "node", "others")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.directories: list[bytes] = []
        self.others: list[tuple[bytes, bool]] = []


class _Frame:
    """A directory whose names are being read; its descriptor stays open as long as the entries are in use."""

    __slots__ = ("entries", "fd", "node", "taken", "waiting")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.fd = -1
        self.taken = False
        self.entries: Scan | None = None
        self.waiting: list[bytes] = []

    def open(self, root_fd: int) -> None:
        """Begin to read the names."""
        self.fd = beneath.open_directory(root_fd, self.node.path)
        self.entries = os.scandir(self.fd)

    def close(self) -> None:
        """No more names are read."""
        if self.entries is not None:
            self.entries.close()
        self.entries = None
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Walk:
    """Goes through a directory and all below it, depth first.

    Args:
        root_fd: the root of the set.
        rules: what is left out.
        node: the directory to begin with.
        walked: told each directory whose listing is complete and whose subdirectories are all under way.
        skipped: told each path that cannot be walked, and why.
        quick: offered each directory.
        below: whether subdirectories are entered.
    """

    def __init__(
        self,
        root_fd: int,
        rules: RuleSet,
        node: Node,
        walked: Callable[[Node], None],
        skipped: Callable[[bytes, str], None],
        *,
        quick: Quick | None = None,
        below: bool = True,
    ) -> None:
        self._root_fd = root_fd
        self._rules = rules
        self._frames: list[_Frame] = []
        self._walked = walked
        self._skipped = skipped
        self._quick = quick
        self._below = below
        self._first: Node | None = node

    def next_page(self) -> Page | None:
        """The next names, none for a directory that the quick way took; None at the end of the walk."""
        if self._first is not None:
            first, self._first = self._first, None
            if self._enter(first):
                return Page(first)
        while self._frames:
            frame = self._frames[-1]
            if frame.waiting:
                if self._enter(Node(frame.waiting.pop(), frame.node, force=frame.node.force)):
                    return Page(self._frames[-1].node)
            elif frame.entries is None:
                self._leave(self._frames.pop())
            else:
                return self._read(frame)
        return None

    def close(self) -> None:
        """Give up the walk."""
        while self._frames:
            self._frames.pop().close()

    def _leave(self, frame: _Frame) -> None:
        if frame.taken and self._quick is not None:
            self._quick.passed(frame.node)
        else:
            self._walked(frame.node)

    def _enter(self, node: Node) -> bool:
        """Begin a directory; whether the quick way took it."""
        frame = _Frame(node)
        self._frames.append(frame)
        taken = self._quick.takes(node) if self._quick is not None else None
        if taken is not None:
            frame.taken = True
            frame.waiting = [beneath.join(node.path, name) for name in taken]
            return True
        try:
            frame.open(self._root_fd)
        except OSError as error:
            if error.errno not in beneath.NOT_THERE:
                self._skipped(node.path, error.strerror or str(error))
        return False

    def _read(self, frame: _Frame) -> Page:
        page = Page(frame.node)
        most = PAGE_NAMES if len(self._frames) < DEEPEST_OPEN else sys.maxsize
        for entry in frame.entries or ():
            self._sort(entry, page)
            if len(page.others) + len(page.directories) >= most:
                break
        else:
            frame.close()
        if self._below:
            frame.waiting = [beneath.join(frame.node.path, name) for name in reversed(page.directories)]
        return page

    def _sort(self, entry: os.DirEntry[str], page: Page) -> None:
        name = os.fsencode(entry.name)
        path = beneath.join(page.node.path, name)
        if len(path) > LONGEST_DATA_PATH_BYTES:
            self._skipped(path, f"its path has {len(path)} bytes, more than {LONGEST_DATA_PATH_BYTES}")
            return
        directory = entry.is_dir(follow_symlinks=False)
        if not self._rules.everything:
            wanted = self._rules.carries(path) if directory else self._rules.selects(path)
            if not wanted:
                return
        if directory:
            page.directories.append(name)
        else:
            page.others.append((name, entry.is_file(follow_symlinks=False)))
