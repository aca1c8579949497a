"""The undo file: what a deed takes, on disk (fsynced, mode 0600) before anything is changed.

Each kind of identity has a frozen struct of its own with a ``phase``: ``out`` while it is taken, ``back`` once it is being given
back. A finished one is kept as ``FILE.done``, so that the next takeover begins with a clean one and the last stays readable.
A lock beside the file keeps two runs apart; it ends with its process.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from orchestrator.identity.errors import TakenUnusable

Kept = TypeVar("Kept", bound=msgspec.Struct)
OUT, BACK = "out", "back"
_LOCK_WAIT_S = 30.0
_POLL_S = 0.05


def load(path: Path, kind: type[Kept]) -> Kept | None:
    """What was taken, or None when there is nothing to give back.

    Raises:
        TakenUnusable: it cannot be read or is damaged.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TakenUnusable(path=path, reason=error.strerror or error, advice="may this user read it?") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        advice = "give back by hand what is readable in it, then move the file away"
        raise TakenUnusable(path=path, reason=f"it is damaged ({error})", advice=advice) from error


def save(path: Path, kept: msgspec.Struct) -> None:
    """Write it whole or not at all, and have it on disk before returning.

    Raises:
        TakenUnusable: it cannot be written; then nothing may be changed.
    """
    try:
        write_durably(path, msgspec.json.format(msgspec.json.encode(kept), indent=2), 0o600)
    except OSError as error:
        advice = "nothing was changed; give a place that can be written with --undo"
        raise TakenUnusable(path=path, reason=error.strerror or error, advice=advice) from error


def retire(path: Path) -> None:
    """Keep a finished one beside its place."""
    if path.exists():
        path.replace(path.with_name(path.name + ".done"))
        _sync_directory(path.parent)


@contextmanager
def alone(path: Path, wait_s: float = _LOCK_WAIT_S) -> Iterator[None]:
    """Nobody else works with this undo file meanwhile.

    Raises:
        TakenUnusable: another run still does after ``wait_s``, or there is no place for the lock.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        advice = "give a place that can be written with --undo"
        raise TakenUnusable(path=path, reason=error.strerror or error, advice=advice) from error
    try:
        _wait_for(lock, path, wait_s)
        yield
    finally:
        os.close(lock)


def write_durably(path: Path, text: bytes, mode: int) -> None:
    """Replace a file whole: draft, fsync, rename, fsync of the directory."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    _sync_directory(path.parent)


def _wait_for(lock: int, path: Path, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                reason, advice = "another run is working with it", "wait until it has ended, then run again"
                raise TakenUnusable(path=path, reason=reason, advice=advice) from None
            time.sleep(_POLL_S)
        else:
            return


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
