"""Hosts that hold leases, in one file: a world that survives a killed process, and an application of two services over it.

The host's guard needs no process here: a source *serves* while its service runs and its lease has not run out by its own clock. Whatever breaks
"never both sides" is written into ``violations`` at the moment it happens.
"""

# ruff: noqa: ARG002 - the ports' signatures
from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.failover.hosts import take
from orchestrator.failover.snapshot import Snapshot
from orchestrator.hosts.clients import NameClients
from orchestrator.leasing.arbiter import WitnessArbiter
from orchestrator.leasing.grants import GrantSettings, LedgerGrants
from orchestrator.leasing.ledger import ledger_of
from orchestrator.model.host import ProtectionView, ScriptRun
from orchestrator.model.inventory import Inventory, ReplicaFacts, ServiceFacts, SideInventory
from orchestrator.model.outcomes import GiveUp, TryAgain
from orchestrator.model.protections import Protection
from orchestrator.model.servers import Pair, Server, Where
from orchestrator.model.settings import Settings
from orchestrator.model.steps import Step
from orchestrator.pipeline import Pipeline
from orchestrator.reaching import Reach
from orchestrator.sdk import steps
from orchestrator.sdk.application import Application, Planning
from orchestrator.sdk.context import Ports

GUARD_S = 0.3
State = dict[str, Any]


def new_host(epoch: int, *, running: bool) -> State:
    return {
        "off": False, "boot": "b1", "n": 0, "until_s": None, "lease": running, "epoch": epoch, "fenced": not running,
        "running": running,
    }  # fmt: skip


class World:
    """The file. ``hosts`` by name; ``deeds`` counts what was done, so that a test may kill at the n-th (KILL_AT)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, hosts: Mapping[str, State]) -> None:
        self.path.write_text(json.dumps({"hosts": hosts, "deeds": 0, "violations": [], "pairs": []}))

    @property
    def state(self) -> State:
        with self._file() as file:
            return json.load(file)  # type: ignore[no-any-return]

    @contextmanager
    def change(self) -> Iterator[State]:
        with self._file() as file:
            state = json.load(file)
            yield state
            for one, other in state["pairs"]:
                if serves(state["hosts"][one]) and serves(state["hosts"][other]):
                    state["violations"].append(f"{one} and {other} both serve")
            beside = self.path.with_suffix(".new")
            beside.write_text(json.dumps(state))
            beside.replace(self.path)

    @contextmanager
    def _file(self) -> Iterator[Any]:
        with self.path.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with self.path.open() as file:
                yield file


def ticks_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def serves(host: State) -> bool:
    """Until its guard has looked and stopped the services."""
    ended = host["until_s"] is not None and ticks_s() > host["until_s"] + GUARD_S
    return bool(host["running"] and not host["off"] and not host["fenced"] and not ended)


class LeasedHost:
    """The ``Host`` port, as far as these plans need it."""

    def __init__(self, world: World, name: str) -> None:
        self._world, self.name = world, name

    def _own(self) -> State:
        host: State = self._world.state["hosts"][self.name]
        if host["off"] or self._world.path.with_name(f"{self.name}.off").exists():
            raise TryAgain(f"{self.name} does not answer")
        return host

    @contextmanager
    def _deed(self) -> Iterator[State]:
        self._own()
        with self._world.change() as state:
            state["deeds"] += 1
            _die(state["deeds"], "before")
            yield state["hosts"][self.name]
            number = state["deeds"]
        _die(number, "after")

    def protection(self, protection: str) -> ProtectionView:
        host = self._own()
        return ProtectionView(
            protection,
            "source",
            host["epoch"],
            host["fenced"],
            False,
            boot=host["boot"],
            ticks_s=ticks_s(),
            guard_s=0.0,
            lease_n=host["n"],
        )

    def act(self, protection: str, action: str, settings: Mapping[str, Any]) -> None:
        if action == "renew_lease":
            self._renew(settings)
            return
        with self._deed() as host:
            if action == "fence":
                host |= {"fenced": True, "running": False}
            elif action == "set_epoch":
                host |= {"epoch": settings["epoch"], "fenced": False, "until_s": None}
            else:
                raise GiveUp(f"{action} is not for hosts without engine")

    def _renew(self, settings: Mapping[str, Any]) -> None:
        self._own()
        with self._world.change() as state:
            host = state["hosts"][self.name]
            fits = settings["epoch"] == host["epoch"] and settings["boot"] == host["boot"] and settings["n"] > host["n"]
            if not fits or host["fenced"]:
                raise GiveUp(f"{self.name} does not take {settings}")
            host |= {"n": settings["n"], "until_s": settings["until_s"], "running": True}

    def protection_document(self, protection: str) -> Mapping[str, Any]:
        return {"id": protection, "services": [{"name": "files"}]}

    def services(self, wanted: Sequence[Mapping[str, Any]] = ()) -> tuple[ServiceFacts, ...]:
        host = self._own()
        state = "running" if host["running"] and not host["off"] else "stopped"
        return (ServiceFacts("files", state, managed=True),)

    def start_service(self, name: str) -> None:
        with self._deed() as host:
            if host["fenced"]:
                raise GiveUp(f"{self.name} is fenced")
            host["running"] = True

    def stop_service(self, name: str, service: Mapping[str, Any] | None = None) -> None:
        with self._deed() as host:
            host["running"] = False

    def script_text(self, protection: str, name: str) -> None:
        return None

    def script_run(self, run_id: str, name: str) -> ScriptRun | None:
        return None


def _die(number: int, moment: str) -> None:
    if os.environ.get("KILL_AT") == f"{number}:{moment}":
        os.kill(os.getpid(), signal.SIGKILL)


class NoReplication:
    """Data is always good: what is tested here is who serves."""

    def status(self, link: Any) -> None:
        return None

    def replica(self, link: Any) -> ReplicaFacts:
        return ReplicaFacts("alpha", link.replication_set, link.target_path, "good")


class LeasedReach(Reach):
    """Reaches hosts of a world."""

    def __init__(self, world: World, home: Path) -> None:
        super().__init__(lambda *_: "", home)
        self._world, self._state = world, home

    @contextmanager
    def looking(self) -> Iterator[Reach]:
        yield self

    def host(self, server: Server) -> Any:
        return LeasedHost(self._world, server.name)

    def ports(self, pair: Pair, settings: Settings, texts: Mapping[str, str] | None = None) -> Ports:
        watch = settings.monitoring
        arbiter = WitnessArbiter.of(self._state, watch.witness) if watch.witness else None
        grants = LedgerGrants(ledger_of(self._state), GrantSettings(watch.lease.grace_s, watch.fence_command), arbiter)
        hosts = {where: self.host(pair.on(where)) for where in (Where.SOURCE, Where.TARGET)}
        return Ports(hosts, NoReplication(), NameClients(), time.time, texts=texts or {}, grants=grants)  # type: ignore[arg-type]

    def snapshot(self, protection: Protection) -> Snapshot:
        return take(protection, self.ports(protection.pair, protection.settings), self._state)


class Leased:
    """An application whose failover is a grant, an epoch and a service."""

    name, title = "fileprint", "file server"

    def __init__(self, world: World) -> None:
        self._world = world

    def inventory(self, ports: Ports, settings: Settings) -> Inventory:
        return Inventory(time.time(), SideInventory(settings.source), SideInventory(settings.target))

    def failover(self, planning: Planning) -> Iterable[Step]:
        protection, epoch = planning.protection, planning.epoch + 1
        source, target = protection.pair.source.name, protection.pair.target.name
        files = protection.settings.failover.services[0].document(Where.TARGET)
        if planning.graceful:
            yield steps.fence(Where.SOURCE, source, protection.id, "it hands over")
        yield steps.grant(Where.SOURCE, source, protection.id, epoch, forced=planning.forced, by=planning.by)
        yield steps.take_epoch(Where.TARGET, target, protection.id, epoch, by=planning.by)
        yield steps.start_service(Where.TARGET, target, files)

    def _nothing(self, planning: Planning) -> Iterable[Step]:
        return ()

    protect = unprotect = restore = failback = _nothing

    def refusals(self, kind: str, planning: Planning) -> Iterable[str]:
        return ()


class LeasedPipeline(Pipeline):
    """The product's pipeline over such a world."""

    def __init__(self, home: Path, by: str, world: World) -> None:
        super().__init__(home, by, LeasedReach(world, home))
        self._world = world

    def application(self, name: str) -> Application:
        return Leased(self._world)  # type: ignore[return-value]
