"""``dtam``: the program. It parses the words before a command, and hands the rest to the command's own file.

dtam --fileprint setup --file protection.yaml --yes
dtam /fileprint status            # the guide's spelling
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from orchestrator.cli.desk import Desk, modes
from orchestrator.cli.examples import Group
from orchestrator.cli.guard import home_directory, run_guarded
from orchestrator.cli.words import APPLICATIONS, MODES, without_slashes

COMMANDS = (
    "setup",
    "discover",
    "configure",
    "validate",
    "scripts",
    "protections",
    "enable",
    "disable",
    "status",
    "monitor",
    "failover",
    "failback",
    "restore",
    "snapshots",
    "verify-data",
    "history",
    "logs",
    "options",
    "hosts",
    "domain",
    "credentials",
    "rights",
    "step",
    "ready",
    "serve",
    "doctor",
)


class Commands(Group):
    """Finds a command in the file of its name, and reads the file only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """The commands in the order in which they are used."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, or None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"orchestrator.cli.commands.{cmd_name.replace('-', '_')}").command
        return command


def _modes(command: click.decorators.FC) -> click.decorators.FC:
    for word in reversed(MODES):
        command = click.option(f"--{word}", is_flag=True, help=MODES[word])(command)
    return command


def _applications(command: click.decorators.FC) -> click.decorators.FC:
    for name in reversed(APPLICATIONS):
        command = click.option(f"--{name}", "application", flag_value=name, help=f"Protect {NAMES[name]}.")(command)
    return command


NAMES = {
    "fileprint": "a file server",
    "sql": "SQL Server",
    "exchange": "Exchange",
    "sharepoint": "SharePoint",
    "blackberry": "a BlackBerry server",
}


@click.group(
    cls=Commands,
    examples=(
        "dtam hosts add alpha --address 192.0.2.10 --token-file alpha.token",
        "dtam --fileprint setup",
        "dtam --fileprint status",
        "dtam --fileprint failover --graceful --plan",
    ),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@_applications
@_modes
@click.version_option(package_name="dtam")
@click.pass_context
def dtam(context: click.Context, /, application: str | None, **said: bool) -> None:
    """Protect an application: keep a second server ready, fail over to it, come back.

    The guide's spelling (dtam /fileprint) is accepted. Completion for bash:
    eval "$(_DTAM_COMPLETE=bash_source dtam)"; zsh and fish likewise.
    """
    context.obj = Desk(application, home_directory(), modes(**said), words=context.obj or ())
    context.call_on_close(context.obj.close)
    if application:
        context.obj.require_plugin(application)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``dtam`` and exit with the code of what happened."""
    words = without_slashes(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words
    sys.exit(run_guarded(lambda: _run(words), as_json=as_json))


def _run(words: Sequence[str]) -> None:
    wanted = dtam.main(list(words), prog_name="dtam", standalone_mode=False, obj=tuple(words))
    if isinstance(wanted, int) and wanted:
        raise click.exceptions.Exit(wanted)


if __name__ == "__main__":
    main()
