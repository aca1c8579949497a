"""``dtam configure``: settings from defaults, what the pair had before, a file and flags; checked, shown, kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from orchestrator.cli.desk import Desk
from orchestrator.cli.examples import Command
from orchestrator.cli.options import json_option, plan_option
from orchestrator.cli.screen import Screen
from orchestrator.cli.settings_options import given, reuse_option, settings_options
from orchestrator.model.protections import Protection

VALUE_WIDTH = 44
"""Characters of a value in the table: the longest setting's name, this and a file's name with its line fit most terminals."""


@click.command(
    "configure",
    cls=Command,
    examples=(
        "dtam --fileprint configure --file protection.yaml",
        "dtam --fileprint configure --source alpha --target beta --name files.example.com --path /srv/files",
        "dtam --fileprint configure --file protection.yaml --set monitoring.missed=3 --plan",
    ),
)
@settings_options
@click.option(
    "--protection", "protection_id", metavar="NAME", help="What to call it; application_source_target otherwise."
)
@reuse_option
@plan_option
@json_option
@click.pass_obj
def command(
    desk: Desk,
    *,
    file: Path | None,
    source: str | None,
    target: str | None,
    client_name: str | None,
    paths: tuple[str, ...],
    sets: tuple[str, ...],
    protection_id: str | None,
    reuse: bool,
    only_plan: bool,
    as_json: bool,
) -> None:
    """Settle the settings of a protection. Nothing on any server is changed; enable does that."""
    screen = Screen(as_json)
    words = given(file, {"source": source, "target": target, "client_name": client_name}, paths, sets)
    application = desk.chosen_application("configure", words.application)
    protection = desk.pipeline.configure(application, words.layers, reuse=reuse, name=protection_id)
    show(screen, protection)
    screen.document(document(protection))
    if not only_plan:
        desk.pipeline.keep(protection)
        screen.say(f"{protection.id} is configured; next: dtam validate --protection {protection.id}")


def show(screen: Screen, protection: Protection) -> None:
    """Every setting that is not a default, with where it came from. What is long is cut here and whole with --json."""
    rows = [
        (path, _short(value), origin.rpartition("/")[2])
        for path, value in chosen(protection)
        if (origin := _origin(protection, path))
    ]
    screen.table(("setting", "value", "from"), rows)


def _short(value: str) -> str:
    return value if len(value) <= VALUE_WIDTH else f"{value[: VALUE_WIDTH - 1]}…"


def chosen(protection: Protection) -> list[tuple[str, str]]:
    """Settings by dotted name, lists of plain values as one; only those that some layer gave."""
    values = protection.settings.model_dump(mode="json", exclude_unset=True)
    return list(_told(values, ""))


def _told(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _told(one, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        for number, one in enumerate(value):
            yield from _told(one, f"{path}.{number}")
    else:
        yield path, " ".join(map(str, value)) if isinstance(value, list) else _as_in_file(value)


def _as_in_file(value: Any) -> str:
    """As it would be written in a protection file."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _origin(protection: Protection, path: str) -> str:
    origin = str(protection.origin(path) or protection.origin(f"{path}.0") or "")
    here = f"{Path.cwd()}/"
    return origin.removeprefix(here)


def document(protection: Protection) -> dict[str, Any]:
    """A configured protection for programs."""
    return {
        "protection": protection.id,
        "application": protection.application,
        "stage": str(protection.stage),
        "settings": protection.settings.model_dump(mode="json"),
        "origins": {path: str(origin) for path, origin in protection.origins.items()},
        "pair": msgspec.to_builtins(protection.pair),
    }
