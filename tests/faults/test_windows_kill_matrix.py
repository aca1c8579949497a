"""Every step of every plan of a Windows file server, killed before, inside and after its deed, then resumed or undone.

A resumed run leads to exactly the state of an uninterrupted one. An undone run leads back to where it began, or refuses as a whole
because the service is on its way to the target already. At no moment do both sides serve, and no side is opened under an epoch that
was not granted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from orchestrator.model.plan import PlanKind
from orchestrator.model.runs import RunState
from orchestrator.model.steps import CannotUndo
from orchestrator.recording import run_of
from orchestrator.store import journal
from tests.conformance.ondisk import SIDES
from tests.faults.rehearsal import MOMENTS, Rehearsal, Rehearsed, scratch
from tests.faults.windows_rehearsal import WindowsRehearsed, essence, rehearsals

KINDS = ("protect", "forced", "restore", "failback", "unprotect", "stay")


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
    stage = WindowsRehearsed(place, rehearsal.before)
    stage.begin(rehearsal.plan, (step, moment))
    header, lines = journal.read(place / "runs", "run")
    told = run_of("run", header.plan, lines, started_at_s=header.started_at_s)
    assert told.state is RunState.INTERRUPTED
    assert (lines[-1].step, lines[-1].event) == (step, "about-to")
    return stage


@pytest.mark.covers("AM-15")
@pytest.mark.parametrize(("kind", "step", "moment"), list(cases()))
def test_resumed(place: Path, kind: str, step: str, moment: str) -> None:
    rehearsal = rehearsals()[kind]
    stage = killed(place, rehearsal, step, moment)
    ended = stage.go_on("resume")
    assert ended.state is RunState.DONE, ended
    assert not stage.world.state["violations"]
    assert essence(stage.world.state) == essence(rehearsal.after)


@pytest.mark.covers("AM-15", "AM-27")
@pytest.mark.parametrize(("kind", "step", "moment"), list(cases()))
def test_undone(place: Path, kind: str, step: str, moment: str) -> None:
    rehearsal = rehearsals()[kind]
    stage = killed(place, rehearsal, step, moment)
    ended = stage.go_on("undo")
    state = stage.world.state
    assert not state["violations"]
    if rehearsal.plan.kind is PlanKind.FAILOVER and step != "grant":
        assert ended.state is RunState.FAILED
        assert "failback" in ended.hint
        resumed_to_the_end(stage, rehearsal)
        return
    if rehearsal.plan.kind is PlanKind.UNPROTECT and not all(side["records"] for side in state["sides"].values()):
        assert ended.state is RunState.FAILED
        assert "dtam enable" in ended.hint
        resumed_to_the_end(stage, rehearsal)
        return
    assert ended.state is RunState.UNDONE, ended
    assert served(state) == served(rehearsal.before)
    if not left_as_it_is(rehearsal, stage):
        assert without_replica(state) == without_replica(rehearsal.before)
    else:
        assert "left as they are" in ended.says


def resumed_to_the_end(stage: Rehearsed, rehearsal: Rehearsal) -> None:
    assert stage.go_on("resume").state is RunState.DONE
    assert essence(stage.world.state) == essence(rehearsal.after)


def served(state: dict[str, Any]) -> tuple[Any, ...]:
    """Who serves, with which data, and where clients are led."""
    world = WindowsRehearsed.make_world(Path())
    serving = [side for side in SIDES if world.serves(state, side)]
    data = {
        side: state["servers"][name]["volumes"]["E:"]["data"]
        for side, name in zip(SIDES, ("alpha", "beta"), strict=True)
    }
    return serving, state["names"], state["spns"], [data[side] for side in serving]


def without_replica(state: dict[str, Any]) -> dict[str, Any]:
    """The essence but for the target's volume, which was overwritten by the first copy."""
    known = essence(state)
    known["sides"]["target"].pop("volume")
    return known


def left_as_it_is(rehearsal: Rehearsal, stage: Rehearsed) -> set[str]:
    begun = {line.step for line in stage.lines}
    return {one.id for one in rehearsal.plan.steps if one.id in begun and isinstance(one.undo, CannotUndo)}


@pytest.mark.covers("AM-15")
def test_every_step_that_can_act_is_killed_somewhere() -> None:
    acting = {step for kind in KINDS for step in rehearsals()[kind].acting}
    quiet = {step.id for kind in KINDS for step in rehearsals()[kind].plan.steps} - acting
    only_looking = {"hosts-answer", "clients-served", "settle-restore", "data-there-source", "data-there-target"}
    already_so = {"start-server-target", "in-step-restore", "in-step-protect"}
    assert quiet <= only_looking | already_so
