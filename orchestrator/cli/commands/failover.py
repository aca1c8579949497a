"""``dtam failover``: the service moves to the target."""

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
    "failover",
    cls=Command,
    examples=(
        "dtam --fileprint failover",
        "dtam --fileprint failover --graceful --plan",
        "dtam --fileprint failover --force --yes",
    ),
)
@protection_option
@click.option("--graceful", is_flag=True, help="The source is up: stop it, settle, hand over.")
@click.option("--force", "forced", is_flag=True, help="Your word that the source is down; recorded with your name.")
@changing_options
@click.pass_obj
def command(desk: Desk, *, name: str | None, graceful: bool, forced: bool, how: How, as_json: bool) -> None:
    """Let the target take over. The target's engine does it by itself; here it is asked for and followed.

    Without --graceful the source is taken for lost and nothing is asked of it; the witness grants only when its lease has run out.
    --graceful hands over: the source stops, everything is settled, nothing is lost. --force is your word that the source is down.
    """
    screen = Screen(as_json)
    protection = desk.protection(name, "failover")
    wish = Wish("failover", graceful=graceful, forced=forced)
    finished = carry(desk, screen, protection, PlanKind.FAILOVER, wish=wish, how=how)
    if finished is not None:
        screen.document(run_document(finished.run))
