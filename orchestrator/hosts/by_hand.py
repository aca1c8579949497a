"""A delivered script run by a person's wish, outside of any plan: started on its host, heard to its end."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.engine.client import EngineClient, RunStatus, schema
from orchestrator.patience import patience

BUDGET_S = 3600.0


@dataclass(frozen=True, slots=True)
class ByHand:
    """How it ended (done, failed, interrupted; running, where it took longer than anybody waits), and what it said."""

    state: str
    says: tuple[str, ...]


def run_by_hand(engine: EngineClient, protection: str, script: str, run_id: str, *, dry_run: bool) -> ByHand:
    """Run a script and wait for its end; the same run id goes on where that run ended.

    Raises:
        TryAgain: the engine does not answer.
        AnswerRefused: the script was changed on its host, or the run id is in use for something else.
    """
    with patience():
        engine.run_script(protection, script, schema.RunRequest(run_id=run_id, dry_run=dry_run))
        ended = engine.wait_run(f"{run_id}.{script}", BUDGET_S)
    return ByHand(ended.state, _says(ended))


def _says(run: RunStatus) -> tuple[str, ...]:
    lines = [
        f"{line['event']}: {line['says']}" for line in run.lines if line.get("says") and line.get("event") != "about-to"
    ]
    return tuple(lines or run.output.splitlines() or ("it said nothing",))
