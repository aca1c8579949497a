"""``dtam doctor``: does what dtam takes for granted hold on your servers?"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import click
import msgspec

from orchestrator.cli.desk import Desk
from orchestrator.cli.examples import Command
from orchestrator.cli.options import json_option
from orchestrator.cli.screen import Screen
from orchestrator.doctor.asking import examine
from orchestrator.doctor.judging import Row
from orchestrator.model.servers import Platform


@click.command(
    "doctor", cls=Command, examples=("dtam doctor", "dtam doctor alpha beta --report doctor.json", "dtam doctor --json")
)
@click.argument("names", nargs=-1, metavar="[SERVER]...")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write all rows to this file, to be handed in; it holds no secret.",
)
@json_option
@click.pass_obj
def command(desk: Desk, *, names: tuple[str, ...], report: Path | None, as_json: bool) -> None:
    """Prove or disprove on your Windows servers what dtam was shown on simulated ones only; nothing is changed.

    Names and ports, WinRM's log-in and limits, language mode, execution policy, rights, clock, and every command that dtam's scripts use with the
    parameters that they give. All known Windows servers are asked, or those that are named. Exits with 1 when something was disproved.
    """
    screen = Screen(as_json)
    pipeline = desk.pipeline
    servers = [pipeline.known(name) for name in names] or list(pipeline.store.servers())
    windows = [server for server in servers if server.platform is Platform.WINDOWS]
    rows = [row for server in windows for row in examine(server, pipeline.reach.sign_of_life, pipeline.reach.host)]
    screen.table(
        ("server", "area", "assumption", "state", "says"),
        [(row.server, row.area, row.assumption, row.state, row.says) for row in rows],
    )
    for row in rows:
        if row.next:
            screen.say(f"{row.server}, {row.assumption}: {row.next}", "warning")
    if not windows:
        screen.say("no Windows server is known: dtam hosts add NAME --winrm ADDRESS")
    document = {"dtam": version("dtam"), "at_s": int(time.time()), "rows": [msgspec.to_builtins(row) for row in rows]}
    if report is not None:
        _write(report, document)
        screen.say(f"the report is in {report}")
    screen.document(document)
    _exit(rows)


def _write(path: Path, document: dict[str, object]) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(document, file, indent=1)
        file.write("\n")


def _exit(rows: Sequence[Row]) -> None:
    if any(row.state == "disproved" for row in rows):
        raise click.exceptions.Exit(1)
