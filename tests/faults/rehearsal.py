"""A protection of the on-disk world: its plans at each stage, and a way to run one with the process killed at a chosen point.

The process that is killed is a fork of the test's own, so that a case takes milliseconds: nothing of it survives but files.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from orchestrator import planning
from orchestrator.executing import Clock, Executor, Progress
from orchestrator.model.conditions import Stage
from orchestrator.model.names import NameChanges
from orchestrator.model.plan import DeliveredScript, Plan, PlanKind
from orchestrator.model.protections import Protection
from orchestrator.model.runs import Ended, RunState
from orchestrator.model.servers import EngineAddress, Pair, ProtectionId, RunId, Server, ServerName, Where
from orchestrator.model.settings import Settings
from orchestrator.model.steps import Action
from orchestrator.sdk import verbs
from orchestrator.sdk.application import Planning
from orchestrator.sdk.asking import move_of
from orchestrator.sdk.context import Ports
from orchestrator.store import journal
from plugins.fileserver.application import FileServer
from plugins.fileserver.discover import defaults
from plugins.fileserver.inventory import inventory
from tests.conformance.ondisk import SIDES, DiskHost, World, new_world
from tests.conformance.ondisk_data import DiskReplication
from tests.conformance.ondisk_names import DiskClients, DiskNames

FILES = {"name": "files", "start_command": ["fileservice"], "stop_command": ["stop"]}
PROTECTED_TTL_S = 20
MOMENTS = ("before", "inside", "after")
TEXT = "#!/bin/sh\n# the script of {name}\n"
SHM = Path("/dev/shm")


def scratch() -> Path | None:
    """Where files cost no disk: a killed process leaves them all the same."""
    return SHM if SHM.is_dir() and os.access(SHM, os.W_OK) else None


@dataclass
class Ticks:
    """A clock that a sleep moves on at once."""

    now_s: float = 0.0

    def clock(self) -> Clock:
        return Clock(lambda: 1000.0 + self.now_s, lambda: self.now_s, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now_s += max(seconds, 0.01)


def pair() -> Pair:
    servers = [
        Server(ServerName(name), (address,), EngineAddress(address, fingerprint=letter * 64))
        for name, address, letter in (("alpha", "10.0.0.1", "a"), ("beta", "10.0.0.2", "b"))
    ]
    return Pair(*servers)


def settings() -> Settings:
    given = defaults(pair()) | {"name": "files.lab.example"}
    given["connection"] = {"roots": [{"source_path": "/srv/files", "target_path": "/srv/replica/files"}]}
    given["failover"] |= {"services": [FILES], "health": {"url": "http://{name}/"}}
    given["failover"]["dns"] |= {"servers": ["10.0.0.53"], "key_file": "/etc/dtam/dns.key"}
    witness = {"address": "10.0.0.3", "fingerprint": "c" * 64}
    given["monitoring"] |= {"witness": witness}
    return Settings.model_validate(given)


def protection(stage: Stage = Stage.CONFIGURED, epoch: int = 0, lowered: NameChanges | None = None) -> Protection:
    name = ProtectionId("fileprint_alpha_beta")
    return Protection(name, "fileprint", pair(), settings(), {}, stage, epoch, lowered=lowered)


def ports(world: World, texts: Mapping[str, str] | None = None) -> Ports:
    hosts = {where: DiskHost(world, where) for where in (Where.SOURCE, Where.TARGET)}
    return Ports(hosts, DiskReplication(world), DiskClients(world), lambda: 1000.0, DiskNames(world), texts=texts or {})


def scripts() -> tuple[tuple[DeliveredScript, ...], dict[str, str]]:
    places = {"post_failover": "target", "pre_failback": "target", "post_failback": "source"}
    texts = {name: TEXT.format(name=name) for name in places}
    hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    delivered = tuple(DeliveredScript(places[name], name, hashes[name]) for name in places)
    return delivered, {hashes[name]: text for name, text in texts.items()}


def unprotected() -> dict[str, Any]:
    """The source serves, and nobody knows dtam."""
    state = new_world()
    source = state["sides"]["source"]
    source |= {"services": {"files": "running"}, "directories": {"/srv": 1, "/srv/files": 10}, "data": 1}
    state["sides"]["target"]["directories"] = {"/srv": 0}
    record = {"ttl_s": 60, "data": ["10.0.0.1"]}
    state["names"] = {"files.lab.example. A": record, "alpha.lab.example. A": record}
    after = {"ttl_s": 60, "data": ["10.0.0.2"]}
    state["names_after"] = {"files.lab.example. A": after, "alpha.lab.example. A": after}
    return state


@dataclass(frozen=True)
class Rehearsal:
    """A plan, the state it starts from, and the state it leads to when nothing interrupts it."""

    kind: str
    plan: Plan
    before: dict[str, Any]
    after: dict[str, Any] = field(default_factory=dict)
    acting: tuple[str, ...] = ()


def planned(kind: PlanKind, state: dict[str, Any], stage: Stage, epoch: int, names: Any, **wish: Any) -> Plan:
    with TemporaryDirectory(dir=scratch()) as place:
        world = World(Path(place) / "world")
        world.save(state)
        found = inventory(ports(world), settings())
    lowered = names.lowering(PROTECTED_TTL_S)
    held = protection(stage, epoch, lowered)
    given = Planning(held, found, epoch, scripts()[0], names.protected(PROTECTED_TTL_S), by="test", **wish)
    return planning.plan(kind, FileServer(), given)


@cache
def rehearsals() -> dict[str, Rehearsal]:
    """Every plan at its stage, each carried out once without interruption."""
    fresh = unprotected()
    with TemporaryDirectory(dir=scratch()) as place:
        world = World(Path(place) / "world")
        world.save(fresh)
        names = DiskNames(world).plan(move_of(settings()))
    found = {"protect": rehearsed("protect", planned(PlanKind.PROTECT, fresh, Stage.CONFIGURED, 0, names), fresh)}
    enabled = found["protect"].after
    wish: dict[str, Any] = {"graceful": True}
    plan = planned(PlanKind.FAILOVER, enabled, Stage.ENABLED, 1, names, **wish)
    found["graceful"] = rehearsed("graceful", plan, enabled)
    lost = source_lost(enabled)
    plan = planned(PlanKind.FAILOVER, lost, Stage.ENABLED, 1, names, forced=True)
    found["forced"] = rehearsed("forced", plan, lost)
    over = found["forced"].after
    found["restore"] = rehearsed("restore", planned(PlanKind.RESTORE, over, Stage.FAILED_OVER, 2, names), over)
    found["failback"] = rehearsed("failback", planned(PlanKind.FAILBACK, over, Stage.FAILED_OVER, 2, names), over)
    plan = planned(PlanKind.UNPROTECT, enabled, Stage.ENABLED, 1, names)
    found["unprotect"] = rehearsed("unprotect", plan, enabled)
    return found


def source_lost(enabled: dict[str, Any]) -> dict[str, Any]:
    """The source's services died with it; it came back fenced, for want of its lease."""
    state: dict[str, Any] = json.loads(json.dumps(enabled))
    state["sides"]["source"]["services"] = {"files": "stopped"}
    return state


def rehearsed(kind: str, plan: Plan, before: dict[str, Any], stand: type[Rehearsed] | None = None) -> Rehearsal:
    with TemporaryDirectory(dir=scratch()) as place:
        stage = (stand or Rehearsed)(Path(place), before)
        ended = stage.begin(plan)
        assert ended is not None
        assert ended.state is RunState.DONE, f"{kind}: {ended}\n{plan.diff()}"
        acting = tuple(line.step for line in stage.lines if line.event == "about-to")
        return Rehearsal(kind, plan, before, stage.world.state, acting)


class Rehearsed:
    """One place with a world and the journal of one run."""

    make_world: type[World] = World

    def __init__(self, place: Path, before: dict[str, Any]) -> None:
        self.place = place
        self.world = self.make_world(place / "world")
        self.world.save(before)

    def ports(self, world: Any, texts: Mapping[str, str]) -> Ports:
        """What a run of this world works with."""
        return ports(world, texts)

    @property
    def lines(self) -> tuple[Any, ...]:
        return journal.read(self.place / "runs", "run")[1]

    def begin(self, plan: Plan, kill: tuple[str, str] | None = None) -> Ended | None:
        """A new run; with ``kill`` (step, moment) in a process that dies there: then there is no ending."""
        if kill is None:
            return self._begin(plan, None)
        child = os.fork()
        if child == 0:
            self._begin(plan, kill)
            os._exit(3)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), f"it was not killed: {status}"
        assert os.WTERMSIG(status) == signal.SIGKILL
        return None

    def _begin(self, plan: Plan, kill: tuple[str, str] | None) -> Ended:
        header = journal.Header(journal.VERSION, RunId("run"), 1000.0, "test", plan)
        with journal.create(self.place / "runs", header, scripts()[1]) as log:
            return self._executor(log, kill).execute(plan)

    def go_on(self, way: str) -> Ended:
        """Resume or undo, in a process that lives."""
        with journal.open_to_write(self.place / "runs", "run") as log:
            executor = self._executor(log, None)
            return executor.execute(log.header.plan) if way == "resume" else executor.undo(log.header.plan)

    def _executor(self, log: journal.Journal, kill: tuple[str, str] | None) -> Executor:
        death = Death(kill)
        given = self.ports(self.make_world(self.world.path, death.halfway), scripts()[1])
        return Executor(
            log.header.run, given, log, budget_s=20, clock=Ticks().clock(), tell=death.hear, perform=death.perform
        )


class Death:
    """SIGKILL to the own process at one moment of one step's deed."""

    def __init__(self, at: tuple[str, str] | None) -> None:
        self._step, self._moment = at or ("", "")
        self._here = ""
        self._acting = False

    def hear(self, progress: Progress) -> None:
        self._here = progress.step.id

    def halfway(self) -> None:
        if self._acting and self._moment == "inside":
            os.kill(os.getpid(), signal.SIGKILL)

    def perform(self, action: Action, ports: Ports, found: dict[str, Any]) -> None:
        if self._here != self._step or not self._step:
            verbs.perform(action, ports, found)
            return
        self._acting = True
        if self._moment != "before":
            verbs.perform(action, ports, found)
        os.kill(os.getpid(), signal.SIGKILL)


def essence(state: dict[str, Any]) -> dict[str, Any]:
    """What counts of a state: who serves what with which data, where names lead, who is captured, watched and connected."""
    sides = state["sides"]
    return {
        "names": state["names"],
        "violations": state["violations"],
        "sides": {name: _essence_of(sides[name]) for name in SIDES},
    }


def _essence_of(side: dict[str, Any]) -> dict[str, Any]:
    return {
        "services": {name: value for name, value in side["services"].items() if value != "stopped"},
        "directories": side["directories"],
        "peers": side["peers"],
        "captured": side["captured"],
        "sets": side["sets"],
        "links": sorted(side["links"]),
        "monitor": [record["monitor"] for record in side["records"].values()],
        "data": side["data"],
    }


def dumped(plan: Plan) -> bytes:
    return msgspec.json.encode(plan)
