"""Real engines for tests: one process each on a loopback address of its own, started, killed and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.engine.client import EngineClient, schema
from orchestrator.engine.client_login import Login


def wait_for(question: Callable[[], object], budget_s: float = 20.0, what: str = "the condition") -> object:
    """Ask until the answer is true; the last answer."""
    until = time.monotonic() + budget_s
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < until, f"{what} did not come true in {budget_s:g} s; last answer: {answer!r}"
        time.sleep(0.02)


def free_port(address: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


@dataclass
class EngineProcess:
    """One daemon: its state directory, where it listens, and the process while it runs."""

    name: str
    address: str
    state: Path
    ports: dict[str, int] = field(default_factory=dict)
    enter: list[str] = field(default_factory=list)
    settings: str = ""
    """TOML for what has no flag."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.state.parent / f"{self.name}.log"

    def start(self, *, wait: bool = True) -> EngineProcess:
        flags = [f"--{port.replace('_', '-')}={number}" for port, number in self.ports.items()]
        command = [
            *self.enter,
            sys.executable,
            "-m",
            "orchestrator.engine.cli.dtengine",
            "run",
            f"--state={self.state}",
        ]
        if self.settings:
            file = self.state.parent / f"{self.name}.toml"
            file.write_text(self.settings)
            command.append(f"--config={file}")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, f"--name={self.name}", f"--address={self.address}", *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if wait:
            wait_for(self.answers, what=f"engine {self.name} answering ({self.log.read_text()[-2000:]})")
        return self

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(Exception), self.local() as engine:
            return bool(engine.server())
        return False

    def local(self, timeout_s: float = 10.0) -> EngineClient:
        return EngineClient.local(str(self.state / "control.sock"), timeout_s=timeout_s)

    def remote(
        self, token: str | None = None, fingerprint: str | None = None, login: Login | None = None
    ) -> EngineClient:
        with self.local() as engine:
            pinned = fingerprint or engine.server().fingerprint
        port = self.ports["control_port"]
        return EngineClient.https(self.address, port, fingerprint=pinned, token=token, login=login, timeout_s=30)

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


class Engines:
    """Makes engines and cleans up after them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.made: list[EngineProcess] = []

    def make(self, name: str, address: str = "127.0.0.2", *, start: bool = True, settings: str = "") -> EngineProcess:
        ports = {"control_port": free_port(address), "data_port": free_port(address)}
        ports["probe_port"] = free_port(address, socket.SOCK_DGRAM)
        engine = EngineProcess(name, address, self.directory / name, ports, settings=settings)
        self.made.append(engine)
        return engine.start() if start else engine

    def pair(self, one: EngineProcess, other: EngineProcess) -> None:
        with one.local() as here, other.local() as there:
            shown = there.server()
            token = there.create_token("pairing", schema.Scope.ADMIN).token
            here.pair(
                schema.PairRequest(
                    address=other.address, control_port=shown.control_port, fingerprint=shown.fingerprint, token=token
                )
            )
            there.revoke_token("pairing")

    def clean(self) -> None:
        for engine in self.made:
            if engine.process is not None and engine.process.poll() is None:
                _take_down(engine)


def _take_down(engine: EngineProcess) -> None:
    with contextlib.suppress(Exception), engine.local(timeout_s=5) as client:
        for service in client.services():
            client.stop_service(service.name)
        for connection in client.connections():
            client.disconnect(connection.key)
        for mount in client.mounts():
            client.unmount(mount.path)
    try:
        engine.stop()
    except subprocess.TimeoutExpired:
        engine.kill()


@pytest.fixture
def engines(tmp_path: Path) -> Iterator[Engines]:
    """Make real engines below the test's own directory."""
    directory = Path(os.environ.get("DTAM_TEST_DIR", str(tmp_path)))
    made = Engines(directory)
    try:
        yield made
    finally:
        made.clean()


@pytest.fixture
def until() -> Callable[..., object]:
    """Wait on a condition with a budget."""
    return wait_for


@pytest.fixture(scope="module")
def module_engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """Engines that all tests of a module share."""
    made = Engines(tmp_path_factory.mktemp("engines"))
    try:
        yield made
    finally:
        made.clean()
