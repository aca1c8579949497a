"""Which plan fits which stage, and that a plan that was read is the plan that runs."""

from __future__ import annotations

import pytest

from orchestrator import planning
from orchestrator.model.conditions import Stage
from orchestrator.model.errors import NotInThisState, PlanChanged
from orchestrator.model.plan import PlanKind
from tests.faults.rehearsal import protection, rehearsals


@pytest.mark.parametrize(
    ("kind", "stage"),
    [
        (PlanKind.FAILOVER, Stage.CONFIGURED),
        (PlanKind.FAILOVER, Stage.FAILED_OVER),
        (PlanKind.FAILBACK, Stage.ENABLED),
        (PlanKind.RESTORE, Stage.DISABLED),
        (PlanKind.PROTECT, Stage.FAILED_OVER),
    ],
)
@pytest.mark.covers("AM-13")
def test_a_command_that_does_not_fit_is_refused_with_the_reason(kind: PlanKind, stage: Stage) -> None:
    with pytest.raises(NotInThisState) as caught:
        planning.check_stage(kind, protection(stage))
    assert stage.value.replace("_", " ") in str(caught.value)
    assert "dtam" in caught.value.hint


@pytest.mark.covers("AM-13")
def test_commands_that_fit_pass() -> None:
    for kind, stages in planning.FITS.items():
        for stage in stages:
            planning.check_stage(kind, protection(stage))


@pytest.mark.covers("AM-23")
def test_another_plan_than_the_one_read_is_refused() -> None:
    plan = rehearsals()["protect"].plan
    planning.check_same(plan, None)
    planning.check_same(plan, plan.checksum[:12])
    with pytest.raises(PlanChanged):
        planning.check_same(plan, "0123456789ab")
