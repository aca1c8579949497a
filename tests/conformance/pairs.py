"""Two hosts to hold to their ports: pretended ones on disk, and real engines in processes of their own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from orchestrator.hosts.agent import AgentHost
from orchestrator.hosts.winrm_calls import Caller
from orchestrator.hosts.winrm_laying import lay
from orchestrator.hosts.winrm_reach import caller_of, winrm_host
from orchestrator.model.host import Host
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.ports import Link, Replication
from orchestrator.model.servers import Server, ServerName, Transport, Where, WinRmAddress
from orchestrator.replication.native import NativeReplication, Site
from tests.conformance.ondisk import DiskHost, World, new_world
from tests.conformance.ondisk_data import DiskReplication
from tests.e2e.conftest import Engines, wait_for
from tests.lab.windows.starting import WindowsHost, windows_host

RULES = [{"path": "", "include": True, "recursive": True}]
SERVE = [sys.executable, "-c", "import time\ntime.sleep(600)"]


@dataclass(frozen=True)
class HostPair:
    """Both hosts, the replication between them, and two directories: the source's holds a file."""

    hosts: dict[Where, Host]
    replication: Replication
    source_path: str
    target_path: str
    engine_ids: dict[Where, str]
    read: Callable[[], Any]
    service: dict[str, Any] = field(default_factory=lambda: {"name": "files", "start_command": SERVE})

    @property
    def has_engines(self) -> bool:
        """Not so on Windows."""
        return "unit" not in self.service

    def beside(self, name: str) -> str:
        """A place next to the target's directory."""
        kind = PurePosixPath if self.has_engines else PureWindowsPath
        return str(kind(self.target_path).parent / name)

    def document(self, where: Where, epoch: int = 1) -> dict[str, Any]:
        """The part of an engine in a protection named p, without a witness."""
        sides = {
            side: {
                "name": self.hosts[side].name,
                "engine_id": self.engine_ids[side],
                "control_address": "127.0.0.1",
                "fingerprint": "a" * 64,
            }
            for side in (Where.SOURCE, Where.TARGET)
        }
        return {
            "id": "p",
            "application": "fileprint",
            "role": where.value,
            "epoch": epoch,
            "source": sides[Where.SOURCE],
            "target": sides[Where.TARGET],
            "roots": [{"source_path": self.source_path, "target_path": self.target_path}],
            "replication_set": "files",
            "services": [self.service],
            "dns": {},
        }


@contextmanager
def on_disk(place: Path) -> Iterator[HostPair]:
    world = World(place / "world")
    state = new_world()
    state["sides"]["source"] |= {"directories": {"/srv/files": 1}, "data": 7}
    world.save(state)
    hosts: dict[Where, Host] = {where: DiskHost(world, where) for where in (Where.SOURCE, Where.TARGET)}
    ids = {where: host.engine().engine_id for where, host in hosts.items()}
    yield HostPair(
        hosts,
        DiskReplication(world),
        "/srv/files",
        "/srv/replica",
        ids,
        lambda: world.state["sides"]["target"]["data"] == world.state["sides"]["source"]["data"],
    )


@contextmanager
def real(place: Path) -> Iterator[HostPair]:
    source, target = place / "files", place / "replica"
    source.mkdir()
    (source / "letter").write_text("dear reader")
    engines = Engines(place)
    with ExitStack() as stack:
        stack.callback(engines.clean)
        made = {
            Where.SOURCE: engines.make("alpha", "127.0.0.2"),
            Where.TARGET: engines.make("beta", "127.0.0.3"),
        }
        clients = {where: stack.enter_context(engine.local()) for where, engine in made.items()}
        sites = {where: Site(clients[where], made[where].address) for where in made}
        hosts: dict[Where, Host] = {where: AgentHost(made[where].name, clients[where]) for where in made}
        ids = {where: client.server().engine_id for where, client in clients.items()}
        yield HostPair(
            hosts,
            NativeReplication(sites[Where.SOURCE], sites[Where.TARGET]),
            str(source),
            str(target),
            ids,
            lambda: (target / "letter").read_text() == (source / "letter").read_text(),
        )


@contextmanager
def over_winrm(place: Path) -> Iterator[HostPair]:
    """Two simulated Windows hosts with the scripts laid; there is no replication between them."""
    with ExitStack() as stack:
        hosts: dict[Where, Host] = {}
        for where, name in ((Where.SOURCE, "ALPHA"), (Where.TARGET, "BETA")):
            served = stack.enter_context(windows_host(place / name, name=name))
            hosts[where] = winrm_host(*laid_on(served, stack))
            hosts[where].make_directory("C:\\Data\\files\\letters")
        none = DiskReplication(World(place / "world"))
        ids = dict.fromkeys(hosts, "0" * 32)
        spooler = {"name": "files", "unit": "Spooler"}
        yield HostPair(hosts, none, "C:\\Data\\files", "C:\\Data\\replica", ids, lambda: True, spooler)


def laid_on(served: WindowsHost, stack: ExitStack) -> tuple[Server, Caller]:
    """A simulated host as a server, and the way to its scripts, which are laid."""
    way = WinRmAddress(served.address, served.http_port, Transport.NTLM, account="dtam")
    server = Server(ServerName(served.name.lower()), (served.address,), winrm=way)
    caller = caller_of(server, lambda account, _: served.passwords[account])
    stack.callback(caller.close)
    lay(caller)
    return server, caller


KINDS = {"on disk": on_disk, "engines": real}
HOST_KINDS = KINDS | {"WinRM": over_winrm}


def patiently(question: Callable[[], Any], what: str) -> None:
    """Ask until it is true; TryAgain is patience's business."""

    def answer() -> Any:
        try:
            return question()
        except TryAgain:
            return False

    wait_for(answer, 20, what)


def link_of(pair: HostPair, epoch: int = 1) -> Link:
    """From the source's directory to the target's."""
    return Link("p", "files", Where.SOURCE, pair.source_path, pair.target_path, epoch=epoch)


def protected(pair: HostPair) -> Link:
    """Captured, connected, in step."""
    replication, link = pair.replication, link_of(pair)
    replication.pair()
    for where, host in pair.hosts.items():
        host.put_protection(pair.document(where))
    pair.hosts[Where.SOURCE].act("p", "set_epoch", {"epoch": 1})
    for _ in range(2):
        replication.capture(Where.SOURCE, pair.source_path, {"capture": "auto"})
        assert replication.captured(Where.SOURCE, pair.source_path)
    replication.put_replication_set(Where.SOURCE, "files", pair.source_path, RULES)
    replication.connect(link)
    patiently(lambda: _in_step(pair), "in step")
    return link


def _in_step(pair: HostPair) -> bool:
    status = pair.replication.status(link_of(pair))
    return status is not None and status.in_step
