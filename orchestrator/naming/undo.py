"""The undo file: what was there before a change and what it was changed to, on disk (fsynced) before anything is changed.

Beside it, ``<file>.nodes`` holds what a directory kept of the names: who might write them, and when they were registered.

One file a source and deed. A second run of the same deed adds to it and never forgets the first ``before``. While names are
put back the phase says so; when all are back and read back, the file is kept as ``<file>.done``. Two runs at once are kept
apart by a lock beside the file. Stored as JSON that people can read; the stored form is its own type.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import msgspec

from orchestrator.model.names import NameNode
from orchestrator.naming.errors import UndoUnusable
from orchestrator.naming.values import Change, NameServer, RecordSet, same_set

_VERSION = 1
_ADVICE_DAMAGED = "put the records back by hand from what is readable in it, then move the file away"


class Phase(StrEnum):
    """Which way the names are going."""

    OUT = "out"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class Undo:
    """Everything that one deed changed for one source."""

    deed: str
    source_name: str
    addresses: tuple[tuple[str, str], ...]
    phase: Phase = Phase.OUT
    changes: tuple[Change, ...] = ()

    def merged(self, planned: Iterable[Change]) -> Undo:
        """This undo with further changes; the first ``before`` of a record set is kept.

        What was put back already (its present value differs from what this deed had made of it) begins afresh.
        """
        entries = {change.key: change for change in self.changes}
        for change in planned:
            earlier = entries.get(change.key)
            fresh = earlier is None or (self.phase is Phase.BACK and not same_set(change.before, earlier.after))
            before = change.before if fresh or earlier is None else earlier.before
            entries[change.key] = replace(change, before=before) if before or change.after else change
        return replace(self, phase=Phase.OUT, changes=tuple(entries.values()))


class _Place(msgspec.Struct, frozen=True):
    server: str
    zone: str
    name: str
    type: str


class _Value(msgspec.Struct, frozen=True):
    ttl_s: int
    data: tuple[str, ...]


class _Entry(msgspec.Struct, frozen=True):
    at: _Place
    before: _Value | None
    after: _Value | None


class _StoredNodes(msgspec.Struct, frozen=True):
    version: int
    written: str
    nodes: tuple[NameNode, ...]


class _Stored(msgspec.Struct, frozen=True):
    version: int
    deed: str
    phase: Phase
    source_name: str
    addresses: tuple[tuple[str, str], ...]
    written: str
    changes: tuple[_Entry, ...]


_Kind = TypeVar("_Kind", _Stored, _StoredNodes)


def load(path: Path) -> Undo | None:
    """The undo at a path, or None when there is none.

    Raises:
        UndoUnusable: it cannot be read or is damaged.
    """
    stored = _load(path, _Stored)
    if stored is None:
        return None
    changes = tuple(_from_entry(entry) for entry in stored.changes)
    return Undo(stored.deed, stored.source_name, stored.addresses, stored.phase, changes)


def load_nodes(path: Path) -> tuple[NameNode, ...]:
    """What is kept of the names in a directory beside the undo at a path; none when there is none.

    Raises:
        UndoUnusable: it cannot be read or is damaged.
    """
    stored = _load(nodes_path(path), _StoredNodes)
    return () if stored is None else stored.nodes


def nodes_path(path: Path) -> Path:
    """Where the names in a directory are kept, beside the undo at a path."""
    return path.with_name(path.name + ".nodes")


def save_nodes(path: Path, nodes: tuple[NameNode, ...]) -> None:
    """Keep them, on disk before returning, beside the undo at a path.

    Raises:
        UndoUnusable: it cannot be written; then nothing may be changed.
    """
    _save(nodes_path(path), _StoredNodes(_VERSION, _now(), nodes))


def _load(path: Path, kind: type[_Kind]) -> _Kind | None:
    try:
        stored = msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = error.strerror or str(error)
        raise UndoUnusable(path=path, reason=reason, advice="may this user read it?") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UndoUnusable(path=path, reason=f"it is damaged ({error})", advice=_ADVICE_DAMAGED) from error
    if stored.version != _VERSION:
        reason = f"its version is {stored.version}, known is {_VERSION}"
        raise UndoUnusable(path=path, reason=reason, advice="use the dfo that wrote it")
    return stored


def save(path: Path, undo: Undo) -> None:
    """Write the undo whole or not at all, and have it on disk before returning.

    Raises:
        UndoUnusable: it cannot be written; then nothing may be changed.
    """
    entries = tuple(_to_entry(change) for change in undo.changes)
    _save(path, _Stored(_VERSION, undo.deed, undo.phase, undo.source_name, undo.addresses, _now(), entries))


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _save(path: Path, stored: _Stored | _StoredNodes) -> None:
    text = msgspec.json.format(msgspec.json.encode(stored), indent=2)
    try:
        _write_durably(path, text)
    except OSError as error:
        advice = "nothing was changed; give a place that can be written with --undo-file"
        raise UndoUnusable(path=path, reason=error.strerror or str(error), advice=advice) from error


def retire(path: Path) -> Path:
    """Keep a finished undo beside its place, so that the next failover begins with a clean one."""
    done = path.with_name(path.name + ".done")
    retire_nodes(path)  # first: what was noted once must not count for the next failover
    path.replace(done)
    _sync_directory(path.parent)
    return done


def retire_nodes(path: Path) -> None:
    """Keep what was noted of the names in a directory under another name."""
    nodes = nodes_path(path)
    if nodes.exists():
        nodes.replace(nodes.with_name(nodes.name + ".done"))
    _sync_directory(path.parent)


@contextmanager
def held(path: Path, wait_s: float = 30.0) -> Iterator[None]:
    """Hold the undo's lock: one run at a time.

    Raises:
        UndoUnusable: another run held it for longer than ``wait_s``, or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        advice = "give a place that can be written with --undo-file"
        raise UndoUnusable(path=path, reason=error.strerror or str(error), advice=advice) from error
    try:
        _wait_for(lock, path, wait_s)
        yield
    finally:
        os.close(lock)


def _wait_for(lock: int, path: Path, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                reason = "another run has been working with it"
                raise UndoUnusable(path=path, reason=reason, advice="wait until it has ended, then run again") from None
            time.sleep(0.05)
        else:
            return


def _write_durably(path: Path, text: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(path.name + ".new")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _to_entry(change: Change) -> _Entry:
    subject = change.subject
    place = _Place(str(change.server), subject.zone, subject.name, subject.type)
    return _Entry(place, _to_value(change.before), _to_value(change.after))


def _to_value(records: RecordSet | None) -> _Value | None:
    return None if records is None else _Value(records.ttl_s, records.data)


def _from_entry(entry: _Entry) -> Change:
    def records(value: _Value | None) -> RecordSet | None:
        at = entry.at
        return None if value is None else RecordSet(at.zone, at.name, at.type, value.ttl_s, value.data)

    return Change(NameServer.parse(entry.at.server), records(entry.before), records(entry.after))
