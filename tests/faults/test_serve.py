"""Real `dtam serve` processes: killed, stopped in order, asked by people, over hosts whose state is a file. Never both sides serve."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.witness.identity import Clients
from orchestrator.failover import kept
from orchestrator.leasing.arbiter import identity
from orchestrator.leasing.ledger import ledger_of
from orchestrator.model.conditions import Stage
from orchestrator.model.protections import Protection
from orchestrator.model.runs import RunState
from orchestrator.model.servers import Pair, ProtectionId, Server, ServerName, WinRmAddress
from orchestrator.model.settings import Settings
from orchestrator.service.asking import ask
from orchestrator.service.errors import ServeRefuses
from orchestrator.service.wire import Request
from tests.faults.leased_hosts import LeasedPipeline, World, new_host, serves
from tests.faults.witness_process import WitnessProcess, eventually

LONG_S = 60.0
ROOT = Path(__file__).parents[2]


class Site:
    """One state directory, its world, the listeners that stand for WinRM's ports, and the `dtam serve` over it."""

    def __init__(self, place: Path) -> None:
        self.home, self.world = place / "home", World(place / "world.json")
        self.home.mkdir(mode=0o700)
        self._ports: dict[str, socket.socket] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._hosts: dict[str, Any] = {}
        self._pairs: list[list[str]] = []
        self.log = place / "serve.log"

    def protect(self, source: str, target: str, **monitoring: Any) -> str:
        """A protection that is enabled: its source serves without any lease so far."""
        self._hosts |= {source: new_host(1, running=True), target: new_host(0, running=False)}
        self._pairs.append([source, target])
        self.world.begin(self._hosts)
        with self.world.change() as state:
            state["pairs"] = self._pairs
        pair = Pair(self._server(source), self._server(target))
        watch: dict[str, Any] = {"interval_s": 0.1, "missed": 3, "manual_intervention": False, "without_witness": True}
        watch |= {"lease": {"lease_s": 3, "grace_s": 0.5}} | monitoring
        roots = [{"source_path": "/srv/files", "target_path": "/srv/files"}]
        files = {"name": "files", "start_command": ["files"], "stop_command": ["stop"]}
        given: dict[str, Any] = {
            "application": "fileprint",
            "source": source,
            "target": target,
            "name": "files.lab.example",
        }
        given |= {"connection": {"roots": roots}, "failover": {"services": [files]}, "monitoring": watch}
        name = ProtectionId(f"fileprint_{source}_{target}")
        with self.pipeline() as pipeline:
            pipeline.store.put_protection(
                Protection(name, "fileprint", pair, Settings.model_validate(given), {}, Stage.ENABLED, 1)
            )
        return name

    def _server(self, name: str) -> Server:
        listener = socket.create_server(("127.0.0.1", 0))
        self._ports[name] = listener
        threading.Thread(target=_take_all, args=(listener,), daemon=True).start()
        return Server(ServerName(name), ("127.0.0.1",), winrm=WinRmAddress("127.0.0.1", listener.getsockname()[1]))

    def pipeline(self) -> LeasedPipeline:
        return LeasedPipeline(self.home, "a person", self.world)

    def cut_power(self, name: str) -> None:
        self._ports[name].shutdown(socket.SHUT_RDWR)
        self._ports[name].close()
        with self.world.change() as state:
            state["hosts"][name] |= {"off": True, "running": False}

    def start(self, kill_at: str = "") -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.serve_process", str(self.home), str(self.world.path)],
                stdout=log, stderr=log, cwd=ROOT, env={**os.environ, "KILL_AT": kill_at},
            )  # fmt: skip
        eventually(self._answers, f"dtam serve answers: {self.log}", LONG_S)

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            return True
        return kept.is_served(self.home) and (self.home / "service" / "socket").exists()

    def wait_killed(self) -> None:
        assert self._process is not None
        assert self._process.wait(LONG_S) == -signal.SIGKILL, self.log.read_text()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        code = self._process.wait(LONG_S)
        self._process = None
        return code

    def host(self, name: str) -> dict[str, Any]:
        host: dict[str, Any] = self.world.state["hosts"][name]
        return host

    def has_lease(self, name: str) -> bool:
        return self.host(name)["until_s"] is not None

    def stage(self, protection: str) -> Stage:
        with self.pipeline() as pipeline:
            return pipeline.store.protection(protection).stage

    def failed_over(self, protection: str) -> None:
        eventually(lambda: self.stage(protection) is Stage.FAILED_OVER, f"failed over: {self.log}", LONG_S)
        assert self.world.state["violations"] == [], self.log.read_text()

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.end(signal.SIGKILL)
        for listener in self._ports.values():
            listener.close()


def dtam(site: Site, *words: str) -> subprocess.CompletedProcess[str]:
    """The command, as a person types it."""
    return subprocess.run(
        [sys.executable, "-m", "orchestrator.cli.dtam", *words],
        capture_output=True, text=True, cwd=ROOT, check=False, timeout=LONG_S, env={**os.environ, "DTAM_HOME": str(site.home)},
    )  # fmt: skip


def _take_all(listener: socket.socket) -> None:
    """As WinRM's port does: connections are taken, until the listener is closed."""
    with contextlib.suppress(OSError):
        while True:
            listener.accept()[0].close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


@pytest.mark.covers("AM-27", "AM-30")
def test_a_lost_source_is_taken_over_after_its_lease_and_the_other_protection_goes_on(site: Site) -> None:
    lost, other = site.protect("alpha", "beta"), site.protect("gamma", "delta")
    site.start()
    eventually(lambda: site.has_lease("alpha") and site.has_lease("gamma"), "both sources have leases", LONG_S)
    lease_ends_s = site.host("alpha")["until_s"]
    site.cut_power("alpha")
    site.failed_over(lost)
    assert time.clock_gettime(time.CLOCK_BOOTTIME) > lease_ends_s, "it waited for the last lease"
    assert site.stage(other) is Stage.ENABLED
    assert serves(site.host("gamma"))
    assert serves(site.host("beta"))
    with site.pipeline() as pipeline:
        record = pipeline.store.runs(lost)[0]
    assert record.run.by == "dtam serve"
    assert record.measured.rto_s is not None
    assert "lease" in (site.home / "service" / f"{lost}.decisions").read_text()


@pytest.mark.parametrize("kill_at", ["1:after", "2:after"])
@pytest.mark.covers("AM-15", "AM-27")
def test_killed_in_a_failover_it_goes_on_at_its_next_start(site: Site, kill_at: str) -> None:
    turned_off = site.world.path.with_name("alpha.off")
    protection = site.protect("alpha", "beta", fence_command=["touch", str(turned_off)])
    site.cut_power("alpha")
    site.start(kill_at)
    site.wait_killed()
    site.start()
    site.failed_over(protection)
    assert turned_off.exists(), "the fence command was asked"
    assert serves(site.host("beta"))
    with site.pipeline() as pipeline:
        assert [record.run.state for record in pipeline.store.runs(protection)] == [RunState.DONE]


@pytest.mark.covers("AM-27")
def test_killed_while_leases_run_it_forgets_none_of_them(site: Site) -> None:
    protection = site.protect("alpha", "beta")
    site.start()
    eventually(lambda: site.has_lease("alpha"), "the source has a lease", LONG_S)
    site.end(signal.SIGKILL)
    ledger = ledger_of(site.home)
    assert ledger.remaining_s(protection) + time.clock_gettime(time.CLOCK_BOOTTIME) > site.host("alpha")["until_s"]
    eventually(lambda: not serves(site.host("alpha")), "without dtam serve the source stops itself", LONG_S)
    site.start()
    eventually(lambda: serves(site.host("alpha")), "and serves again when it is back", LONG_S)
    assert site.stage(protection) is Stage.ENABLED


@pytest.mark.covers("AM-27")
def test_stopped_in_order_it_leaves_the_source_serving(site: Site) -> None:
    protection = site.protect("alpha", "beta")
    site.start()
    eventually(lambda: site.has_lease("alpha"), "the source has a lease", LONG_S)
    assert site.end() == 0, site.log.read_text()
    assert site.host("alpha")["until_s"] is None
    assert serves(site.host("alpha"))
    assert ledger_of(site.home).sure_in_s(protection, 0.5) == float("inf")


@pytest.mark.covers("AM-30")
def test_a_person_says_yes_by_a_command(site: Site) -> None:
    protection = site.protect("alpha", "beta", manual_intervention=True)
    site.cut_power("alpha")
    site.start()
    eventually(lambda: bool(kept.read(site.home, protection).waiting), "a person is asked", LONG_S)
    assert site.stage(protection) is Stage.ENABLED
    done = dtam(site, "failover", "--protection", protection, "--force", "--yes")
    assert done.returncode == 0, done.stderr
    site.failed_over(protection)
    assert "grant: done" in done.stdout
    assert "epoch-target: done" in done.stdout


@pytest.mark.covers("AM-30")
def test_the_watch_is_turned_off_and_a_failover_that_fits_not_is_refused(site: Site) -> None:
    protection = site.protect("alpha", "beta")
    site.start()
    eventually(lambda: site.has_lease("alpha"), "the source has a lease", LONG_S)
    assert "is off" in dtam(site, "monitor", "--protection", protection, "--off").stdout
    eventually(lambda: not site.has_lease("alpha"), "unwatched, the source needs no lease that ends", LONG_S)
    site.cut_power("beta")
    with pytest.raises(ServeRefuses, match="beta"):
        ask(site.home, Request("failover", protection), patience_s=LONG_S)
    assert site.stage(protection) is Stage.ENABLED
    assert site.world.state["violations"] == []


def test_two_over_one_state_directory_refuse(site: Site) -> None:
    site.start()
    command = [sys.executable, "-m", "tests.faults.serve_process", str(site.home), str(site.world.path)]
    second = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=LONG_S)
    assert second.returncode != 0
    assert "another dtam serve" in second.stderr


@pytest.mark.covers("AM-27", "ENG-FO-08")
def test_a_real_witness_grants_once_and_its_silence_is_no_yes(site: Site, tmp_path: Path) -> None:
    witness = WitnessProcess(tmp_path)
    try:
        own = identity(site.home)
        Clients(witness.state).enrol(own.certificate_file.read_text(), name="dtam")
        told = {"address": "127.0.0.1", "port": witness.port, "fingerprint": witness.fingerprint}
        turned_off = ["touch", str(site.world.path.with_name("alpha.off"))]
        protection = site.protect("alpha", "beta", witness=told, fence_command=turned_off)
        witness.kill()
        site.cut_power("alpha")
        site.start()
        eventually(lambda: "begun" in site.log.read_text() or "grant" in site.log.read_text(), "it asks", LONG_S)
        assert site.stage(protection) is Stage.ENABLED
        assert not serves(site.host("beta"))
        witness.start()
        site.failed_over(protection)
        view = witness.client("looker").look(protection)
        assert view is not None
        assert (view.epoch, view.holder) == (2, f"dtam-{own.fingerprint[:16]}")
    finally:
        witness.end()
