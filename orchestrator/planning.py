"""Plan: the application's steps become a ``Plan`` with its refusals; pure, so that the same values give the same checksum."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product

from orchestrator.model.conditions import Stage
from orchestrator.model.errors import NotInThisState, PlanChanged
from orchestrator.model.plan import Plan, PlanKind
from orchestrator.model.protections import Protection
from orchestrator.model.runs import Run, RunState
from orchestrator.model.servers import Where
from orchestrator.model.steps import Step
from orchestrator.sdk.application import Application, Planning

FITS: dict[PlanKind, frozenset[Stage]] = {
    PlanKind.PROTECT: frozenset({Stage.CONFIGURED, Stage.DISABLED, Stage.ENABLED}),
    PlanKind.UNPROTECT: frozenset({Stage.ENABLED, Stage.CONFIGURED, Stage.FAILED_OVER, Stage.RESTORED, Stage.DISABLED}),
    PlanKind.FAILOVER: frozenset({Stage.ENABLED}),
    PlanKind.RESTORE: frozenset({Stage.FAILED_OVER, Stage.RESTORED}),
    PlanKind.FAILBACK: frozenset({Stage.FAILED_OVER, Stage.RESTORED}),
}
"""In which stage a plan makes sense."""

STAGE_AFTER = {
    PlanKind.PROTECT: Stage.ENABLED,
    PlanKind.UNPROTECT: Stage.DISABLED,
    PlanKind.FAILOVER: Stage.FAILED_OVER,
    PlanKind.RESTORE: Stage.RESTORED,
    PlanKind.FAILBACK: Stage.ENABLED,
}
STAGE_UNDONE = {
    PlanKind.PROTECT: Stage.CONFIGURED,
    PlanKind.UNPROTECT: Stage.ENABLED,
    PlanKind.FAILOVER: Stage.ENABLED,
    PlanKind.RESTORE: Stage.FAILED_OVER,
    PlanKind.FAILBACK: Stage.FAILED_OVER,
}

_INSTEAD = {
    Stage.CONFIGURED: "dtam enable protects it first",
    Stage.DISABLED: "dtam enable protects it again",
    Stage.ENABLED: "dtam failover comes before failback and restore",
    Stage.FAILED_OVER: "dtam restore or dtam failback brings it back",
    Stage.RESTORED: "dtam failback brings it back",
}


def plan(kind: PlanKind, application: Application, planning: Planning) -> Plan:
    """The plan of one kind.

    Raises:
        NotInThisState: the command does not fit the stage the protection is in.
    """
    check_stage(kind, planning.protection)
    verbs: dict[PlanKind, Callable[[Planning], Iterable[Step]]] = {
        PlanKind.PROTECT: application.protect,
        PlanKind.UNPROTECT: application.unprotect,
        PlanKind.FAILOVER: application.failover,
        PlanKind.RESTORE: application.restore,
        PlanKind.FAILBACK: application.failback,
    }
    refusals = tuple(application.refusals(kind.value, planning))
    steps = () if refusals and planning.inventory.target.unreachable else tuple(verbs[kind](planning))
    left_out, remarks = _left_out(kind, planning.protection)
    return Plan(
        kind,
        planning.protection.id,
        tuple(step for step in steps if (step.do.verb, step.where) not in left_out),
        planning.epoch,
        planning.scripts,
        refusals,
        (*(planning.names.remarks if planning.names else ()), *remarks),
        "it is as wanted",
        planning.names if kind is PlanKind.PROTECT else None,
    )


_MADE_BY: dict[str, tuple[str, ...]] = {
    "replication_set": ("put-replication-set",),
    "scripts": ("deliver-script",),
    "connection": ("set-capture", "connect", "await-in-step"),
}
"""What of ``advanced.create`` is made by which verbs; whether the target watches is a value of its own step."""


def _left_out(kind: PlanKind, protection: Protection) -> tuple[frozenset[tuple[str, Where]], tuple[str, ...]]:
    """(verb, side) of steps that a protection does not want in a plan of this kind, and what is told about it.

    Without a connection nothing is captured, so the source's services are not stopped for it. A replication set that somebody keeps
    himself is not removed either.
    """
    create = protection.settings.advanced.create
    if kind is PlanKind.UNPROTECT and not create.replication_set:
        return frozenset(product(("remove-replication-set",), Where)), ()
    if kind is not PlanKind.PROTECT or not create.left_out:
        return frozenset(), ()
    verbs = {verb for name, verbs in _MADE_BY.items() if not getattr(create, name) for verb in verbs}
    quiet = set() if create.connection else {("stop-service", Where.SOURCE)}
    return frozenset({*product(verbs, Where), *quiet}), (f"left out by advanced.create: {', '.join(create.left_out)}",)


def check_stage(kind: PlanKind, protection: Protection) -> None:
    """Raises NotInThisState when the command does not fit."""
    if protection.stage in FITS.get(kind, frozenset(Stage)):
        return
    raise NotInThisState(
        command=kind.value,
        protection=protection.id,
        state=protection.stage.value.replace("_", " "),
        reason=f"{kind.value} is for a protection that is {' or '.join(sorted(one.value.replace('_', ' ') for one in FITS[kind]))}",
        advice=_INSTEAD[protection.stage],
    )


def stage_after(run: Run) -> Stage | None:
    """Where a run leaves its protection; None where it was before, as after a copy that was made of the data."""
    if run.plan.restoring is not None and run.plan.restoring.ends:
        return None
    return {RunState.DONE: STAGE_AFTER, RunState.UNDONE: STAGE_UNDONE}.get(run.state, {}).get(run.plan.kind)


def check_same(plan: Plan, wanted: str | None) -> None:
    """Raises PlanChanged when ``wanted`` (a checksum or its first digits) is not this plan's."""
    if wanted and not plan.checksum.startswith(wanted):
        raise PlanChanged(wanted=wanted[:12], actual=plan.checksum[:12])
