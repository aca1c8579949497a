"""``dtam serve``: executor and monitor of protections whose target has no engine."""

from __future__ import annotations

import asyncio
import logging
import sys

import click

from orchestrator.cli.desk import Desk
from orchestrator.cli.examples import Command
from orchestrator.cli.guard import log as verbose_log
from orchestrator.cli.guard import open_log, prepare_home


@click.command("serve", cls=Command, examples=("dtam serve", "DTAM_HOME=/var/lib/dtam dtam serve"))
@click.pass_obj
def command(desk: Desk) -> None:
    """Watch the sources of Windows protections, give them their leases, fail over, resume what was cut off. Runs until SIGTERM.

    One process for all protections of the state directory whose target has no engine; it belongs on a machine at the target's site.
    What it does stands on standard output, in dtam status, and in dtam history. dtam failover and dtam monitor --on/--off ask it over a
    socket in the state directory. Stopped in order it leaves the sources serving; see docs/explanation/serve.md for what happens else.
    """
    from orchestrator.service.serving import serve  # noqa: PLC0415  no other command needs it

    home = prepare_home(desk.home)
    open_log(home)
    printed = logging.StreamHandler(sys.stdout)
    printed.setFormatter(logging.Formatter("%(message)s"))
    verbose_log.addHandler(printed)
    asyncio.run(serve(home))
