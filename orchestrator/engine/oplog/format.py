"""One record of the ordered log: the operation as a value, and its bytes (format version 1, little endian).

A record is a header of 56 bytes, path, second path and data one after the other, zeros up to a multiple of 8, and a checksum of
8 bytes: xxh3_64 over all before it, seeded with the record's sequence, so that a record that is copied to another place is not
taken for its own. Invariant: ``decode(encode(op)) == op``, and no flipped bit and no cut passes ``decode``.
"""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag
from typing import NewType

import msgspec
from xxhash import xxh3_64_intdigest

from orchestrator.engine.oplog.errors import CorruptRecord, TornRecord

Sequence = NewType("Sequence", int)
Buffer = bytes | bytearray | memoryview

HEADER = struct.Struct("<IHHQQIIQQII")
"""total_bytes, kind, flags, sequence, time_ns, path_bytes, path2_bytes, a, b, data_bytes, reserved."""
LEAD = struct.Struct("<IHHQ")
"""total_bytes, kind, flags, sequence: enough to walk from record to record."""
CHECKSUM = struct.Struct("<Q")
HEADER_BYTES = HEADER.size
SMALLEST_RECORD_BYTES = HEADER_BYTES + CHECKSUM.size
LARGEST_RECORD_BYTES = 64 << 20
"""No operation is larger (FUSE hands over at most 1 MiB); a length above it is damage, not data."""
UNCHANGED = 2**64 - 1
"""In CHOWN: this owner stays."""


class Kind(IntEnum):
    """What an operation does; the meaning of ``a``, ``b``, ``path2`` and ``data`` is told in docs/explanation/oplog-format.md."""

    WRITE = 1
    TRUNCATE = 2
    CREATE = 3
    MKDIR = 4
    SYMLINK = 5
    MKNOD = 6
    LINK = 7
    RENAME = 8
    UNLINK = 9
    RMDIR = 10
    CHMOD = 11
    CHOWN = 12
    UTIMENS = 13
    SETXATTR = 14
    REMOVEXATTR = 15
    FALLOCATE = 16
    MARK = 20
    SKIP = 21
    GAP = 22


class UtimensFlag(IntFlag):
    """Which of the two times an UTIMENS leaves alone."""

    ATIME_OMITTED = 1
    MTIME_OMITTED = 2


class UnlinkFlag(IntFlag):
    """TREE: remove whatever is there with all below it; written only by a sender, for what moved out of the replication set."""

    TREE = 1


class NameFlag(IntFlag):
    """OVER_KEPT: what is in the way of a new name was deleted at the source and kept; written only by a sender that ignores deletions."""

    OVER_KEPT = 2


KINDS = {int(kind): kind for kind in Kind}
NAMESPACE_KINDS = frozenset({Kind.RENAME, Kind.LINK, Kind.UNLINK, Kind.RMDIR})
"""Operations that cannot simply be done again: they move or remove names."""
NEW_NAMES = frozenset({Kind.CREATE, Kind.MKDIR, Kind.SYMLINK, Kind.MKNOD, Kind.LINK, Kind.RENAME})
"""Operations that make a name."""


class Operation(msgspec.Struct, frozen=True, gc=False):
    """One change of the protected directory, numbered in the order in which it happened.

    Paths are bytes relative to the protected root, without a leading slash; the root itself is empty. ``data`` may be a view
    into a segment: use it before the segment is released.
    """

    kind: Kind
    sequence: int
    time_ns: int
    path: bytes = b""
    path2: bytes = b""
    a: int = 0
    b: int = 0
    data: Buffer = b""
    flags: int = 0


def record_bytes(path_bytes: int, path2_bytes: int, data_bytes: int) -> int:
    """How many bytes a record with such parts has."""
    return ((HEADER_BYTES + path_bytes + path2_bytes + data_bytes + 7) & ~7) + CHECKSUM.size


def encode(operation: Operation) -> bytes:
    """The record of an operation."""
    path, path2, data = operation.path, operation.path2, operation.data
    total = record_bytes(len(path), len(path2), len(data))
    header = HEADER.pack(
        total,
        operation.kind,
        operation.flags,
        operation.sequence,
        operation.time_ns,
        len(path),
        len(path2),
        operation.a,
        operation.b,
        len(data),
        0,
    )
    body = b"".join((header, path, path2, data)).ljust(total - CHECKSUM.size, b"\0")
    return body + CHECKSUM.pack(xxh3_64_intdigest(body, operation.sequence))


def measure(buffer: Buffer, offset: int = 0) -> int:
    """The length of the record at ``offset``, checked against what is there; 0 where no record begins.

    Raises:
        TornRecord: the buffer ends before the record does.
        CorruptRecord: no record has such a length.
    """
    room = len(buffer) - offset
    if room < SMALLEST_RECORD_BYTES:
        return 0
    total: int = LEAD.unpack_from(buffer, offset)[0]
    if total == 0:
        return 0
    if total < SMALLEST_RECORD_BYTES or total & 7 or total > LARGEST_RECORD_BYTES:
        raise CorruptRecord(where=f"offset {offset}", why=f"no record has {total} bytes")
    if total > room:
        raise TornRecord(where=f"offset {offset}", why=f"{total} bytes announced, {room} there")
    return total


def verify(buffer: Buffer, offset: int = 0) -> tuple[int, int, int]:
    """Check the checksum of the record at ``offset``; its length, its kind and its sequence.

    Raises:
        TornRecord: the buffer ends before the record does.
        CorruptRecord: the length or the checksum does not agree, or no record begins here.
    """
    total = measure(buffer, offset)
    if total == 0:
        raise TornRecord(where=f"offset {offset}", why="no record begins here")
    _, kind, _, sequence = LEAD.unpack_from(buffer, offset)
    end = offset + total - CHECKSUM.size
    view = buffer if isinstance(buffer, memoryview) else memoryview(buffer)
    if xxh3_64_intdigest(view[offset:end], sequence) != CHECKSUM.unpack_from(buffer, end)[0]:
        raise CorruptRecord(where=f"offset {offset}", why=f"checksum of sequence {sequence} does not agree")
    return total, kind, sequence


def decode(buffer: Buffer, offset: int = 0) -> Operation:
    """The operation of the record at ``offset``, verified.

    Raises:
        TornRecord: the buffer ends before the record does.
        CorruptRecord: anything in it does not agree.
    """
    verify(buffer, offset)
    return decode_verified(buffer, offset)


def decode_verified(buffer: Buffer, offset: int = 0) -> Operation:
    """As ``decode``, for a record whose checksum was verified before.

    Raises:
        CorruptRecord: the lengths inside do not add up, or the kind is unknown: made by another version.
    """
    total, kind, flags, sequence, time_ns, path_n, path2_n, a, b, data_n, reserved = HEADER.unpack_from(buffer, offset)
    known = KINDS.get(kind)
    if known is None or reserved or record_bytes(path_n, path2_n, data_n) != total:
        raise CorruptRecord(
            where=f"offset {offset}", why=f"kind {kind} and its lengths do not make a record of {total} bytes"
        )
    path_at = offset + HEADER_BYTES
    path2_at = path_at + path_n
    data_at = path2_at + path2_n
    path = bytes(buffer[path_at:path2_at])
    path2 = bytes(buffer[path2_at:data_at]) if path2_n else b""
    data = buffer[data_at : data_at + data_n] if data_n else b""
    return Operation(known, sequence, time_ns, path, path2, a, b, data, flags)


def first_sequence(kind: int, sequence: int, a: int) -> int:
    """The first sequence that a record stands for: its own, but for a SKIP, which stands for ``a`` to its own."""
    return a if kind == Kind.SKIP else sequence
