"""A sound pair of SQL Servers as values, to be changed by a case: a Linux pair or a Windows pair, whole instances or databases alone."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import msgspec

from orchestrator.model.conditions import Stage
from orchestrator.model.inventory import EngineFacts, Inventory
from orchestrator.model.protections import Protection
from orchestrator.model.servers import EngineAddress, Pair, ProtectionId, Server, ServerName, WinRmAddress
from orchestrator.model.settings import Settings

NOW_S = 1_000_000.0
PLACES = {"linux": "/var/opt/mssql/data/{}", "windows": "E:\\MSSQL\\DATA\\{}"}
FOLDERS = {"linux": "/var/opt/mssql/data", "windows": "E:\\MSSQL\\DATA"}
SYSTEM = ("master", "model", "msdb", "tempdb")
OPTIONS = (
    "clr enabled",
    "Agent XPs",
    "Database Mail XPs",
    "xp_cmdshell",
    "contained database authentication",
    "filestream access level",
)


def database(platform: str, name: str, number: int, **more: Any) -> dict[str, Any]:
    place = PLACES[platform]
    files = [
        {"database": name, "name": name, "path": place.format(f"{name}.mdf"), "kind": "rows", "bytes": 8 << 20},
        {"database": name, "name": f"{name}_log", "path": place.format(f"{name}.ldf"), "kind": "log", "bytes": 8 << 20},
    ]
    owner = {"owner": "sa", "owner_sid": "0x01"}
    return {"name": name, "id": number, "compatibility": 150, "files": files, **owner, **more}


def instance(platform: str, machine: str, databases: tuple[str, ...]) -> dict[str, Any]:
    """An instance that a case changes; databases, options and log-ins are by name, so that a case names what it changes."""
    every = {name: database(platform, name, number) for number, name in enumerate((*SYSTEM, *databases), 1)}
    account = "LAB\\sql" if platform == "windows" else "mssql"
    return {
        "server_name": machine,
        "machine": machine,
        "version": "15.0.4322.2",
        "edition": "Standard Edition (64-bit)",
        "engine_edition": 2,
        "collation": "SQL_Latin1_General_CP1_CI_AS",
        "data_path": FOLDERS[platform],
        "log_path": FOLDERS[platform],
        "host_platform": platform.capitalize(),
        "port": 1433,
        "protocols": ["tcp", "np"],
        "sysadmin": True,
        "login": "dtam",
        "auth_scheme": "SQL",
        "databases": every,
        "logins": {"sa": {"name": "sa", "sid": "0x01"}, "app": {"name": "app", "sid": "0xAA01"}},
        "services": {"engine": {"name": "SQL Server (MSSQLSERVER)", "account": account}},
        "configurations": {name: {"name": name, "value": 0, "in_use": 0} for name in OPTIONS},
    }


def side(platform: str, name: str, machine: str, databases: tuple[str, ...]) -> dict[str, Any]:
    paths = [FOLDERS[platform]] + (["/var/opt/mssql/secrets/machine-key"] if platform == "linux" else [])
    found: dict[str, Any] = {
        "name": name,
        "paths": {
            path: {"path": path, "exists": True, "kind": "directory", "free_bytes": 10**12, "owner": "mssql"}
            for path in paths
        },
        "services": {"engine": {"name": service(platform), "state": "stopped" if name == "beta" else "running"}},
        "sql": {"instances": {"MSSQLSERVER": instance(platform, machine, databases)}, "browser": {}},
    }
    if platform == "linux":
        found["engine"] = msgspec.to_builtins(
            EngineFacts(name, "a" * 32, "1", "a" * 64, (), 6320, 6321, 6320, "fuse", "", "1", 0.0)
        )
        return found
    volumes = [{"letter": letter, "paths": [f"{letter}:\\"], "bytes": 10**12, "free_bytes": 10**11} for letter in "CE"]
    ports = [{"protocol": "tcp", "port": 1433, "rules": ["sql"]}, {"protocol": "udp", "port": 1434, "rules": ["sql"]}]
    found["windows"] = {
        "computer_name": machine,
        "domain": "lab.example",
        "role": "member-server",
        "volumes": volumes,
        "firewall_ports": {str(one["port"]): one for one in ports},
    }
    return found


def service(platform: str) -> str:
    return "MSSQLSERVER" if platform == "windows" else "mssql-server"


def given(platform: str, mode: str) -> dict[str, Any]:
    root = FOLDERS[platform] if mode == "database" or platform == "windows" else "/var/opt/mssql"
    unit = {"unit": service(platform)}
    login = (
        {"user": "dtam", "target_user": "dtam", "target_password_file": "/etc/dtam/sql"} if platform == "linux" else {}
    )
    connection: dict[str, Any] = {"roots": [{"source_path": root}]}
    if platform == "windows":
        connection |= {"replication": "storage_replica", "storage_replica": {"source_log_volume": "L:"}}
    return {
        "application": "sql",
        "source": "alpha",
        "target": "beta",
        "name": "sql.lab.example",
        "connection": connection,
        "failover": {"sql": {"mode": mode, "login": login}, "services": [{"name": service(platform), **unit}]},
    }


def laid_over(below: Any, above: Any) -> Any:
    """Mappings are merged, name by name; None takes a name away; all else is replaced."""
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return above
    merged = dict(below) | {name: laid_over(below.get(name), value) for name, value in above.items()}
    return {name: value for name, value in merged.items() if value is not None}


def listed(found: dict[str, Any]) -> dict[str, Any]:
    """What a case names becomes what the model lists."""
    sql = found.get("sql")
    for one in sql["instances"].values() if sql else ():
        for word in ("databases", "logins", "services", "configurations"):
            one[word] = [value | {"name": value.get("name", name)} for name, value in one[word].items()]
    if sql:
        sql["instances"] = [{"name": name, **one} for name, one in sql["instances"].items()]
    for word in ("paths", "services"):
        found[word] = list(found[word].values())
    if "windows" in found:
        found["windows"]["firewall_ports"] = list(found["windows"]["firewall_ports"].values())
    return found


def inventory(case: Mapping[str, Any], databases: tuple[str, ...] = ("orders", "archive")) -> Inventory:
    """A sound pair's, with what the case says of each side; ``ours`` and ``theirs`` are short for the instances of source and target."""
    case, platform = deepcopy(dict(case)), case.get("platform", "linux")
    sides = {}
    for where, name, machine, short in (("source", "alpha", "ALPHA", "ours"), ("target", "beta", "BETA", "theirs")):
        there = databases if where == "source" or whole(case) else ()
        changes = laid_over(
            case.get(where, {}), {"sql": {"instances": {"MSSQLSERVER": case[short]}}} if short in case else {}
        )
        sides[where] = listed(laid_over(side(platform, name, machine, there), changes))
    return msgspec.convert({"taken_at_s": NOW_S, **sides, "domain": case.get("domain", {})}, Inventory)


def whole(case: Mapping[str, Any]) -> bool:
    return case.get("mode", "instance") == "instance"


def pair(platform: str) -> Pair:
    if platform == "windows":
        ways = [
            {"winrm": WinRmAddress(f"10.0.0.{number}", host_name=f"{name}.lab.example")}
            for number, name in enumerate(("alpha", "beta"), 1)
        ]
    else:
        ways = [{"engine": EngineAddress(f"10.0.0.{number}")} for number in (1, 2)]
    return Pair(
        Server(ServerName("alpha"), ("10.0.0.1",), **ways[0]), Server(ServerName("beta"), ("10.0.0.2",), **ways[1])
    )


def protection(case: Mapping[str, Any]) -> Protection:
    """A protection of the pair, with the case's settings and stage."""
    platform = case.get("platform", "linux")
    settings = Settings.model_validate(
        laid_over(given(platform, case.get("mode", "instance")), case.get("settings", {}))
    )
    stage = Stage(case.get("stage", "configured"))
    return Protection(ProtectionId("sql_alpha_beta"), "sql", pair(platform), settings, {}, stage)
