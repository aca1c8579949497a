"""Which directories are copies of snapshots that were made here: only those are removed again.

A copy is noted before it is begun, for nothing lay there then, and once more with its inode when it is whole.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

from orchestrator.engine.mirror.durable import write_durably


class Copy(msgspec.Struct, frozen=True):
    """A copy; ``inode`` 0 while it is being made."""

    path: str
    inode: int = 0


def note(directory: Path, to: Path, *, whole: bool) -> None:
    """Remember a copy; durable when this returns."""
    made = Copy(str(to), to.stat().st_ino if whole else 0)
    write_durably(_place(directory, to), msgspec.json.encode(made))


def is_noted(directory: Path, to: Path) -> bool:
    """Whether what lies there is a copy that was made here."""
    try:
        known = msgspec.json.decode(_place(directory, to).read_bytes(), type=Copy)
    except (FileNotFoundError, msgspec.MsgspecError):
        return False
    return known.path == str(to) and known.inode in {0, to.stat().st_ino}


def forget(directory: Path, to: Path) -> None:
    """It is gone."""
    _place(directory, to).unlink(missing_ok=True)


def _place(directory: Path, to: Path) -> Path:
    name = hashlib.blake2b(os.fsencode(to), digest_size=10).hexdigest()
    return directory / f"copy-{name}.json"
