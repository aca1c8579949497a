"""The kill matrix of a file server with engines (``tests.faults.killing``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.model.runs import RunState
from orchestrator.store import journal
from tests.faults.killing import KillMatrix
from tests.faults.rehearsal import Rehearsed, essence, rehearsals


def served(state: dict[str, Any]) -> tuple[Any, ...]:
    sides = state["sides"]
    running = [name for name in sides if sides[name]["services"].get("files") == "running"]
    return running, state["names"], [sides[name]["data"] for name in running]


def without_replica(state: dict[str, Any]) -> dict[str, Any]:
    """dtam removes no directory that is not empty."""
    known = essence(state)
    target = known["sides"]["target"]
    if target.pop("data"):
        target["directories"] = {path: count for path, count in target["directories"].items() if "replica" not in path}
    return known


def taken_over(state: dict[str, Any], _step: str) -> bool:
    """The target serves alone, and names lead there: clients may have written on it."""
    services = {name: side["services"].get("files") for name, side in state["sides"].items()}
    if services["target"] != "running":
        return False
    assert services["source"] != "running"
    assert state["names"]["files.lab.example. A"]["data"] == ["10.0.0.2"]
    return True


MATRIX = KillMatrix(
    stand=Rehearsed,
    rehearsals=rehearsals,
    kinds=("protect", "graceful", "forced", "restore", "failback", "unprotect"),
    essence=essence,
    served=served,
    without_replica=without_replica,
    on_its_way=taken_over,
)


@pytest.mark.covers("AM-15")
@pytest.mark.parametrize(("kind", "step", "moment"), list(MATRIX.cases()))
def test_resumed(in_memory: Path, kind: str, step: str, moment: str) -> None:
    MATRIX.resumed(in_memory, kind, step, moment)


@pytest.mark.covers("AM-15", "AM-27")
@pytest.mark.parametrize(("kind", "step", "moment"), list(MATRIX.cases()))
def test_undone(in_memory: Path, kind: str, step: str, moment: str) -> None:
    MATRIX.undone(in_memory, kind, step, moment)


@pytest.mark.covers("AM-15")
def test_every_step_that_can_act_is_killed_somewhere() -> None:
    only_looking = {"engines-answer", "clients-served", "settle-protect", "settle-restore"}
    already_so = {
        "stop-files-target",  # was not running before protection
        "start-files-target",  # the target's own executor started it and moved the names
        "names-to-target",
        "uncapture-target",
        "fence-source",  # its lease is the target's since the failover
        "disconnect-restore",
        "no-set-fileprint-alpha-beta-target",
    }
    assert MATRIX.never_killed() <= only_looking | already_so


@pytest.mark.covers("AM-15")
def test_killed_again_while_undoing(in_memory: Path) -> None:
    """An undo is a run like any other: cut off, it is undone to its end and never resumed forwards."""
    rehearsal = rehearsals()["protect"]
    stage = MATRIX.killed(in_memory, rehearsal, "connect-protect", "inside")
    with journal.open_to_write(in_memory / "runs", "run") as log:
        executor = stage._executor(log, None)
        first = executor._undo_step(rehearsal.plan.step("connect-protect"), log.lines[-1])
    assert first is None
    assert stage.go_on("resume").state is RunState.UNDO_FAILED
    assert stage.go_on("undo").state is RunState.UNDONE
    assert essence(stage.world.state) == essence(rehearsal.before)
