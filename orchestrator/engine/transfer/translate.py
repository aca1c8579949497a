"""What a connection ships of its log: only what the replication set selects, under the target's names.

One record becomes at most one record with the same sequence; stretches of records that concern nothing selected become one SKIP.
Soft links into the set are pointed to their place at the target where RemapLink asks for it.
A rename out of the set is a removal at the target; what comes into the set was never sent, so its place is cleared and the mirror
fetches it. So it is with directories that are not selected but lead to what is: what they hold is partly in the set. Pure: records in, records out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from orchestrator.engine.oplog.format import (
    LEAD,
    NEW_NAMES,
    Kind,
    NameFlag,
    Operation,
    UnlinkFlag,
    decode_verified,
    encode,
)
from orchestrator.engine.oplog.reader import Run
from orchestrator.engine.transfer.messages import Operations

TWO_PATHS = frozenset({Kind.RENAME, Kind.LINK})
BY_ANY_NAME = frozenset(
    {
        Kind.WRITE,
        Kind.TRUNCATE,
        Kind.FALLOCATE,
        Kind.UTIMENS,
        Kind.CHMOD,
        Kind.CHOWN,
        Kind.SETXATTR,
        Kind.REMOVEXATTR,
        Kind.LINK,
    }
)
"""Operations on a file, which may have been told by any of its names."""
DIRECTORIES = frozenset({Kind.MKDIR, Kind.RMDIR})
EVERYWHERE = frozenset({Kind.MARK, Kind.GAP})
RENAME_EXCHANGE = 2


class Rules(Protocol):
    """Which paths belong to the replication set (``mirror.rules.RuleSet``)."""

    def selects(self, path: bytes) -> bool:
        """Whether a path, relative to the protected root, belongs to it."""

    def carries(self, path: bytes) -> bool:
        """Whether it belongs to it, or as a directory leads to what may."""


class PathMapping(Protocol):
    """What a path is called at the target (``mirror.mapping.TargetMapping``)."""

    def map(self, path: bytes) -> bytes:
        """The path below the target root for a path below the protected root."""


class FileNames(Protocol):
    """Other names of files (``mirror.crossing.Crossing``)."""

    def note(self, operation: Operation) -> None:
        """See every operation in order."""

    def inside(self, path: bytes) -> bytes:
        """A selected name of the file that has this name, which is not; empty if it has none."""

    def companions(self, path: bytes) -> list[bytes]:
        """Other selected names of what came in at ``path``."""


class NoOtherNames:
    """All names are selected, or nobody asks."""

    def note(self, operation: Operation) -> None:
        """Nothing."""

    def inside(self, path: bytes) -> bytes:  # noqa: ARG002
        """None."""
        return b""

    def companions(self, path: bytes) -> list[bytes]:  # noqa: ARG002
        """None."""
        return []


class Everything:
    """No rules: all of the protected root."""

    def selects(self, path: bytes) -> bool:  # noqa: ARG002
        """Always."""
        return True

    def carries(self, path: bytes) -> bool:  # noqa: ARG002
        """Always."""
        return True


class SameNames:
    """No mapping: the target's tree looks like the source's."""

    def map(self, path: bytes) -> bytes:
        """The same path."""
        return path


@dataclass(frozen=True, slots=True)
class Translated:
    """What is sent for a run, what came into the set, and the operations that were shipped (as the source knows them)."""

    operations: Operations
    moved_in: tuple[bytes, ...]
    shipped: tuple[Operation, ...]


class Translator:
    """Rules and mapping of one connection, and where its soft links point to at the target."""

    def __init__(
        self,
        rules: Rules | None,
        mapping: PathMapping | None,
        remap: Callable[[bytes], bytes] | None = None,
        names: FileNames | None = None,
        *,
        keeps_deleted: bool = False,
    ) -> None:
        """``keeps_deleted``: what is deleted or moved out at the source stays at the target, until its name is made anew."""
        self._is_plain = rules is None and mapping is None and not keeps_deleted
        self._keeps_deleted = keeps_deleted
        self._rules = rules or Everything()
        self._mapping = mapping or SameNames()
        self._remap = remap
        self._names = names or NoOtherNames()

    def concerns(self, run: Run) -> bool:
        """Whether the run must be translated; without rules and mapping only one with a soft link must, which is rare."""
        return not self._is_plain or (self._remap is not None and _has_symlink(run.data))

    def translate(self, run: Run) -> Translated:
        """Translate a verified run."""
        parts: list[bytes] = []
        moved: list[bytes] = []
        shipped: list[Operation] = []
        waiting = run.first  # the first sequence that nothing stands for yet
        last_time_ns = 0
        for told in decode_run(run.data):
            last_time_ns = told.time_ns
            operation = self._by_a_name_inside(told)
            made = self._one(operation, moved)
            made = keeping(made) if self._keeps_deleted and made is not None else made
            self._names.note(told)
            if made is None:
                continue
            if made.sequence > waiting and made.kind is not Kind.SKIP:
                parts.append(_skip(waiting, made.sequence - 1, made.time_ns))
            parts.append(encode(made))
            shipped.append(operation)
            waiting = operation.sequence + 1
        if waiting <= run.last:
            parts.append(_skip(waiting, run.last, last_time_ns))
        operations = Operations(run.first, run.last, len(parts), b"".join(parts))
        companions = [name for path in moved for name in self._names.companions(path)]
        return Translated(operations, (*moved, *companions), tuple(shipped))

    def _by_a_name_inside(self, op: Operation) -> Operation:
        """An operation on a file that has a name inside, by that name."""
        if op.kind not in BY_ANY_NAME or self._rules.selects(op.path):
            return op
        if op.kind is Kind.LINK and not self._rules.selects(op.path2):
            return op
        inside = self._names.inside(op.path)
        return msgspec.structs.replace(op, path=inside) if inside else op

    def _one(self, op: Operation, moved: list[bytes]) -> Operation | None:
        if op.kind in EVERYWHERE:
            return op
        here = op.kind is not Kind.SKIP and self._rules.selects(op.path)
        if op.kind in DIRECTORIES and not here:
            return self._way(op)
        if op.kind in TWO_PATHS:
            return self._two(op, moved, here=here, there=self._rules.selects(op.path2))
        if op.kind is Kind.SYMLINK and self._remap is not None:
            op = msgspec.structs.replace(op, path2=self._remap(op.path2))
        return msgspec.structs.replace(op, path=self._mapping.map(op.path)) if here else None

    def _way(self, op: Operation) -> Operation | None:
        """A directory that is not selected, but leads to what is: made with it, and gone with all that is left."""
        if not self._rules.carries(op.path):
            return None
        if op.kind is Kind.MKDIR:
            return msgspec.structs.replace(op, path=self._mapping.map(op.path))
        return self._removal(op, op.path)

    def _two(self, op: Operation, moved: list[bytes], *, here: bool, there: bool) -> Operation | None:
        if here and there:
            return msgspec.structs.replace(op, path=self._mapping.map(op.path), path2=self._mapping.map(op.path2))
        if op.kind is Kind.LINK:
            moved.extend([op.path2] if there else [])
            return self._removal(op, op.path2) if there else None
        leaves = here or self._rules.carries(op.path)
        if there or self._rules.carries(op.path2):
            moved.append(op.path2)
        if leaves and op.a & RENAME_EXCHANGE:
            moved.append(op.path)
        if leaves:
            return self._removal(op, op.path)
        return self._removal(op, op.path2) if there else None

    def _removal(self, op: Operation, path: bytes) -> Operation:
        return Operation(Kind.UNLINK, op.sequence, op.time_ns, self._mapping.map(path), flags=int(UnlinkFlag.TREE))


def keeping(op: Operation) -> Operation | None:
    """An operation where deletions are ignored: a removal is none; a new name may meet one that was kept."""
    if op.kind in {Kind.UNLINK, Kind.RMDIR}:
        return None
    return msgspec.structs.replace(op, flags=op.flags | NameFlag.OVER_KEPT) if op.kind in NEW_NAMES else op


def decode_run(data: memoryview) -> list[Operation]:
    """The operations of a verified run."""
    found, offset, end = [], 0, len(data)
    while offset < end:
        found.append(decode_verified(data, offset))
        offset += LEAD.unpack_from(data, offset)[0]
    return found


def _has_symlink(data: memoryview) -> bool:
    offset, end = 0, len(data)
    while offset < end:
        total, kind, _, _ = LEAD.unpack_from(data, offset)
        if kind == Kind.SYMLINK:
            return True
        offset += total
    return False


def _skip(first: int, last: int, time_ns: int) -> bytes:
    return encode(Operation(Kind.SKIP, last, time_ns, a=first))


def gap_record(sequence: int, time_ns: int) -> bytes:
    """The record that says: from here on operations are missing."""
    return encode(Operation(Kind.GAP, sequence, time_ns))
