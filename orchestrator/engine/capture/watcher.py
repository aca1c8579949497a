"""The watcher: capture for where FUSE cannot be had. Weaker: no write order.

inotify says that something changed at a path, not what and not in which order across files. So the watcher only says "look
here again" (``Dirty``), and the mirror sends what it finds. The target follows within moments, but is never promised to be a
state the source was in.

Invariant: a directory is watched before it is reported, and it is read after it was reported; so nothing that changes
in between is missed. When the kernel's queue overflows everything is reported again.
"""

from __future__ import annotations

import errno
import os
import posixpath
import select
import time
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.engine.capture.dirty import Dirty, DirtySet
from orchestrator.engine.capture.errors import WatchesExhausted
from orchestrator.engine.capture.inotify import (
    IN_ATTRIB,
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_DELETE,
    IN_DONT_FOLLOW,
    IN_EXCL_UNLINK,
    IN_IGNORED,
    IN_ISDIR,
    IN_MODIFY,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_ONLYDIR,
    IN_Q_OVERFLOW,
    Inotify,
    InotifyEvent,
)

WEAKER = "watcher: weaker: no write order"
_WANTED = (
    IN_CREATE | IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO
    | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK
)  # fmt: skip


@dataclass(slots=True)
class _Watched:
    """A watched directory: the kernel's number and the watched directories in it."""

    number: int
    children: set[bytes]


class Watcher:
    """Watches everything below ``root``. Used by one thread; ``close`` when done.

    Raises:
        WatchesExhausted: the kernel's limit of watches for this user is reached.
    """

    def __init__(
        self, root: bytes, dirty: DirtySet | None = None, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._root = root
        self._dirty = dirty or DirtySet()
        self._clock_s = clock_s
        self._inotify = Inotify()
        self._directories: dict[bytes, _Watched] = {}
        self._paths: dict[int, bytes] = {}
        self.overflows = 0
        self._watch_tree(b"")

    def fileno(self) -> int:
        """Readable when something happened."""
        return self._inotify.fileno()

    def wait(self, timeout_s: float) -> list[Dirty]:
        """What is ripe to be looked at, waiting up to ``timeout_s`` for the first of it."""
        deadline_s = self._clock_s() + timeout_s
        while True:
            self._read_events()
            now_s = self._clock_s()
            ripe = self._dirty.take_ripe(now_s)
            if ripe or now_s >= deadline_s:
                return ripe
            soon_s = self._dirty.ripens_in_s(now_s)
            pause_s = min(deadline_s - now_s, deadline_s if soon_s is None else soon_s)
            select.select([self._inotify], [], [], max(pause_s, 0.001))

    def close(self) -> None:
        """Stop watching."""
        self._inotify.close()

    def _read_events(self) -> None:
        for event in self._inotify.read():
            self._take(event)

    def _take(self, event: InotifyEvent) -> None:
        if event.mask & IN_Q_OVERFLOW:
            self._start_over()
            return
        parent = self._paths.get(event.watch)
        if parent is None or event.mask & IN_IGNORED:
            return
        path = posixpath.join(parent, event.name) if event.name else parent
        is_directory = bool(event.mask & IN_ISDIR)
        if is_directory and event.name and event.mask & (IN_DELETE | IN_MOVED_FROM):
            self._forget_tree(path)
        arrived = is_directory and bool(event.name) and bool(event.mask & (IN_CREATE | IN_MOVED_TO))
        if arrived:
            self._watch_tree(path)
        self._dirty.add(path, self._clock_s(), subtree=arrived)

    def _start_over(self) -> None:
        """Events were lost: watch everything anew and report everything."""
        self.overflows += 1
        self._forget_tree(b"")
        self._watch_tree(b"")
        self._dirty.add(b"", self._clock_s(), subtree=True)

    def _watch_tree(self, top: bytes) -> None:
        """Watch a directory, then the directories found in it: whoever comes later is seen by the parent's watch."""
        waiting = [top]
        while waiting:
            path = waiting.pop()
            if self._watch(path):
                waiting += self._subdirectories(path)

    def _watch(self, path: bytes) -> bool:
        try:
            number = self._inotify.watch(self._full(path), _WANTED)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise WatchesExhausted(path=os.fsdecode(self._full(path)), count=len(self._directories)) from error
            return False  # gone or replaced meanwhile: its parent's watch tells
        stale = self._paths.get(number)
        if stale is not None and stale != path:
            self._drop(stale)  # the same directory under its former name
        self._paths[number] = path
        known = self._directories.get(path)
        self._directories[path] = _Watched(number, known.children if known else set())
        if path:
            self._directories.setdefault(posixpath.dirname(path), _Watched(-1, set())).children.add(path)
        return True

    def _subdirectories(self, path: bytes) -> list[bytes]:
        try:
            with os.scandir(self._full(path)) as entries:
                return [posixpath.join(path, entry.name) for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            return []

    def _forget_tree(self, top: bytes) -> None:
        waiting = [top]
        while waiting:
            path = waiting.pop()
            known = self._directories.get(path)
            if known is not None:
                waiting += known.children
                self._inotify.forget(known.number)
                self._drop(path)

    def _drop(self, path: bytes) -> None:
        known = self._directories.pop(path, None)
        if known is not None:
            self._paths.pop(known.number, None)
        parent = self._directories.get(posixpath.dirname(path)) if path else None
        if parent is not None:
            parent.children.discard(path)

    def _full(self, path: bytes) -> bytes:
        return posixpath.join(self._root, path) if path else self._root
