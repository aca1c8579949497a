"""Which names became names of one file by operations that travelled: when one of them is sent again, so are the others.

Without that the one that is sent again would become a file of its own at the target.
"""

from __future__ import annotations

from orchestrator.engine.oplog.format import Kind, Operation

RENAME_EXCHANGE = 2
MOST_NAMES = 100_000


class Kin:
    """Follows names that LINK operations made, through renames and removals."""

    def __init__(self) -> None:
        self._kin: dict[bytes, set[bytes]] = {}

    def of(self, path: bytes) -> list[bytes]:
        """The other names of this file, as far as operations told; in order, so that one schedule is always the same."""
        return sorted(self._kin.get(path, set()) - {path})

    def note(self, operation: Operation) -> None:
        """See an operation that travels."""
        kind, path, path2 = operation.kind, operation.path, operation.path2
        if kind is Kind.LINK:
            self._forget(path2)
            if len(self._kin) < MOST_NAMES:
                kin = self._kin.setdefault(path, {path})
                kin.add(path2)
                self._kin[path2] = kin
        elif not self._kin:
            return
        elif kind is Kind.UNLINK:
            self._forget(path)
        elif kind is Kind.RENAME and operation.a & RENAME_EXCHANGE:
            moved, other = self._take(path), self._take(path2)
            self._put(path, path2, moved)
            self._put(path2, path, other)
        elif kind is Kind.RENAME:
            self._forget(path2)
            self._put(path, path2, self._take(path))

    def _forget(self, path: bytes) -> None:
        kin = self._kin.pop(path, None)
        if kin is not None:
            kin.discard(path)

    def _take(self, path: bytes) -> dict[bytes, set[bytes]]:
        """Take the names at a path and below it out."""
        below = path + b"/"
        taken = {name: self._kin.pop(name) for name in list(self._kin) if name == path or name.startswith(below)}
        for name, kin in taken.items():
            kin.discard(name)
        return taken

    def _put(self, path: bytes, path2: bytes, taken: dict[bytes, set[bytes]]) -> None:
        for name, kin in taken.items():
            moved = path2 + name[len(path) :]
            kin.add(moved)
            self._kin[moved] = kin
