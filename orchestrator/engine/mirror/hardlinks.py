"""What the source remembers of files with several names, and of files that lost a name just now.

A file is sent once; its other names become links to a *twin*, a name that the target already has. Names are remembered with the end of
the log at which they were read, so that when an operation takes a name away before the stream has reached that end, which may have
written through it what was meant for an older file, another name is sent again.

A *group* is the names of which the target has made one file. The first that is sent founds it; another joins only when the target has
linked it to one of them. Invariant: a name of a group is, at the target, one file with all others of it. When all its names are gone, the
next name founds another group: what was linked to the old one (its *age* tells) does not belong to it.

*Young* is a file that changed later than what the stream has reached: what was read of it shows the effect of operations that the target
will do again. That is harmless as long as all of them reach the same file there. If one came by a name that the target does not
have as a link to this file, it does not: then the file is sent again.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter, deque
from collections.abc import Iterator

from orchestrator.engine.mirror import beneath
from orchestrator.engine.mirror.metadata import group_of
from orchestrator.engine.oplog.format import Kind, Operation

RENAME_EXCHANGE = 2
MOST_NAMES = 100_000
MOST_LOOKED_THROUGH = 1000
ALTERING = frozenset(
    {
        Kind.WRITE,
        Kind.TRUNCATE,
        Kind.FALLOCATE,
        Kind.UTIMENS,
        Kind.CHMOD,
        Kind.CHOWN,
        Kind.SETXATTR,
        Kind.REMOVEXATTR,
    }
)
"""Operations that change a file by one of its names."""


class _Group:
    __slots__ = ("age", "changed_ns", "identity", "names", "number")

    def __init__(self, number: int, identity: tuple[int, int], age: int) -> None:
        self.number = number
        self.age = age
        self.identity = identity
        self.names: dict[bytes, int] = {}
        self.changed_ns = 0


class HardLinks:
    """Names of files that have several, by group."""

    def __init__(self) -> None:
        self._groups: dict[int, _Group] = {}
        self._by_name: dict[bytes, int] = {}
        self._above: Counter[bytes] = Counter()
        self._doubted = False
        self._ages = itertools.count(1)

    def sent(self, path: bytes, info: os.stat_result, read_up_to: int, *, young: bool) -> None:
        """The content reached the target by this name, as it was when ``info`` was taken. The name of a group without names founds it."""
        number = group_of(info)
        if self._by_name.get(path) != number:
            self.forget(path)
        if not number or not (self.holds(path, number) or number not in self._groups):
            return
        if number not in self._groups:
            self._groups[number] = _Group(number, (info.st_dev, info.st_ino), next(self._ages))
        self._groups[number].changed_ns = 0 if young else info.st_ctime_ns
        self._named(number, path, read_up_to)

    def linked(self, path: bytes, number: int, age: int, read_up_to: int) -> None:
        """The target made this name a link to a twin, which was of the group when that was so old."""
        self.forget(path)
        if self.age_of(number) == age:
            self._named(number, path, read_up_to)

    def age_of(self, number: int) -> int:
        """Tells a group from one with the same number that was founded before or later; 0 if there is none."""
        group = self._groups.get(number)
        return 0 if group is None else group.age

    def holds(self, path: bytes, number: int) -> bool:
        """Whether this name is one of the group's."""
        return self._by_name.get(path) == number

    def group(self, path: bytes) -> int:
        """Of which group this is a name; 0 if it is of none."""
        return self._by_name.get(path, 0)

    def surely_none_in(self, directory: bytes) -> bool:
        """Whether none of the names is directly in this directory; False also if there are too many to look through."""
        return len(self._by_name) < MOST_LOOKED_THROUGH and all(
            beneath.split(name)[0] != directory for name in self._by_name
        )

    def twin_of(self, path: bytes, number: int) -> bytes:
        """A name of the same file that the target has; empty if there is none."""
        group = self._groups.get(number)
        if group is None:
            return b""
        return next((name for name in group.names if name != path), b"")

    def unchanged(self, info: os.stat_result) -> bool:
        """Whether the file was surely not changed since it was sent."""
        group = self._groups.get(group_of(info))
        return group is not None and group.changed_ns == info.st_ctime_ns

    def removed(self, path: bytes, sequence: int) -> bytes:
        """An operation took a name, and all below it, away; another name that must be sent again, or nothing."""
        again = b""
        for name, _ in self._below(path):
            group = self._groups[self._by_name[name]]
            doubtful = group.names[name] >= sequence
            self.forget(name)
            if doubtful and group.names:
                again = next(iter(group.names))
        return again

    def made_by(self, operation: Operation) -> dict[bytes, _Group]:
        """Names, each with its group, that an operation makes which the target does exactly as the source did."""
        path, path2 = operation.path, operation.path2
        if operation.kind is Kind.LINK:
            return {path2: self._groups[self._by_name[path]]} if path in self._by_name else {}
        if operation.kind is not Kind.RENAME:
            return {}
        made = {path2 + name[len(path) :]: self._groups[number] for name, number in self._below(path)}
        if operation.a & RENAME_EXCHANGE:
            made |= {path + name[len(path2) :]: self._groups[number] for name, number in self._below(path2)}
        return made

    def follow(self, made: dict[bytes, _Group], sequence: int) -> None:
        """The names that an exact operation made; its old ones were removed."""
        for name, group in made.items():
            self._groups[group.number] = group
            self._named(group.number, name, sequence)

    def _below(self, path: bytes) -> list[tuple[bytes, int]]:
        if path not in self._above:  # as it nearly always is: nothing has to be looked through
            return [(path, self._by_name[path])] if path in self._by_name else []
        below = path + b"/"
        return [(name, number) for name, number in self._by_name.items() if name == path or name.startswith(below)]

    def forget(self, path: bytes) -> None:
        """Drop a name."""
        number = self._by_name.pop(path, None)
        if number is not None:
            self._leave_above(path)
            self._groups[number].names.pop(path, None)
            if not self._groups[number].names:
                del self._groups[number]

    def doubt(self, path: bytes) -> None:
        """An operation changed a file by a name that the target may not have: whose it is, nobody knows any more."""
        if path not in self._by_name:
            self._doubted = True

    def changed_since(self, root_fd: int) -> list[bytes]:
        """A name not yet known to the target may have been written to: names of files that were changed since they were sent."""
        changed, checked = [], set()
        for path, identity, changed_ns in self._to_check():
            info = beneath.look(root_fd, path) if identity not in checked else None
            if info is not None and (info.st_dev, info.st_ino) == identity:
                checked.add(identity)
                if info.st_ctime_ns != changed_ns:
                    changed.append(path)
        return changed

    def _to_check(self) -> list[tuple[bytes, tuple[int, int], int]]:
        """If there was a doubt, every name: its path, the file's device and inode, its change time when it was sent."""
        if not self._doubted:
            return []
        self._doubted = False
        groups = self._groups.values()
        return [(name, group.identity, group.changed_ns) for group in groups for name in group.names]

    def _named(self, number: int, path: bytes, read_up_to: int) -> None:
        self._groups[number].names[path] = read_up_to
        if path not in self._by_name:
            self._above.update(_directories_above(path))
        self._by_name[path] = number

    def _leave_above(self, path: bytes) -> None:
        for above in _directories_above(path):
            self._above[above] -= 1
            if not self._above[above]:
                del self._above[above]


def _directories_above(path: bytes) -> Iterator[bytes]:
    while path:
        path = beneath.split(path)[0]
        yield path


class LostNames:
    """Finds young files that had another name when the operations that are still under way were made, and have it no more.

    A name that was made meanwhile was never another name of an older file, unless it was linked to one.
    """

    def __init__(self) -> None:
        self._young: deque[tuple[int, bytes]] = deque()
        self._new: set[bytes] = set()
        self._altered: set[bytes] = set()

    def read(self, path: bytes, read_up_to: int) -> None:
        """A young file with one name was sent."""
        self._young.append((read_up_to, path))

    def note(self, operation: Operation) -> list[bytes]:
        """See an operation that travels; files to be sent again."""
        while self._young and self._young[0][0] < operation.sequence:
            self._young.popleft()
        if not self._young:
            self._altered.clear()
        kind, path = operation.kind, operation.path
        if kind in ALTERING:
            if self._young and path not in self._new:
                self._altered.add(path)
        elif kind is Kind.CREATE:
            self._made(path)
        elif kind is Kind.LINK:
            self._new -= {path, operation.path2}
        elif kind is Kind.UNLINK:
            return self._lost(path)
        elif kind is Kind.RENAME:
            return self._renamed(operation)
        return []

    def _made(self, path: bytes) -> None:
        if len(self._new) >= MOST_NAMES:
            self._new.clear()
        self._new.add(path)
        self._altered.discard(path)

    def _renamed(self, operation: Operation) -> list[bytes]:
        path, path2 = operation.path, operation.path2
        if operation.a & RENAME_EXCHANGE:
            self._new -= {path, path2}
            return []
        again = self._lost(path2)
        for names in (self._new, self._altered):
            if path in names:
                names.discard(path)
                names.add(path2)
        return again

    def _lost(self, path: bytes) -> list[bytes]:
        self._new.discard(path)
        if path not in self._altered:
            return []
        self._altered.discard(path)
        again = [young for _, young in self._young if young != path]
        self._young.clear()
        return again


class AskedNames:
    """Names of files that have several, about which the target was asked and has not answered yet."""

    def __init__(self) -> None:
        self._serials: dict[bytes, tuple[int, int, bool]] = {}
        self._waiting: Counter[int] = Counter()

    def asked(self, path: bytes, serial: int, number: int, *, force: bool) -> None:
        """Message ``serial`` asks about this name of a group; ``force``: whatever the answer, its content is told."""
        self.taken(path)
        self._serials[path] = serial, number, force
        self._waiting[number] += 1

    def answered(self, path: bytes, serial: int) -> bool:
        """An answer came; whether the name still is what was asked about."""
        if self._serials.get(path, (0,))[0] != serial:
            return False
        self.taken(path)
        return True

    def asked_anew(self, path: bytes, serial: int, *, force: bool) -> bool:
        """Whether a later message asks about this name, and nothing less: what follows from its answer is enough."""
        later, _, later_force = self._serials.get(path, (0, 0, False))
        return later > serial and (later_force or not force)

    def taken(self, path: bytes) -> None:
        """The name is gone, or asked about anew."""
        found = self._serials.pop(path, None)
        if found is not None:
            self._waiting[found[1]] -= 1
            if not self._waiting[found[1]]:
                del self._waiting[found[1]]

    def taken_below(self, path: bytes) -> None:
        """The name and all below it are gone."""
        below = path + b"/"
        for name in [name for name in self._serials if name == path or name.startswith(below)]:
            self.taken(name)

    def taken_at(self, paths: set[bytes]) -> None:
        """The names at these paths, and all below them, are gone."""
        if self._serials:
            for name in list(self._serials):
                if name in paths or not paths.isdisjoint(_directories_above(name)):
                    self.taken(name)

    def group(self, path: bytes) -> int:
        """Of which group this name was when it was asked about; 0 if it is not."""
        return self._serials.get(path, (0, 0))[1]

    def waiting(self, number: int) -> bool:
        """Whether an answer may yet tell of a name of this group."""
        return number in self._waiting

    def clear(self) -> None:
        """The connection was lost."""
        self._serials.clear()
        self._waiting.clear()
