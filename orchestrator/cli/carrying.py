"""What all changing commands share: plan, show or confirm, carry out, tell how it ended; resume or undo what was cut off.

A run that is not over stands in the way of a new one, so that its undo is not forgotten; ``--resume``, ``--undo`` or ``--anew``
decide. Invariant: with ``--plan`` nothing is changed anywhere.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import msgspec

from orchestrator import planning
from orchestrator.cli.desk import Desk
from orchestrator.cli.errors import RunUnfinished
from orchestrator.cli.progress import telling
from orchestrator.cli.screen import Screen, confirm
from orchestrator.failover.guards import Wish
from orchestrator.model.errors import StepFailed
from orchestrator.model.plan import Plan, PlanKind
from orchestrator.model.protections import Protection
from orchestrator.model.runs import Run, RunState
from orchestrator.pipeline import Planned
from orchestrator.running import Finished


@dataclass(frozen=True, slots=True)
class How:
    """The shared options of a changing command."""

    only_plan: bool = False
    plan_id: str | None = None
    yes: bool = False
    resume: bool = False
    undo: bool = False
    anew: bool = False


def carry(
    desk: Desk, screen: Screen, protection: Protection, kind: PlanKind, *, wish: Wish, how: How
) -> Finished | None:
    """The whole of a changing command; None when only the plan was wanted.

    Raises:
        RunUnfinished, NotInThisState, PlanRefused, PlanChanged, StepFailed and what planning meets.
    """
    open_run = next(iter(desk.pipeline.running.unfinished(protection.id)), None)
    if how.resume or how.undo:
        return _go_on(desk, screen, protection, open_run, how)
    if open_run is not None and not (how.anew or how.only_plan or kind is PlanKind.UNPROTECT):
        says = open_run.says or open_run.state
        raise RunUnfinished(run=open_run.id, kind=open_run.plan.kind, says=says, command=COMMANDS[open_run.plan.kind])
    return carry_out(desk, screen, desk.pipeline.plan(kind, protection, wish), how)


def carry_out(desk: Desk, screen: Screen, planned: Planned, how: How) -> Finished | None:
    """Show a plan, or carry it out."""
    plan = planned.plan
    planning.check_same(plan, how.plan_id)
    if how.only_plan:
        show_plan(screen, plan)
        return None
    plan.raise_if_refused()
    _ask_first(screen, plan, how)
    for remark in plan.remarks:
        screen.say(f"note: {remark}", "warning")
    screen.say(f"{plan.kind} of {plan.protection}, {len(plan.steps)} steps, plan {plan.checksum[:12]}")
    with telling(screen) as tell:
        finished = desk.pipeline.execute(planned, tell)
    return told(screen, finished)


def _go_on(desk: Desk, screen: Screen, protection: Protection, run: Run | None, how: How) -> Finished | None:
    if run is None:
        screen.say("there is no unfinished run: nothing to do")
        screen.document({"run": None, "says": "there is no unfinished run"})
        return None
    screen.say(f"{'undoing' if how.undo else 'going on with'} {run.id}: {run.says}")
    with telling(screen) as tell:
        return told(screen, desk.pipeline.go_on(run, protection, tell, undo=how.undo))


def _ask_first(screen: Screen, plan: Plan, how: How) -> None:
    """On a terminal a person sees the plan before a move of the service; elsewhere the typed command is the word."""
    if how.yes or how.plan_id or not sys.stdin.isatty() or plan.kind not in MOVES:
        return
    screen.say(plan.diff())
    confirm(f"Go on with this {plan.kind}?", what=f"the {plan.kind}", yes=False)


def show_plan(screen: Screen, plan: Plan) -> None:
    """The plan as a diff, or as JSON."""
    screen.say(plan.diff())
    screen.document(plan_document(plan))


def plan_document(plan: Plan) -> dict[str, object]:
    """A plan for programs, with the id that ``--plan-id`` takes."""
    return {"plan": msgspec.to_builtins(plan), "id": plan.checksum}


def told(screen: Screen, finished: Finished) -> Finished:
    """How a run ended, for a person.

    Raises:
        StepFailed: it stopped, with the cause's exit code.
    """
    run = finished.run
    if run.state in {RunState.DONE, RunState.UNDONE}:
        screen.say(run.says, "passed")
        return finished
    command = COMMANDS[run.plan.kind]
    error = StepFailed(
        kind=run.plan.kind,
        protection=run.plan.protection,
        step=finished.ended.step,
        reason=finished.ended.says.removeprefix(f"stopped at {finished.ended.step}: "),
        advice="; ".join(part for part in (finished.ended.hint, _next(command, finished.ended.hint)) if part),
    )
    error.exit_code = finished.ended.exit_code or StepFailed.exit_code  # type: ignore[misc]  # the cause's own code
    raise error


def _next(command: str, hint: str) -> str:
    """How a run that stopped goes on; nothing where the hint says already that it does not."""
    return "" if "--undo" in hint else f"then: {command} --resume, or {command} --undo"


def run_document(run: Run) -> dict[str, Any]:
    """A run for programs."""
    return {
        "run": run.id,
        "kind": str(run.plan.kind),
        "protection": run.plan.protection,
        "state": str(run.state),
        "says": run.says,
        "by": run.by,
        "started_at_s": run.started_at_s,
        "finished_at_s": run.finished_at_s,
        "plan_id": run.plan.checksum,
        "steps": [msgspec.to_builtins(outcome) for outcome in run.outcomes],
    }


MOVES = {PlanKind.FAILOVER, PlanKind.FAILBACK, PlanKind.UNPROTECT}
COMMANDS = {
    PlanKind.FIX: "dtam validate --fix",
    PlanKind.PROTECT: "dtam enable",
    PlanKind.UNPROTECT: "dtam disable",
    PlanKind.FAILOVER: "dtam failover",
    PlanKind.RESTORE: "dtam restore",
    PlanKind.FAILBACK: "dtam failback",
}
