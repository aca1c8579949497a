"""One step after the other: look, write down, do, see. Waiting within a budget, and the two failures a step knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.executing import Executor, Progress, begun
from orchestrator.model.errors import PlanRefused
from orchestrator.model.outcomes import GiveUp, TryAgain, UndoRefused
from orchestrator.model.plan import Plan, PlanKind
from orchestrator.model.runs import Event, Line, RunState
from orchestrator.model.servers import ProtectionId, Where
from orchestrator.model.steps import Action, CannotUndo, Seen, Step
from orchestrator.sdk import verbs
from orchestrator.sdk.context import Ports
from tests.faults.rehearsal import Ticks

SWITCHES: dict[str, bool] = {}
HEARD: list[str] = []


@verbs.look("test-switch-on")
def switch_on(_ports: Ports, given: verbs.Given) -> Seen:
    on = SWITCHES.get(given["name"], False)
    return Seen(done=on, says=f"{given['name']} is {'on' if on else 'off'}", found={"was": on})


@verbs.deed("test-switch")
def switch(_ports: Ports, given: verbs.Given, found: verbs.Found) -> None:
    HEARD.append(f"{given['name']}={given.get('to', found.get('was'))}")
    SWITCHES[given["name"]] = given.get("to", found.get("was"))


@pytest.fixture(autouse=True)
def dark() -> None:
    SWITCHES.clear()
    HEARD.clear()


class Paper:
    """A log in memory."""

    def __init__(self) -> None:
        self.written: list[Line] = []

    @property
    def lines(self) -> tuple[Line, ...]:
        return tuple(self.written)

    def write(self, line: Line) -> None:
        self.written.append(line)

    def words(self) -> list[str]:
        return [f"{line.step} {line.event}" for line in self.written]


def lamp(name: str, **more: Any) -> Step:
    look, do = Action("test-switch-on", {"name": name}), Action("test-switch", {"name": name, "to": True})
    undo = more.pop("undo", Action("test-switch", {"name": name}))
    return Step(name, Where.TARGET, f"switch {name} on", look, do, undo, **more)


def plan(*steps: Step, **more: Any) -> Plan:
    return Plan(PlanKind.FIX, ProtectionId("p"), steps, **more)


def executor(log: Paper, perform: Callable[..., None] = verbs.perform, tell: Any = lambda _: None) -> Executor:
    return Executor("run-1", None, log, budget_s=10, clock=Ticks().clock(), tell=tell, perform=perform)  # type: ignore[arg-type]


def test_the_undo_is_written_before_the_deed() -> None:
    log = Paper()
    seen: list[list[str]] = []

    def perform(action: Action, ports: Ports, found: dict[str, Any]) -> None:
        seen.append(log.words())
        verbs.perform(action, ports, found)

    ended = executor(log, perform).execute(plan(lamp("a"), lamp("b")))
    assert ended.state is RunState.DONE
    assert seen == [["a about-to"], ["a about-to", "a done", "b about-to"]]
    first = log.lines[0]
    assert (first.undo, first.found) == (Action("test-switch", {"name": "a"}), {"was": False})


@pytest.mark.covers("AM-15")
def test_what_is_so_already_is_not_done_again() -> None:
    SWITCHES["a"] = True
    log = Paper()
    assert executor(log).execute(plan(lamp("a"))).says == "fix of p is done: 0 steps, 1 were so already"
    assert (HEARD, log.words()) == ([], ["a already"])


def test_a_finished_step_is_not_looked_at_again() -> None:
    log = Paper()
    executor(log).execute(plan(lamp("a"), lamp("b")))
    SWITCHES["a"] = False
    HEARD.clear()
    assert executor(log).execute(plan(lamp("a"), lamp("b"))).state is RunState.DONE
    assert HEARD == []


def test_trying_again_until_it_works_is_told() -> None:
    log, told = Paper(), list[Progress]()
    left = [3]

    def perform(action: Action, ports: Ports, found: dict[str, Any]) -> None:
        if left[0]:
            left[0] -= 1
            raise TryAgain("not yet", after_s=1, fraction=0.5)
        verbs.perform(action, ports, found)

    assert executor(log, perform, told.append).execute(plan(lamp("a"))).state is RunState.DONE
    waits = [(one.says, one.fraction) for one in told if one.event == "waiting"]
    assert waits == [("not yet", 0.5)] * 3
    assert log.lines[-1].tries == 4


def test_the_budget_ends_the_waiting() -> None:
    def perform(*_: object) -> None:
        raise TryAgain("the disk is slow", after_s=3)

    log = Paper()
    ended = executor(log, perform).execute(plan(lamp("a"), lamp("b")))
    assert (ended.state, ended.step) == (RunState.FAILED, "a")
    assert "after 10 s still: the disk is slow" in ended.says
    assert log.words() == ["a about-to", "a failed"]


def test_a_step_has_its_own_budget() -> None:
    def perform(*_: object) -> None:
        raise TryAgain("still mirroring", after_s=30)

    assert "after 1000 s still" in executor(Paper(), perform).execute(plan(lamp("a", budget_s=1000))).says


def test_a_deed_that_had_no_effect_is_a_failure() -> None:
    ended = executor(Paper(), lambda *_: None).execute(plan(lamp("a")))
    assert "a is off" in ended.says


@pytest.mark.covers("AM-15")
def test_giving_up_stops_and_names_the_hint_and_a_second_start_goes_on() -> None:
    broken = [True]

    def perform(action: Action, ports: Ports, found: dict[str, Any]) -> None:
        if action.arguments["name"] == "b" and broken[0]:
            raise GiveUp("the disk is full", "make room")
        verbs.perform(action, ports, found)

    log = Paper()
    ended = executor(log, perform).execute(plan(lamp("a"), lamp("b"), lamp("c")))
    assert (ended.step, ended.hint, ended.exit_code) == ("b", "make room", 17)
    assert SWITCHES == {"a": True}
    broken[0] = False
    assert executor(log, perform).execute(plan(lamp("a"), lamp("b"), lamp("c"))).state is RunState.DONE
    assert log.words().count("b about-to") == 1


@pytest.mark.covers("AM-15")
def test_undo_goes_backwards_over_what_was_begun_and_as_it_was_found() -> None:
    SWITCHES["b"] = True
    log = Paper()
    steps = plan(lamp("a"), lamp("b"), lamp("c"))
    executor(log).execute(steps)
    HEARD.clear()
    assert executor(log).undo(steps).state is RunState.UNDONE
    assert HEARD == ["c=False", "a=False"]
    assert begun(log) == ()


def test_what_cannot_be_undone_is_said() -> None:
    log = Paper()
    steps = plan(lamp("a"), lamp("b", undo=CannotUndo("it is burnt")))
    executor(log).execute(steps)
    ended = executor(log).undo(steps)
    assert (ended.state, ended.says) == (RunState.UNDONE, "fix of p was undone; left as they are: b")
    assert log.lines[2 + 2].says == "left as it is: it is burnt"


def test_an_undo_that_refuses_leaves_the_run_resumable() -> None:
    log = Paper()
    steps = plan(lamp("a"), lamp("b"))
    executor(log).execute(plan(lamp("a")))
    log.write(Line(0.0, "b", Event.ABOUT_TO, undo=Action("test-switch", {"name": "b"})))

    def perform(*_: object) -> None:
        raise UndoRefused("clients wrote there", "dtam failback")

    ended = executor(log, perform).undo(steps)
    assert (ended.state, ended.hint) == (RunState.FAILED, "dtam failback")
    assert executor(log).execute(steps).state is RunState.DONE


def test_an_undo_cannot_be_turned_round() -> None:
    log = Paper()
    steps = plan(lamp("a"), lamp("b"))
    executor(log).execute(steps)

    def perform(action: Action, ports: Ports, found: dict[str, Any]) -> None:
        if action.arguments["name"] == "a":
            raise GiveUp("stuck")
        verbs.perform(action, ports, found)

    assert executor(log, perform).undo(steps).state is RunState.UNDO_FAILED
    assert executor(log).execute(steps).state is RunState.UNDO_FAILED
    assert executor(log).undo(steps).state is RunState.UNDONE
    assert SWITCHES == {"a": False, "b": False}


def test_a_plan_that_refuses_itself_is_not_begun() -> None:
    log = Paper()
    with pytest.raises(PlanRefused):
        executor(log).execute(plan(lamp("a"), refusals=("no",)))
    assert log.lines == ()


def test_a_verb_nobody_knows_stops_with_a_hint() -> None:
    odd = Step("odd", Where.TARGET, "do something odd", Action("odd-look"), Action("odd"), Action("nothing"))
    ended = executor(Paper()).execute(plan(odd))
    assert "the verb odd-look is not known here" in ended.says


def test_a_verb_means_one_thing_for_ever() -> None:
    with pytest.raises(ValueError, match="has a meaning already"):
        verbs.look("test-switch-on")(lambda *_: Seen(done=True))
