"""The failover journal: "about to" is on disk before a phase runs, "done" after, so that a killed executor knows where it was.

One append-only file a protection. A line is ``xxh3_64 hexadecimal, space, JSON``. A torn or unfinished last line is what a crash
leaves: it is ignored, and overwritten by the next one. A damaged line with good ones after it is RecordDamaged.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

import msgspec
import xxhash

from orchestrator.engine.witness.errors import RecordDamaged


class Entry(msgspec.Struct, frozen=True):
    """One line. ``event``: begin, approved, about_to, refused, done, stuck, again, undo, undone, end."""

    run_id: str
    event: str
    time_ns: int
    phase: str = ""
    says: str = ""
    facts: dict[str, Any] = {}


class AppendFile(Protocol):
    """A file that grows: a real one, or the simulation's."""

    def read(self) -> bytes:
        """All of it; empty when it does not exist yet."""
        ...

    def append_at(self, offset: int, data: bytes) -> None:
        """Make ``data`` what stands from ``offset`` on, durably. Raises OSError; then any part of it may stand there."""
        ...


class RealAppendFile:
    """A file of mode 0600, fsynced at every append, its directory when it is new."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes:
        """All of it."""
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return b""

    def append_at(self, offset: int, data: bytes) -> None:
        """Cut what stands behind ``offset``, write, fsync."""
        is_new = not self._path.exists()
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.ftruncate(handle, offset)
            _write_all(handle, offset, data)
            os.fsync(handle)
        finally:
            os.close(handle)
        if is_new:
            _fsync_directory(self._path.parent)


def _write_all(handle: int, offset: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        count = os.pwrite(handle, rest, offset)
        rest, offset = rest[count:], offset + count


def _fsync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Journal:
    """Entries of one protection, in order. Used by one thread at a time. Raises RecordDamaged when opened on damage."""

    def __init__(self, file: AppendFile, name: str = "failover journal") -> None:
        self._file = file
        self._entries, self._end = _read(file.read(), name)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All that is known to be on disk."""
        return tuple(self._entries)

    def append(self, entry: Entry) -> None:
        """Write one entry; it is durable when this returns. Raises OSError, and then it does not count as written."""
        body = msgspec.json.encode(entry)
        line = f"{xxhash.xxh3_64_hexdigest(body)} ".encode() + body + b"\n"
        self._file.append_at(self._end, line)
        self._end += len(line)
        self._entries.append(entry)


def _read(content: bytes, name: str) -> tuple[list[Entry], int]:
    entries: list[Entry] = []
    end = 0
    for line in _lines(content):
        entry = _parse(line)
        if entry is None:
            _raise_unless_tail(content[end + len(line) :], name, end)
            break
        entries.append(entry)
        end += len(line)
    return entries, end


def _parse(line: bytes) -> Entry | None:
    sum_, _, body = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or sum_.decode("ascii", "replace") != xxhash.xxh3_64_hexdigest(body):
        return None
    return msgspec.json.decode(body, type=Entry)


def _raise_unless_tail(rest: bytes, name: str, offset: int) -> None:
    if any(_parse(line) is not None for line in _lines(rest)):
        raise RecordDamaged(path=name, why=f"a line at byte {offset} cannot be read, though later ones can")


def _lines(content: bytes) -> list[bytes]:
    """Lines with their ends. Torn bytes may hold any control character, so only a line feed ends one."""
    parts = content.split(b"\n")
    return [*(part + b"\n" for part in parts[:-1]), *parts[-1:]] if parts[-1] else [part + b"\n" for part in parts[:-1]]
