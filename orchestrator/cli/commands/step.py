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
        "dtam step sql attach --undo /var/lib/dtam/sql/sales/attach.json --wait-s 60",
    ),
)
@click.argument("what", type=click.Choice(["addresses", "names", "shares", "spns", "sql"]))
@click.argument("deed")
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
@click.option("--back", is_flag=True, help="SQL Server: undo the deed, as its undo file tells.")
@click.option("--show", is_flag=True, help="SQL Server: look, and end with 1 when it is not so.")
@click.option(
    "--wait-s",
    type=click.FloatRange(0, 86400),
    default=0.0,
    help="SQL Server: how long to try again what may come right by waiting.",
)
@click.option(
    "--host", default="", help="SQL Server: connect there instead; names and certificates stay the document's."
)
@click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of sentences.")
def command(
    *,
    what: str,
    deed: str,
    undo: Path,
    document: IO[bytes],
    newest: Path | None,
    back: bool,
    show: bool,
    wait_s: float,
    host: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Take addresses, names, shares or service principal names of the source over on this host (take), give them back (back), or show them (show).

    Shares can be made beforehand as well, closed to everybody (keep), made anew where they wait (renew), and taken away again (drop).

    "sql" does one deed at an instance of SQL Server: ready, keep-logins, logins, attach, detach, orphans, owners-and-options, default-databases,
    server-name, probe, check, login-mode, protocol, make-directory, configuration, copy-logins, create-login or authorization; docs/explanation/databases.md has their documents.

    Harmless when run twice; killed anywhere, the same command again finishes it. Exit code 0: it is so. "show" ends with 1
    when not everything is taken.
    """
    screen = Screen(as_json)
    if what == "sql":
        act = "undo" if back else "show" if show or dry_run else "do"
        so = _sql(screen, deed, document.read(), undo, act=act, wait_s=wait_s, host=host)
        if show and not so:
            raise click.exceptions.Exit(1)
        return
    from orchestrator.identity.step import Deed, What, step  # noqa: PLC0415  the other commands need no directory

    if deed not in {one.value for one in Deed}:
        raise click.BadParameter(f"{deed!r} is not one of {', '.join(Deed)}.", param_hint="DEED")
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


def _sql(screen: Screen, deed: str, text: bytes, undo: Path, *, act: str, wait_s: float, host: str) -> bool:
    from orchestrator.databases.step import Calling, step  # noqa: PLC0415  the other steps need no driver

    report = step(deed, text, undo, Calling(act, wait_s, host))
    screen.say(report.says)
    screen.document(msgspec.to_builtins(report) | {"what": "sql"})
    return report.so
