"""Execute: a plan is carried out step by step, journaled so that a kill anywhere leaves a run that can be resumed or undone.

Order of every step: look; if it is not done, write "about to, and its undo" with what the look found (fsynced by the log); do;
look again until it is seen; write the result. A resumed run skips what its journal calls done, because later steps may have
ended what earlier ones made, and looks at the step that was cut off. An undo goes backwards over what was begun.
Waiting is tenacity's, within the budget of the step or of the settings; clocks and sleep are arguments.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from tenacity import RetryCallState, Retrying, retry_if_exception_type

from orchestrator.errors import DtamError
from orchestrator.model.outcomes import GiveUp, TryAgain, UndoRefused
from orchestrator.model.plan import Plan
from orchestrator.model.runs import Ended, Event, Line, Log, RunState, is_being_undone
from orchestrator.model.steps import Action, CannotUndo, Seen, Step
from orchestrator.sdk import (  # noqa: F401  importing them gives the verbs their meaning
    verbs,
    verbs_data,
    verbs_epoch,
    verbs_grant,
    verbs_service,
    verbs_sql,
    verbs_turning,
    verbs_windows,
)
from orchestrator.sdk.context import Ports

RUN_PLACE = "{run}"
"""In the arguments of an action: the id of the run."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a person watching sees. ``event`` is a journal event, or ``waiting``; ``fraction`` is between 0 and 1 where known."""

    step: Step
    event: str
    says: str = ""
    fraction: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Clock:
    """The time of an execution: ``now`` in seconds since the epoch, ``ticks`` monotonic, ``sleep`` in seconds."""

    now: Callable[[], float] = time.time
    ticks: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


Value = TypeVar("Value")
Perform = Callable[[Action, Ports, dict[str, Any]], None]


class Executor:
    """Carries out one run. One thread; the log's lock keeps other processes away."""

    def __init__(
        self,
        run_id: str,
        ports: Ports,
        log: Log,
        *,
        budget_s: float,
        clock: Clock | None = None,
        tell: Callable[[Progress], None] = lambda _: None,
        perform: Perform = verbs.perform,
    ) -> None:
        self._run_id = run_id
        self._ports = ports
        self._log = log
        self._budget_s = budget_s
        self._clock = clock or Clock()
        self._tell = tell
        self._perform = perform

    def execute(self, plan: Plan) -> Ended:
        """Carry out, or go on with, a plan. Stops at the first step that gives up; nothing is undone without being asked.

        Raises:
            PlanRefused: the plan refuses itself.
        """
        plan.raise_if_refused()
        if is_being_undone(self._log.lines):
            reason = f"{plan.kind} of {plan.protection} is being undone: it can only be undone to its end"
            return Ended(RunState.UNDO_FAILED, reason, hint="undo the run again", exit_code=GiveUp.exit_code)
        finished = {line.step for line in self._log.lines if line.event in {Event.DONE, Event.ALREADY}}
        for step in plan.steps:
            if step.id in finished:
                continue
            failure = self._carry_out(step)
            if failure is not None:
                return failure
        return Ended(RunState.DONE, _sentence(plan, self._log))

    def undo(self, plan: Plan) -> Ended:
        """Undo what was begun, newest first; what cannot be undone is said and left."""
        kept: list[str] = []
        for line in reversed(begun(self._log)):
            step = plan.step(line.step)
            if isinstance(line.undo, CannotUndo):
                self._write(Line(self._clock.now(), step.id, Event.KEPT, f"left as it is: {line.undo.why}"), step)
                kept.append(step.id)
                continue
            failure = self._undo_step(step, line)
            if failure is not None:
                return failure
        left = f"; left as they are: {', '.join(kept)}" if kept else ""
        return Ended(RunState.UNDONE, f"{plan.kind} of {plan.protection} was undone{left}")

    # -- one step

    def _carry_out(self, step: Step) -> Ended | None:
        began = self._clock.ticks()
        tried = _Tries()
        try:
            seen = self._look(step)
            if seen.done:
                self._finish(step, Event.ALREADY, seen, began, tried)
                return None
            before = next((line for line in begun(self._log) if line.step == step.id), None)
            if before is None:
                undo = self._bound(step.undo) if isinstance(step.undo, Action) else step.undo
                self._write(Line(self._clock.now(), step.id, Event.ABOUT_TO, step.sentence, undo, seen.found), step)
            self._do(step, self._bound(step.do), seen.found if before is None else before.found, tried)
            self._finish(step, Event.DONE, self._await_seen(step, tried), began, tried)
        except DtamError as error:
            return self._fail(step, error, began, tried, RunState.FAILED)
        return None

    def _look(self, step: Step) -> Seen:
        return verbs.see(self._bound(step.look), self._ports)

    def _do(self, step: Step, action: Action, found: verbs.Given, tried: _Tries) -> None:
        memory = dict(found)
        self._patiently(step, tried, lambda: self._perform(action, self._ports, memory))

    def _await_seen(self, step: Step, tried: _Tries) -> Seen:
        if step.look.verb == "never":
            return Seen(done=True, says=step.sentence)

        def look() -> Seen:
            seen = self._look(step)
            if not seen.done:
                raise TryAgain(seen.says or "it is not seen yet", after_s=0.1)
            return seen

        return self._patiently(step, tried, look)

    def _undo_step(self, step: Step, line: Line) -> Ended | None:
        began = self._clock.ticks()
        tried = _Tries()
        action = line.undo if isinstance(line.undo, Action) else Action("nothing")
        try:
            self._write(Line(self._clock.now(), step.id, Event.UNDOING), step)
            self._do(step, action, line.found, tried)
            self._finish(step, Event.UNDONE, Seen(done=True, says=f"undone: {step.sentence}"), began, tried)
        except UndoRefused as error:
            self._write(Line(self._clock.now(), step.id, Event.REFUSED, str(error), hint=error.hint), step)
            state = RunState.UNDO_FAILED if is_being_undone(self._log.lines) else RunState.FAILED
            return Ended(state, f"{step.id} cannot be undone: {error}", step.id, error.hint, error.exit_code)
        except DtamError as error:
            return self._fail(step, error, began, tried, RunState.UNDO_FAILED)
        return None

    # -- waiting, writing

    def _patiently(self, step: Step, tried: _Tries, call: Callable[[], Value]) -> Value:
        until = self._clock.ticks() + (step.budget_s or self._budget_s)

        def out_of_time(state: RetryCallState) -> bool:
            return self._clock.ticks() + _after_s(state) > until

        retrying = Retrying(
            retry=retry_if_exception_type(TryAgain),
            stop=out_of_time,
            wait=_after_s,
            sleep=self._clock.sleep,
            before_sleep=lambda state: self._waiting(step, state, tried),
            reraise=True,
        )
        try:
            return retrying(call)
        except TryAgain as why:
            budget = f"{step.budget_s or self._budget_s:g} s"
            hint = "mend the cause, then resume or undo the run; advanced.step_budget_s is how long a step may take"
            raise GiveUp(f"after {budget} still: {why.reason}", hint) from why

    def _waiting(self, step: Step, state: RetryCallState, tried: _Tries) -> None:
        tried.count += 1
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, TryAgain):
            self._tell(Progress(step, "waiting", error.reason, error.fraction))

    def _finish(self, step: Step, event: Event, seen: Seen, began: float, tried: _Tries) -> None:
        seconds = self._clock.ticks() - began
        says = seen.says or step.sentence
        found = seen.found if event is not Event.UNDONE else {}
        self._write(Line(self._clock.now(), step.id, event, says, None, found, seconds, tried.count), step)

    def _fail(self, step: Step, error: DtamError, began: float, tried: _Tries, state: RunState) -> Ended:
        seconds = self._clock.ticks() - began
        hint = error.hint
        line = Line(self._clock.now(), step.id, Event.FAILED, str(error), None, {}, seconds, tried.count, hint)
        self._write(line, step)
        return Ended(state, f"stopped at {step.id}: {error}", step.id, hint, error.exit_code)

    def _write(self, line: Line, step: Step) -> None:
        self._log.write(line)
        self._tell(Progress(step, str(line.event), line.says, None, line.seconds))

    def _bound(self, action: Action) -> Action:
        filled = {
            name: value.replace(RUN_PLACE, self._run_id) if isinstance(value, str) else value
            for name, value in action.arguments.items()
        }
        return msgspec.structs.replace(action, arguments=filled)


class _Tries:
    """How often one step was tried."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 1


def begun(log: Log) -> tuple[Line, ...]:
    """The about-to lines of steps that were begun and not undone since, oldest first."""
    open_lines: dict[str, Line] = {}
    for line in log.lines:
        if line.event is Event.ABOUT_TO:
            open_lines[line.step] = line
        elif line.event in {Event.UNDONE, Event.KEPT}:
            open_lines.pop(line.step, None)
    return tuple(open_lines.values())


def _after_s(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return error.after_s if isinstance(error, TryAgain) else 0.0


def _sentence(plan: Plan, log: Log) -> str:
    done = sum(1 for line in log.lines if line.event is Event.DONE)
    already = sum(1 for line in log.lines if line.event is Event.ALREADY)
    if not plan.steps:
        return f"nothing to do: {plan.nothing_because or 'it is as wanted'}"
    return f"{plan.kind} of {plan.protection} is done: {done} steps, {already} were so already"
