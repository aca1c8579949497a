"""``dtam failback``: the service comes back to the source."""

from __future__ import annotations

import sys

import click

from orchestrator.cli.carrying import How, carry, run_document
from orchestrator.cli.desk import Desk
from orchestrator.cli.examples import Command
from orchestrator.cli.options import changing_options, protection_option
from orchestrator.cli.screen import Screen
from orchestrator.failover.guards import Wish
from orchestrator.model.plan import PlanKind


@click.command(
    "failback",
    cls=Command,
    examples=(
        "dtam --fileprint failback",
        "dtam --fileprint failback --plan",
        "dtam --fileprint failback --yes --json",
        "dtam --fileprint failback --stop-monitoring",
    ),
)
@protection_option
@click.option(
    "--continue-monitoring/--stop-monitoring",
    "monitoring",
    default=None,
    help="Whether the target watches the source again; asked on a terminal, else it does. dtam monitor --on begins it later.",
)
@changing_options
@click.pass_obj
def command(desk: Desk, *, name: str | None, monitoring: bool | None, how: How, as_json: bool) -> None:
    """Bring data and service back to the source, and protect it again.

    What differs is restored while the target serves; then the service moves. Files of the old source that never arrived
    are set aside before they are overwritten, and listed.
    """
    screen = Screen(as_json)
    protection = desk.protection(name, "failback")
    monitored = protection.settings.is_watched
    wish = Wish("failback", stop_monitoring=monitoring is False or (monitored and monitoring is None and _stops(how)))
    finished = carry(desk, screen, protection, PlanKind.FAILBACK, wish=wish, how=how)
    if finished is not None:
        screen.document(run_document(finished.run))


def _stops(how: How) -> bool:
    """A person's answer where one can be asked, before the plan is shown: it is part of the plan."""
    settled = how.yes or how.plan_id or how.resume or how.undo
    if settled or not sys.stdin.isatty():
        return False
    return not click.confirm("Shall the target go on watching the source afterwards?", default=True, err=True)
