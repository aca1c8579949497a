"""``dtam restore``: the data comes back to the source, the service stays."""

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
    "restore",
    cls=Command,
    examples=(
        "dtam --fileprint restore",
        "dtam --fileprint restore --plan",
    ),
)
@protection_option
@changing_options
@click.pass_obj
def command(desk: Desk, *, name: str | None, how: How, as_json: bool) -> None:
    """Bring the source's data in step while the target goes on serving; only differences travel. A failback finishes it."""
    screen = Screen(as_json)
    protection = desk.protection(name, "restore")
    finished = carry(desk, screen, protection, PlanKind.RESTORE, wish=Wish("restore"), how=how)
    if finished is not None:
        screen.document(run_document(finished.run))
