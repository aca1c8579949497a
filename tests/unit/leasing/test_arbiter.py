"""What validation is told of a witness by the executor that will ask it for epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.witness.errors import WitnessRefusesClient, WitnessUnreachable
from orchestrator.leasing.arbiter import WitnessArbiter

WHERE: dict[str, Any] = {"address": "192.0.2.1", "port": 6322}


class Witness:
    """Answers as it was told."""

    address, port = "192.0.2.1", 6322

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    def look_at_all(self) -> list[Any]:
        if self._error is not None:
            raise self._error
        return []


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (None, ""),
        (WitnessRefusesClient(**WHERE, why="not enrolled"), "does not know this machine yet: carry /home/witness.pem"),
        (WitnessUnreachable(**WHERE, why="silence"), "does not answer: silence"),
    ],
)
def test_an_executor_that_was_not_enrolled_is_told_before_it_is_needed(error: Exception | None, problem: str) -> None:
    witness: Any = Witness(error)
    found = WitnessArbiter(witness, "dtam-x", Path("/home/witness.pem")).problem()
    assert problem in found
    assert bool(problem) == bool(found)
