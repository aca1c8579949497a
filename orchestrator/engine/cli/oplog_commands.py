"""``dtengine oplog check DIR``: walk a log on disk and say what is wrong with it. Needs no daemon and changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import click

from orchestrator.engine.oplog.check import check_log
from orchestrator.engine.oplog.segments import LogPlace

DAMAGED_EXIT_CODE = 1


@click.group()
def oplog() -> None:
    """The ordered log."""


@oplog.command("check")
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--memory", type=click.Path(path_type=Path), help="The directory of its memory segments.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(directory: Path, memory: Path | None, as_json: bool) -> None:  # noqa: FBT001  # click passes by name
    """Walk the log in DIRECTORY; exit code 1 when it is damaged."""
    report = check_log(LogPlace(memory or directory, directory))
    bad = f"segment {report.bad.segment}, offset {report.bad.offset}: {report.bad.why}" if report.bad else ""
    facts = {"log_id": str(report.log_id), "last_sequence": report.last_sequence, "damaged": bad}
    click.echo(
        json.dumps(facts) if as_json else f"log {report.log_id} ends with {report.last_sequence}; {bad or 'whole'}"
    )
    if report.bad:
        raise click.exceptions.Exit(DAMAGED_EXIT_CODE)
