"""Every way to replicate, each over two sides that can be lost: what the conformance suite of the port is run on."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orchestrator.model.capabilities import NATIVE, capabilities
from orchestrator.model.ports import Link, Replication
from orchestrator.model.servers import EngineAddress, Pair, Server, ServerName, Where
from orchestrator.model.settings import ConnectionTab
from orchestrator.replication.external import ExternalReplication
from orchestrator.replication.storage_replica import StorageReplica
from tests.conformance.pairs import KINDS as NATIVE_KINDS
from tests.conformance.pairs import protected
from tests.conformance.replica_hosts import ReplicaHost, new_servers
from tests.conformance.simulated import SimulatedHost, servers
from tests.conformance.statefile import StateFile
from tests.lab.windows.machine.refusals import Refused

LOGS = {"source_log_volume": "L:"}


@dataclass(frozen=True)
class Way:
    """A way with a link that is not connected yet. ``begin`` brings it about, ``same`` tells whether both sides hold the same."""

    replication: Replication
    out: Link
    begin: Callable[[], None]
    same: Callable[[], bool]
    lose: Callable[[Where], None]
    find: Callable[[Where], None]
    write: Callable[[Where], None]

    @property
    def back(self) -> Link:
        """The link the other way."""
        turned = {"origin": self.out.origin.other, "source_path": self.out.target_path, "purpose": "restore"}
        return msgspec.structs.replace(self.out, **turned, target_path=self.out.source_path)


def _never(_: Where) -> None:
    raise NotImplementedError


def native(kind: str) -> Callable[[Path], Iterator[Way]]:
    @contextmanager
    def made(place: Path) -> Iterator[Way]:
        with NATIVE_KINDS[kind](place) as pair:
            out = Link("p", "files", Where.SOURCE, pair.source_path, pair.target_path, epoch=1)
            yield Way(pair.replication, out, lambda: protected(pair), pair.read, _never, _never, _never)

    return made  # type: ignore[return-value]  # a context manager


def replica_tab(**more: object) -> ConnectionTab:
    return ConnectionTab.model_validate({"replication": "storage_replica", "storage_replica": LOGS | more})


def storage_replica(*, turns_by_force: bool = True) -> Callable[[Path], Iterator[Way]]:
    @contextmanager
    def made(place: Path) -> Iterator[Way]:
        world = StateFile(place / "servers")
        world.save(new_servers() | {"turns_by_force": turns_by_force})
        names = {Where.SOURCE: "alpha", Where.TARGET: "beta"}
        hosts = {where: ReplicaHost(world, name) for where, name in names.items()}
        way = StorageReplica(hosts, replica_tab())
        out = Link("p", "files", Where.SOURCE, r"E:\data", r"E:\data", epoch=1)

        def data(where: Where) -> int:
            return int(world.state["servers"][names[where]]["volumes"]["E:"]["data"])

        def set_down(where: Where, *, down: bool) -> None:
            with world.change() as state:
                state["servers"][names[where]]["down"] = down

        def write(where: Where) -> None:
            with world.change() as state:
                volume = state["servers"][names[where]]["volumes"]["E:"]
                assert volume["up"], f"the volume of {where} is down"
                volume["data"] += 1

        yield Way(
            way,
            out,
            lambda: way.connect(out),
            lambda: data(Where.SOURCE) == data(Where.TARGET),
            lambda where: set_down(where, down=True),
            lambda where: set_down(where, down=False),
            write,
        )

    return made  # type: ignore[return-value]


@contextmanager
def simulated(place: Path) -> Iterator[Way]:
    with servers(place) as pair:
        hosts = {where: SimulatedHost(pair, where) for where in (Where.SOURCE, Where.TARGET)}
        way = StorageReplica(hosts, replica_tab(log_size_bytes=1 << 30))
        out = Link("p", "files", Where.SOURCE, "E:\\data", "E:\\data", epoch=1)

        def letter(where: Where) -> str:
            return pair.read(where, "data\\letter")

        def write(where: Where) -> None:
            machine = pair.machines[where]
            try:
                file = machine.files.open_path("E:\\data\\letter")
            except Refused as why:
                msg = f"the volume of {where} is down: {why}"
                raise AssertionError(msg) from why
            file.parent.mkdir(exist_ok=True)
            file.write_text(letter(where) + "dear reader ")

        write(Where.SOURCE)
        same = lambda: letter(Where.SOURCE) == letter(Where.TARGET)  # noqa: E731
        yield Way(way, out, lambda: way.connect(out), same, pair.power_cut, pair.boot, write)


@contextmanager
def external(place: Path) -> Iterator[Way]:
    sides = {Where.SOURCE: place / "source", Where.TARGET: place / "target"}
    sides[Where.SOURCE].write_text("dear reader")
    state = place / "state"
    fresh = {"receiving": True, "paused": False, "direction": "out", "age_s": 2.0, "source_down": False}
    state.write_text(json.dumps(fresh | {"source": str(sides[Where.SOURCE]), "target": str(sides[Where.TARGET])}))
    tool = [sys.executable, str(Path(__file__).with_name("foreign_tool.py")), str(state)]
    commands = {verb: [*tool, verb, "{direction}"] for verb in ("ask", "promote", "reverse", "pause", "resume")}
    tab = ConnectionTab.model_validate({"replication": "external", "external": commands})
    way = ExternalReplication(pair_of(), tab)
    out = Link("p", "files", Where.SOURCE, str(sides[Where.SOURCE]), str(sides[Where.TARGET]), epoch=1)

    def told(**changes: object) -> None:
        state.write_text(json.dumps(json.loads(state.read_text()) | changes))

    yield Way(
        way,
        out,
        lambda: None,
        lambda: sides[Where.SOURCE].read_text() == sides[Where.TARGET].read_text(),
        lambda _: told(source_down=True),
        lambda _: told(source_down=False),
        lambda where: sides[where].write_text("another letter") and None,
    )


def pair_of() -> Pair:
    servers = [
        Server(ServerName(name), (address,), EngineAddress(address, fingerprint=letter * 64))
        for name, address, letter in (("alpha", "10.0.0.1", "a"), ("beta", "10.0.0.2", "b"))
    ]
    return Pair(*servers)


EVERY = frozenset({"ask", "promote", "reverse", "pause"})
WAYS = {
    "native on disk": (native("on disk"), NATIVE),
    "native, engines": (native("engines"), NATIVE),
    "storage replica": (storage_replica(), capabilities(replica_tab())),
    "storage replica that refuses force": (storage_replica(turns_by_force=False), capabilities(replica_tab())),
    "storage replica, simulated servers": (simulated, capabilities(replica_tab())),
    "external": (external, EVERY - {"ask"} | {"age"}),
}
"""Each way, and what it says it can do; the first test holds it to that."""


def offering(*wanted: str, quick: bool = True) -> list[str]:
    """The ways that offer all of these; ``quick`` leaves real engines to ``test_replication``, which holds them to the same."""
    return [name for name, (_, able) in WAYS.items() if set(wanted) <= able and not (quick and "engines" in name)]
