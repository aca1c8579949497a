"""A journal told again: states, outcomes, figures."""

from __future__ import annotations

import pytest

from orchestrator import recording
from orchestrator.model.outcomes import Result
from orchestrator.model.plan import Plan, PlanKind
from orchestrator.model.runs import Ended, Event, Line, RunState
from orchestrator.model.servers import ProtectionId, Where
from orchestrator.model.steps import Action, Step


def step(name: str, *, downtime: bool = False) -> Step:
    return Step(name, Where.TARGET, name, Action("never"), Action("nothing"), Action("nothing"), downtime=downtime)


PLAN = Plan(PlanKind.FAILBACK, ProtectionId("p"), (step("a"), step("b", downtime=True), step("c", downtime=True)))


def line(name: str, event: str, **more: object) -> Line:
    return Line(5.0, name, Event(event), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ("", RunState.INTERRUPTED),
        ("a about-to", RunState.INTERRUPTED),
        ("a about-to, a done, b about-to, b done", RunState.INTERRUPTED),
        ("a already, b about-to, b failed", RunState.FAILED),
        ("a already, b about-to, b done, c about-to, c done", RunState.DONE),
        ("a about-to, a done, a undoing", RunState.INTERRUPTED),
        ("a about-to, a done, a undoing, a undone", RunState.UNDONE),
        ("a about-to, a done, a undoing, a failed", RunState.UNDO_FAILED),
        ("a about-to, a done, b about-to, b undoing, b undone", RunState.INTERRUPTED),
        ("a about-to, a done, a undoing, a refused", RunState.FAILED),
        ("a about-to, a kept", RunState.UNDONE),
    ],
)
@pytest.mark.covers("AM-15")
def test_a_run_whose_process_is_gone_is_told_from_its_journal(words: str, state: RunState) -> None:
    lines = [line(*word.split()) for word in words.split(", ")] if words else []
    run = recording.run_of("r", PLAN, lines, started_at_s=1.0)
    assert run.state is state
    assert run.says


def test_figures() -> None:
    lines = [
        line("a", "done", seconds=9.0, found={"sent_bytes": 700, "set_aside": ["/z", "/b"]}),
        line("b", "done", seconds=1.5, says="stopped"),
        line("c", "already", seconds=0.5),
    ]
    run = recording.run_of("r", PLAN, lines, Ended(RunState.DONE, "done"), started_at_s=1.0, by="ann")
    found = recording.measured(run, lines)
    assert (found.rto_s, found.rpo_s, found.moved_bytes) == (2.0, 0.0, 700)
    assert recording.measured(run, lines, {"rto_s": 4.5, "detection_s": 1}).rto_s == 4.5
    undone = recording.run_of("r", PLAN, lines, Ended(RunState.UNDONE, "undone"), started_at_s=1.0)
    assert recording.measured(undone, lines).rto_s is None, "clients were served nowhere else"
    assert recording.set_aside(lines) == ("/b", "/z")
    assert [one.result for one in run.outcomes] == [Result.DONE, Result.DONE, Result.ALREADY]
    assert run.evidence == {"b": "stopped"}
    assert run.finished_at_s == 5.0
    assert recording.sentence(run) == "failback done: done"
