"""Every step of every plan, killed before, inside and after its deed, then resumed or undone: nothing is half-applied.

A resumed run leads to exactly the state of an uninterrupted one. An undone run leads back to where it began, or says what it
left and why. At no moment, of the killed run or of what follows, do both sides serve.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from orchestrator.model.plan import PlanKind
from orchestrator.model.runs import Ended, RunState
from orchestrator.model.steps import CannotUndo
from orchestrator.recording import run_of
from orchestrator.store import journal
from tests.faults.rehearsal import MOMENTS, Rehearsal, Rehearsed, essence, rehearsals, scratch

KINDS = ("protect", "graceful", "forced", "restore", "failback", "unprotect")


def cases() -> Iterator[Any]:
    for kind in KINDS:
        for step in rehearsals()[kind].acting:
            for moment in MOMENTS:
                yield pytest.param(kind, step, moment, id=f"{kind}-{step}-{moment}")


@pytest.fixture
def place() -> Iterator[Path]:
    with TemporaryDirectory(dir=scratch()) as directory:
        yield Path(directory)


def killed(place: Path, rehearsal: Rehearsal, step: str, moment: str) -> Rehearsed:
    """The plan, ended by SIGKILL at that moment; the journal knows which step was under way."""
    stage = Rehearsed(place, rehearsal.before)
    stage.begin(rehearsal.plan, (step, moment))
    header, lines = journal.read(place / "runs", "run")
    told = run_of("run", header.plan, lines, started_at_s=header.started_at_s)
    assert told.state is RunState.INTERRUPTED
    assert (lines[-1].step, lines[-1].event) == (step, "about-to")
    assert lines[-1].undo is not None
    return stage


@pytest.mark.covers("AM-15")
@pytest.mark.parametrize(("kind", "step", "moment"), list(cases()))
def test_resumed(place: Path, kind: str, step: str, moment: str) -> None:
    rehearsal = rehearsals()[kind]
    stage = killed(place, rehearsal, step, moment)
    ended = stage.go_on("resume")
    assert ended.state is RunState.DONE, ended
    assert essence(stage.world.state) == essence(rehearsal.after)
    assert not stage.world.state["violations"]


@pytest.mark.covers("AM-15", "AM-27")
@pytest.mark.parametrize(("kind", "step", "moment"), list(cases()))
def test_undone(place: Path, kind: str, step: str, moment: str) -> None:
    rehearsal = rehearsals()[kind]
    stage = killed(place, rehearsal, step, moment)
    ended = stage.go_on("undo")
    state = stage.world.state
    assert not state["violations"]
    if rehearsal.plan.kind is PlanKind.FAILOVER and taken_over(state):
        refuses_to_leave_the_target(ended, state)
        assert stage.go_on("resume").state is RunState.DONE
        return
    if rehearsal.plan.kind is PlanKind.UNPROTECT and forgotten(state):
        assert ended.state is RunState.FAILED
        assert "dtam enable" in ended.hint
        assert stage.go_on("resume").state is RunState.DONE
        assert essence(stage.world.state) == essence(rehearsal.after)
        return
    assert ended.state is RunState.UNDONE, ended
    assert served(state) == served(rehearsal.before)
    if not left_as_it_is(rehearsal, stage):
        assert without_replica(state) == without_replica(rehearsal.before)
    else:
        assert "left as they are" in ended.says


def taken_over(state: dict[str, Any]) -> bool:
    return bool(state["sides"]["target"]["services"].get("files") == "running")


def forgotten(state: dict[str, Any]) -> bool:
    return not all(side["records"] for side in state["sides"].values())


def refuses_to_leave_the_target(ended: Ended, state: dict[str, Any]) -> None:
    """Clients may have written on the target: an undo says so, and leaves everything as it is."""
    assert ended.state is RunState.FAILED
    assert "failback" in ended.hint
    assert state["sides"]["source"]["services"].get("files") != "running"
    assert state["names"]["files.lab.example. A"]["data"] == ["10.0.0.2"]


def served(state: dict[str, Any]) -> tuple[Any, ...]:
    sides = state["sides"]
    running = [name for name in sides if sides[name]["services"].get("files") == "running"]
    return running, state["names"], [sides[name]["data"] for name in running]


def without_replica(state: dict[str, Any]) -> dict[str, Any]:
    """The essence but for data that was mirrored already: dtam removes no directory that is not empty."""
    known = essence(state)
    target = known["sides"]["target"]
    if target.pop("data"):
        target["directories"] = {path: count for path, count in target["directories"].items() if "replica" not in path}
    return known


def left_as_it_is(rehearsal: Rehearsal, stage: Rehearsed) -> set[str]:
    begun = {line.step for line in stage.lines}
    return {one.id for one in rehearsal.plan.steps if one.id in begun and isinstance(one.undo, CannotUndo)}


@pytest.mark.covers("AM-15")
def test_every_step_that_can_act_is_killed_somewhere() -> None:
    acting = {step for kind in KINDS for step in rehearsals()[kind].acting}
    quiet = {step.id for kind in KINDS for step in rehearsals()[kind].plan.steps} - acting
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
    assert quiet <= only_looking | already_so


@pytest.mark.covers("AM-15")
def test_killed_again_while_undoing(place: Path) -> None:
    """An undo is a run like any other: cut off, it is undone to its end and never resumed forwards."""
    rehearsal = rehearsals()["protect"]
    stage = killed(place, rehearsal, "connect-protect", "inside")
    with journal.open_to_write(place / "runs", "run") as log:
        executor = stage._executor(log, None)
        first = executor._undo_step(rehearsal.plan.step("connect-protect"), log.lines[-1])
    assert first is None
    assert stage.go_on("resume").state is RunState.UNDO_FAILED
    assert stage.go_on("undo").state is RunState.UNDONE
    assert essence(stage.world.state) == essence(rehearsal.before)
