"""When a target waits for the end of its source's lease instead of losing a round."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.engine.control.observing import JUST_OVER_S, wait_for_the_end
from orchestrator.engine.monitor.verdict import Answer, MonitorSettings, Observations, judge

SETTINGS = MonitorSettings(("192.0.2.1",), interval_s=0.5, missed=4)


def after(silent_rounds: int) -> Any:
    verdict = None
    for number in range(silent_rounds):
        answers = (Answer("192.0.2.1", "udp", answered=False),)
        verdict = judge(Observations(answers, witness_sees_source=True), verdict, SETTINGS, number)
    return verdict


@pytest.mark.parametrize(("silent_rounds", "waits"), [(0, False), (2, False), (3, True), (4, True), (9, True)])
def test_only_the_round_that_may_fail_waits_for_the_lease(silent_rounds: int, *, waits: bool) -> None:
    assert wait_for_the_end(0.3, SETTINGS, after(silent_rounds)) == (0.3 + JUST_OVER_S if waits else 0.0)


@pytest.mark.parametrize("left_s", [None, 0.0, 0.6])
def test_nothing_to_wait_for_within_the_next_interval(left_s: float | None) -> None:
    assert wait_for_the_end(left_s, SETTINGS, after(4)) == 0.0
