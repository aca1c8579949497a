"""How settings are given on a command line: a file, the common ones by a flag of their own, every other by ``--set``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from orchestrator import configure
from orchestrator.model.located import Located

Command = TypeVar("Command", bound=Callable[..., Any])
FLAGS = {
    "source": "source",
    "target": "target",
    "client_name": "name",
}


@dataclass(frozen=True, slots=True)
class Given:
    """What a person gave: the file and the flags, as layers, weakest first."""

    layers: tuple[Located, ...]

    @property
    def application(self) -> str | None:
        """The application that the file or a flag names."""
        named = self.value("application")
        return None if named is None else str(named)

    def value(self, setting: str) -> Any:
        """The strongest value of a setting, or None."""
        found = (configure.value_at(layer.values, setting) for layer in reversed(self.layers))
        return next((value for value in found if value is not None), None)

    def also(self, values: dict[str, Any]) -> Given:
        """The same with answers that a person gave when asked."""
        return Given((*self.layers, configure.flags(values))) if values else self


def settings_options(command: Command) -> Command:
    """``--file``, ``--source``, ``--target``, ``--name``, ``--path``, ``--set``."""
    for add in reversed(
        (
            click.option("--file", "file", type=click.Path(path_type=Path), help="A protection file (YAML)."),
            click.option("--source", metavar="SERVER", help="The server to protect."),
            click.option("--target", metavar="SERVER", help="The server that takes over."),
            click.option("--name", "client_name", metavar="FQDN", help="The full name that clients use."),
            click.option(
                "--path",
                "paths",
                multiple=True,
                metavar="SOURCE[=TARGET]",
                help="A directory to protect, and its place on the target; may be repeated.",
            ),
            click.option(
                "--set",
                "sets",
                multiple=True,
                metavar="SETTING=VALUE",
                help="Any setting by its dotted name; may be repeated.",
            ),
        )
    ):
        command = add(command)
    return command


def given(
    file: Path | None, flags: dict[str, str | None], paths: Sequence[str] = (), sets: Sequence[str] = ()
) -> Given:
    """The layers of a command line.

    Raises:
        FileUnreadable: with line and column.
        click.UsageError: a ``--set`` without ``=``.
    """
    chosen: dict[str, Any] = {FLAGS[flag]: value for flag, value in flags.items() if value is not None}
    if paths:
        chosen["connection.roots"] = [_root(path) for path in paths]
    for text in sets:
        setting, equals, value = text.partition("=")
        if not equals:
            message = f"--set {text}: give it as SETTING=VALUE"
            raise click.UsageError(message)
        chosen[setting.strip()] = value
    layers = [configure.read_file(file)] if file else []
    return Given((*layers, configure.flags(chosen)) if chosen else tuple(layers))


def _root(text: str) -> dict[str, str]:
    source, equals, target = text.partition("=")
    return {"source_path": source} | ({"target_path": target} if equals else {})


def reuse_option(command: Command) -> Command:
    """``--reuse``: what the pair was configured with before, as the layer below the file and the flags."""
    text = "Take over what this pair was configured with before; what is given here goes on top."
    return click.option("--reuse", is_flag=True, help=text)(command)
