"""What operations that travel during a mirror do to the mirror: which paths must be sent again, and when the target is exact.

Words: *redo*: a path that is sent again whatever was sent before. A path's *gate* is the end of the log when it was read for the last
time; it is *unsettled* from the doubt on until the stream has passed its gate. During the walk everything is. An operation that moves
or links names takes an unsettled state along, so its destination is done again; between settled names the target does exactly what
the source did.

Invariant: what is neither unsettled nor in the redo list is at the target as the operations up to ``position`` left it at the source.
So a mirror ends even under a steady stream of renames: only those that meet what is just being sent make more work, and each path
is settled by itself, not when all are.
"""

from __future__ import annotations

from collections import Counter, deque
from enum import IntFlag

from orchestrator.engine.mirror.beneath import split
from orchestrator.engine.mirror.kin import Kin
from orchestrator.engine.mirror.rules import RuleSet
from orchestrator.engine.oplog.format import Kind, Operation

RENAME_EXCHANGE = 2
SHIFTS_DATA = 0x08 | 0x20
"""FALLOC_FL_COLLAPSE_RANGE and FALLOC_FL_INSERT_RANGE: the only changes of data that cannot be done twice."""
MOST_TOUCHED = 500_000
_TOUCHING = frozenset({Kind.WRITE, Kind.TRUNCATE, Kind.UTIMENS, Kind.FALLOCATE, Kind.CREATE})
_MOVING = frozenset({Kind.RENAME, Kind.LINK, Kind.UNLINK, Kind.RMDIR, Kind.MKDIR, Kind.FALLOCATE})


class How(IntFlag):
    """How a path is done again: by itself, or with all below it."""

    SHALLOW = 0
    DEEP = 1


class Lineage:
    """Paths, each with how often it was put in; it knows in a few steps whether a path is one of them, above or below one."""

    def __init__(self) -> None:
        self._paths: Counter[bytes] = Counter()
        self._above: Counter[bytes] = Counter()

    def __bool__(self) -> bool:
        return bool(self._paths)

    def __contains__(self, path: bytes) -> bool:
        return path in self._paths

    def add(self, path: bytes) -> None:
        """Put a path in."""
        self._paths[path] += 1
        if self._paths[path] == 1:
            self._above.update(_upwards(path))

    def remove(self, path: bytes) -> None:
        """Take a path out once."""
        self._paths[path] -= 1
        if not self._paths[path]:
            del self._paths[path]
            for above in _upwards(path):
                self._above[above] -= 1
                if not self._above[above]:
                    del self._above[above]

    def take_all(self) -> list[bytes]:
        """Take everything out."""
        taken = list(self._paths)
        self._paths.clear()
        self._above.clear()
        return taken

    def related(self, path: bytes) -> bool:
        """Whether the path is one of them, above one, or below one."""
        return path in self._above or any(above in self._paths for above in _upwards(path))


def _upwards(path: bytes) -> list[bytes]:
    found = [path]
    while path:
        path = split(path)[0]
        found.append(path)
    return found


class Changes:
    """Keeps the redo list.

    Args:
        rules: paths outside them are nobody's business.
        evidence: whether sizes and times decide what is sent: then a file that an operation touched is compared by content.
        settled: the target is exact but for what will be added; else all of it is unsettled.
    """

    def __init__(self, rules: RuleSet, *, evidence: bool, settled: bool = False) -> None:
        self.redo: dict[bytes, How] = {}
        self.position = 0
        self._rules = rules
        self._evidence = evidence
        self._touched: set[int] = set()
        self._touched_directories: set[int] = set()
        self._all_touched = False
        self._everything = not settled
        self._walk_gate: int | None = None
        self._open = Lineage()
        self._doing: Counter[bytes] = Counter()
        self._closing = Lineage()
        self._gates: deque[tuple[int, bytes]] = deque()
        self._kin = Kin()

    def note(self, operation: Operation) -> bool:
        """See an operation that travels; whether the target surely does with it what the source did."""
        self.advance(operation.sequence - 1)
        kind = operation.kind
        exact = not (self.unsettled(operation.path) or (operation.path2 and self.unsettled(operation.path2)))
        if kind in _TOUCHING and self._evidence and self._everything:
            self._touch(operation.path)
        if kind in _MOVING:
            self._kin.note(operation)
            self._moved(operation)
        self.position = max(self.position, operation.sequence)
        return exact

    def advance(self, position: int) -> None:
        """All operations up to here have travelled or are left out by the rules."""
        self.position = max(self.position, position)
        while self._gates and self._gates[0][0] <= self.position:
            self._closing.remove(self._gates.popleft()[1])
        if self._walk_gate is not None and self.position >= self._walk_gate:
            self._walk_gate, self._everything = None, False
            self._touched.clear()
            self._touched_directories.clear()

    def again(self, path: bytes, how: How = How.SHALLOW) -> None:
        """Send a path again, if the set carries it."""
        if self._rules.carries(path):
            self._doubt(path)
            self.redo[path] = self.redo.get(path, How.SHALLOW) | how
            for other in self._kin.of(path):
                if other not in self.redo and self._rules.selects(other):
                    self._doubt(other)
                    self.redo[other] = How.SHALLOW

    def _doubt(self, path: bytes) -> None:
        if path not in self._open:
            self._open.add(path)

    def take(self, path: bytes) -> How:
        """Begin to send a path of the redo list; ``sent`` is owed."""
        self.owe(path)
        return self.redo.pop(path)

    def owe(self, path: bytes) -> None:
        """``sent`` is owed for a path once more: something that is read from it is still on its way."""
        self._doubt(path)
        self._doing[path] += 1

    def sent(self, path: bytes, gate: int, *, owed: bool = True) -> None:
        """A path was read, when the log's end was not after ``gate``, and is in the stream (or was found to be gone).

        It is unsettled until the stream has passed that gate, also if nothing was owed for it; then what is owed for it otherwise stays owed.
        """
        if path in self._doing:
            if not owed:
                return
            self._doing[path] -= 1
            if self._doing[path]:
                return
            del self._doing[path]
            if path not in self.redo and path in self._open:
                self._open.remove(path)
                self._close(path, gate)
        elif path not in self._open and not (self._everything and self._walk_gate is None):
            self._close(path, gate)

    def _close(self, path: bytes, gate: int) -> None:
        self._closing.add(path)
        self._gates.append((max(gate, self._gates[-1][0] if self._gates else 0), path))

    def walked(self, gate: int) -> None:
        """The walk is complete, but for what is owed; the last of it was read when the log stood at ``gate``."""
        if self._everything and self._walk_gate is None:
            self._walk_gate = gate
            self.advance(self.position)

    def lost(self) -> None:
        """The connection is gone: whatever was on its way is settled only with the rest."""
        self._doing.clear()

    def round_ended(self, gate: int) -> None:
        """Nothing is left to send; the last thing was read when the log stood at ``gate``."""
        self._doing.clear()
        for path in self._open.take_all():
            self._close(path, gate)
        self.walked(gate)
        self.advance(self.position)

    @property
    def settled(self) -> bool:
        """Whether the target is exact as of ``position`` (when the round has ended and nothing is to be redone)."""
        return not (self._everything or self.redo or self._open or self._closing)

    def touched(self, path: bytes) -> bool:
        """Whether an operation made the size and time of the target's file worthless as evidence."""
        return self._all_touched or hash(path) in self._touched

    def touched_in(self, directory: bytes) -> bool:
        """The same of any file directly in a directory."""
        return self._all_touched or hash(directory) in self._touched_directories

    @property
    def any_touched(self) -> bool:
        """Whether any file was touched: for files with several names, of which the operation told one."""
        return self._all_touched or bool(self._touched)

    def _touch(self, path: bytes) -> None:
        if len(self._touched) >= MOST_TOUCHED:
            self._all_touched = True
        else:
            self._touched.add(hash(path))
            self._touched_directories.add(hash(split(path)[0]))

    def _moved(self, operation: Operation) -> None:
        kind, path, path2 = operation.kind, operation.path, operation.path2
        if kind is Kind.FALLOCATE:
            if operation.flags & SHIFTS_DATA and self.unsettled(path):
                self.again(path)
        elif kind in (Kind.RENAME, Kind.LINK):
            came_in = not self._rules.carries(path)
            if came_in or self.unsettled(path) or self.unsettled(path2):
                self._renamed(operation)
        elif self.unsettled(path):
            self.again(path, How.DEEP if kind is Kind.MKDIR else How.SHALLOW)

    def _renamed(self, operation: Operation) -> None:
        if operation.kind is Kind.LINK:
            self.again(operation.path)  # it may have been sent as a file with one name
            self.again(operation.path2)
            return
        exchanged = operation.a & RENAME_EXCHANGE
        self.again(operation.path2, How.DEEP)
        self.again(operation.path, How.DEEP if exchanged else How.SHALLOW)

    def unsettled(self, path: bytes) -> bool:
        """Whether the target may have something else at this path, above or below it than the source had."""
        if self._everything or self._open.related(path):
            return True
        return self._closing.related(path)
