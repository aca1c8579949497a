"""`dtam serve` as the unit that comes with it, under a real systemd: started, killed, cut off, stopped in order, its Windows source leased throughout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.failover import kept
from orchestrator.hosts.debian import as_debian_package
from orchestrator.hosts.package import build_package
from orchestrator.leasing.ledger import ledger_of
from tests.e2e.conftest import wait_for
from tests.e2e.systemd_host import SystemdHost
from tests.faults.test_serve_windows import NAME

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
UNIT = "/opt/dtam/current/host/dtam-serve.service"
HOME = "/var/lib/dtam"
LONG_S = 60


@pytest.fixture
def host(needs: Callable[..., None], tmp_path: Path) -> Iterator[SystemdHost]:
    needs("root", "systemd", "dpkg-deb")
    made = SystemdHost("gamma", tmp_path / f"gamma-{os.getpid()}")
    try:
        yield made.boot()
    finally:
        made.remove()


def home_of(host: SystemdHost) -> Path:
    """Its state directory, seen from here."""
    return Path(f"/proc/{host.pid}/root{HOME}")


@contextmanager
def source_beside(host: SystemdHost, place: Path) -> Iterator[None]:
    """A Windows source on the wire of the host, which its state directory knows."""
    made = place / "home"
    made.mkdir(parents=True, mode=0o700)
    words = ["nsenter", f"--net=/proc/{host.pid}/ns/net", "--", sys.executable, "-m", "tests.e2e.windows_site"]
    with subprocess.Popen(
        [*words, str(made), str(place)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as site:
        assert site.stdout is not None
        assert site.stdin is not None
        try:
            assert site.stdout.readline() == "ready\n"
            shutil.copytree(made, home_of(host), dirs_exist_ok=True)
            yield
        finally:
            site.stdin.close()
            site.wait(60)


def pid_of(host: SystemdHost) -> int:
    return int(host.ask("systemctl show dtam-serve -p MainPID --value") or 0)


def leased(host: SystemdHost) -> bool:
    """Whether the source is watched, and has a lease that ends."""
    return kept.read(home_of(host), NAME).colour == "green" and ledger_of(home_of(host)).remaining_s(NAME) > 0


@pytest.mark.covers("AM-27")
def test_serve_lives_its_life_under_systemd(host: SystemdHost, tmp_path: Path) -> None:
    host.run("cat >/root/dtam-engine.deb", as_debian_package(build_package()))
    host.run("dpkg -i /root/dtam-engine.deb && systemctl disable --now dtengine")
    host.run(f"install -d -m 0700 {HOME} && cp {UNIT} /etc/systemd/system/ && systemctl daemon-reload")
    assert host.ask("systemd-analyze verify /etc/systemd/system/dtam-serve.service 2>&1") == ""
    with source_beside(host, tmp_path / "site"):
        host.run("systemctl enable --now dtam-serve")
        assert host.ask("systemctl is-active dtam-serve") == "active"
        wait_for(lambda: leased(host), LONG_S, "the source is watched")

        # Killed: there again within seconds, by systemd alone.
        before = pid_of(host)
        host.run("systemctl kill --signal=KILL dtam-serve")
        wait_for(lambda: pid_of(host) not in {0, before}, LONG_S, "it is restarted")
        assert host.ask("systemctl show dtam-serve -p NRestarts --value") == "1"
        wait_for(lambda: host.ask("systemctl is-active dtam-serve") == "active", LONG_S, "it is ready again")
        wait_for(lambda: leased(host), LONG_S, "the source is watched again")

        # In order: it ends by itself, and says well that it did.
        host.run("systemctl stop dtam-serve")
        assert host.ask("systemctl show dtam-serve -p Result --value") == "success"
        assert "Failed" not in host.ask("journalctl -u dtam-serve --no-pager | tail -5")

    # Power cut: it is there again at the next boot.
    host.power_cut()
    host.boot()
    assert host.ask("systemctl is-active dtam-serve") == "active"
