"""The kill matrix of SQL Server (``tests.faults.killing``): Linux and Windows pairs, whole instances and databases alone.

What every pair of servers does is killed in the file server's matrices; here it is what SQL Server adds, and what stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.ondisk import SIDES
from tests.faults.killing import KillMatrix
from tests.faults.rehearsal import essence as common_essence
from tests.faults.sql_rehearsal import SqlPair, rehearsals

PAIRS = {
    f"{platform}-{mode}": SqlPair(platform, mode)
    for platform in ("linux", "windows")
    for mode in ("instance", "database")
}


def essence(of: SqlPair, state: dict[str, Any]) -> dict[str, Any]:
    """What counts of a state: the common part, and what each instance has."""
    known = common_essence(state) | {"sql": {side: state["sql"][side] for side in SIDES}, "spns": state.get("spns")}
    if of.windows:
        known["volumes"] = {name: (one["volumes"], sorted(one["groups"])) for name, one in state["servers"].items()}
        known["start_types"] = {side: state["sides"][side]["start_types"] for side in SIDES}
    return known


def served(of: SqlPair, state: dict[str, Any]) -> tuple[Any, ...]:
    world = of.world(Path("/nonexistent"))
    serving = [side for side in SIDES if world.serves(state, side)]
    return serving, state["names"], state.get("spns"), [state["sql"][side]["attached"] for side in serving]


def without_replica(of: SqlPair, state: dict[str, Any]) -> dict[str, Any]:
    """Nothing that came is taken away again: neither data nor log-ins that are kept, nor a name that travelled with master."""
    known = essence(of, state)
    known["sql"]["target"] = {**known["sql"]["target"], "calls_itself": ""}
    target = known["sides"]["target"]
    target.pop("data")
    target["directories"] = {path: count for path, count in target["directories"].items() if "mssql" not in path}
    known.pop("volumes", None)
    return known


def on_its_way(of: SqlPair, state: dict[str, Any], step: str) -> bool:
    """The target has the epoch, and clients may have written there."""
    if of.windows:
        return step not in {"grant", "fence-source", f"stop-{of.service}-source"}
    return bool(
        state["sides"]["target"]["services"].get(of.service) == "running" and state["witness"]["holder"] == "target"
    )


def matrix(of: SqlPair) -> KillMatrix:
    return KillMatrix(
        stand=of.stand,
        rehearsals=partial(rehearsals, of),
        kinds=("protect", "graceful", "forced", "failback", "unprotect", "stay"),
        essence=partial(essence, of),
        served=partial(served, of),
        without_replica=partial(without_replica, of),
        on_its_way=partial(on_its_way, of),
    )


def cases() -> Iterator[Any]:
    for word, of in PAIRS.items():
        for case in matrix(of).cases():
            kind, step, moment = case.values
            own = step.startswith(("sql-", "take-spns", "give-spns")) or of.service in step
            if own:
                yield pytest.param(of, kind, step, moment, id=f"{word}-{case.id}")


CASES = list(cases())


@pytest.mark.covers("AM-15")
@pytest.mark.parametrize(("of", "kind", "step", "moment"), CASES)
def test_resumed(in_memory: Path, of: SqlPair, kind: str, step: str, moment: str) -> None:
    matrix(of).resumed(in_memory, kind, step, moment)


@pytest.mark.covers("AM-15", "AM-27")
@pytest.mark.parametrize(("of", "kind", "step", "moment"), [one for one in CASES if one.values[3] == "inside"])
def test_undone(in_memory: Path, of: SqlPair, kind: str, step: str, moment: str) -> None:
    matrix(of).undone(in_memory, kind, step, moment)


def test_what_sql_server_adds_is_killed_somewhere() -> None:
    killed = {(case.values[0], case.values[2]) for case in CASES}
    already_so = {"sql-detach-target"}  # where the target never had them, and the script has done it on the way back
    for of in PAIRS.values():
        every = {step.id for one in rehearsals(of).values() for step in one.plan.steps if step.id.startswith("sql-")}
        looking = {one for one in every if "ready" in one or "orphans" in one or "default-databases" in one}
        assert {(of, one) for one in every - looking - already_so} <= killed
