"""A failover with the source still up: SQL Server is handed over in order, a file server is not; unsupported pairs are not protected."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.model.servers import Where
from orchestrator.sdk.application import Planning
from plugins.sql.application import SqlServer
from tests.unit.sql import sound_pair


def planning(platform: str = "linux", *, graceful: bool = False, **case: Any) -> Planning:
    given = {"platform": platform, "stage": "enabled", **case}
    return Planning(sound_pair.protection(given), sound_pair.inventory(given), 1, graceful=graceful)


@pytest.mark.covers("AM-16")
@pytest.mark.parametrize("platform", ["linux", "windows"])
def test_sql_server_is_handed_over_in_order(platform: str) -> None:
    wanted = planning(platform, graceful=True)
    assert list(SqlServer().refusals("failover", wanted)) == []
    steps = [
        step.do.verb if step.where is not Where.TARGET else f"target {step.do.verb}"
        for step in SqlServer().failover(wanted)
    ]
    stopped, settled = steps.index("stop-service"), steps.index("settle")
    given_up = steps.index("release-lease" if platform == "linux" else "fence")
    taken = next(number for number, verb in enumerate(steps) if verb in {"target fail-over", "grant-epoch"})
    assert stopped < settled < given_up < taken, steps


@pytest.mark.covers("AM-16")
@pytest.mark.parametrize("platform", ["linux", "windows"])
def test_without_it_nothing_is_asked_of_the_source(platform: str) -> None:
    verbs = {step.do.verb for step in SqlServer().failover(planning(platform)) if step.where is Where.SOURCE}
    assert not verbs & {"stop-service", "settle", "release-lease", "fence"}


@pytest.mark.covers("AM-16")
def test_a_source_that_is_silent_cannot_be_handed_over() -> None:
    silent = {"source": {"unreachable": "no answer within 3 s"}}
    assert any("does not answer" in one for one in SqlServer().refusals("failover", planning(graceful=True, **silent)))
    assert not any("does not answer" in one for one in SqlServer().refusals("failover", planning(**silent)))


@pytest.mark.covers("AM-19")
@pytest.mark.parametrize(
    ("case", "why"),
    [
        ({"theirs": {"version": "16.0.4085.2"}}, "install SQL Server 2019 on beta"),
        ({"ours": {"version": "10.50.6000.34"}, "theirs": {"version": "10.50.6000.34"}}, "too old for the driver"),
        ({"ours": {"clustered": True}, "platform": "windows"}, "cluster to standalone"),
    ],
)
def test_an_unsupported_pair_is_not_protected(case: dict[str, Any], why: str) -> None:
    refused = list(SqlServer().refusals("protect", planning(**case)))
    assert any(why in one for one in refused), refused
    silenced = {"settings": {"advanced": {"silenced": [{"check": "supported-configuration", "reason": "tried it"}]}}}
    assert len(list(SqlServer().refusals("protect", planning(**case, **silenced)))) < len(refused)


def test_a_pair_of_clusters_is_not_protected_and_says_who_brings_it_online() -> None:
    both = {"platform": "windows", "ours": {"clustered": True}, "theirs": {"clustered": True}}
    assert any("brought online by a person" in one for one in SqlServer().refusals("protect", planning(**both)))


@pytest.mark.covers("SQL-01")
@pytest.mark.parametrize("platform", ["linux", "windows"])
def test_a_failover_of_no_database_is_none(platform: str) -> None:
    lost = planning(platform, source={"unreachable": "no answer within 3 s"})
    assert any("was not told which databases" in one for one in SqlServer().refusals("failover", lost))
    assert not any("was not told" in one for one in SqlServer().refusals("failover", planning(platform)))
