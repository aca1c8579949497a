"""``dtam restore``: the data comes back to the source, or goes to another server; the service stays."""

from __future__ import annotations

from typing import Any

import click

from orchestrator.cli.carrying import How, carry, run_document
from orchestrator.cli.desk import Desk
from orchestrator.cli.examples import Command
from orchestrator.cli.options import changing_options, protection_option
from orchestrator.cli.screen import Screen
from orchestrator.failover.guards import Wish
from orchestrator.model.plan import PlanKind
from orchestrator.model.protections import Protection
from orchestrator.model.restoring import Restoring


@click.command(
    "restore",
    cls=Command,
    examples=(
        "dtam --fileprint restore",
        "dtam --fileprint restore --plan",
        "dtam --fileprint restore --only-newer",
        "dtam --fileprint restore --to gamma --into /srv/restored",
    ),
)
@protection_option
@click.option("--to", metavar="SERVER", default="", help="A known server that gets the data instead of the source.")
@click.option(
    "--into", metavar="[DIRECTORY=]PATH", multiple=True, help="Another place there for a protected directory."
)
@click.option("--overwrite/--no-overwrite", default=True, show_default=True, help="Replace files that are there.")
@click.option("--only-newer", is_flag=True, help="Only files that are newer on the target. Not for databases.")
@click.option(
    "--checksum/--no-checksum", default=True, show_default=True, help="Compare by blocks, send those that differ."
)
@click.option(
    "--orphans",
    type=click.Choice(["ignore", "log", "delete"]),
    help="What becomes of files that only the other side has.",
)
@changing_options
@click.pass_obj
def command(desk: Desk, /, *, name: str | None, how: How, as_json: bool, **wanted: Any) -> None:
    """Bring the source's data in step while the target goes on serving; only differences travel. A failback finishes it.

    With --to, --into, --only-newer or --no-overwrite a copy is made, which ends by itself; the protection stands where it stood.
    Orphans stay in a copy; in the source's own place they are deleted, and what never arrived is put aside before.
    """
    screen = Screen(as_json)
    protection = desk.protection(name, "restore")
    wish = Wish("restore", restoring=_restoring(protection, wanted))
    finished = carry(desk, screen, protection, PlanKind.RESTORE, wish=wish, how=how)
    if finished is not None:
        screen.document(run_document(finished.run))


def _restoring(protection: Protection, wanted: dict[str, Any]) -> Restoring:
    """What the options say. Raises BadParameter."""
    to = wanted.pop("to")
    own = str(protection.pair.source.name)
    return Restoring(to="" if to.lower() == own.lower() else to, into=_places(protection, wanted.pop("into")), **wanted)


def _places(protection: Protection, given: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    roots = [root.source_path for root in protection.settings.connection.roots]
    places = {}
    for word in given:
        directory, _, path = word.rpartition("=")
        if not directory and len(roots) != 1:
            raise click.BadParameter(
                f"say which directory goes to {path}: --into {roots[0] if roots else 'DIRECTORY'}={path}"
            )
        directory = directory or roots[0]
        if directory not in roots:
            raise click.BadParameter(f"{directory} is not protected; protected are {', '.join(roots)}")
        if not path.startswith("/"):
            raise click.BadParameter(f"{path} is no absolute path")
        places[directory] = path
    return tuple((directory, path) for directory, path in places.items() if directory != path)
