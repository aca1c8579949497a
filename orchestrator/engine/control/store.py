"""The daemon's memory: one JSON file a thing, written whole or not at all.

A write goes to a temporary file beside, is fsynced, renamed over, and the directory is fsynced: after a crash a file is the old
one or the new one. A file that cannot be read all the same is a StateFileDamaged that names it; nothing is guessed.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from orchestrator.engine.control.errors import StateFileDamaged

Document = TypeVar("Document", bound=BaseModel)


def write_text(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace ``path`` by a file with this text and mode, durably."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def save(path: Path, document: BaseModel) -> None:
    """Write a document durably, readable by its owner only."""
    write_text(path, document.model_dump_json(indent=1) + "\n")


def load(path: Path, shape: type[Document]) -> Document:
    """Read a document.

    Raises:
        StateFileDamaged: the file is torn, empty, or not what it should be.
    """
    try:
        return shape.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise StateFileDamaged(path=path, why=f"{where + ': ' if where else ''}{first['msg']}") from error
    except OSError as error:
        raise StateFileDamaged(path=path, why=error.strerror) from error


def load_all(directory: Path, shape: type[Document]) -> list[Document]:
    """Read every document of a directory, in the order of the file names."""
    return [load(path, shape) for path in sorted(directory.glob("*.json"))]


def remove(path: Path) -> None:
    """Remove a document durably; its absence is fine."""
    path.unlink(missing_ok=True)
    sync_directory(path.parent)
