"""The plugin for SQL Server keeps what every plugin promises: on Linux and on Windows, whole instances and databases alone."""

from __future__ import annotations

import msgspec
import pytest

from orchestrator.model.conditions import Stage
from orchestrator.model.plan import PlanKind
from orchestrator.model.servers import Where
from orchestrator.sdk.application import Planning
from orchestrator.sdk.conformance import ApplicationConformance, silent
from plugins.sql.application import SqlServer
from plugins.sql.inventory import gathering
from tests.faults.rehearsal import scripts
from tests.faults.sql_rehearsal import SqlPair, rehearsals

PAIRS = [SqlPair(platform, mode) for platform in ("linux", "windows") for mode in ("instance", "database")]

ALONE = [of for of in PAIRS if of.mode == "database"]


def planned(of: SqlPair, stage: Stage = Stage.ENABLED, epoch: int = 1) -> Planning:
    found = of.inventory(rehearsals(of)["protect"].after)
    return Planning(of.protection(stage, epoch), found, epoch, scripts()[0], found.names.changes, by="test")


@pytest.fixture(params=PAIRS, ids=lambda of: f"{of.platform}-{of.mode}")
def of(request: pytest.FixtureRequest) -> SqlPair:
    pair: SqlPair = request.param
    return pair


class TestSqlServer(ApplicationConformance):
    @pytest.fixture
    def application(self) -> SqlServer:
        return SqlServer()

    @pytest.fixture
    def planning(self, of: SqlPair) -> Planning:
        return planned(of)


def ids(steps: object) -> list[str]:
    return [step.id for step in steps]  # type: ignore[attr-defined]


@pytest.mark.covers("SQL-02")
def test_databases_alone_are_attached_with_their_log_ins_and_what_attaching_takes(of: SqlPair) -> None:
    """In this order, and only in this mode; the target's own instance is never stopped."""
    suffix = "-target" if of.windows else ""
    wanted = [f"sql-{one}{suffix}" for one in ("logins", "attach", "owners-and-options", "orphans")]
    found = ids(SqlServer().failover(planned(of)))
    assert [one for one in found if one in wanted] == (wanted if of.mode == "database" else [])
    kinds = ("protect", "forced", "failback")
    stops = {
        one
        for kind in kinds
        for one in ids(rehearsals(of)[kind].plan.steps)
        if one.startswith(f"stop-{of.service}-target")
    }
    assert bool(stops) is (of.mode == "instance")


@pytest.mark.covers("SQL-02", "AM-35")
@pytest.mark.parametrize("of", ALONE, ids=lambda of: of.platform)
def test_a_failover_without_its_source_makes_what_the_target_was_told(of: SqlPair) -> None:
    """The same deeds with the same documents, whether the source answers or not."""
    given = planned(of)
    attach = "sql-attach-target" if of.windows else "sql-attach"
    with_it, without = (
        {step.id: step for step in SqlServer().failover(one)}[attach] for one in (given, silent(given, Where.SOURCE))
    )
    assert with_it == without
    assert "sales.mdf-wal" in msgspec.json.encode(with_it).decode()


@pytest.mark.covers("SQL-06", "AM-34")
def test_no_way_back_to_an_older_server(of: SqlPair) -> None:
    over = rehearsals(of)["forced"].after
    found = of.inventory(over)
    side = found.target.sql
    assert side is not None
    newer = msgspec.structs.replace(side.instances[0], version="16.0.1000.6")
    target = msgspec.structs.replace(found.target, sql=msgspec.structs.replace(side, instances=(newer,)))
    for inventory, refused in ((found, False), (msgspec.structs.replace(found, target=target), True)):
        given = Planning(
            of.protection(Stage.FAILED_OVER, 2), inventory, 2, scripts()[0], found.names.changes, by="test"
        )
        for kind in (PlanKind.FAILBACK, PlanKind.RESTORE):
            said = [one for one in SqlServer().refusals(kind.value, given) if "migration" in one]
            assert bool(said) is refused


@pytest.mark.covers("AM-07")
def test_the_engine_cannot_be_left_out_of_the_services(of: SqlPair) -> None:
    given = planned(of)
    bare = given.protection.settings.failover.model_copy(update={"services": ()})
    settings = given.protection.settings.model_copy(update={"failover": bare})
    protection = msgspec.structs.replace(given.protection, settings=settings)
    said = [*SqlServer().refusals("protect", msgspec.structs.replace(given, protection=protection))]
    assert any("cannot be left out" in one for one in said)


@pytest.mark.covers("AM-35")
@pytest.mark.parametrize("of", ALONE, ids=lambda of: of.platform)
def test_how_old_kept_log_ins_are_is_known_whoever_keeps_them(of: SqlPair) -> None:
    """On Linux the target's engine gathers them, in runs of its own; on Windows this machine keeps them."""
    state = rehearsals(of)["protect"].after
    run = gathering("sql_alpha_beta", 1)
    state["sides"]["target"]["runs"][f"{run}.post_failover"] = {"state": "done", "steps": {}, "ended_at_s": 900.0}
    side = of.inventory(state).target.sql
    assert side is not None
    assert side.kept_at_s == {"MSSQLSERVER": 1000.0 if of.windows else 900.0}
    bare = of.inventory(of.fresh()).target.sql
    assert bare is not None
    assert bare.kept_at_s == {}
