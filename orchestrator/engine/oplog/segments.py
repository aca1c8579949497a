"""Segments: the files a log consists of, numbered from 1, some in memory (a tmpfs), later ones on disk.

A segment is a checked header of 64 bytes and records behind it. A zero length, or room for less than the smallest record, ends it:
the next record is in the segment with the next number. Invariant: a segment is never shortened while it belongs to the log, so a
mapping of it stays valid even after the file is deleted.
"""

from __future__ import annotations

import mmap
import os
import struct
import uuid
from dataclasses import dataclass
from pathlib import Path

from xxhash import xxh3_64_intdigest

from orchestrator.engine.oplog.errors import CorruptRecord, LogUnusable

MAGIC = b"DTOPLOG1"
VERSION = 1
HEADER_BYTES = 64
_HEADER = struct.Struct("<8sHHI16sQQQQ")
_CHECKED_BYTES = 56
SUFFIX = ".seg"


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """Whose records these are, and which."""

    log_id: uuid.UUID
    number: int
    first_sequence: int
    created_ns: int

    def pack(self) -> bytes:
        """The 64 bytes at the start of the segment."""
        head = _HEADER.pack(
            MAGIC, VERSION, HEADER_BYTES, 0, self.log_id.bytes, self.number, self.first_sequence, self.created_ns, 0
        )[:_CHECKED_BYTES]
        return head + xxh3_64_intdigest(head).to_bytes(8, "little")

    @classmethod
    def unpack(cls, data: bytes, where: object) -> SegmentHeader:
        """Read and check the header.

        Raises:
            CorruptRecord: it is no header of this version, or its checksum does not agree.
        """
        if len(data) < HEADER_BYTES:
            raise CorruptRecord(where=where, why="shorter than a segment header")
        magic, version, size, _, log_id, number, first, created, checksum = _HEADER.unpack_from(data)
        if magic != MAGIC or version != VERSION or size != HEADER_BYTES:
            raise CorruptRecord(where=where, why="no segment header of version 1")
        if checksum != xxh3_64_intdigest(data[:_CHECKED_BYTES]):
            raise CorruptRecord(where=where, why="the segment header's checksum does not agree")
        return cls(uuid.UUID(bytes=log_id), number, first, created)


def segment_name(number: int) -> str:
    """The file name of a segment."""
    return f"{number:016x}{SUFFIX}"


def segment_numbers(*directories: Path) -> list[int]:
    """The numbers of the segments that are there, ascending."""
    found = {path.stem for directory in directories for path in directory.glob(f"*{SUFFIX}")}
    return sorted(int(stem, 16) for stem in found if len(stem) == 16)


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where the segments of one log are: memory first, then disk. Both may be the same directory."""

    memory: Path
    disk: Path

    def find(self, number: int) -> Path:
        """The file of a segment.

        Raises:
            LogUnusable: it is in neither place.
        """
        name = segment_name(number)
        for directory in (self.memory, self.disk):
            path = directory / name
            if path.exists():
                return path
        raise LogUnusable(where=self.disk, why=f"segment {number} is gone")

    def header(self, number: int) -> SegmentHeader:
        """The header of a segment, read without mapping it.

        Raises:
            LogUnusable: the segment is gone.
            CorruptRecord: its header is damaged.
        """
        path = self.find(number)
        try:
            with path.open("rb") as file:
                return SegmentHeader.unpack(file.read(HEADER_BYTES), path.name)
        except FileNotFoundError as error:
            raise LogUnusable(where=self.disk, why=f"segment {number} is gone") from error

    def numbers(self) -> list[int]:
        """The numbers of the segments that are there, ascending."""
        return segment_numbers(self.memory, self.disk)


class MappedSegment:
    """One segment mapped for reading; views into it live as long as anybody holds them."""

    def __init__(self, place: LogPlace, number: int) -> None:
        self.name = segment_name(number)
        self.number = number
        self.view = _map(place, number)
        self.header = SegmentHeader.unpack(bytes(self.view[:HEADER_BYTES]), self.name)
        if self.header.number != number:
            raise CorruptRecord(where=self.name, why=f"it says of itself to be segment {self.header.number}")


def _map(place: LogPlace, number: int) -> memoryview:
    try:
        with place.find(number).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < HEADER_BYTES:
                raise CorruptRecord(where=segment_name(number), why="shorter than a segment header")
            return memoryview(mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ))
    except OSError as error:
        raise LogUnusable(where=place.disk, why=f"segment {number}: {error.strerror}") from error
