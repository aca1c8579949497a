"""What is protected of each instance, as a value that both hosts keep: gathered while the source answers, used when it does not.

A failover reads nothing from the source: the databases, their files and their options are those that the target was told of at the last
enable, or what the source says now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from orchestrator.model.conditions import Stage
from orchestrator.model.inventory import SideInventory
from orchestrator.model.paths import is_windows
from orchestrator.model.servers import Where
from orchestrator.model.settings import Settings
from orchestrator.model.settings_sql import SqlSettings
from orchestrator.model.sql import SqlDatabase, SqlFile, SqlInstance
from orchestrator.sdk.application import Planning
from plugins.sql.placing import Placing
from plugins.sql.services import engine_unit


class ToldFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file, or a directory of FILESTREAM, at both places."""

    source: str
    target: str
    kind: str = "rows"
    name: str = ""

    def on(self, where: Where) -> str:
        """Where it lies on a side."""
        return self.target if where is Where.TARGET else self.source


class ToldDatabase(msgspec.Struct, frozen=True, omit_defaults=True):
    """A protected database, and what attaching it takes away."""

    name: str
    files: tuple[ToldFile, ...] = ()
    owner: str = ""
    broker: bool = False
    trustworthy: bool = False
    chaining: bool = False


class ToldInstance(msgspec.Struct, frozen=True, omit_defaults=True):
    """A protected instance. ``left_out`` are files of what is not protected; ``theirs`` the log-ins that the target had of its own."""

    name: str
    server_name: str = ""
    version: str = ""
    account: str = ""
    target_account: str = ""
    databases: tuple[ToldDatabase, ...] = ()
    left_out: tuple[str, ...] = ()
    theirs: tuple[str, ...] = ()


def settings_of(settings: Settings) -> SqlSettings:
    """The settings of SQL Server; the defaults where none are given."""
    return settings.failover.sql or SqlSettings()


def is_whole(settings: Settings) -> bool:
    """Whether whole instances are protected."""
    return settings_of(settings).mode == "instance"


def runs_windows(settings: Settings) -> bool:
    """Whether the pair is one of Windows servers, as its directories and services tell."""
    units = [one.on(Where.SOURCE).unit or "" for one in settings.failover.services]
    windows = any(unit.lower().startswith(("mssqlserver", "mssql$")) for unit in units)
    return windows or any(is_windows(root.source_path) for root in settings.connection.roots)


def instances(planning: Planning) -> tuple[ToldInstance, ...]:
    """All that is known of the protected instances: as the source says it while it serves, else as the target was told."""
    return tuple(_known(planning, one.name) for one in settings_of(planning.protection.settings).instances)


def _known(planning: Planning, name: str) -> ToldInstance:
    before = next((one for one in _kept(planning.inventory.target) if one.name.lower() == name.lower()), None)
    ours, theirs = (_answering(planning.inventory.on(where), name) for where in (Where.SOURCE, Where.TARGET))
    if ours is None or (before is not None and planning.protection.stage in {Stage.FAILED_OVER, Stage.RESTORED}):
        return before or ToldInstance(name)
    accounts = [
        _account(planning.inventory.on(where), name, found)
        for where, found in ((Where.SOURCE, ours), (Where.TARGET, theirs))
    ]
    return _gathered(planning.protection.settings, ours, theirs, before, accounts)


def _kept(side: SideInventory) -> tuple[ToldInstance, ...]:
    told = ((side.takeover or {}).get("sql") or {}).get("instances") or ()
    return msgspec.convert(told, tuple[ToldInstance, ...])


def _answering(side: SideInventory, name: str) -> SqlInstance | None:
    found = side.sql.instance(name) if side.sql and not side.unreachable else None
    return found if found is not None and not found.silence else None


def _gathered(
    settings: Settings,
    ours: SqlInstance,
    theirs: SqlInstance | None,
    before: ToldInstance | None,
    accounts: Sequence[str],
) -> ToldInstance:
    sql, placing = settings_of(settings), Placing(settings)
    chosen = sql.protected_of(ours.name, tuple(one.name for one in ours.databases))
    taken = [one for one in ours.databases if one.name.lower() in chosen and not one.snapshot_of]
    left = [file.path for one in ours.databases if one.name.lower() not in chosen for file in one.files]
    return ToldInstance(
        name=sql_name(sql, ours.name),
        server_name=ours.server_name,
        version=ours.version,
        account=accounts[0],
        target_account=accounts[1] or (before.target_account if before else ""),
        databases=tuple(_database(placing, ours.name, one) for one in taken),
        left_out=tuple(left),
        theirs=_theirs(theirs, before),
    )


def _theirs(found: SqlInstance | None, before: ToldInstance | None) -> tuple[str, ...]:
    """Noted at the first enable: what a failover brought there since is not the target's own."""
    if before is not None and before.theirs:
        return before.theirs
    return tuple(one.name for one in found.logins if not one.own_to(found.machine)) if found else ()


def sql_name(settings: SqlSettings, name: str) -> str:
    """An instance's name as the settings spell it."""
    one = settings.instance(name)
    return one.name if one else name


def _database(placing: Placing, instance: str, one: SqlDatabase) -> ToldDatabase:
    return ToldDatabase(
        name=one.name,
        files=tuple(_file(placing, instance, file) for file in _in_order(one.files)),
        owner=one.owner,
        broker=one.broker,
        trustworthy=one.trustworthy,
        chaining=one.chaining,
    )


def _in_order(files: Iterable[SqlFile]) -> list[SqlFile]:
    """The primary file first: it tells of the others."""
    return sorted(files, key=lambda one: one.kind != "rows")


def _file(placing: Placing, instance: str, file: SqlFile) -> ToldFile:
    return ToldFile(file.path, placing.on_target(instance, file), file.kind, file.name)


def _account(side: SideInventory, name: str, found: SqlInstance | None) -> str:
    """The account that runs the engine: as Windows tells, which it does of one that is stopped, too; else as the instance does."""
    unit = engine_unit(name).lower()
    known = side.windows.services if side.windows else ()
    told_by_windows = next((one.account for one in known if one.name.lower() == unit), "")
    return told_by_windows or (engine_account(found) if found else "")


def engine_account(found: SqlInstance) -> str:
    """The account that runs the engine, as the instance's services tell; empty where they do not."""
    units = {"mssqlserver", "mssql-server", f"mssql${found.name.lower()}"}
    named = (one for one in found.services if one.name.lower() in units or one.name.lower().startswith("sql server ("))
    return next((one.account for one in named), "")


def documents(planning: Planning) -> dict[str, Any]:
    """What both hosts keep of it; ``databases`` are told once more as they lie on the target, for whoever compares protections."""
    known = instances(planning)
    there = [
        {"instance": one.name, "name": database.name, "files": [_there(file) for file in database.files]}
        for one in known
        for database in one.databases
    ]
    mode = settings_of(planning.protection.settings).mode
    return {"sql": {"mode": mode, "instances": msgspec.to_builtins(known), "databases": there}}


def _there(file: ToldFile) -> dict[str, str]:
    return {"name": file.name, "path": file.target, "kind": file.kind}


def files(told: Iterable[ToldInstance]) -> list[ToldFile]:
    """All files of protected databases."""
    return [file for one in told for database in one.databases for file in database.files]


def as_attached(databases: Iterable[ToldDatabase], where: Where) -> list[Mapping[str, Any]]:
    """Databases with their files on a side, as the port's deeds take them."""
    return [{"name": one.name, "files": [file.on(where) for file in one.files]} for one in databases]
