"""Which names the target has, a page at a time: the source asks, and says which of them are orphans."""

from __future__ import annotations

import os
from collections.abc import Iterator

from orchestrator.engine.mirror import beneath
from orchestrator.engine.mirror.placing import TEMPORARY

PAGE_NAMES = 1000
MOST_OPEN = 64


class Scans:
    """Directories being listed. A listing that was begun and not finished begins anew when too many are open."""

    def __init__(self, root_fd: int) -> None:
        self._root_fd = root_fd
        self._open: dict[bytes, tuple[int, Iterator[bytes]]] = {}

    def page(self, path: bytes) -> tuple[list[bytes], bool]:
        """The next names of a directory, and whether there are more."""
        if path not in self._open:
            self._begin(path)
        found = self._open.get(path)
        if found is None:
            return [], False
        fd, names = found
        page: list[bytes] = []
        for name in names:
            if name.startswith(TEMPORARY):
                os.unlink(name, dir_fd=fd)
                continue
            page.append(name)
            if len(page) >= PAGE_NAMES:
                return page, True
        self._end(path)
        return page, False

    def close(self) -> None:
        """Forget all listings."""
        for path in list(self._open):
            self._end(path)

    def _begin(self, path: bytes) -> None:
        while len(self._open) >= MOST_OPEN:
            self._end(next(iter(self._open)))
        try:
            fd = beneath.open_directory(self._root_fd, path)
        except OSError as error:
            if error.errno in beneath.NOT_THERE:
                return
            raise
        self._open[path] = fd, beneath.names_of(fd)

    def _end(self, path: bytes) -> None:
        fd, names = self._open.pop(path)
        close = getattr(names, "close", None)
        if close is not None:
            close()
        os.close(fd)
