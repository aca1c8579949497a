"""``dtam disable``: from protected to nothing; data and service stay."""

from __future__ import annotations

import click

from orchestrator.cli.carrying import How, carry, run_document
from orchestrator.cli.desk import Desk
from orchestrator.cli.examples import Command
from orchestrator.cli.options import changing_options, protection_option
from orchestrator.cli.screen import Screen
from orchestrator.failover.guards import Wish
from orchestrator.model.plan import PlanKind


@click.command(
    "disable",
    cls=Command,
    examples=(
        "dtam --fileprint disable",
        "dtam --fileprint disable --plan",
    ),
)
@protection_option
@changing_options
@click.pass_obj
def command(desk: Desk, *, name: str | None, how: How, as_json: bool) -> None:
    """End a protection: no capture, no replication, no watch. The service goes on where it is, the replica's data stays."""
    screen = Screen(as_json)
    protection = desk.protection(name, "disable")
    finished = carry(desk, screen, protection, PlanKind.UNPROTECT, wish=Wish("disable"), how=how)
    if finished is not None:
        screen.document(run_document(finished.run))
