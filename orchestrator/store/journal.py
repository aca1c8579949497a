"""The journal of one run: a file of JSON lines, each on the disk before its writer goes on.

The first line is the header: the plan, who asked, when. Each further line is a ``model.runs.Line``. A line counts when its line
break is there; what follows the last line break was being written when the power went, and is cut off at the next opening.
Scripts of the plan lie beside it by hash, so that a resumed run delivers exactly what was reviewed.
One process at a time: the file is locked while it is open for writing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from orchestrator.model.plan import Plan
from orchestrator.model.runs import Line
from orchestrator.model.servers import RunId
from orchestrator.store.errors import JournalDamaged, RunBusy, RunUnknown, StoreUnusable

VERSION = 1
Shape = TypeVar("Shape")


class Header(msgspec.Struct, frozen=True):
    """The first line of a journal."""

    journal: int
    run: RunId
    started_at_s: float
    by: str
    plan: Plan
    resume_of: str = ""


class Journal:
    """An open journal; a context manager, so that its lock ends with the block."""

    def __init__(self, path: Path, descriptor: int, header: Header, lines: list[Line]) -> None:
        self.path = path
        self.header = header
        self._descriptor = descriptor
        self._lines = lines

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines so far, oldest first."""
        return tuple(self._lines)

    def write(self, line: Line) -> None:
        """Append a line; on the disk when this returns.

        Raises:
            StoreUnusable: the disk is full or broken. The line does not count then.
        """
        _append(self._descriptor, msgspec.json.encode(line), self.path)
        self._lines.append(line)

    def close(self) -> None:
        """End the lock."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def create(directory: Path, header: Header, texts: Mapping[str, str]) -> Journal:
    """A new journal with its header and the texts of its scripts (by SHA-256) on the disk."""
    place = directory / header.run
    with _explained(place):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        place.mkdir(mode=0o700)
        for sha256, text in texts.items():
            _write_whole(place / f"{sha256}.script", text.encode())
        path = place / "journal"
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
    _lock(descriptor, path, header.run)
    _append(descriptor, msgspec.json.encode(header), path)
    _sync_directory(place)
    _sync_directory(directory)
    return Journal(path, descriptor, header, [])


def open_to_write(directory: Path, run: str) -> Journal:
    """Go on with a journal: its torn tail is cut off first.

    Raises:
        RunUnknown, RunBusy, JournalDamaged, StoreUnusable.
    """
    path = _path(directory, run)
    with _explained(path):
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    _lock(descriptor, path, run)
    header, lines, whole_bytes = _read(path)
    os.ftruncate(descriptor, whole_bytes)
    os.fsync(descriptor)
    return Journal(path, descriptor, header, lines)


def read(directory: Path, run: str) -> tuple[Header, tuple[Line, ...]]:
    """What a journal says, also while somebody writes it."""
    header, lines, _ = _read(_path(directory, run))
    return header, tuple(lines)


def texts(directory: Path, run: str) -> dict[str, str]:
    """The scripts of a run by hash."""
    return {file.stem: file.read_text() for file in sorted((directory / run).glob("*.script"))}


def is_busy(directory: Path, run: str) -> bool:
    """Whether a living process works on the run."""
    with _explained(directory), _path(directory, run).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def runs(directory: Path) -> tuple[str, ...]:
    """Every run that has a journal, by name."""
    return tuple(sorted(path.parent.name for path in directory.glob("*/journal")))


def _path(directory: Path, run: str) -> Path:
    path = directory / run / "journal"
    if "/" in run or not path.exists():
        raise RunUnknown(run=run)
    return path


def _read(path: Path) -> tuple[Header, list[Line], int]:
    with _explained(path):
        content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    rows = whole.splitlines()
    if not rows:
        raise JournalDamaged(path=path, line=1, why="its header is not there")
    header = _decoded(rows[0], Header, path, 1)
    if header.journal > VERSION:
        raise StoreUnusable(
            path=path, why=f"it is of version {header.journal}", advice="use the dtam that wrote it, or a newer one"
        )
    lines = [_decoded(row, Line, path, number) for number, row in enumerate(rows[1:], start=2)]
    return header, lines, len(whole)


def _decoded(row: bytes, kind: type[Shape], path: Path, number: int) -> Shape:
    try:
        return msgspec.json.decode(row, type=kind)
    except msgspec.MsgspecError as error:
        raise JournalDamaged(path=path, line=number, why=str(error)) from error


def _append(descriptor: int, row: bytes, path: Path) -> None:
    end = os.lseek(descriptor, 0, os.SEEK_END)
    data = row + b"\n"
    try:
        written = os.write(descriptor, data)
        if written != len(data):
            os.ftruncate(descriptor, end)
            raise StoreUnusable(path=path, why="the disk is full", advice="make room, then resume the run")
        os.fdatasync(descriptor)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, end)
        why = error.strerror or str(error)
        raise StoreUnusable(path=path, why=why, advice="make room, then resume the run") from error


def _write_whole(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path, run: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise RunBusy(what=f"run {run}", who=f"another process, which holds {path},") from None


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        raise StoreUnusable(
            path=path, why=why, advice="is the directory of DTAM_HOME yours, and is there room?"
        ) from error
