"""What one cycle of a watch does: one snapshot, guards in order, at most one act, one sentence. Pure.

The verdict over the source is the engine's own (``engine/monitor/verdict.py``); what is added here is what only an executor away from the target needs:
leases that must run out, runs that were cut off, and the person who must be asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.engine.monitor.verdict import Condition, Verdict
from orchestrator.model.conditions import Stage
from orchestrator.model.plan import PlanKind
from orchestrator.model.runs import RunState


class Act(StrEnum):
    """What a cycle may do."""

    NOTHING = "nothing"
    ASK = "ask"
    WAIT = "wait"
    BEGIN = "begin"
    RESUME = "resume"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that is not over: ``busy`` while a living process works on it, ``undoing`` when it can only go backwards."""

    id: str
    kind: PlanKind
    state: RunState
    says: str
    busy: bool = False
    undoing: bool = False


@dataclass(frozen=True, slots=True)
class Watched:
    """All that a cycle knows about one protection.

    ``waiting`` is why a failover waits for a person, empty when none does; ``approved`` who said yes to it; ``dealt_with`` what became of the last failure,
    when the source has not answered since. ``sure_in_s`` is when the source has surely stopped by itself. ``data_problem``: why the target's data is not fit.
    """

    enabled: bool
    stage: Stage
    verdict: Verdict
    run: OpenRun | None = None
    waiting: str = ""
    approved: str = ""
    dealt_with: str = ""
    sure_in_s: float = 0.0
    can_fence: bool = False
    manual: bool = True
    has_arbiter: bool = False
    data_problem: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The act, the rule that chose it, and why."""

    act: Act
    rule: str
    says: str


Guard = Callable[[Watched], Choice | None]


def decide(seen: Watched) -> Choice:
    """Answer the guards in order; the first that speaks decides."""
    for guard in GUARDS:
        choice = guard(seen)
        if choice is not None:
            return choice
    return Choice(Act.BEGIN, "source-failed", sentence(seen.verdict))


def sentence(verdict: Verdict) -> str:
    """The verdict's sentence, in words that fit a source without an engine."""
    if verdict.condition is Condition.ENGINE_SILENT:
        return f"the source's host answers the echo, its WinRM does not; no failover by itself; looking again in {verdict.looks_again_s:g} s"
    return verdict.sentence


def may_give_leases(seen: Watched) -> bool:
    """Whether the host that serves gets its next lease in this cycle: never while something is half done, or about to begin."""
    quiet = seen.run is None and not seen.approved
    return quiet and not (seen.verdict.failed and seen.enabled and seen.stage is Stage.ENABLED)


def _about_open_run(seen: Watched) -> Choice | None:
    run = seen.run
    if run is None:
        return None
    if run.busy:
        return Choice(Act.NOTHING, "run-under-way", f"{run.kind} {run.id} is under way: {run.says}")
    if run.kind is PlanKind.FAILOVER and run.state is RunState.INTERRUPTED and not run.undoing:
        return Choice(Act.RESUME, "run-cut-off", f"failover {run.id} was cut off and goes on")
    says = f"{run.kind} {run.id} stands still ({run.state}): {run.says}; a person resumes or undoes it"
    return Choice(Act.NOTHING, "run-unfinished", says)


def _approved(seen: Watched) -> Choice | None:
    if not seen.approved or seen.stage is not Stage.ENABLED:
        return None
    return Choice(Act.BEGIN, "approved", f"{seen.approved} said yes: {seen.waiting}")


def _not_watched(seen: Watched) -> Choice | None:
    if seen.stage in {Stage.FAILED_OVER, Stage.RESTORED}:
        return Choice(Act.NOTHING, "failed-over", f"failed over; {sentence(seen.verdict)}")
    if seen.stage is not Stage.ENABLED:
        return Choice(Act.NOTHING, "not-protected", f"nothing is protected ({seen.stage})")
    if not seen.enabled:
        return Choice(Act.NOTHING, "monitoring-disabled", "monitoring is disabled")
    return None


def _answers_again(seen: Watched) -> Choice | None:
    if seen.waiting and seen.verdict.condition is Condition.SOURCE_ALIVE:
        return Choice(Act.CANCEL, "source-answers-again", "the source answers again; nobody need decide")
    return None


def _not_failed(seen: Watched) -> Choice | None:
    if seen.verdict.failed:
        return None
    return Choice(Act.NOTHING, "source-not-failed", sentence(seen.verdict))


def _dealt_with(seen: Watched) -> Choice | None:
    if not seen.dealt_with:
        return None
    says = f"this failure was dealt with: {seen.dealt_with}; a person may ask for a failover"
    return Choice(Act.NOTHING, "dealt-with", says)


def _a_person_must_say_yes(seen: Watched) -> Choice | None:
    why = seen.waiting or _reason_to_ask(seen)
    if not why:
        return None
    rule = "waits-for-person" if seen.waiting else "asks-a-person"
    return Choice(
        Act.NOTHING if seen.waiting else Act.ASK, rule, f"failover condition met; waiting for a person: {why}"
    )


def _reason_to_ask(seen: Watched) -> str:
    if seen.manual:
        return "manual intervention is set"
    if not seen.has_arbiter:
        return "no witness is configured, and without_witness is not chosen"
    if seen.data_problem:
        return seen.data_problem
    if math.isinf(seen.sure_in_s) and not seen.can_fence:
        return "the source holds a lease without an end, so nobody can say that it does not serve"
    return ""


def _lease_runs(seen: Watched) -> Choice | None:
    if seen.can_fence or seen.sure_in_s <= 0:
        return None
    return Choice(
        Act.WAIT, "lease-runs", f"failover waits: the lease of the source runs for up to {seen.sure_in_s:.1f} s more"
    )


GUARDS: tuple[Guard, ...] = (
    _about_open_run,
    _approved,
    _not_watched,
    _answers_again,
    _not_failed,
    _dealt_with,
    _a_person_must_say_yes,
    _lease_runs,
)
