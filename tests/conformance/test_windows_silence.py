"""A Windows server that is silent is told in one short look: one connection, nothing asked twice, and the other server is asked meanwhile."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.hosts import winrm_reach, winrm_wire
from orchestrator.hosts.errors import WinRmUnreachable
from orchestrator.hosts.winrm_reach import caller_of, winrm_host
from orchestrator.model.conditions import Stage
from orchestrator.model.protections import Protection
from orchestrator.model.servers import Pair, ProtectionId, Server, ServerName, Transport, WinRmAddress
from orchestrator.model.settings import Settings
from orchestrator.reaching import Reach
from tests.conformance.pairs import laid_on
from tests.lab.windows.starting import WindowsHost, windows_host

NAME = ProtectionId("p")
SERVICE = {"name": "files", "unit": "Spooler"}
SILENT = "127.9.8.7"


@contextmanager
def refusing() -> Iterator[int]:
    """The host is up, and nobody listens."""
    with socket.create_server((SILENT, 0)) as taken:
        port = taken.getsockname()[1]
    yield port


@contextmanager
def swallowing() -> Iterator[int]:
    """Nothing answers a SYN: the queue of connections is full and stays so."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server((SILENT, 0), backlog=0))
        for _ in range(4):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


@contextmanager
def mute() -> Iterator[int]:
    """Connections are taken and never answered."""
    held: list[socket.socket] = []

    def take(listening: socket.socket) -> None:
        while True:
            try:
                held.append(listening.accept()[0])
            except OSError:
                return

    with socket.create_server((SILENT, 0)) as listening:
        thread = threading.Thread(target=take, args=(listening,), daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
    for one in held:
        one.close()


KINDS: dict[str, Callable[[], Any]] = {"refused": refusing, "no answer to SYN": swallowing, "taken": mute}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a connection was asked of, in order."""
    asked: list[str] = []
    real = winrm_wire.Wire._opened

    def noted(wire: winrm_wire.Wire) -> Any:
        asked.append(wire._address.address)
        return real(wire)

    monkeypatch.setattr(winrm_wire.Wire, "_opened", noted)
    return asked


def silent(port: int) -> Server:
    way = WinRmAddress(SILENT, port, Transport.NTLM, account="dtam")
    return Server(ServerName("alpha"), (SILENT,), winrm=way)


@pytest.mark.parametrize("kind", KINDS)
def test_a_look_opens_one_connection_to_a_silent_host_and_remembers(
    kind: str, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winrm_reach, "LOOK_CONNECT_S", 0.3)
    monkeypatch.setattr(winrm_reach, "LOOK_OPERATION_S", 1)
    with KINDS[kind]() as port:
        caller = caller_of(silent(port), lambda *_: "secret", hasty=True)
        for ask in (caller.ask, caller.ask, caller.do):
            with pytest.raises(WinRmUnreachable):
                ask("host_facts", {})
        caller.close()
    assert opened == [SILENT]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WindowsHost, Server]]:
    place = tmp_path_factory.mktemp("target")
    with windows_host(place / "BETA", name="BETA") as served, ExitStack() as stack:
        server, caller = laid_on(served, stack)
        host = winrm_host(server, caller)
        host.put_protection({"id": NAME, "role": "target", "epoch": 1, "services": [SERVICE]})
        yield served, server


def settings() -> Settings:
    roots = [{"source_path": "C:\\Data", "target_path": "C:\\Data"}]
    external = {"ask": ["C:\\tool.exe"], "on": "target"}
    given: dict[str, Any] = {"application": "fileprint", "source": "alpha", "target": "beta"}
    given |= {"name": "files.lab.example", "failover": {"services": [SERVICE]}}
    return Settings.model_validate(
        given | {"connection": {"roots": roots, "replication": "external", "external": external}}
    )


@pytest.mark.covers("AM-27")
@pytest.mark.parametrize("kind", KINDS)
def test_both_sides_are_looked_at_and_the_silent_one_is_asked_once(
    kind: str,
    opened: list[str],
    target: tuple[WindowsHost, Server],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(winrm_reach, "LOOK_OPERATION_S", 2)
    served, server = target
    with KINDS[kind]() as port:
        pair = Pair(silent(port), server)
        protection = Protection(NAME, "fileprint", pair, settings(), {}, Stage.ENABLED, 1)
        reach = Reach(lambda account, _: served.passwords[account], tmp_path)
        seen = reach.snapshot(protection)
        reach.close()
    assert seen.source.silence
    assert seen.target.answers, seen.target.silence
    assert seen.epoch == 1
    assert opened.count(SILENT) == 1


def test_a_slow_deed_outlasts_the_patience_of_a_look(
    target: tuple[WindowsHost, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host says every second that it is still at work: that is no silence."""
    monkeypatch.setattr(winrm_reach, "LOOK_OPERATION_S", 1)
    served, server = target
    caller = caller_of(server, lambda account, _: served.passwords[account], hasty=True)
    slow = ["slow_start_s", {"spooler": 3.0}]
    served.control.ask("machine", call="faults.__setattr__", arguments=slow)
    host = winrm_host(server, caller)
    host.act(NAME, "set_epoch", {"epoch": 1})
    host.stop_service("files")
    host.start_service("files")
    assert host.services()[0].state == "running"
    caller.close()
