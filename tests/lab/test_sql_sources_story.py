"""Two SQL Servers, each with a database of its own, stand by each other on one: both are lost, both applications go on, both come home."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.lab import members
from tests.lab.conftest import Told
from tests.lab.domain import Lab
from tests.lab.sqlhost import USER
from tests.lab.sqljournal import missing, wrong
from tests.lab.sqlstage import SqlStage
from tests.lab.waiting import until

LONG_S = 180.0
ENOUGH = 60
PLACE = "/var/opt/mssql/stock"
"""Where the second source's database lies on the target: the first one's files are at their own path."""
FEW = (4, 50)
"""Writers and orders a second of each."""


@pytest.fixture(scope="module")
def stages(lab: Lab) -> Iterator[tuple[SqlStage, SqlStage]]:
    """shop on alpha, stock on gamma; beta is the target of both, and has an instance of its own."""
    lab.reset()
    first, second = SqlStage(lab, "database"), SqlStage(lab, "database", "gamma", "stock")
    second.authority = first.authority
    second.selected = {"databases": [{"name": "stock", "target_data_path": PLACE, "target_log_path": PLACE}]}
    try:
        first.begin()
        second.join(first)
        first.beta.run(["install", "-d", "-o", USER, "-g", USER, PLACE])
        yield first, second
    finally:
        second.end()
        members.start(second.alpha)
        first.end()


def lose(stage: SqlStage, told: Told) -> None:
    """The power of its source goes; what had arrived is there, and the application goes on."""
    stage.places(ENOUGH)
    arrived_ns, lost_ns = stage.acknowledged_ns(), time.time_ns()
    stage.alpha.power_cut()
    until("the failover is done", lambda: stage.status()["stage"] == "failed_over", LONG_S)
    stage.places(ENOUGH)
    stage.stop()
    there, promised = stage.orders(), stage.promised()
    lost = missing(promised.until(lost_ns), there)
    told(f"orders of {stage.database}", {"acknowledged": len(promised.until(lost_ns)), "lost": len(lost)})
    assert missing(promised.until(arrived_ns), there) == []


def go_home(stage: SqlStage) -> None:
    """Its source has everything again."""
    stage.alpha.boot()
    until("it is back, and fenced", lambda: stage.status()["source"].get("fenced"), LONG_S)
    stage.dtam("failback", "--protection", stage.id, "--yes")
    assert stage.status()["stage"] == "enabled"
    assert wrong(*stage.standing()) == []
    stage.dtam("disable", "--protection", stage.id, "--yes")


@pytest.mark.slow
@pytest.mark.covers("SQL-02", "SQL-03", "SQL-06")
def test_both_go_on_at_one_target(stages: tuple[SqlStage, SqlStage], told: Told) -> None:
    for stage in stages:
        stage.protect({})
        stage.start(*FEW)
    for stage in stages:
        lose(stage, told)
    for stage in stages:
        assert wrong(*stage.standing()) == []
        stage.check()
    for stage in reversed(
        stages
    ):  # the reverse record of beta's address holds the names of both: the later one goes first
        go_home(stage)
