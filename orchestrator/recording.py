"""Record: what a run was, how long each step took, what it moved, and what that means for recovery times.

Pure: a header, journal lines and how the execution ended go in; a ``Run``, its ``Measured`` figures and one audit sentence come
out. RTO of a planned move is the time of the steps during which clients have no service; one that did not end well has none. A failover by the
target brings its own figures along (detection, and the moment the clients were served again).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.model.plan import Plan, PlanKind
from orchestrator.model.runs import Ended, Event, Line, Measured, Run, RunState, is_being_undone, outcomes_of
from orchestrator.model.servers import RunId


def run_of(
    run_id: str, plan: Plan, lines: Sequence[Line], ended: Ended | None = None, *, started_at_s: float, by: str = ""
) -> Run:
    """The run as its journal tells it. Without ``ended`` its process is gone: interrupted, unless its last word says otherwise."""
    lines = tuple(lines)
    state, says = (ended.state, ended.says) if ended else _told(plan, lines)
    return Run(
        RunId(run_id),
        plan,
        state,
        started_at_s,
        by,
        lines[-1].at_s if lines and state.over else None,
        outcomes_of(lines),
        says,
        evidence(lines),
    )


def _told(plan: Plan, lines: tuple[Line, ...]) -> tuple[RunState, str]:
    last = lines[-1] if lines else None
    finished = {line.step for line in lines if line.event in {Event.DONE, Event.ALREADY}}
    if last is None:
        return RunState.INTERRUPTED, "cut off before its first step: nothing was changed"
    undoing = is_being_undone(lines)
    if last.event in {Event.FAILED, Event.REFUSED}:
        return (RunState.UNDO_FAILED if undoing else RunState.FAILED), f"stopped at {last.step}: {last.says}"
    open_steps = {line.step for line in lines if line.event is Event.ABOUT_TO}
    gone = {line.step for line in lines if line.event in {Event.UNDONE, Event.KEPT}}
    if undoing and open_steps <= gone:
        return RunState.UNDONE, f"{plan.kind} of {plan.protection} was undone"
    if not undoing and all(step.id in finished for step in plan.steps):
        return RunState.DONE, f"{plan.kind} of {plan.protection} is done"
    return RunState.INTERRUPTED, f"cut off at {last.step}: resume or undo it"


def evidence(lines: Sequence[Line]) -> dict[str, str]:
    """What steps proved: their last sentence, by step id."""
    return {line.step: line.says for line in lines if line.event in {Event.DONE, Event.ALREADY} and line.says}


def measured(run: Run, lines: Sequence[Line], given: Mapping[str, float] | None = None) -> Measured:
    """Figures of a run; ``given`` holds what the target's executor measured itself (``detection_s``, ``rto_s``, ``rpo_s``)."""
    figures = dict(given or {})
    moved = run.plan.kind in {PlanKind.FAILOVER, PlanKind.FAILBACK} and run.state is RunState.DONE
    planned = run.downtime_s if moved else None
    return Measured(
        figures.get("rto_s", planned),
        figures.get("rpo_s", 0.0 if run.plan.kind is PlanKind.FAILBACK and run.state is RunState.DONE else None),
        figures.get("detection_s"),
        moved_bytes(lines),
    )


def moved_bytes(lines: Sequence[Line]) -> int | None:
    """Bytes that travelled, from the last word of each connection's steps; None when no step told."""
    told = [line.found["sent_bytes"] for line in lines if line.event is Event.DONE and "sent_bytes" in line.found]
    return int(max(told)) if told else None


def set_aside(lines: Sequence[Line]) -> tuple[str, ...]:
    """Files that were kept beside before being overwritten, because they never arrived on the other side."""
    return tuple(sorted({path for line in lines for path in line.found.get("set_aside", ())}))


def sentence(run: Run) -> str:
    """The audit line of a run."""
    return f"{run.plan.kind} {run.state}: {run.says}"
