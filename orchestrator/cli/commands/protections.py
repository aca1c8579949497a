"""``dtam protections``: protections as files under version control: export, diff, apply.

dtam protections export protections/ && git -C protections add -A
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from orchestrator.cli import protection_files
from orchestrator.cli.desk import Desk
from orchestrator.cli.examples import Group
from orchestrator.cli.options import json_option, plan_option, yes_option
from orchestrator.cli.screen import Screen, confirm
from orchestrator.configure import read_file
from orchestrator.model.conditions import Stage
from orchestrator.model.errors import FileUnreadable
from orchestrator.model.protections import Protection

DIRECTORY = click.Path(path_type=Path, file_okay=False)
Changed = tuple[Protection | None, Protection, list[tuple[str, Any, Any]]]


@click.group(
    "protections",
    cls=Group,
    examples=(
        "dtam protections export protections",
        "dtam protections diff protections",
        "dtam protections apply protections --plan",
    ),
)
def command() -> None:
    """Protections as files under version control: export, diff, apply. Secrets stand in none: settings name their files only."""


@command.command(
    "export", examples=("dtam protections export protections", "dtam --sql protections export protections")
)
@click.argument("directory", type=DIRECTORY)
@json_option
@click.pass_obj
def export(desk: Desk, *, directory: Path, as_json: bool) -> None:
    """Write a file for each protection: NAME.yaml, fit for --file as well. Other files there stay."""
    screen = Screen(as_json)
    written: list[str] = []
    for protection in desk.pipeline.store.protections(desk.application):
        try:
            path = protection_files.write(directory, protection)
        except OSError as error:
            raise FileUnreadable(path=directory, place="", why=error.strerror or str(error)) from error
        written.append(str(path))
        screen.say(f"{protection.id}: {path}")
    if not written:
        screen.say("nothing is configured: dtam --fileprint setup")
    screen.document({"written": written})


@command.command("diff", examples=("dtam protections diff protections", "dtam protections diff protections --json"))
@click.argument("directory", type=DIRECTORY)
@json_option
@click.pass_obj
def diff(desk: Desk, *, directory: Path, as_json: bool) -> None:
    """Compare the files with what is kept; exit with 1 where they differ. A minus is what is kept, a plus what the file says."""
    screen = Screen(as_json)
    changed, only_here = _compared(desk, directory)
    _show(screen, changed, only_here)
    screen.document(_document(changed, only_here))
    if changed or only_here:
        raise click.exceptions.Exit(1)


@command.command(
    "apply",
    examples=(
        "dtam protections apply protections --plan",
        "dtam protections apply protections --yes",
    ),
)
@click.argument("directory", type=DIRECTORY)
@plan_option
@yes_option
@json_option
@click.pass_obj
def apply(desk: Desk, *, directory: Path, only_plan: bool, yes: bool, as_json: bool) -> None:
    """Keep the settings of the files, all or none. No server is changed: enable does that; nothing is forgotten for want of a file."""
    screen = Screen(as_json)
    changed, only_here = _compared(desk, directory)
    _show(screen, changed, only_here)
    screen.document(_document(changed, only_here))
    if only_plan or not changed:
        return
    confirm(
        f"Keep {len(changed)} protection{'s' if len(changed) > 1 else ''} as the files say?", what="applying", yes=yes
    )
    for _, protection, _ in changed:
        desk.pipeline.keep(protection)
        on_hosts = protection.stage not in {Stage.CONFIGURED, Stage.DISABLED}
        again = ", which brings it to the servers" if on_hosts else ""
        screen.say(f"{protection.id} is kept; next: dtam enable --protection {protection.id}{again}")


def _compared(desk: Desk, directory: Path) -> tuple[list[Changed], list[str]]:
    """What differs by the files, each settled exactly as it stands; and what has no file."""
    files = protection_files.files_in(directory)
    kept = {str(one.id): one for one in desk.pipeline.store.protections()}
    changed: list[Changed] = []
    for name, path in files.items():
        wanted = desk.pipeline.configure_exactly(read_file(path), name)
        desk.require_plugin(wanted.application)
        if desk.application in {None, wanted.application}:
            before = kept.get(name)
            found = protection_files.differences(before.settings if before else None, wanted.settings)
            if found:
                changed.append((before, wanted, found))
    only_here = [
        name for name, one in kept.items() if name not in files and desk.application in {None, one.application}
    ]
    return changed, only_here


def _show(screen: Screen, changed: list[Changed], only_here: list[str]) -> None:
    for before, wanted, found in changed:
        screen.say(f"{wanted.id}: {'differs' if before else 'new'}", "warning")
        shown = found if before else [one for one in found if one[2] not in (None, [], {})]
        for line in protection_files.lines(shown):
            screen.say(f"  {line}")
    for name in only_here:
        screen.say(f"{name}: has no file there; it stays as it is", "warning")
    if not changed and not only_here:
        screen.say("the files and what is kept are the same", "passed")


def _document(changed: list[Changed], only_here: list[str]) -> dict[str, Any]:
    told = [
        {
            "protection": str(wanted.id),
            "is_new": before is None,
            "changes": [{"setting": path, "kept": old, "file": new} for path, old, new in found],
        }
        for before, wanted, found in changed
    ]
    return {"changed": told, "without_file": only_here}
