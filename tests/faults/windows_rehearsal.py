"""A protection of the on-disk world of two Windows servers: its plans at each stage, each carried out once without interruption."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from orchestrator import planning
from orchestrator.model.conditions import Stage
from orchestrator.model.names import NameChanges
from orchestrator.model.plan import Plan, PlanKind
from orchestrator.model.protections import Protection
from orchestrator.model.servers import Pair, ProtectionId, Server, ServerName, Where, WinRmAddress
from orchestrator.model.settings import Settings
from orchestrator.replication.storage_replica import StorageReplica
from orchestrator.sdk.application import Planning
from orchestrator.sdk.asking import move_of
from orchestrator.sdk.context import Ports
from plugins.fileserver.application import FileServer
from plugins.fileserver.windows.inventory import inventory
from tests.conformance.ondisk import SIDES
from tests.conformance.ondisk_names import DiskNames
from tests.conformance.ondisk_windows import (
    DiskAccounts,
    DiskGrants,
    WindowsDiskClients,
    WindowsDiskHost,
    WindowsWorld,
    new_windows_world,
)
from tests.faults.rehearsal import PROTECTED_TTL_S, Rehearsal, Rehearsed, rehearsed, scratch, scripts

ROOTS = [{"source_path": r"E:\data"}]


def pair() -> Pair:
    servers = [
        Server(ServerName(name), (address,), winrm=WinRmAddress(address))
        for name, address in (("alpha", "10.0.0.1"), ("beta", "10.0.0.2"))
    ]
    return Pair(*servers)


def settings(**failover: Any) -> Settings:
    given = FileServer().defaults(pair(), None, {}) | {"name": "files.lab.example"}
    replica = {"replication": "storage_replica", "storage_replica": {"source_log_volume": "L:"}}
    given["connection"] = replica | {"roots": ROOTS}
    given["failover"] |= {"health": {"url": "http://{name}/"}, "directory": {"domain": "lab.example"}} | failover
    given["failover"]["dns"] |= {"servers": ["10.0.0.53"], "key_file": "/etc/dtam/dns.key"}
    return Settings.model_validate(given)


def protection(stage: Stage = Stage.CONFIGURED, epoch: int = 0, lowered: NameChanges | None = None) -> Protection:
    name = ProtectionId("fileprint_alpha_beta")
    return Protection(name, "fileprint", pair(), settings(), {}, stage, epoch, lowered=lowered)


def ports(world: WindowsWorld, texts: Mapping[str, str] | None = None) -> Ports:
    hosts = {where: WindowsDiskHost(world, where) for where in (Where.SOURCE, Where.TARGET)}
    return Ports(
        hosts,
        StorageReplica(hosts, settings().connection),
        WindowsDiskClients(world),
        lambda: 1000.0,
        DiskNames(world),
        texts=texts or {},
        grants=DiskGrants(world),
        service_names=DiskAccounts(world),
    )


class WindowsRehearsed(Rehearsed):
    """The same over this world."""

    make_world = WindowsWorld

    def ports(self, world: Any, texts: Mapping[str, str]) -> Ports:
        return ports(world, texts)


def planned(kind: PlanKind, state: dict[str, Any], stage: Stage, epoch: int, names: NameChanges, **wish: Any) -> Plan:
    with TemporaryDirectory(dir=scratch()) as place:
        world = WindowsWorld(Path(place) / "world")
        world.save(state)
        found = inventory(ports(world), settings())
    held = protection(stage, epoch, names.lowering(PROTECTED_TTL_S))
    given = Planning(held, found, epoch, scripts()[0], names.protected(PROTECTED_TTL_S), by="test", **wish)
    return planning.plan(kind, FileServer(), given)


@cache
def rehearsals() -> dict[str, Rehearsal]:
    """Every plan at its stage."""
    fresh = new_windows_world()
    with TemporaryDirectory(dir=scratch()) as place:
        world = WindowsWorld(Path(place) / "world")
        world.save(fresh)
        names = DiskNames(world).plan(move_of(settings()))

    def done(word: str, kind: PlanKind, before: dict[str, Any], stage: Stage, epoch: int, **wish: Any) -> Rehearsal:
        plan = planned(kind, before, stage, epoch, names, **wish)
        return rehearsed(word, plan, before, WindowsRehearsed)

    found = {"protect": done("protect", PlanKind.PROTECT, fresh, Stage.CONFIGURED, 0)}
    enabled = found["protect"].after
    found["forced"] = done("forced", PlanKind.FAILOVER, lost(enabled), Stage.ENABLED, 1, forced=True)
    over = found["forced"].after
    found["restore"] = done("restore", PlanKind.RESTORE, back_again(over), Stage.FAILED_OVER, 2)
    found["failback"] = done("failback", PlanKind.FAILBACK, back_again(over), Stage.FAILED_OVER, 2)
    found["unprotect"] = done("unprotect", PlanKind.UNPROTECT, enabled, Stage.ENABLED, 1)
    found["stay"] = done("stay", PlanKind.UNPROTECT, back_again(over), Stage.FAILED_OVER, 2)
    return found


def lost(enabled: dict[str, Any]) -> dict[str, Any]:
    """A power cut on the source."""
    state: dict[str, Any] = json.loads(json.dumps(enabled))
    state["sides"]["source"]["services"] = {"server": "stopped"}
    state["servers"]["alpha"]["down"] = True
    return state


def back_again(over: dict[str, Any]) -> dict[str, Any]:
    """The source is up again; clients wrote on the target meanwhile."""
    state: dict[str, Any] = json.loads(json.dumps(over))
    state["servers"]["alpha"]["down"] = False
    state["servers"]["beta"]["volumes"]["E:"]["data"] += 1
    return state


def essence(state: dict[str, Any]) -> dict[str, Any]:
    """What counts of a state."""
    return {
        "names": state["names"],
        "violations": state["violations"],
        "spns": state["spns"],
        "sides": {side: _essence_of(state, side) for side in SIDES},
    }


def _essence_of(state: dict[str, Any], side: str) -> dict[str, Any]:
    own, server = state["sides"][side], state["servers"][{"source": "alpha", "target": "beta"}[side]]
    return {
        "server": own["services"]["server"],
        "start_types": own["start_types"],
        "shares": own["shares"],
        "answers": own["answers"],
        "part": sorted(own["records"]),
        "groups": {name: group["role"] for name, group in server["groups"].items()},
        "volume": server["volumes"]["E:"],
    }
