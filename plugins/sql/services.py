"""The services of SQL Server, by platform and instance, in the order in which they start. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from orchestrator.model.settings_sql import InstanceSettings
from orchestrator.model.sql import is_default
from orchestrator.model.windows import WindowsService

LINUX_UNIT = "mssql-server"
START_S = 600.0
"""Recovery of what was cut off may take long."""
STOP_S = 120.0

FOLLOWERS = (
    ("SQLSERVERAGENT", "SQLAgent$"),
    ("MSSQLFDLauncher", "MSSQLFDLauncher$"),
    ("MSSQLLaunchpad", "MSSQLLaunchpad$"),
    ("ReportServer", "ReportServer$"),
)
"""What follows the engine where it is installed, in order: default instance, and what a named one's name is put behind."""
EVERYBODYS = ("SQLServerReportingServices",)
"""Of a whole machine, and a client of the default instance."""
NEVER = frozenset({"disabled"})
RUNNING = "running"


def engine_unit(instance: str) -> str:
    """The engine's service on Windows."""
    return "MSSQLSERVER" if is_default(instance) else f"MSSQL${instance}"


def short(unit: str) -> str:
    """A service's name in settings and steps: lower case, letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", unit.lower()).strip("-")


def on_linux(*, whole: bool) -> list[dict[str, Any]]:
    """The one service; the Agent is a part of it."""
    return [_service(LINUX_UNIT, required=True, stopped=whole)]


def on_windows(
    instances: Iterable[InstanceSettings], found: Sequence[WindowsService], *, whole: bool
) -> list[dict[str, Any]]:
    """Each instance's engine, then what follows it and is in use there. SQL Browser and the VSS writer go on by themselves."""
    known = {one.name.lower(): one for one in found}
    listed: list[dict[str, Any]] = []
    for instance in instances:
        listed.append(_service(engine_unit(instance.name), required=True, stopped=whole))
        engine = known.get(engine_unit(instance.name).lower())
        live = engine is not None and engine.state == RUNNING
        followers = (unit for unit in _followers(instance.name) if _serves(known.get(unit.lower()), live=live))
        listed += [_service(unit, required=False, stopped=whole) for unit in followers]
    return listed


def _followers(instance: str) -> list[str]:
    if is_default(instance):
        return [plain for plain, _ in FOLLOWERS] + list(EVERYBODYS)
    return [f"{prefix}{instance}" for _, prefix in FOLLOWERS]


def _serves(service: WindowsService | None, *, live: bool) -> bool:
    """Whether a service that follows the engine is in use: it runs beside it, or would where the engine itself is down."""
    if service is None or service.start_type.lower() in NEVER:
        return False
    return service.state == RUNNING or not live


def required(platform_is_windows: bool, instances: Iterable[InstanceSettings]) -> list[str]:  # noqa: FBT001  one word says it
    """The services that a protection cannot do without, by their units."""
    return [engine_unit(one.name) for one in instances] if platform_is_windows else [LINUX_UNIT]


def _service(unit: str, *, required: bool, stopped: bool) -> dict[str, Any]:
    return {
        "name": short(unit),
        "unit": unit,
        "required": required,
        "must_be_stopped_on_target": stopped,
        "grace_s": STOP_S,
        "start_timeout_s": START_S if required else STOP_S,
    }
