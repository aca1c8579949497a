"""``dtam failover``: the service moves to the target."""

from __future__ import annotations

import re

import click

from orchestrator.cli import served
from orchestrator.cli.carrying import How, carry, run_document, told
from orchestrator.cli.desk import Desk
from orchestrator.cli.examples import Command
from orchestrator.cli.options import changing_options, protection_option
from orchestrator.cli.screen import Screen
from orchestrator.failover.guards import Wish
from orchestrator.model.plan import PlanKind
from orchestrator.running import Finished


def checked_data(_context: click.Context, _option: click.Parameter, value: str) -> str:
    """What ``--data`` may be. Raises BadParameter."""
    if re.fullmatch(r"|apply|discard|snapshot:[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}", value):
        return value
    raise click.BadParameter(f"{value} is neither apply nor discard nor snapshot:ID; dtam snapshots list names them")


@click.command(
    "failover",
    cls=Command,
    examples=(
        "dtam --fileprint failover",
        "dtam --fileprint failover --graceful --plan",
        "dtam --fileprint failover --force --yes",
        "dtam --fileprint failover --data snapshot:20260102T030405Z-a1b2c3",
    ),
)
@protection_option
@click.option("--graceful", is_flag=True, help="The source is up: stop it, settle, hand over.")
@click.option("--force", "forced", is_flag=True, help="Your word that the source is down; recorded with your name.")
@click.option(
    "--data",
    metavar="apply|discard|snapshot:ID",
    default="",
    callback=checked_data,
    help="What to go on with: what has arrived applied, or discarded, or a snapshot; as the settings say otherwise.",
)
@changing_options
@click.pass_obj
def command(desk: Desk, *, name: str | None, graceful: bool, forced: bool, data: str, how: How, as_json: bool) -> None:
    """Let the target take over. The target's engine, or a running dtam serve, does it by itself; here it is asked for and followed.

    Without --graceful the source is taken for lost and nothing is asked of it; the witness grants only when its lease has run out.
    --graceful hands over: the source stops, everything is settled, nothing is lost. --force is your word that the source is down.

    --data snapshot:ID sets the target's data back to a snapshot first (dtam snapshots list); what came after it is not served.
    """
    screen = Screen(as_json)
    protection = desk.protection(name, "failover")
    wish = Wish("failover", graceful=graceful, forced=forced, data=data)
    if served.does(desk, protection, how):
        finished: Finished | None = told(screen, served.fail_over(desk, screen, protection, wish))
    else:
        finished = carry(desk, screen, protection, PlanKind.FAILOVER, wish=wish, how=how)
    if finished is not None:
        screen.document(run_document(finished.run))
