"""``dtam step``: one part of a takeover on this host, as the target's scripts call it; by hand where a person wants only that part.

dtam step addresses take --undo /var/lib/dtam/identity/files.addresses.json <document.json
"""

from __future__ import annotations

from pathlib import Path
from typing import IO

import click
import msgspec

from orchestrator.cli.examples import Command
from orchestrator.cli.screen import Screen


@click.command(
    "step",
    cls=Command,
    examples=(
        "dtam step addresses take --undo /var/lib/dtam/identity/files.addresses.json",
        "dtam step spns take --undo /var/lib/dtam/identity/files.spns.json --dry-run",
        "dtam step shares show --undo /var/lib/dtam/identity/files.shares.json --json",
        "dtam step shares keep --undo /var/lib/dtam/identity/files.kept-shares.json",
        "dtam step names back --undo /var/lib/dtam/identity/files.names.json",
    ),
)
@click.argument("what", type=click.Choice(["addresses", "names", "shares", "spns"]))
@click.argument("deed", type=click.Choice(["take", "back", "show", "keep", "renew", "drop"]))
@click.option(
    "--undo",
    type=click.Path(path_type=Path),
    required=True,
    help="The file that remembers what was taken; written before anything is changed.",
)
@click.option(
    "--document",
    type=click.File("rb"),
    default="-",
    show_default="standard input",
    help="The JSON document that says what is to be taken.",
)
@click.option(
    "--newest",
    type=click.Path(path_type=Path),
    help="Shares: the file that remembers the document of the last keep; a take uses that one where it is there.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of sentences.")
def command(
    *, what: str, deed: str, undo: Path, document: IO[bytes], newest: Path | None, dry_run: bool, as_json: bool
) -> None:
    """Take addresses, names, shares or service principal names of the source over on this host, give them back, or show them.

    Shares can be made beforehand as well, closed to everybody (keep), made anew where they wait (renew), and taken away again (drop).

    Harmless when run twice; killed anywhere, the same command again finishes it. Exit code 0: it is so. "show" ends with 1
    when not everything is taken.
    """
    from orchestrator.identity.step import Deed, What, step  # noqa: PLC0415  the other commands need no directory

    screen = Screen(as_json)
    report = step(What(what), Deed(deed), document.read(), undo, newest=newest, dry=dry_run)
    for line in report.lines:
        screen.say(line.text())
    for name, seconds in report.measured.items():
        screen.say(f"{name.removesuffix('_s').replace('_', ' ')}: {seconds:.3f} s")
    for remark in report.remarks:
        screen.say(f"note: {remark}")
    if not report.lines and not report.remarks:
        screen.say("there is nothing to do")
    screen.document(msgspec.to_builtins(report) | {"what": what, "dry_run": dry_run})
    if deed == "show" and not report.so:
        raise click.exceptions.Exit(1)
