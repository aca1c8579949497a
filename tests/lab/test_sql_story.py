"""The stories of a SQL Server on Linux: an application places 200 orders a second, alpha loses power, beta goes on under alpha's name, and alpha comes back.

SQL Server is a simulation (docs/explanation/sql-model.md); that its databases are whole is proved by its own files, which are SQLite's. A watcher sees
throughout that nothing has two owners; the application's journal says what it was promised.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab.conftest import Told
from tests.lab.domain import Lab
from tests.lab.hosts import LabHost
from tests.lab.sqlhost import PORT, listens
from tests.lab.sqljournal import missing, wrong
from tests.lab.sqlstage import SqlStage
from tests.lab.waiting import until
from tests.lab.watching_story import owners, watched

LONG_S = 180.0
ENOUGH = 200
"""Orders that are placed before something happens."""
FEW = (2, 20)
"""Writers and orders a second while nothing is measured."""


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[SqlStage]:
    """SQL Server on alpha and beta, known to an administrator, not protected yet."""
    lab.reset()
    made = SqlStage(lab)
    try:
        made.begin()
        yield made
    finally:
        made.end()


@contextmanager
def alone(stage: SqlStage, told: Told) -> Iterator[None]:
    """Only one serves from here to there, and in the end everything belongs to alpha."""

    def has(host: LabHost) -> dict[str, bool]:
        heard = host is not stage.alpha or not stage.is_cut
        return {"port of SQL Server": listens(host)} if heard else {}

    names = (stage.name, f"{stage.name}:{PORT}")
    with watched(stage.lab, lambda: owners(stage.hosts, has), *names, kinds=("MSSQLSvc",)) as seen:
        yield
    assert seen[0].looks > 20
    assert seen[0].twice == []
    assert ["BETA$"] in seen[0].owners
    assert seen[0].owners[-1] == ["ALPHA$"]
    told("service names without an owner, as seen", {"s": seen[0].without_s})


def lose_alpha(stage: SqlStage, told: Told) -> None:
    """In the midst of it the power goes; the application finds the same name again, and what had arrived is there."""
    stage.places(ENOUGH)
    arrived_ns = stage.acknowledged_ns()
    lost_ns = time.time_ns()
    stage.alpha.power_cut()
    back, *_ = until("the application places orders again", lambda: stage.promised().after(lost_ns + 10**9), LONG_S)
    until("the failover is done", lambda: stage.status()["stage"] == "failed_over", LONG_S)
    stage.places(ENOUGH)
    promised = stage.promised()
    there = stage.orders()
    lost = missing(promised.until(lost_ns), there)
    told(
        "after the power cut, s",
        stage.measured(lost_ns / 1e9) | {"client back": round((back.at_ns - lost_ns) / 1e9, 2)},
    )
    rows = {"acknowledged": len(promised.until(lost_ns)), "known to have arrived": len(promised.until(arrived_ns))}
    told("orders before the power cut", rows | {"lost": len(lost)})
    assert missing(promised.until(arrived_ns), there) == []


def whole(stage: SqlStage) -> None:
    """What is there is a prefix of what each writer did, with its total, and CHECKDB finds nothing."""
    assert wrong(*stage.standing()) == []
    stage.check()


def return_alpha(stage: SqlStage) -> None:
    """It boots with its wire cut, and stays fenced; then its wire is mended, and it still is."""
    stage.cut()
    stage.alpha.boot()
    until("alpha is fenced", lambda: "fenced" in stage.engine(stage.alpha, "protections", "list"))
    assert not listens(stage.alpha)
    stage.mend()
    until("alpha is back, and fenced", lambda: stage.status()["source"].get("fenced"))
    assert not listens(stage.alpha)


def go_home(stage: SqlStage) -> None:
    """The application goes on while everything becomes alpha's again; nothing that it was promised meanwhile is lost."""
    since_ns = time.time_ns()
    stage.dtam("failback", "--protection", stage.id, "--yes")
    stage.places(sum(FEW))
    stage.stop()
    promised = stage.promised().after(since_ns)
    assert missing(promised, stage.orders()) == []
    assert listens(stage.alpha)
    status = stage.status()
    assert (status["condition"], status["stage"]) == ("healthy", "enabled")


@pytest.mark.slow
@pytest.mark.covers("SQL-01", "SQL-06", "AM-15", "AM-27")
def test_an_instance_goes_on_under_its_name(stage: SqlStage, told: Told) -> None:
    stage.protect({})
    with alone(stage, told):
        with stage.open():
            lose_alpha(stage, told)
        whole(stage)
        return_alpha(stage)
        stage.dtam("restore", "--protection", stage.id, "--yes")
        with stage.open(*FEW):
            go_home(stage)
        whole(stage)
    newest = json.loads(stage.dtam("history", "--protection", stage.id, "--json"))[0]
    assert newest["kind"] == "failback"
    stage.dtam("disable", "--protection", stage.id, "--yes")
