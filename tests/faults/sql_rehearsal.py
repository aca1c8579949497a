"""Protections of SQL Server in the on-disk worlds: a Linux or a Windows pair, whole instances or databases alone, and all of their plans."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from orchestrator import planning
from orchestrator.model.conditions import Stage
from orchestrator.model.inventory import Inventory
from orchestrator.model.names import NameChanges
from orchestrator.model.plan import Plan, PlanKind
from orchestrator.model.protections import Protection
from orchestrator.model.servers import EngineAddress, Pair, ProtectionId, Server, ServerName, Where, WinRmAddress
from orchestrator.model.settings import Settings
from orchestrator.replication.storage_replica import StorageReplica
from orchestrator.sdk.application import Planning
from orchestrator.sdk.asking import move_of
from orchestrator.sdk.context import Ports
from plugins.sql.application import SqlServer
from tests.conformance.ondisk import SIDES, new_world
from tests.conformance.ondisk_names import DiskNames
from tests.conformance.ondisk_sql import (
    SERVICES,
    DiskSql,
    SqlDiskClients,
    SqlDiskHost,
    SqlReplication,
    SqlWindowsHost,
    SqlWindowsWorld,
    SqlWorld,
    new_sql,
)
from tests.conformance.ondisk_windows import DiskAccounts, DiskGrants, new_windows_world
from tests.faults.rehearsal import PROTECTED_TTL_S, Rehearsal, Rehearsed, rehearsed, scratch, scripts

NAME = ProtectionId("sql_alpha_beta")


@dataclass(frozen=True)
class SqlPair:
    """One of the four."""

    platform: str
    mode: str

    @property
    def windows(self) -> bool:
        return self.platform == "windows"

    @property
    def service(self) -> str:
        return SERVICES[self.platform]

    def pair(self) -> Pair:
        return Pair(*(self._server(*one) for one in (("alpha", "10.0.0.1", "a"), ("beta", "10.0.0.2", "b"))))

    def _server(self, name: str, address: str, letter: str) -> Server:
        if self.windows:
            return Server(ServerName(name), (address,), winrm=WinRmAddress(address))
        return Server(ServerName(name), (address,), EngineAddress(address, fingerprint=letter * 64))

    def settings(self, **sql: Any) -> Settings:
        given = SqlServer().defaults(self.pair(), None, {"failover": {"sql": {"mode": self.mode}}})
        given["name"] = "sales.lab.example"
        given["failover"] |= {"sql": {"mode": self.mode, "rename_server": self.mode == "instance"} | sql}
        given["failover"]["dns"] |= {"servers": ["10.0.0.53"], "key_file": "/etc/dtam/dns.key"}
        if self.windows:
            given["failover"]["directory"] = {"domain": "lab.example"}
            replica = {"replication": "storage_replica", "storage_replica": {"source_log_volume": "L:"}}
            given["connection"] = replica | {"roots": [{"source_path": r"E:\MSSQL"}]}
        else:
            given["failover"]["services"] = [
                one | {"unit": None, "start_command": ["sqlservr"]} for one in given["failover"]["services"]
            ]
            given["monitoring"] |= {"witness": {"address": "10.0.0.3", "fingerprint": "c" * 64}}
            if self.mode == "database":
                data = {"source_path": "/var/opt/mssql/data", "target_path": "/var/opt/mssql/alpha"}
                given["connection"] = {"roots": [data]}
        return Settings.model_validate(given)

    def protection(
        self, stage: Stage = Stage.CONFIGURED, epoch: int = 0, lowered: NameChanges | None = None
    ) -> Protection:
        return Protection(NAME, "sql", self.pair(), self.settings(), {}, stage, epoch, lowered=lowered)

    def world(self, path: Path, *halfway: Any) -> Any:
        return (SqlWindowsWorld if self.windows else SqlWorld)(path, *halfway)

    def ports(self, world: Any, texts: Mapping[str, str] | None = None) -> Ports:
        kind = SqlWindowsHost if self.windows else SqlDiskHost
        hosts = {where: kind(world, where) for where in (Where.SOURCE, Where.TARGET)}
        return Ports(
            hosts,
            StorageReplica(hosts, self.settings().connection) if self.windows else SqlReplication(world),
            SqlDiskClients(world),
            lambda: 1000.0,
            DiskNames(world),
            texts=texts or {},
            grants=DiskGrants(world) if self.windows else None,
            service_names=DiskAccounts(world) if self.windows else None,
            sql=DiskSql(world),
        )

    def inventory(self, state: dict[str, Any]) -> Inventory:
        with TemporaryDirectory(dir=scratch()) as place:
            world = self.world(Path(place) / "world")
            world.save(state)
            return SqlServer().inventory(self.ports(world), self.settings())

    def fresh(self) -> dict[str, Any]:
        """The source serves, and nobody knows dtam; in database mode the target's own instance runs."""
        state = new_windows_world() if self.windows else new_world()
        for side in SIDES:
            runs = side == "source" or self.mode == "database"
            state["sides"][side]["services"] |= {self.service: "running" if runs else "stopped"}
            state["sides"][side]["start_types"] |= {self.service: "automatic"}
            state["sides"][side]["directories"] |= {"/var": 1, "/var/opt": 1, "/var/opt/mssql": 1}
        state["sides"]["source"] |= {"data": 1}
        state["sides"]["source"]["directories"] |= {"/var/opt/mssql": 10, "/var/opt/mssql/data": 8}
        state["sql"] = new_sql(whole=self.mode == "instance")
        records = {f"{name}.lab.example. A": {"ttl_s": 60, "data": ["10.0.0.1"]} for name in ("sales", "alpha")}
        state["names"] = records
        state["names_after"] = {name: {"ttl_s": 60, "data": ["10.0.0.2"]} for name in records}
        return state

    def planned(self, kind: PlanKind, state: dict[str, Any], stage: Stage, epoch: int, names: Any, **wish: Any) -> Plan:
        held = self.protection(stage, epoch, names.lowering(PROTECTED_TTL_S))
        found = self.inventory(state)
        given = Planning(held, found, epoch, scripts()[0], names.protected(PROTECTED_TTL_S), by="test", **wish)
        return planning.plan(kind, SqlServer(), given)

    @property
    def stand(self) -> type[Rehearsed]:
        return _STANDS[self.platform, self.mode]


def _stand(of: SqlPair) -> type[Rehearsed]:
    class Stand(Rehearsed):
        make_world = SqlWindowsWorld if of.windows else SqlWorld

        def ports(self, world: Any, texts: Mapping[str, str]) -> Ports:
            return of.ports(world, texts)

    return Stand


_STANDS = {
    (platform, mode): _stand(SqlPair(platform, mode))
    for platform in ("linux", "windows")
    for mode in ("instance", "database")
}


@cache
def rehearsals(of: SqlPair) -> dict[str, Rehearsal]:
    """Every plan at its stage, each carried out once without interruption."""
    fresh = of.fresh()
    with TemporaryDirectory(dir=scratch()) as place:
        world = of.world(Path(place) / "world")
        world.save(fresh)
        names = DiskNames(world).plan(move_of(of.settings()))

    def done(word: str, kind: PlanKind, before: dict[str, Any], stage: Stage, epoch: int, **wish: Any) -> Rehearsal:
        return rehearsed(word, of.planned(kind, before, stage, epoch, names, **wish), before, of.stand)

    found = {"protect": done("protect", PlanKind.PROTECT, fresh, Stage.CONFIGURED, 0)}
    enabled = found["protect"].after
    found["graceful"] = done("graceful", PlanKind.FAILOVER, enabled, Stage.ENABLED, 1, graceful=True)
    found["forced"] = done("forced", PlanKind.FAILOVER, lost(of, enabled), Stage.ENABLED, 1, forced=True)
    over = back_again(of, found["forced"].after)
    found["restore"] = done("restore", PlanKind.RESTORE, over, Stage.FAILED_OVER, 2)
    found["failback"] = done("failback", PlanKind.FAILBACK, over, Stage.FAILED_OVER, 2)
    found["unprotect"] = done("unprotect", PlanKind.UNPROTECT, enabled, Stage.ENABLED, 1)
    found["stay"] = done("stay", PlanKind.UNPROTECT, over, Stage.FAILED_OVER, 2)
    return found


def lost(of: SqlPair, enabled: dict[str, Any]) -> dict[str, Any]:
    """The source's services died with it; a Linux one came back fenced, a Windows one is off."""
    state: dict[str, Any] = json.loads(json.dumps(enabled))
    state["sides"]["source"]["services"] |= {of.service: "stopped"}
    if of.windows:
        state["servers"]["alpha"]["down"] = True
        _with_master(of, state, "target", "ALPHA")
    return state


def back_again(of: SqlPair, over: dict[str, Any]) -> dict[str, Any]:
    """The source is up again, its log-ins lost where databases alone are protected; clients wrote on the target meanwhile."""
    state: dict[str, Any] = json.loads(json.dumps(over))
    if of.mode == "database":
        state["sql"]["source"] |= {"logins": [], "options": []}
    if of.windows:
        state["servers"]["alpha"]["down"] = False
        _with_master(of, state, "source", "BETA")
        state["servers"]["beta"]["volumes"]["E:"]["data"] += 1
    return state


def _with_master(of: SqlPair, state: dict[str, Any], side: str, name: str) -> None:
    """Storage Replica carries master, and with it the name of whoever wrote it; here it is written down by hand."""
    if of.mode == "instance":
        state["sql"][side]["calls_itself"] = name
