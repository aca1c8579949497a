"""dfo killed with SIGKILL around every update of a failover on two servers: run again it finishes, or puts all back."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import ExitStack

import dns.rcode
import pytest

from demo.dnsserver import DnsServer, RunningServer
from demo.dnszone import Refusal, ServedZone
from orchestrator.naming.values import NameServer
from tests.lab.dnsserver import KEY, write_key, zone_texts
from tests.lab.names import MOVE, SOURCE, Dfo, zone

REVERSE = "0.0.10.in-addr.arpa."
POINTS = [(name, moment) for name in ("lab.example.", REVERSE) for moment in ("before", "inside", "after")]


class Killer:
    """An ear at the servers that kills dfo around the first update of one zone: before it, in it, or before its answer."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.point: tuple[str, str] | None = None

    def __call__(self, name: str, when: str) -> None:
        if self.process is None or self.point is None or name != self.point[0]:
            return
        moment = self.point[1]
        if (when == "before") != (moment in ("before", "inside")):
            return
        self.point = None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        if moment == "before":
            raise Refusal(dns.rcode.SERVFAIL)


@pytest.fixture
def killer():
    return Killer()


@pytest.fixture
def servers(killer, tmp_path):
    """The forward zone on one server, the reverse zone on another."""
    with ExitStack() as stack:
        running = [
            stack.enter_context(RunningServer(DnsServer([ServedZone.from_text(name, text)], (KEY,), killer)))
            for name, text in zone_texts().items()
        ]
        yield tuple(NameServer(one.address, one.port) for one in running)


@pytest.fixture
def dfo(servers, tmp_path):
    return Dfo(tmp_path / "home", servers, write_key(tmp_path / "key"))


def contents(servers):
    return zone(servers[0]), zone(servers[1], REVERSE)


def kill_at(dfo, killer, point, *words: str):
    killer.point = point
    killer.process = subprocess.Popen(
        dfo.command(*words), env=dfo.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    assert killer.process.wait(20) == -signal.SIGKILL
    killer.process = None


@pytest.fixture
def moved(servers, dfo):
    """What a failover that nobody disturbs leads to, and what was there before."""
    before = contents(servers)
    assert dfo.run("failover", *MOVE).returncode == 0
    after = contents(servers)
    assert dfo.run("failback", "--source-name", SOURCE).returncode == 0
    assert contents(servers) == before
    return before, after


@pytest.mark.covers("DNS-08", "DNS-01")
@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point[1]}-{point[0].split('.')[0]}")
def test_a_killed_failover_is_finished_by_running_it_again(servers, dfo, killer, moved, point):
    before, after = moved
    kill_at(dfo, killer, point, "failover", *MOVE)
    done = dfo.run("failover", *MOVE)
    assert done.returncode == 0, done.stderr
    assert contents(servers) == after
    assert dfo.run("failback", "--source-name", SOURCE).returncode == 0
    assert contents(servers) == before


@pytest.mark.covers("DNS-08", "DNS-01")
@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point[1]}-{point[0].split('.')[0]}")
def test_a_killed_failover_is_put_back(servers, dfo, killer, moved, point):
    before, _ = moved
    kill_at(dfo, killer, point, "failover", *MOVE)
    done = dfo.run("failback", "--source-name", SOURCE)
    assert done.returncode == 0, done.stderr
    assert contents(servers) == before


@pytest.mark.covers("DNS-08")
@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point[1]}-{point[0].split('.')[0]}")
def test_a_killed_failback_is_finished_or_turned_round(servers, dfo, killer, moved, point):
    before, after = moved
    assert dfo.run("failover", *MOVE).returncode == 0
    kill_at(dfo, killer, point, "failback", "--source-name", SOURCE)
    assert dfo.run("failover", *MOVE).returncode == 0
    assert contents(servers) == after
    kill_at(dfo, killer, point, "failback", "--source-name", SOURCE)
    assert dfo.run("failback", "--source-name", SOURCE).returncode == 0
    assert contents(servers) == before
