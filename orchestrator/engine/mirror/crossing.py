"""Files that have names on both sides of a set's boundary: an operation may be told by the name outside and still be the set's.

A capturing file system knows files, not by which of its names a program opened one. So an operation by a name that the rules leave out
is asked about here: has that file a name inside? Words: a *crossing* file has names inside and outside; *companions* are the names inside,
elsewhere, of files that came in.

Names that operations tell of are followed in the order of the stream; those from before are looked for on disk, once, when the first file
with several names is met. A name outside that is gone by then was missed: what was written by it arrives with the file's next mirror.
"""

from __future__ import annotations

import contextlib
import os
import stat as st
from collections.abc import Iterator

from orchestrator.engine.mirror import beneath
from orchestrator.engine.mirror.kin import Kin
from orchestrator.engine.mirror.rules import RuleSet
from orchestrator.engine.mirror.walk import Node, Walk
from orchestrator.engine.oplog.format import Kind, Operation

MOST_FRESH = 10_000
"""So many names that appeared are looked at one by one; beyond that the set is walked again."""


class Crossing:
    """The names inside of files with several names. Used by one thread.

    Args:
        root: of the captured directory.
        rules: of the set.
    """

    def __init__(self, root: beneath.Root, rules: RuleSet) -> None:
        self._root = root
        self._rules = rules
        self._kin = Kin()
        self._inside: dict[int, set[bytes]] | None = None
        self._fresh: set[bytes] = set()

    def note(self, operation: Operation) -> None:
        """See every operation in order, after it was asked about."""
        if operation.kind in (Kind.LINK, Kind.RENAME, Kind.UNLINK):
            self._kin.note(operation)
        if operation.kind in (Kind.LINK, Kind.RENAME) and self._inside is not None:
            self._fresh.add(operation.path2)
            if len(self._fresh) > MOST_FRESH:
                self._inside = None

    def inside(self, path: bytes) -> bytes:
        """A name inside of the file that has this name outside; empty if it has none."""
        for name in self._kin.of(path):
            if self._rules.selects(name):
                return name
        try:
            with _opened(self._root) as root_fd:
                info = beneath.look(root_fd, path)
                names = self._names_of(root_fd, info) if info is not None else []
        except OSError:
            return b""
        for name in names:
            self._join(names[0], name)
        if names:
            self._join(names[0], path)
        return names[0] if names else b""

    def companions(self, path: bytes) -> list[bytes]:
        """Names inside, but not below ``path``, of the files at ``path`` and below it."""
        found: list[bytes] = []
        try:
            with _opened(self._root) as root_fd:
                for _, info in self._several(root_fd, path):
                    found += [name for name in self._names_of(root_fd, info) if not _is_below(name, path)]
        except OSError:
            return found
        return found

    def _names_of(self, root_fd: int, info: os.stat_result) -> list[bytes]:
        if not _has_several(info):
            return []
        index = self._index(root_fd)
        return sorted(name for name in index.get(info.st_ino, ()) if _is(root_fd, name, info))

    def _index(self, root_fd: int) -> dict[int, set[bytes]]:
        """The names inside by inode, with what appeared since."""
        waiting = self._fresh if self._inside is not None else {b""}
        index = self._inside if self._inside is not None else {}
        self._inside, self._fresh = index, set()
        for path in waiting:
            for name, info in self._several(root_fd, path):
                if self._rules.selects(name):
                    index.setdefault(info.st_ino, set()).add(name)
        return index

    def _several(self, root_fd: int, path: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
        """Files with several names at a path of the set and below it."""
        info = beneath.look(root_fd, path)
        if info is None or not self._rules.carries(path):
            return
        if not st.S_ISDIR(info.st_mode):
            if _has_several(info):
                yield path, info
            return
        walk = Walk(root_fd, self._rules, Node(path, None, force=False), lambda _node: None, lambda _path, _why: None)
        while (page := walk.next_page()) is not None:
            for name, _ in page.others:
                below = beneath.join(page.node.path, name)
                found = beneath.look(root_fd, below)
                if found is not None and _has_several(found):
                    yield below, found

    def _join(self, known: bytes, name: bytes) -> None:
        if known != name and name not in self._kin.of(known):
            self._kin.note(Operation(Kind.LINK, 0, 0, known, name))


@contextlib.contextmanager
def _opened(root: beneath.Root) -> Iterator[int]:
    root_fd = beneath.open_root(root)
    try:
        yield root_fd
    finally:
        os.close(root_fd)


def _has_several(info: os.stat_result) -> bool:
    return info.st_nlink > 1 and not st.S_ISDIR(info.st_mode)


def _is(root_fd: int, name: bytes, wanted: os.stat_result) -> bool:
    info = beneath.look(root_fd, name)
    return info is not None and (info.st_ino, info.st_dev) == (wanted.st_ino, wanted.st_dev)


def _is_below(name: bytes, path: bytes) -> bool:
    return name == path or name.startswith(path + b"/")
