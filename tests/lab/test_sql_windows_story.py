"""The story of a SQL Server on Windows: an application places 200 orders a second, winalpha loses power, `dtam serve` fails over, winalpha comes back.

Windows and SQL Server are simulations; Storage Replica's is synchronous: every order that the application was promised is there. A watcher sees
throughout that nothing has two owners.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab.conftest import Told
from tests.lab.domain import Lab
from tests.lab.sqljournal import missing, wrong
from tests.lab.sqlstage import Shop
from tests.lab.sqlwindowstage import SqlWindowsStage
from tests.lab.waiting import until
from tests.lab.watching_story import owners, watched
from tests.lab.windowspairstage import FILE, GRACE_S, LEASE_S

LONG_S = 180.0
ENOUGH = 200
"""Orders that are placed before something happens."""
FEW = (2, 20)
"""Writers and orders a second while nothing is measured."""


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[SqlWindowsStage]:
    """Two instances on winalpha and winbeta, the default one and PROD, protected and watched by `dtam serve`; the application uses PROD."""
    made = SqlWindowsStage(lab, PROD=50123, MSSQLSERVER=1433)
    made.begin()
    made.dtam("--sql", "configure", "--file", FILE)
    made.permit()
    made.dtam("--sql", "setup", "--file", FILE, "--yes")
    made.serve()
    until("the source has a lease that ends", lambda: made.said(f"winalpha has a lease of {LEASE_S:g} s"))
    yield made
    made.end()


@contextmanager
def alone(stage: SqlWindowsStage, told: Told) -> Iterator[None]:
    """Only one serves from here to there, and in the end everything belongs to winalpha."""
    servers = {one.host.name: one for one in (stage.alpha, stage.beta)}
    hosts = [one.host for one in servers.values()]

    def look() -> dict[str, list[str]]:
        return owners(hosts, lambda host: {"port of SQL Server": stage.answers(servers[host.name])})

    names = [f"{stage.name}:{port}" for port in stage.instances.values()]
    with watched(stage.lab, look, *names, kinds=("MSSQLSvc",)) as seen:
        yield
    assert seen[0].looks > 20
    assert seen[0].twice == []
    assert ["WINBETA$"] in seen[0].owners
    assert seen[0].owners[-1] == ["WINALPHA$"]
    told("service names without an owner, as seen", {"s": seen[0].without_s})


def lose_alpha(stage: SqlWindowsStage, told: Told) -> None:
    """In the midst of it the power goes; the application finds the same name again, and everything promised is there."""
    stage.places(ENOUGH)
    lost_ns = time.time_ns()
    stage.alpha.host.power_cut()
    back, *_ = until("the application places orders again", lambda: stage.promised().after(lost_ns + 10**9), LONG_S)
    until("the failover is done", lambda: stage.status()["stage"] == "failed_over", LONG_S)
    stage.places(ENOUGH)
    promised = stage.promised().until(lost_ns)
    lost = missing(promised, stage.orders())
    run = json.loads(stage.dtam("history", "--protection", stage.id, "--json"))[0]
    noticed = stage.said("failover waits") or stage.said("grant: about-to") or 0.0
    figures = {"lease and grace": LEASE_S + GRACE_S, "detected": round(noticed - lost_ns / 1e9, 2)}
    figures |= {"rto": round(run["measured"]["rto_s"], 2), "client back": round((back.at_ns - lost_ns) / 1e9, 2)}
    told("after the power cut, s", figures)
    told("orders before the power cut", {"acknowledged": len(promised), "lost": len(lost)})
    assert lost == []


def both_answer(stage: SqlWindowsStage) -> None:
    """Under the name of winalpha, each as the instance that it was."""
    asked = Shop(stage.lab, stage.name)
    assert asked.ask("SELECT @@SERVERNAME", database="master") == [["WINALPHA"]]
    assert stage.ask("SELECT @@SERVERNAME", database="master") == [[r"WINALPHA\PROD"]]


def whole(stage: SqlWindowsStage) -> None:
    """What is there is a prefix of what each writer did, with its total, and CHECKDB finds nothing."""
    assert wrong(*stage.standing()) == []
    stage.check()


@pytest.mark.slow
@pytest.mark.covers("SQL-01", "AM-15", "AM-27", "AM-30")
def test_both_instances_go_on_under_their_name(stage: SqlWindowsStage, told: Told) -> None:
    with alone(stage, told):
        with stage.open():
            lose_alpha(stage, told)
        both_answer(stage)
        whole(stage)
        stage.alpha.host.boot()
        until("winalpha is back, and fenced", lambda: stage.status()["source"].get("fenced"))
        assert not stage.answers(stage.alpha)
        since_ns = time.time_ns()
        with stage.open(*FEW):
            stage.dtam("failback", "--protection", stage.id, "--yes")
            stage.places(sum(FEW))
        assert missing(stage.promised().after(since_ns), stage.orders()) == []
        whole(stage)
        assert not stage.answers(stage.beta)
    status = stage.status()
    assert (status["condition"], status["stage"]) == ("healthy", "enabled")
    assert stage.alpha.control.ask("failures") == stage.beta.control.ask("failures") == []
