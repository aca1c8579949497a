"""Durable small records: what is answered for is on disk before the answer leaves.

A record file is one line ``xxh3_64 of the rest, hexadecimal`` and the body. It is replaced as a whole: written beside, fsynced,
renamed, its directory fsynced. Whoever reads it finds the old or the new one, never a mixture; damage is found by the sum.

After a replacement that failed nobody knows which of the two a crash would leave: the ``Book`` therefore trusts its memory no
more, and begins again from what it reads, as after a restart.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import msgspec
import xxhash

from orchestrator.engine.witness.errors import RecordDamaged
from orchestrator.engine.witness.rules import Record

BOOK = "book.json"


class Shelf(Protocol):
    """Where records lie: a directory, or the simulation's faulty disk."""

    def read(self, name: str) -> bytes | None:
        """The bytes of a record, None when there is none."""
        ...

    def replace(self, name: str, content: bytes) -> None:
        """Replace a record, durably and as a whole. Raises OSError; then either content may be found later."""
        ...


class DirectoryShelf:
    """Records as files of one directory (made with mode 0700, files 0600)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def read(self, name: str) -> bytes | None:
        """The bytes of a record, None when there is none."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None

    def replace(self, name: str, content: bytes) -> None:
        """Write beside, fsync, rename, fsync the directory."""
        beside = self.path / f".{name}.new"
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(self.path / name)
        _fsync_directory(self.path)


def _fsync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def seal(body: bytes) -> bytes:
    """The stored form of a body: its sum, then itself."""
    return f"{xxhash.xxh3_64_hexdigest(body)}\n".encode() + body


def unseal(stored: bytes, name: str) -> bytes:
    """The body of a stored form; raises RecordDamaged."""
    sum_, _, body = stored.partition(b"\n")
    if sum_.decode("ascii", "replace") != xxhash.xxh3_64_hexdigest(body):
        raise RecordDamaged(path=name, why="its checksum does not fit")
    return body


class Store:
    """All records of a witness, as one file."""

    def __init__(self, shelf: Shelf, name: str = BOOK) -> None:
        self._shelf = shelf
        self._name = name

    def load(self) -> dict[str, Record]:
        """The records by protection; raises RecordDamaged."""
        stored = self._shelf.read(self._name)
        if stored is None:
            return {}
        try:
            records = msgspec.json.decode(unseal(stored, self._name), type=list[Record])
        except msgspec.MsgspecError as error:
            raise RecordDamaged(path=self._name, why=str(error)) from error
        return {record.protection: record for record in records}

    def save(self, records: dict[str, Record]) -> None:
        """Replace all; durable when it returns. Raises OSError."""
        ordered = [records[name] for name in sorted(records)]
        self._shelf.replace(self._name, seal(msgspec.json.encode(ordered)))
