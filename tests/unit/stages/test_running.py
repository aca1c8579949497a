"""Which runs are offered to be gone on with or undone."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.model.plan import Plan, PlanKind
from orchestrator.model.runs import Measured, Run, RunState
from orchestrator.model.servers import ProtectionId, RunId
from orchestrator.running import Running
from orchestrator.store.store import Store

P = ProtectionId("p")


def run(name: str, kind: PlanKind, state: RunState, at_s: float) -> Run:
    return Run(RunId(name), Plan(kind, P, ()), state, at_s, "ann")


@pytest.mark.parametrize(
    ("kind", "state", "offered"),
    [
        (PlanKind.FAILOVER, RunState.DONE, []),
        (PlanKind.PROTECT, RunState.DONE, []),
        (PlanKind.FIX, RunState.DONE, ["old"]),
        (PlanKind.FAILOVER, RunState.UNDONE, ["old"]),
        (PlanKind.FAILOVER, RunState.FAILED, ["new", "old"]),
    ],
)
def test_a_run_that_a_newer_one_has_overtaken_is_nobodys_to_undo(
    tmp_path: Path, kind: PlanKind, state: RunState, offered: list[str]
) -> None:
    with Store(tmp_path / "dtam.db", lambda: 1.0) as store:
        store.put_run(run("old", PlanKind.FAILOVER, RunState.FAILED, 1.0), Measured())
        store.put_run(run("new", kind, state, 2.0), Measured())
        running = Running(tmp_path, store, "ann", lambda: 3.0)
        assert [one.id for one in running.unfinished(P)] == offered
