"""``dtam history``: runs, their steps, and who did what."""

from __future__ import annotations

import time
from typing import Any

import click
import msgspec

from orchestrator.cli.carrying import run_document
from orchestrator.cli.desk import Desk
from orchestrator.cli.examples import Command
from orchestrator.cli.options import json_option, protection_option
from orchestrator.cli.screen import Screen, in_units
from orchestrator.model.runs import Measured, Run


@click.command(
    "history",
    cls=Command,
    examples=(
        "dtam --fileprint history",
        "dtam history failover-20261121T070000-1a2b3c",
        "dtam history --audit --limit 20 --json",
    ),
)
@click.argument("run", required=False)
@protection_option
@click.option("--audit", is_flag=True, help="Who did what, instead of runs.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="How many, newest first.")
@json_option
@click.pass_obj
def command(desk: Desk, *, run: str | None, name: str | None, audit: bool, limit: int, as_json: bool) -> None:
    """Show runs, newest first; or one run with its steps; or the audit."""
    screen = Screen(as_json)
    if run is not None:
        _one(desk, screen, run)
    elif audit:
        _audit(desk, screen, name, limit)
    else:
        _runs(desk, screen, name, limit)


def _one(desk: Desk, screen: Screen, name: str) -> None:
    record = desk.pipeline.store.run(name)
    run = desk.pipeline.running.as_told(record.run)
    screen.say(f"{run.id}: {run.plan.kind} of {run.plan.protection} by {run.by}, {run.state}")
    screen.say(f"began {_when(run.started_at_s)}; {run.says}")
    screen.table(
        ("step", "result", "s", "says"),
        [(one.step, one.result, f"{one.seconds:.2f}", one.says) for one in run.outcomes],
    )
    screen.say(_cost(record.measured))
    screen.document(run_document(run) | {"measured": msgspec.to_builtins(record.measured)})


def _runs(desk: Desk, screen: Screen, name: str | None, limit: int) -> None:
    records = desk.pipeline.store.runs(name, limit)
    told = [(desk.pipeline.running.as_told(record.run), record.measured) for record in records]
    screen.table(
        ("run", "kind", "protection", "state", "began", "says"),
        [
            (run.id, run.plan.kind, run.plan.protection, run.state, _when(run.started_at_s), _short(run, cost))
            for run, cost in told
        ],
    )
    if not told:
        screen.say("no run yet")
    screen.document([run_document(run) | {"measured": msgspec.to_builtins(cost)} for run, cost in told])


def _audit(desk: Desk, screen: Screen, name: str | None, limit: int) -> None:
    lines = desk.pipeline.store.audit_lines(name, limit)
    rows: list[tuple[Any, ...]] = [(_when(one.at_s), one.by, one.protection, one.deed, one.says) for one in lines]
    screen.table(("when", "who", "protection", "deed", "says"), rows)
    screen.document([msgspec.to_builtins(line) for line in lines])


def _short(run: Run, cost: Measured) -> str:
    return "; ".join(part for part in (run.says, _cost(cost)) if part)


def _cost(cost: Measured) -> str:
    times = [("RTO", cost.rto_s), ("RPO", cost.rpo_s), ("detected in", cost.detection_s)]
    told = [f"{label} {value:.1f} s" for label, value in times if value is not None]
    moved = [f"moved {in_units(cost.moved_bytes)}"] if cost.moved_bytes is not None else []
    return ", ".join([*told, *moved])


def _when(at_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_s))
