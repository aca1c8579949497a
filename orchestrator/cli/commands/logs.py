"""``dtam logs``: what the DNS and Exchange utilities wrote on the servers and here, and what dtam itself did.

dtam logs dfo --on target --lines 50
"""

from __future__ import annotations

import click

from orchestrator.cli.desk import Desk
from orchestrator.cli.examples import Command
from orchestrator.cli.options import json_option, protection_option
from orchestrator.cli.screen import Screen
from orchestrator.engine.control.hostlogs import tail
from orchestrator.model.servers import Where

HERE = {"dfo": "dfo.log", "exchfailover": "exchfailover.log", "dtam": "dtam.verbose.log"}


@click.command(
    "logs",
    cls=Command,
    examples=(
        "dtam logs",
        "dtam --fileprint logs dfo --on target",
        "dtam logs dfo --on source --lines 50",
        "dtam logs dtam --lines 20 --json",
    ),
)
@click.argument("log", type=click.Choice(sorted(HERE)), default="dfo")
@click.option(
    "--on",
    "side",
    type=click.Choice(["source", "target", "here"]),
    help="Whose: a server of the protection, or this machine. Without it: this machine's.",
)
@click.option("--lines", default=200, show_default=True, type=click.IntRange(1, 10_000), help="How many, the newest.")
@protection_option
@json_option
@click.pass_obj
def command(desk: Desk, *, log: str, side: str | None, lines: int, name: str | None, as_json: bool) -> None:
    """Show a log: dfo (names in DNS), exchfailover (mailboxes), or dtam's own verbose log; its .prev file counts in.

    Windows servers have none of their own: names and mailboxes are moved from here there.
    """
    screen = Screen(as_json)
    if side in {"source", "target"}:
        server, path, found = _of_host(desk, log, Where(side), lines, name)
    else:
        place = desk.home / "log" / HERE[log]
        server, path, found = "here", str(place), tail(place, lines)
    for line in found:
        screen.say(line)
    if not found:
        screen.say(f"nobody wrote to {path} yet ({server})")
    screen.document({"log": log, "server": server, "path": path, "lines": found})


def _of_host(desk: Desk, log: str, where: Where, lines: int, name: str | None) -> tuple[str, str, list[str]]:
    server = desk.protection(name, "logs").pair.on(where)
    if log == "dtam" or server.engine is None:
        msg = f"{server.name} has no {log} log of its own: that work is done from here (--on here)"
        raise click.UsageError(msg)
    told = desk.pipeline.reach.client(server).log(log, lines)
    return server.name, told.path, told.lines
