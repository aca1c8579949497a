"""The condition of a pair: one name and one sentence from one look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.failover.condition import judge
from orchestrator.failover.snapshot import Snapshot
from orchestrator.model.conditions import Condition

Build = Callable[..., Snapshot]
DONE = {"phase": "done", "epoch": 2}

CASES: list[tuple[str, dict[str, Any], Condition, str]] = [
    ("all well", {}, Condition.HEALTHY, "alpha serves, beta is in step"),
    ("both serve", {"serving": "both"}, Condition.HALF_APPLIED, "run on both alpha and beta"),
    ("nobody answers", {"silent": "both"}, Condition.LINK_DOWN, "neither server answers"),
    ("target gone", {"silent": "target"}, Condition.TARGET_DOWN, "beta does not answer: nothing could take over"),
    ("source gone", {"silent": "source", "target": {"colour": "yellow"}}, Condition.SOURCE_SILENT, "alpha is silent"),
    ("only we do not hear it", {"silent": "source"}, Condition.LINK_DOWN, "but its target hears it"),
    ("target knows nothing", {"known": "source"}, Condition.HALF_APPLIED, "beta knows nothing"),
    ("service down", {"serving": "none"}, Condition.SERVICE_DOWN, "files does not run on alpha"),
    ("no connection", {"link": {"gone": True}}, Condition.LINK_DOWN, "no data goes from alpha to beta"),
    ("in error", {"link": {"state": "Error", "last_error": "disk full"}}, Condition.LINK_DOWN, "disk full"),
    ("stale", {"link": {"target_data_state": "mirror_required"}}, Condition.REPLICA_STALE, "mirror required"),
    ("mirroring", {"link": {"target_data_state": "mirroring", "mirror_percent": 40.0}}, Condition.REPLICA_NOT_READY, "mirroring (40 %)"),
    ("waits", {"silent": "source", "target": {"phase": "detected", "waiting_for_person": True, "says": "say yes"}}, Condition.WAITING_FOR_PERSON, "say yes"),
    ("at work", {"silent": "source", "target": {"phase": "settling", "says": "settling the queue"}}, Condition.SOURCE_DOWN, "beta is failing over: settling"),
    ("stopped half-way", {"silent": "source", "target": {"phase": "failed", "says": "stuck at start"}}, Condition.HALF_APPLIED, "stuck at start"),
    ("failed over", {"silent": "source", "serving": "target", "target": DONE}, Condition.FAILED_OVER, "beta serves under epoch 2; alpha is silent"),
    ("old source back", {"serving": "target", "source": {"fenced": True}, "target": DONE}, Condition.FAILED_OVER, "alpha is back and fenced"),
]  # fmt: skip


@pytest.mark.covers("AM-28")
@pytest.mark.parametrize(("given", "condition", "says"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_named(build: Build, given: dict[str, Any], condition: Condition, says: str) -> None:
    judgement = judge(build(**given))
    assert judgement.condition is condition
    assert says in judgement.says
