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
        "dtam --fileprint disable --force",
    ),
)
@protection_option
@click.option(
    "--force",
    "forced",
    is_flag=True,
    help="Although the target serves: what it took from the source stays with it for good, and nothing waits for a failback.",
)
@changing_options
@click.pass_obj
def command(desk: Desk, *, name: str | None, forced: bool, how: How, as_json: bool) -> None:
    """End a protection: no capture, no replication, no watch. The service goes on where it is, the replica's data stays.

    While the target serves this is refused: fail back first. Where the source is lost for good, --force ends it there.
    """
    screen = Screen(as_json)
    protection = desk.protection(name, "disable")
    finished = carry(desk, screen, protection, PlanKind.UNPROTECT, wish=Wish("disable", forced=forced), how=how)
    if finished is not None:
        screen.document(run_document(finished.run))
