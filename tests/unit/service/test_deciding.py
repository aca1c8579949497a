"""What a cycle of `dtam serve` does: cases as data, one sentence each."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.engine.monitor.verdict import Colour, Condition, Verdict
from orchestrator.model.conditions import Stage
from orchestrator.model.plan import PlanKind
from orchestrator.model.runs import RunState
from orchestrator.service.deciding import Act, OpenRun, Watched, decide, may_give_leases

ALIVE = Verdict(Condition.SOURCE_ALIVE, Colour.GREEN, False, 5.0, "the source answers", 1.0, 0.0, ())
SILENT = replace(
    ALIVE, condition=Condition.SOURCE_SILENT, colour=Colour.RED, failed=True, sentence="the source is silent"
)
WINRM_SILENT = replace(ALIVE, condition=Condition.ENGINE_SILENT, colour=Colour.YELLOW, sentence="its engine does not")
AUTOMATIC = Watched(True, Stage.ENABLED, SILENT, manual=False, has_arbiter=True)
CUT_OFF = OpenRun("failover-1", PlanKind.FAILOVER, RunState.INTERRUPTED, "cut off")

CASES: dict[str, tuple[dict[str, Any], Act, str, str]] = {
    "automatic": ({}, Act.BEGIN, "source-failed", "silent"),
    "alive": ({"verdict": ALIVE}, Act.NOTHING, "source-not-failed", "answers"),
    "winrm-alone-silent": ({"verdict": WINRM_SILENT}, Act.NOTHING, "source-not-failed", "its WinRM does not"),
    "manual": ({"manual": True}, Act.ASK, "asks-a-person", "manual intervention"),
    "manual-already-asked": ({"manual": True, "waiting": "manual"}, Act.NOTHING, "waits-for-person", "waiting for a person"),
    "approved": ({"manual": True, "waiting": "manual", "approved": "ann"}, Act.BEGIN, "approved", "ann said yes"),
    "approved-while-it-answers": ({"verdict": ALIVE, "approved": "ann"}, Act.BEGIN, "approved", "ann"),
    "approved-too-late": ({"stage": Stage.FAILED_OVER, "approved": "ann"}, Act.NOTHING, "failed-over", "failed over"),
    "answers-while-asked": ({"verdict": ALIVE, "waiting": "manual"}, Act.CANCEL, "source-answers-again", "nobody need"),
    "no-witness": ({"has_arbiter": False}, Act.ASK, "asks-a-person", "no witness"),
    "bad-data": ({"data_problem": "the target's data state is mirroring"}, Act.ASK, "asks-a-person", "mirroring"),
    "endless-lease": ({"sure_in_s": math.inf}, Act.ASK, "asks-a-person", "without an end"),
    "endless-lease-but-it-can-be-turned-off": ({"sure_in_s": math.inf, "can_fence": True}, Act.BEGIN, "source-failed", ""),
    "lease-runs": ({"sure_in_s": 12.0}, Act.WAIT, "lease-runs", "12.0 s more"),
    "lease-runs-but-it-can-be-turned-off": ({"sure_in_s": 12.0, "can_fence": True}, Act.BEGIN, "source-failed", ""),
    "off": ({"enabled": False}, Act.NOTHING, "monitoring-disabled", "disabled"),
    "failed-over": ({"stage": Stage.FAILED_OVER}, Act.NOTHING, "failed-over", "failed over"),
    "not-protected": ({"stage": Stage.CONFIGURED}, Act.NOTHING, "not-protected", "nothing is protected"),
    "dealt-with": ({"dealt_with": "it was undone"}, Act.NOTHING, "dealt-with", "it was undone"),
    "cut-off": ({"run": CUT_OFF}, Act.RESUME, "run-cut-off", "goes on"),
    "cut-off-with-the-watch-off": ({"run": CUT_OFF, "enabled": False}, Act.RESUME, "run-cut-off", "goes on"),
    "at-work": ({"run": replace(CUT_OFF, busy=True)}, Act.NOTHING, "run-under-way", "under way"),
    "being-undone": ({"run": replace(CUT_OFF, undoing=True)}, Act.NOTHING, "run-unfinished", "a person"),
    "stopped-at-a-step": ({"run": replace(CUT_OFF, state=RunState.FAILED)}, Act.NOTHING, "run-unfinished", "a person"),
    "half-enabled": ({"run": replace(CUT_OFF, kind=PlanKind.PROTECT)}, Act.NOTHING, "run-unfinished", "protect"),
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(CASES))
@pytest.mark.covers("AM-30")
def test_each_cycle_has_one_act_one_rule_and_one_sentence(case: str) -> None:
    given, act, rule, words = CASES[case]
    choice = decide(replace(AUTOMATIC, **given))
    assert (choice.act, choice.rule) == (act, rule)
    assert words in choice.says


@pytest.mark.parametrize(
    ("given", "gives"),
    [
        ({"verdict": ALIVE}, True),
        ({}, False),
        ({"enabled": False}, True),
        ({"stage": Stage.FAILED_OVER}, True),
        ({"verdict": ALIVE, "run": CUT_OFF}, False),
        ({"verdict": ALIVE, "approved": "ann"}, False),
    ],
)
def test_leases_are_given_while_nothing_is_half_done_or_about_to_begin(given: dict[str, Any], gives: bool) -> None:
    assert may_give_leases(replace(AUTOMATIC, **given)) is gives
