"""Replication sets: what they are, who may change them, where they may go, and how they are kept.

A set belongs to one source. Its generation counts its saves; a save names the generation that it was made from and is refused when
somebody saved in between. Deciding is pure; the store writes one JSON file a set, durably, and reads nothing back by guessing.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from orchestrator.engine.mirror.errors import SetConflict, SetIsConnected, SetUnreadable, StaleGeneration
from orchestrator.engine.mirror.mapping import contains
from orchestrator.engine.mirror.names import check_set_name
from orchestrator.engine.mirror.rules import Rule, RuleSet

REMIRROR = "replication set {name!r} is connected: disconnect and connect it again with a difference mirror, to be sure of the data"


class ReplicationSet(msgspec.Struct, frozen=True):
    """Which data under ``root`` belongs together.

    Attributes:
        name: unique on its source.
        root: absolute path of the protected directory.
        rules: see ``rules``.
        generation: 0 before it was saved.
        calculated: files and bytes when the size was last calculated.
    """

    name: str
    root: str
    rules: tuple[Rule, ...] = (Rule(),)
    generation: int = 0
    calculated: tuple[int, int] | None = None

    @property
    def saved(self) -> bool:
        """Whether it was ever saved."""
        return self.generation > 0

    def compiled(self) -> RuleSet:
        """The rules, ready to be asked."""
        return RuleSet(self.rules)


class Placement(msgspec.Struct, frozen=True):
    """A connection as far as places are concerned: ``target`` is a server, ``location`` the absolute path there."""

    set_name: str
    root: str
    target: str
    location: str


def check_placement(wanted: Placement, source: str, others: Iterable[Placement]) -> None:
    """Refuse a connection whose places cannot work.

    Args:
        wanted: the new connection.
        source: the server that has the set.
        others: the connections that there are, of this source.

    Raises:
        SetConflict: the location is shared with another set, the same data already goes there from another set, or the location lies
            in the set's own data, which would be mirrored into itself without end.
    """
    if wanted.target == source and (contains(wanted.root, wanted.location) or contains(wanted.location, wanted.root)):
        raise _conflict(wanted, f"that is inside its own data {wanted.root} on the same server")
    for other in others:
        if other.set_name == wanted.set_name:
            continue
        if other.target == wanted.target and _overlap(other.location, wanted.location):
            raise _conflict(wanted, f"replication set {other.set_name!r} already goes to {other.location}")
        if _overlap(other.root, wanted.root):
            raise _conflict(wanted, f"its data {wanted.root} is already replicated by {other.set_name!r}")
        if other.target == source and _overlap(other.location, wanted.root):
            raise _conflict(wanted, f"its data {wanted.root} is the replica of {other.set_name!r}: that is a loop")


def _overlap(first: str, second: str) -> bool:
    return contains(first, second) or contains(second, first)


def _conflict(wanted: Placement, why: str) -> SetConflict:
    return SetConflict(name=wanted.set_name, target=f"{wanted.target}:{wanted.location}", why=why)


class ReplicationSetStore:
    """The sets of one source, one file each.

    Args:
        directory: where the files are; made if missing.
        connected: where a set is connected to, or an empty string.
    """

    def __init__(self, directory: Path, connected: Callable[[str], str] = lambda _name: "") -> None:
        self._directory = directory
        self._connected = connected
        self._lock = threading.Lock()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def names(self) -> list[str]:
        """The names of all sets."""
        return sorted(path.name.removesuffix(".json") for path in self._directory.glob("*.json"))

    def load(self, name: str) -> ReplicationSet:
        """A set as it was saved last.

        Raises:
            SetUnreadable: there is none, or its file is damaged.
        """
        try:
            return msgspec.json.decode(self._path(name).read_bytes(), type=ReplicationSet)
        except FileNotFoundError as error:
            raise SetUnreadable(name=name, why="there is no such set") from error
        except msgspec.DecodeError as error:
            raise SetUnreadable(name=name, why=f"{self._path(name)}: {error}") from error

    def save(self, changed: ReplicationSet) -> tuple[ReplicationSet, str]:
        """Save a set, made from generation ``changed.generation``; the set as saved, and a warning or an empty string.

        Raises:
            IllegalCharacter: the name.
            StaleGeneration: somebody saved it since; nothing is overwritten.
        """
        check_set_name(changed.name)
        with self._lock:
            current = self.load(changed.name).generation if self._path(changed.name).exists() else 0
            if changed.generation != current:
                raise StaleGeneration(name=changed.name, given=changed.generation, current=current)
            saved = msgspec.structs.replace(changed, generation=current + 1)
            self._write(saved)
        return saved, REMIRROR.format(name=saved.name) if self._connected(saved.name) else ""

    def rename(self, given: ReplicationSet, name: str) -> ReplicationSet:
        """Another name: a set that was saved is copied, one that was not takes the name.

        Raises:
            IllegalCharacter: the name.
            SetConflict: it is taken.
        """
        check_set_name(name)
        if self._path(name).exists():
            raise SetConflict(name=given.name, target=f"the name {name!r}", why="another set has it")
        return msgspec.structs.replace(given, name=name, generation=0)

    def delete(self, name: str) -> None:
        """Forget a set.

        Raises:
            SetIsConnected: it is in use.
            SetUnreadable: there is none.
        """
        target = self._connected(name)
        if target:
            raise SetIsConnected(name=name, target=target)
        try:
            self._path(name).unlink()
        except FileNotFoundError as error:
            raise SetUnreadable(name=name, why="there is no such set") from error

    def _path(self, name: str) -> Path:
        return self._directory / f"{check_set_name(name)}.json"

    def _write(self, saved: ReplicationSet) -> None:
        write_durably(self._path(saved.name), msgspec.json.format(msgspec.json.encode(saved), indent=1))


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file by another that is on disk, so that after a crash there is the old one or the new one."""
    temporary = path.with_name(f".{path.name}.new")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, content)
        os.fsync(fd)
    finally:
        os.close(fd)
    temporary.replace(path)
    above = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(above)
    finally:
        os.close(above)
