"""One deed as a target's script calls it: ``dtam step sql DEED``. What was found before is on disk before anything is changed.

The undo file holds it, 0600 and whole or not at all; a finished undo is kept as ``FILE.done``, and so is what another run
left where this one finds nothing to do. What is kept of the protection (sealed log-ins,
checks) lies in the same directory.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.databases.connecting import connect
from orchestrator.databases.deeds.book import deed_of
from orchestrator.databases.deeds.deed import Deed, Desk, Document, read
from orchestrator.databases.errors import DeedInvalid, SqlUnreachable
from orchestrator.databases.session import OdbcSession
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.sqlway import SqlAccess

POLL_S = 1.0
RUN = "DTAM_RUN_ID"
"""Under this name a script tells its run."""


class Found(msgspec.Struct, frozen=True):
    """The undo file: which deed, and what was before it. ``finished``: the deed was done; the next one begins a new file.

    ``run`` is the script's run that did it; empty by hand.
    """

    deed: str
    instance: str
    found: dict[str, Any]
    finished: bool = False
    run: str = ""


class Report(msgspec.Struct, frozen=True):
    """What became of a deed."""

    deed: str
    so: bool
    says: str


class Calling(msgspec.Struct, frozen=True):
    """How a deed is called: ``act`` is do, undo or show; waited for up to ``wait_s`` seconds; at ``host`` where one is given instead."""

    act: str = "do"
    wait_s: float = 0.0
    host: str = ""


def step(
    name: str,
    text: bytes,
    undo: Path,
    calling: Calling,
    open_session: Callable[[SqlAccess], OdbcSession] = connect,
) -> Report:
    """Play one deed.

    Raises:
        DtamError: it cannot be done; the undo file then tells what was.
        TryAgain: what may come right by waiting did not within ``wait_s``.
    """
    kind = deed_of(name)
    asked: Document = read(kind, _document(name, text))
    if asked.way is None:
        raise DeedInvalid(deed=name, reason="it does not say how the instance is reached: access is missing")
    way = msgspec.structs.replace(asked.way, host=calling.host or asked.way.host)
    ends_at = time.monotonic() + max(calling.wait_s, asked.within_s)
    with _alone(undo):
        while True:
            try:
                with open_session(way) as session:
                    return _once(kind(session, asked, Desk(undo.parent, time.time)), undo, calling.act)
            except (TryAgain, SqlUnreachable) as later:
                if time.monotonic() >= ends_at:
                    raise _told(later) from later
                time.sleep(min(POLL_S, max(0.0, ends_at - time.monotonic())))


def _told(later: TryAgain | SqlUnreachable) -> TryAgain:
    return later if isinstance(later, TryAgain) else TryAgain(f"{later}. {later.hint}")


def _document(name: str, text: bytes) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise DeedInvalid(deed=name, reason=f"it is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise DeedInvalid(deed=name, reason="it is not an object")
    return found


def _once(deed: Deed[Any], undo: Path, act: str) -> Report:
    if act == "undo":
        return _undone(deed, undo)
    seen, run = deed.look(), os.environ.get(RUN, "")
    if act == "show":
        return Report(deed.name, seen.done, seen.says)
    known = _noted(undo, deed.name)
    if seen.done:
        if known is not None and known.finished and run and known.run not in {"", run}:
            _put_by(undo)  # this run did nothing: its undo must not take back what an earlier one did
        return Report(deed.name, seen.done, seen.says)
    if known is None or known.finished:
        known = Found(deed.name, deed.asked.instance, dict(seen.found), run=run)
        _write(undo, known)
    deed.do(seen.found)
    _write(undo, msgspec.structs.replace(known, finished=True))
    return Report(deed.name, so=True, says=deed.look().says)


def _undone(deed: Deed[Any], undo: Path) -> Report:
    noted = _noted(undo, deed.name)
    if noted is None:
        return Report(deed.name, so=True, says="nothing was done, so there is nothing to undo")
    deed.undo(noted.found)
    _put_by(undo)
    return Report(deed.name, so=True, says=f"{deed.session.label}: {deed.name} is undone")


def _put_by(undo: Path) -> None:
    undo.replace(undo.with_name(f"{undo.name}.done"))


def _write(undo: Path, noted: Found) -> None:
    """Whole or not at all. The first look of a deed that was cut off counts: what a repetition finds is half of our own doing."""
    draft = undo.with_name(f".{undo.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(noted), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(undo)


def _noted(undo: Path, name: str) -> Found | None:
    try:
        found = msgspec.json.decode(undo.read_bytes(), type=Found)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise DeedInvalid(deed=name, reason=f"the undo file {undo} cannot be used: {error}") from error
    if found.deed != name:
        raise DeedInvalid(deed=name, reason=f"the undo file {undo} is of {found.deed}")
    return found


@contextmanager
def _alone(undo: Path) -> Iterator[None]:
    """Nobody else works with this undo file meanwhile."""
    try:
        undo.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(undo.with_name(f"{undo.name}.lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DeedInvalid(deed="sql", reason=f"{undo}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
