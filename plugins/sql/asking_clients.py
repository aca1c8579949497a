"""How clients see SQL Server: it lets them in under their name, and gives what it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from orchestrator.model.conditions import Stage
from orchestrator.model.ports import HealthProbe
from orchestrator.model.servers import Where
from orchestrator.model.settings import Settings
from orchestrator.model.settings_sql import InstanceSettings, SqlSettings
from orchestrator.model.sqlaccess import access_of
from orchestrator.model.steps import ScriptCall, Step
from orchestrator.sdk import steps
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans import parts
from plugins.sql import told


def clients_served(planning: Planning, script: str) -> Iterator[Step]:
    """As people said that it is asked; else each protected instance, over the clients' name."""
    settings = planning.protection.settings
    if parts.has_probe(settings):
        yield from parts.clients_served(planning, script)
        return
    health = settings.failover.health
    call = _call(planning, script) if script else None
    asked = HealthProbe(
        name=settings.name,
        timeout_s=health.timeout_s,
        sql=_instances(planning, by_target=False, where=_to_serve(planning)),
    )
    yield steps.ask_as_client(asked, health.within_s, call)


def _to_serve(planning: Planning) -> Where:
    """Who must answer under the clients' name when the plan is done: the other side than serves now."""
    return Where.SOURCE if planning.protection.stage in {Stage.FAILED_OVER, Stage.RESTORED} else Where.TARGET


def probe(settings: Settings) -> HealthProbe:
    """The same question without the way to the instances, which is the servers' business: the clients' name is all that is known."""
    if parts.has_probe(settings):
        return parts.probe(settings)
    sql = told.settings_of(settings)
    documents = tuple(_document(sql, one) for one in sql.instances)
    return HealthProbe(settings.name, timeout_s=settings.failover.health.timeout_s, sql=documents)


def _call(planning: Planning, script: str) -> ScriptCall:
    settings = planning.protection.settings
    variables = {
        "name": settings.name,
        "documents": list(_instances(planning, by_target=True, where=Where.TARGET)),
        "timeout_s": settings.failover.health.timeout_s,
        "within_s": settings.failover.health.within_s,
        "dns": {"servers": list(settings.failover.dns.servers)},
    }
    return ScriptCall(script, "sql/ask_as_client", variables)


def _instances(planning: Planning, *, by_target: bool, where: Where) -> tuple[dict[str, Any], ...]:
    """What is asked, with the way there; the address is put in when the name has been resolved."""
    settings, pair = planning.protection.settings, planning.protection.pair
    sql = told.settings_of(settings)
    asked: list[dict[str, Any]] = []
    for one in sql.instances:
        access = access_of(pair, settings, where, one.name, by_target=by_target)
        known = msgspec.structs.replace(access, full_name=settings.name)
        asked.append(_document(sql, one) | {"access": msgspec.to_builtins(known)})
    return tuple(asked)


def _document(sql: SqlSettings, one: InstanceSettings) -> dict[str, Any]:
    document: dict[str, Any] = {"instance": one.name, "database": sql.probe.database or "master"}
    return document | ({"table": sql.probe.table, "write": True} if sql.probe.write else {})
