"""``dtam enable``: from configured and validated to protected."""

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
    "enable",
    cls=Command,
    examples=(
        "dtam --fileprint enable",
        "dtam --fileprint enable --protection fileprint_alpha_beta --plan",
        "dtam --fileprint enable --resume",
    ),
)
@protection_option
@changing_options
@click.pass_obj
def command(desk: Desk, *, name: str | None, how: How, as_json: bool) -> None:
    """Protect: pair the engines, capture, mirror, replicate, deliver the scripts, watch the source.

    Returns when the target is in step. Running it again does only what is missing.
    """
    screen = Screen(as_json)
    protection = desk.protection(name, "enable")
    finished = carry(desk, screen, protection, PlanKind.PROTECT, wish=Wish("enable"), how=how)
    if finished is not None:
        screen.document(run_document(finished.run))
