"""Nothing about many databases or many service names is quadratic: four times as many cost about four times as much."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache, partial

import pytest

from orchestrator.model.findings import Severity
from orchestrator.validate import validate
from plugins.sql.checks import CHECKS
from tests.benchmarks.sql_cost import Accounts, discovered, many_databases, validated
from tests.unit.sql.sound_pair import NOW_S

LINEAR, QUADRATIC = 4, 16
ALLOWED = (LINEAR + QUADRATIC) / 2
"""Between both: growing sets cost a little more than their share, and a busy machine adds some."""
PAIRS = cache(many_databases)


def spent_s(deed: Callable[[], object]) -> float:
    """The least of a few rounds, in processor seconds of this process."""
    rounds = []
    for _ in range(3):
        began = time.process_time()
        deed()
        rounds.append(time.process_time() - began)
    return min(rounds)


def test_validation_grows_with_the_databases() -> None:
    few, many = (partial(validated, *many_databases(count)) for count in (250, 1000))
    assert spent_s(many) < ALLOWED * spent_s(few)


def test_discovery_grows_with_the_service_names() -> None:
    few, many = (partial(discovered, Accounts(count)) for count in (2500, 10_000))
    assert spent_s(many) < ALLOWED * spent_s(few)


def test_every_database_and_name_is_seen() -> None:
    found, held = many_databases(100)
    said = validate(CHECKS, found, held, NOW_S).findings
    online = [one for one in said if one.check == "sql-target-database-online" and one.severity is Severity.ERROR]
    assert len(online) == 100
    assert validated(found, held) >= 100
    hosts = discovered(Accounts(400))
    assert len(hosts) == 100
    assert {one.instances for one in hosts} == {("MSSQLSERVER", "SALES")}
    assert {one.ports for one in hosts} == {(1433, 50123)}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_no_check_alone_is_quadratic(check) -> None:
    """Of those that take long enough to be measured: each check alone, so that a slow one does not hide behind others."""
    few, many = (partial(check.run, *PAIRS(count), NOW_S) for count in (100, 400))
    least_s = spent_s(many)
    assert least_s < 0.02 or least_s < ALLOWED * spent_s(few)
