"""``dtam serve``: executor and monitor of protections whose target has no engine."""

from __future__ import annotations

import asyncio
import json
import logging
import sys

import click

from orchestrator.cli.desk import Desk
from orchestrator.cli.examples import Command
from orchestrator.cli.guard import log as verbose_log
from orchestrator.cli.guard import open_log, prepare_home
from orchestrator.cli.options import json_option


@click.command("serve", cls=Command, examples=("dtam serve", "dtam serve --json"))
@json_option
@click.pass_obj
def command(desk: Desk, *, as_json: bool) -> None:
    """Watch the sources of Windows protections, give them their leases, fail over, resume what was cut off. Runs until SIGTERM.

    One process for all protections of the state directory whose target has no engine; it belongs on a machine at the target's site.
    What it does stands on standard output (with --json a JSON document a line), in dtam status, and in dtam history. dtam failover and dtam monitor --on/--off ask it over a
    socket in the state directory. Stopped in order it leaves the sources serving; see docs/explanation/serve.md for what happens else.
    """
    from orchestrator.service.serving import serve  # noqa: PLC0415  no other command needs it

    home = prepare_home(desk.home)
    open_log(home, verbose=desk.options.verbose, limit_bytes=desk.options.log_bytes)
    printed = logging.StreamHandler(sys.stdout)
    printed.setFormatter(_Lines() if as_json else logging.Formatter("%(message)s"))
    verbose_log.addHandler(printed)
    asyncio.run(serve(home))


class _Lines(logging.Formatter):
    """A line of the log for programs."""

    def format(self, record: logging.LogRecord) -> str:
        """Time in seconds since the epoch, level, sentence."""
        told = {"at_s": round(record.created, 3), "level": record.levelname.lower(), "says": record.getMessage()}
        return json.dumps(told)
