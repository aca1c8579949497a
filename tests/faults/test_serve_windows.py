"""`dtam serve` and `dtam doctor`, the real programs, against simulated Windows servers over real WinRM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from orchestrator.failover import kept
from orchestrator.hosts.winrm_reach import winrm_host
from orchestrator.leasing.ledger import ledger_of
from orchestrator.model.conditions import Stage
from orchestrator.model.host import ProtectionView
from orchestrator.model.protections import Protection
from orchestrator.model.servers import Pair, ProtectionId, ServerName, WinRmAddress
from orchestrator.model.settings import Settings
from orchestrator.pipeline import Pipeline
from orchestrator.store.credentials import CredentialCache
from tests.conformance.pairs import laid_on
from tests.faults.witness_process import eventually
from tests.lab.windows.starting import windows_host

LONG_S = 120.0
WIDE = 240
ROOT = Path(__file__).parents[2]
SERVICE = {"name": "files", "unit": "Spooler"}
NAME = ProtectionId("fileprint_alpha_beta")


class Site:
    """A state directory that knows one simulated server as the source; its target is silent for ever."""

    def __init__(self, home: Path, stack: ExitStack, place: Path) -> None:
        self.home, self.log = home, place / "serve.log"
        self.served = stack.enter_context(windows_host(place / "windows"))
        server, caller = laid_on(self.served, stack)
        self.server = server
        self.host = winrm_host(server, caller)
        self.host.put_protection({"id": NAME, "role": "source", "epoch": 1, "services": [SERVICE]})
        self.host.act(NAME, "set_epoch", {"epoch": 1})
        self.host.start_service("files")
        account = server.own_winrm.account
        CredentialCache(home, time.time).remember(account, "", self.served.passwords[account])
        silent = WinRmAddress("127.0.0.1", 1, server.own_winrm.transport, account=server.own_winrm.account)
        watch: dict[str, Any] = {"interval_s": 0.5, "missed": 3, "manual_intervention": False, "without_witness": True}
        watch |= {"lease": {"lease_s": 20, "grace_s": 5}}
        given: dict[str, Any] = {"application": "fileprint", "source": server.name, "target": "beta"}
        roots = [{"source_path": "C:\\Data", "target_path": "C:\\Data"}]
        in_step = [sys.executable, "-c", 'print(\'{"in_step": true, "age_s": 1}\')']
        given |= {"connection": {"roots": roots, "replication": "external", "external": {"ask": in_step}}}
        given |= {"name": "files.lab.example", "monitoring": watch, "failover": {"services": [SERVICE]}}
        with Pipeline(home, "test") as pipeline:
            pipeline.store.put_server(server)
            target = type(server)(ServerName("beta"), ("127.0.0.1",), winrm=silent)
            settings = Settings.model_validate(given)
            pair = Pair(server, target)
            pipeline.store.put_protection(Protection(NAME, "fileprint", pair, settings, {}, Stage.ENABLED, 1))

    def command(self, *words: str) -> dict[str, Any]:
        """How a program of dtam is started over this state directory."""
        whole = [sys.executable, "-m", "orchestrator.cli.dtam", *words]
        return {"args": whole, "cwd": ROOT, "env": {**os.environ, "DTAM_HOME": str(self.home)}}

    def view(self) -> ProtectionView:
        view = self.host.protection(NAME)
        assert view is not None
        return view

    def lease(self) -> float | None:
        """What is left of the source's lease, by its own word; None: it has no end."""
        return self.view().lease_remaining_s


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    place = tmp_path_factory.mktemp("site")
    home = place / "home"
    home.mkdir(mode=0o700)
    with ExitStack() as stack:
        yield Site(home, stack, place)


@pytest.fixture
def serve(site: Site) -> Iterator[subprocess.Popen[bytes]]:
    with site.log.open("wb") as log:
        process = subprocess.Popen(**site.command("serve"), stdout=log, stderr=log)
    yield process
    if process.poll() is None:
        process.kill()
        process.wait()


@pytest.mark.covers("AM-27")
def test_a_windows_source_has_leases_over_winrm_and_goes_on_when_serve_is_stopped_in_order(
    site: Site, serve: subprocess.Popen[bytes]
) -> None:
    eventually(lambda: site.lease() is not None, f"the source has a lease with an end: {site.log}", LONG_S)
    left_s = site.lease()
    assert left_s is not None
    assert 0 < left_s <= 20.0
    n = site.view().lease_n
    eventually(lambda: site.view().lease_n > n, "it is renewed", LONG_S)
    assert kept.read(site.home, NAME).colour == "green"
    assert ledger_of(site.home).remaining_s(NAME) > 0
    shown = subprocess.run(
        **site.command("status", "--json"), capture_output=True, text=True, check=False, timeout=LONG_S
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    status = json.loads(shown.stdout)[0]
    assert (status["monitor"]["enabled"], status["monitor"]["colour"]) == (True, "green")
    assert status["source"]["services"] == [{"name": "files", "state": "running", "healthy": True}], shown.stdout
    assert status["condition"] == "target_down"
    serve.send_signal(signal.SIGTERM)
    assert serve.wait(LONG_S) == 0, site.log.read_text()
    assert site.lease() is None, site.log.read_text()
    assert site.host.services()[0].state == "running"


def test_doctor_has_a_row_for_every_assumption_and_a_report_that_names_nobody(site: Site, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    words = ("doctor", str(site.server.name), "--report", str(report))
    done = subprocess.run(**site.command(*words), capture_output=True, text=True, check=False, timeout=LONG_S)
    assert done.returncode == 1, done.stderr  # it is a member of no domain
    assert report.stat().st_mode & 0o777 == 0o600
    rows = {(row["area"], row["assumption"]): row for row in json.loads(report.read_text())["rows"]}
    assert {"DNS", "ports", "WinRM", "PowerShell", "rights", "clock", "services", "SMB", "commands", "scripts"} <= {
        area for area, _ in rows
    }
    disproved = [assumption for (_, assumption), row in rows.items() if row["state"] == "disproved"]
    assert disproved == ["it is a member of a domain"], done.stdout
    assert "1 disproved" in done.stdout
    for secret in (site.served.passwords["dtam"], site.server.name, site.served.address):
        assert secret not in report.read_text()
    assert max(map(len, done.stdout.splitlines())) < WIDE, done.stdout
