"""The kill matrix of a Windows file server (``tests.faults.killing``); nor is a side opened under an epoch that was not granted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conformance.ondisk import SIDES
from tests.faults.killing import KillMatrix
from tests.faults.windows_rehearsal import WindowsRehearsed, essence, rehearsals


def served(state: dict[str, Any]) -> tuple[Any, ...]:
    world = WindowsRehearsed.make_world(Path())
    serving = [side for side in SIDES if world.serves(state, side)]
    data = {
        side: state["servers"][name]["volumes"]["E:"]["data"]
        for side, name in zip(SIDES, ("alpha", "beta"), strict=True)
    }
    return serving, state["names"], state["spns"], [data[side] for side in serving]


def without_replica(state: dict[str, Any]) -> dict[str, Any]:
    """The target's volume was overwritten by the first copy."""
    known = essence(state)
    known["sides"]["target"].pop("volume")
    return known


MATRIX = KillMatrix(
    stand=WindowsRehearsed,
    rehearsals=rehearsals,
    kinds=("protect", "forced", "restore", "failback", "unprotect", "stay"),
    essence=essence,
    served=served,
    without_replica=without_replica,
    on_its_way=lambda _state, step: step != "grant",
)


@pytest.mark.covers("AM-15")
@pytest.mark.parametrize(("kind", "step", "moment"), list(MATRIX.cases()))
def test_resumed(in_memory: Path, kind: str, step: str, moment: str) -> None:
    MATRIX.resumed(in_memory, kind, step, moment)


@pytest.mark.covers("AM-15", "AM-27")
@pytest.mark.parametrize(("kind", "step", "moment"), list(MATRIX.cases()))
def test_undone(in_memory: Path, kind: str, step: str, moment: str) -> None:
    MATRIX.undone(in_memory, kind, step, moment)


@pytest.mark.covers("AM-15")
def test_every_step_that_can_act_is_killed_somewhere() -> None:
    only_looking = {"hosts-answer", "clients-served", "settle-restore", "data-there-source", "data-there-target"}
    already_so = {"start-server-target", "in-step-restore", "in-step-protect"}
    assert MATRIX.never_killed() <= only_looking | already_so
