"""What is proposed for a pair: instances, services, directories, addresses and name servers, and how clients see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from orchestrator.model.inventory import Inventory, SideInventory
from orchestrator.model.servers import Pair, Platform
from orchestrator.model.settings_sql import SqlSettings
from orchestrator.model.sql import SqlInstance
from orchestrator.sdk.addressing import address_pairs, resolvers, takeable
from plugins.sql import roots, services

NAME = "sql"
HEALTH_TIMEOUT_S = 15.0
"""A program is started, a driver loaded, a log-in made."""


def defaults(pair: Pair, found: Inventory | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """``found``: what both hosts, and both SQL Servers, say of themselves; ``given``: the settings that people gave."""
    sql = _given(given)
    windows = pair.source.platform is Platform.WINDOWS
    pairs = address_pairs(pair.source.addresses, pair.target.addresses)
    failover: dict[str, Any] = {
        "sql": {},
        "services": _services(sql, found, windows=windows),
        "health": {"timeout_s": HEALTH_TIMEOUT_S},
        "dns": {"addresses": [{"source": one, "target": other} for one, other in pairs]},
    }
    if found is not None:
        others = [one for one in pair.source.addresses if one != pair.source.address]
        failover["identity"] = {"addresses": takeable(others, found)}
        if servers := resolvers(found):
            failover["dns"]["servers"] = servers
    return {
        "application": NAME,
        "source": pair.source.name,
        "target": pair.target.name,
        "monitoring": {"addresses": list(pair.source.addresses)},
        "failover": failover,
        "connection": {"roots": _roots(sql, found, given, pair, windows=windows)},
        "advanced": {"replication_set": set_name(pair)},
    }


def set_name(pair: Pair) -> str:
    """The replication set's name, as the guide has it; it allows no period."""
    return f"sqldag01_{pair.source.name}_{pair.target.name}".replace(".", "-")


def _services(sql: SqlSettings, found: Inventory | None, *, windows: bool) -> list[dict[str, Any]]:
    whole = sql.mode == "instance"
    if not windows:
        return services.on_linux(whole=whole)
    known = found.source.windows.services if found and found.source.windows else ()
    return services.on_windows(sql.instances, known, whole=whole)


def _roots(
    sql: SqlSettings, found: Inventory | None, given: Mapping[str, Any], pair: Pair, *, windows: bool
) -> list[dict[str, Any]]:
    instances = _instances(sql, found.source) if found else []
    make = roots.of_instances if sql.mode == "instance" else roots.of_databases
    proposed = make(sql, instances)
    if sql.mode == "database" and not windows:
        proposed = roots.apart(proposed, _instances(sql, found.target) if found else [], pair.source.name)
    if not proposed and not windows:
        proposed = [{"source_path": roots.LINUX_TREE if sql.mode == "instance" else f"{roots.LINUX_TREE}/data"}]
    volumes = dict(given.get("connection") or {}).get("volumes") or ()
    return proposed + [dict(one) for one in volumes]


def _instances(sql: SqlSettings, side: SideInventory) -> list[SqlInstance]:
    wanted: Iterable[SqlInstance | None] = (side.sql.instance(one.name) for one in sql.instances) if side.sql else ()
    return [one for one in wanted if one is not None and not one.silence]


def _given(given: Mapping[str, Any]) -> SqlSettings:
    """What people chose; what cannot be read is told when the settings are made."""
    try:
        return SqlSettings.model_validate(dict(given.get("failover") or {}).get("sql") or {})
    except ValidationError:
        return SqlSettings()
