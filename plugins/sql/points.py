"""The built-in monitoring points of SQL Server: each instance lets in, its databases are online, it reads, and writes where that is allowed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from orchestrator.model.conditions import Stage
from orchestrator.model.points import Point
from orchestrator.model.servers import Where
from orchestrator.model.sqlaccess import access_of
from orchestrator.sdk.application import Planning
from plugins.sql import told
from plugins.sql.told import ToldInstance


def points(planning: Planning, *, by_target: bool = True) -> tuple[Point, ...]:
    """Asked of the instances themselves, on the side that serves; with the target's secrets where its engine asks."""
    return tuple(point for one in told.instances(planning) for point in _of(planning, one, by_target=by_target))


def _of(planning: Planning, one: ToldInstance, *, by_target: bool) -> Iterator[Point]:
    protection, sql = planning.protection, told.settings_of(planning.protection.settings)
    serves = Where.TARGET if protection.stage in {Stage.FAILED_OVER, Stage.RESTORED} else Where.SOURCE
    access = access_of(protection.pair, protection.settings, serves, one.name, by_target=by_target)
    common = {"instance": one.name, "protection": protection.id, "access": msgspec.to_builtins(access)}
    databases = [database.name for database in one.databases]
    yield _point(one, "ready", common | {"databases": databases})
    probe: dict[str, Any] = {"database": sql.probe.database or "master"}
    if sql.probe.write:
        probe |= {"table": sql.probe.table, "write": True}
    yield _point(one, "probe", common | probe)


def _point(one: ToldInstance, deed: str, document: dict[str, Any]) -> Point:
    undo = f"{{state}}/application/{document['protection']}-{one.name}-{deed}.json"
    command = ("dtam", "step", "sql", deed, "--undo", undo, "--document", "-")
    return Point(f"{one.name} {deed}", command, json.dumps(document))
