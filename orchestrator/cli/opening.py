"""Databases of a replica, opened: on a copy of a snapshot they are attached under other names, checked, and detached. Protection goes on.

What is done is taken back whatever happens: databases off the instance, the copy and the snapshot off the target. An order that was cut
off is taken back by the next one: a copy's database of that name is detached first, and its directory is noted at the target.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator.cli.errors import NotVerifiable
from orchestrator.engine.client import SnapshotAction, SnapshotActionKind, SnapshotShelf
from orchestrator.errors import DtamError
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.paths import inside, moved
from orchestrator.model.servers import Where
from orchestrator.model.settings import Settings
from orchestrator.model.settings_sql import SqlSettings
from orchestrator.model.sqlport import SqlServers

COPY_NAME = "dtam_check_{name}"
SYSTEM = frozenset({"master", "model", "msdb", "tempdb"})
LOOK_S = 0.5
WAIT_S = 5.0


class Snapshots(Protocol):
    """The target's engine, as far as it keeps snapshots."""

    def snapshots(self, *, replica: str = "", protection: str = "") -> list[SnapshotShelf]:
        """Those of a replica, or of a protection."""
        ...

    def snapshot_action(self, action: SnapshotAction) -> list[SnapshotShelf]:
        """Ask something of them."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """What became of one database."""

    instance: str
    name: str
    good: bool
    says: str


@dataclass(frozen=True, slots=True)
class Opening:
    """One protection's databases, as ``told`` says (``takeover.sql.databases`` of the target's document)."""

    protection: str
    told: Sequence[Mapping[str, Any]]
    engine: Snapshots
    servers: SqlServers
    pause: Callable[[float], None] = time.sleep

    def run(self) -> tuple[Opened, ...]:
        """All of them, one after the other.

        Raises:
            NotVerifiable: there is no replica with databases.
            DtamError: no snapshot can be taken or copied.
        """
        wanted = [one for one in self.told if str(one["name"]).lower() not in SYSTEM and one["files"]]
        if not wanted:
            raise NotVerifiable(protection=self.protection, why="it protects no database that could be opened")
        with self._copies() as places:
            return tuple(self._opened(one, places) for one in wanted)

    def _opened(self, database: Mapping[str, Any], places: Mapping[str, str]) -> Opened:
        instance, name = str(database["instance"]), str(database["name"])
        files = [_placed(str(file["path"]), places) for file in database["files"]]
        lacking = next(
            (str(file["path"]) for file, at in zip(database["files"], files, strict=True) if at is None), None
        )
        if lacking is not None:
            return Opened(instance, name, good=False, says=f"{lacking} lies in no protected directory")
        document = {
            "protection": f"{self.protection}-check",
            "instance": instance,
            "databases": [{"name": name, "files": files}],
            "attach_as": COPY_NAME,
            "not_before_s": time.time(),
        }
        try:
            self.servers.do(Where.TARGET, "check", document, {})
        except (DtamError, TryAgain) as error:
            return Opened(instance, name, good=False, says=str(error))
        finally:
            with suppress(DtamError, TryAgain):
                self.servers.undo(Where.TARGET, "check", document, {})
        return Opened(instance, name, good=True, says="attached, DBCC CHECKDB without errors, detached")

    @contextmanager
    def _copies(self) -> Iterator[dict[str, str]]:
        """A copy of each replica's data of one moment; the root's path leads to it."""
        snapshot = self._asked(SnapshotActionKind.TAKE, protection=self.protection, label="verify-data")[0].last_id
        places: dict[str, str] = {}
        keys: dict[str, str] = {}
        try:
            for number, shelf in enumerate(self.engine.snapshots(protection=self.protection)):
                to = f"{shelf.root.rstrip('/').rpartition('/')[0]}/dtam-check-{snapshot}-{number}"
                places[shelf.root], keys[shelf.replica] = to, to
                self._asked(SnapshotActionKind.COPY_OUT, replica=shelf.replica, id=snapshot, to=to)
            yield places
        finally:
            for key, to in keys.items():
                with suppress(DtamError):
                    self._asked(SnapshotActionKind.DROP_COPY, replica=key, id=snapshot, to=to)
            with suppress(DtamError):
                self._asked(SnapshotActionKind.DELETE, protection=self.protection, id=snapshot)

    def _asked(self, kind: SnapshotActionKind, **given: Any) -> list[SnapshotShelf]:
        """Ask, and wait until it is over."""
        shelves = self.engine.snapshot_action(SnapshotAction(action=kind, wait_s=WAIT_S, **given))
        while any(shelf.under_way for shelf in shelves):
            self.pause(LOOK_S)
            where = {word: given[word] for word in ("replica", "protection") if word in given}
            shelves = self.engine.snapshots(**where)
        for shelf in shelves:
            if shelf.last_problem:
                raise NotVerifiable(protection=self.protection, why=shelf.last_problem)
        return shelves


def _placed(path: str, places: Mapping[str, str]) -> str | None:
    """Where a file of a replica lies in its copy."""
    root = next((one for one in places if inside(path, one)), None)
    return moved(path, root, places[root]) if root is not None else None


def opened_at(settings: Settings, at: str) -> Settings:
    """The settings with another instance on the target's side: every database is opened there."""
    host, _, port = at.rpartition(":") if ":" in at else (at, "", "")
    sql = settings.failover.sql or SqlSettings()
    moved_to = {"target_host": host, "target_port": int(port) if port.isdigit() else None}
    instances = tuple(one.model_copy(update=moved_to) for one in sql.instances)
    failover = settings.failover.model_copy(update={"sql": sql.model_copy(update={"instances": instances})})
    return settings.model_copy(update={"failover": failover})
