"""``dtam status``: what is so now, once."""

from __future__ import annotations

import click

from orchestrator.cli import overview
from orchestrator.cli.desk import Desk
from orchestrator.cli.examples import Command
from orchestrator.cli.options import json_option, protection_option
from orchestrator.cli.screen import Screen
from orchestrator.model.conditions import Condition


@click.command(
    "status",
    cls=Command,
    examples=(
        "dtam --fileprint status",
        "dtam status --protection fileprint_alpha_beta --json",
        "dtam status --check",
    ),
)
@protection_option
@click.option(
    "--bytes/--no-bytes", "in_bytes", default=None, help="Amounts in bytes instead of MB, GB, TB (dtam options)."
)
@click.option("--check", is_flag=True, help="Exit with 1 unless everything is healthy.")
@json_option
@click.pass_obj
def command(desk: Desk, *, name: str | None, in_bytes: bool | None, check: bool, as_json: bool) -> None:
    """Show protections: condition, data, monitor, last error, what stands open, what to do next."""
    screen = Screen(as_json)
    store = desk.pipeline.store
    chosen = [store.protection(name)] if name else list(store.protections(desk.application))
    found = [overview.gather(desk.pipeline, protection) for protection in chosen]
    shown = desk.options.bytes if in_bytes is None else in_bytes
    for status in found:
        overview.show(screen, status, overview.Shown(in_bytes=shown))
    if not found:
        screen.say("nothing is configured: dtam --fileprint setup")
    screen.document(found[0] if name else found)
    if check and any(status["condition"] != Condition.HEALTHY for status in found):
        raise click.exceptions.Exit(1)
