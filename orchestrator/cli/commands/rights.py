r"""``dtam rights``: the least rights that a protection needs, as commands to read and run. Changes nothing, shows no secret.

dtam rights --account 'LAB\dtam'
"""

from __future__ import annotations

import click
import msgspec

from orchestrator.cli.desk import Desk
from orchestrator.cli.examples import Command
from orchestrator.cli.options import json_option, protection_option
from orchestrator.cli.rights_lookup import wanted_of
from orchestrator.cli.screen import Screen
from orchestrator.errors import DtamError
from orchestrator.model.accounts import AccountName
from orchestrator.model.names import NameMove
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.protections import Protection
from orchestrator.rights.grants import TOOLS, grants
from orchestrator.rights.values import Grant, Wanted


@click.command(
    "rights",
    cls=Command,
    examples=(
        "dtam rights",
        "dtam rights --protection fileprint_alpha_beta --account dtam@lab.example",
        "dtam rights --tool windows --offline --json",
    ),
)
@protection_option
@click.option(
    "--account",
    "accounts",
    multiple=True,
    metavar="ACCOUNT",
    help="Who gets the rights in the domain; may be repeated.",
)
@click.option(
    "--tool", type=click.Choice(sorted(TOOLS)), default="samba", show_default=True, help="Whose commands to print."
)
@click.option("--offline", is_flag=True, help="Ask no directory: name the usual places.")
@json_option
@click.pass_obj
def command(
    desk: Desk, /, *, name: str | None, accounts: tuple[str, ...], tool: str, offline: bool, as_json: bool
) -> None:
    """Print the least rights for exactly the named servers, records and accounts, as commands."""
    screen = Screen(as_json)
    named = [AccountName.parse(one).written for one in accounts]
    protection = desk.protection(name, "rights")
    wanted = wanted_of(protection if offline else _with_names(desk, protection), named, offline=offline)
    found = grants(wanted, TOOLS[tool])
    _say(screen, wanted, found)
    screen.document(
        {
            "protection": wanted.protection,
            "tool": tool,
            "grants": [msgspec.to_builtins(one) for one in found],
            "remarks": list(wanted.remarks),
        }
    )


def _with_names(desk: Desk, protection: Protection) -> Protection:
    """Before it is enabled the names are looked up now, which takes no rights; as it is where they cannot be."""
    names = desk.pipeline.reach.ports(protection.pair, protection.settings).names
    if protection.names is not None or names is None or not protection.settings.failover.moves_names:
        return protection
    dns = protection.settings.failover.dns
    pairs = tuple((one.source, one.target) for one in dns.addresses)
    try:
        found = names.plan(NameMove(protection.settings.name, pairs, dns.zones, (), dns.ttl_s))
    except (DtamError, TryAgain):
        return protection
    return msgspec.structs.replace(protection, names=found) if found.changes else protection


def _say(screen: Screen, wanted: Wanted, found: tuple[Grant, ...]) -> None:
    """Lines that a shell takes as they are: what is no command is a comment."""
    screen.say(f"# rights of {wanted.protection}: read them, then run each part where it says")
    for remark in wanted.remarks:
        screen.say(f"# note: {remark}")
    for grant in found:
        screen.say("")
        screen.say(f"# {grant.who}: {grant.right}: {grant.what}")
        screen.say(f"#   why: {grant.why}")
        screen.say(f"#   on: {grant.run_on}")
        for line in grant.commands:
            screen.say(line)
    if not found:
        screen.say("# none: this protection changes no name, no service name and logs in by token")
