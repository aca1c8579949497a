"""The state page of a log: 4096 bytes that the writer of the log and the daemon share by mmap.

Words: the *writer* is the capture program (or the Python writer of a target's queue), the *daemon* reads the log. Each field has
one owner, who alone stores it. Invariant: fields are aligned 64-bit words, so a reader sees an old or a new value, never half of
one; what must be seen together is published by ``committed_sequence``, stored last. The layout is in docs/explanation/oplog-format.md.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import uuid
from enum import IntFlag
from pathlib import Path
from typing import overload

from orchestrator.engine.oplog.errors import LogUnusable

PAGE_BYTES = 4096
MAGIC = b"DTSTATE1"
VERSION = 1
UNLIMITED = 2**64 - 1
DEFAULT_MEMORY_LIMIT_BYTES = 128 << 20
DEFAULT_MINIMUM_FREE_BYTES = 50 << 20
DEFAULT_SEGMENT_BYTES = 5 << 20


class StateFlag(IntFlag):
    """What the writer says about its log."""

    OUT_OF_STEP = 1
    """Records were lost from ``out_of_step_sequence`` on; the application went on."""
    FENCED = 2
    """Every change is answered EROFS."""
    CLEAN = 4
    """The log was ended in order; cleared before the first write."""


class Wish(IntFlag):
    """What is captured besides."""

    ACCESS_TIMES = 1
    """When files were read."""


class Word:
    """A 64-bit field of the page at a byte offset."""

    def __init__(self, offset: int) -> None:
        self._index = offset // 8

    @overload
    def __get__(self, page: None, owner: type) -> Word: ...
    @overload
    def __get__(self, page: StatePage, owner: type) -> int: ...
    def __get__(self, page: StatePage | None, owner: type) -> Word | int:
        """The value stored last by the field's owner."""
        return self if page is None else page.words[self._index]

    def __set__(self, page: StatePage, value: int) -> None:
        """Store a value; only the field's owner does."""
        page.words[self._index] = value


class StatePage:
    """The page of one log, mapped. Safe to use from several threads; closed by whoever opened it."""

    committed_sequence = Word(32)
    last_segment = Word(40)
    first_segment = Word(48)
    memory_bytes = Word(56)
    disk_bytes = Word(64)
    operations_total = Word(72)
    data_bytes_total = Word(80)
    flags = Word(88)
    out_of_step_sequence = Word(96)
    namespace_sequence = Word(104)
    heartbeat_boottime_ns = Word(112)
    released_sequence = Word(128)
    lease_deadline_boottime_ns = Word(136)
    reader_waiting = Word(144)
    wishes = Word(152)
    memory_limit_bytes = Word(160)
    disk_limit_bytes = Word(168)
    minimum_free_bytes = Word(176)
    segment_bytes = Word(184)

    def __init__(self, path: Path) -> None:
        """Map an existing page.

        Raises:
            LogUnusable: the file is absent, short, or not a state page of this version.
        """
        self.path = path
        self._map = _mapped(path)
        self.words = memoryview(self._map).cast("Q")

    @classmethod
    def create(cls, path: Path, log_id: uuid.UUID) -> StatePage:
        """Make a fresh page for ``log_id`` with the default limits; an older one at this path is replaced."""
        draft = path.with_name(path.name + ".new")
        draft.write_bytes(bytes(PAGE_BYTES))
        draft.chmod(0o600)
        page = cls._fresh(draft, log_id)
        page.close()
        draft.replace(path)
        return cls(path)

    @classmethod
    def _fresh(cls, path: Path, log_id: uuid.UUID) -> StatePage:
        with path.open("r+b") as file:
            file.write(MAGIC + VERSION.to_bytes(4, "little") + os.getpid().to_bytes(4, "little") + log_id.bytes)
        page = cls(path)
        page.memory_limit_bytes = DEFAULT_MEMORY_LIMIT_BYTES
        page.disk_limit_bytes = UNLIMITED
        page.minimum_free_bytes = DEFAULT_MINIMUM_FREE_BYTES
        page.segment_bytes = DEFAULT_SEGMENT_BYTES
        return page

    @property
    def log_id(self) -> uuid.UUID:
        """Which log this is; a restarted log has another."""
        return uuid.UUID(bytes=bytes(self._map[16:32]))

    @property
    def writer_pid(self) -> int:
        """The process that writes the log."""
        return int.from_bytes(self._map[12:16], "little")

    @property
    def out_of_step(self) -> bool:
        """Whether operations were lost, so that only a mirror brings the replica back."""
        return bool(self.flags & StateFlag.OUT_OF_STEP)

    @property
    def clean(self) -> bool:
        """Whether the log was ended in order and nothing was written since."""
        return bool(self.flags & StateFlag.CLEAN)

    @property
    def fenced(self) -> bool:
        """Whether the writer refuses every change."""
        return bool(self.flags & StateFlag.FENCED)

    def flush(self) -> None:
        """Put the page on the disk."""
        self._map.flush()

    def close(self) -> None:
        """Unmap; afterwards the object is of no use."""
        self.words.release()
        with contextlib.suppress(BufferError):
            self._map.close()


def _mapped(path: Path) -> mmap.mmap:
    try:
        with path.open("r+b") as file:
            if os.fstat(file.fileno()).st_size < PAGE_BYTES:
                raise LogUnusable(where=path.parent, why="its state page is shorter than 4096 bytes")
            mapped = mmap.mmap(file.fileno(), PAGE_BYTES)
    except OSError as error:
        raise LogUnusable(where=path.parent, why=f"no state page: {error.strerror}") from error
    if mapped[:8] != MAGIC or mapped[8] != VERSION:
        mapped.close()
        raise LogUnusable(where=path.parent, why="its state page has another magic or version")
    return mapped
