"""The one place where an exception becomes a line and an exit code.

Known errors carry their sentence, hint and code (``orchestrator.errors``). Whatever is not known is a bug of ours: exit code 90,
one line, and the details in the log file. The log keeps the guide's names: ``dtam.verbose.log`` up to 1 MB, then
``dtam.verbose.prev.log``.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from orchestrator.cli.errors import HomeNotUsable
from orchestrator.cli.rotating import LOG_LIMIT_BYTES, rotating, send
from orchestrator.errors import DtamError
from orchestrator.model.outcomes import TryAgain

BUG_EXIT_CODE = 90
SILENT_EXIT_CODE = 35  # what may come right by waiting did not, within this command's patience
INTERRUPTED_EXIT_CODE = 128 + signal.SIGINT
BROKEN_PIPE_EXIT_CODE = 128 + signal.SIGPIPE

log = logging.getLogger("dtam")


def home_directory() -> Path:
    """Where dtam keeps its state: ``DTAM_HOME``, else /var/lib/dtam for root and ~/.local/state/dtam for others."""
    if given := os.environ.get("DTAM_HOME"):
        return Path(given)
    return Path("/var/lib/dtam") if os.geteuid() == 0 else Path.home() / ".local" / "state" / "dtam"


def prepare_home(path: Path) -> Path:
    """Make the state directory, readable by its owner only.

    Raises:
        HomeNotUsable: it cannot be made or written.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        (path / "log").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise HomeNotUsable(path=path, why=error.strerror or error) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise HomeNotUsable(path=path, why="it is not writable for this user")
    return path


def open_log(home: Path, *, verbose: bool = True, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
    """Send the records of the logger ``dtam`` to the verbose log under ``home``; those of names in DNS to ``dfo.log``, too.

    Not ``verbose``: only what went wrong.
    """
    main = rotating(home / "log" / "dtam.verbose.log", limit_bytes)
    main.setLevel(logging.INFO if verbose else logging.WARNING)
    send(log, [main])
    send(logging.getLogger("dtam.naming"), [main, rotating(home / "log" / "dfo.log", limit_bytes)])


@dataclass(frozen=True, slots=True)
class Told:
    """What a person is told of a failure."""

    line: str
    hint: str
    exit_code: int
    kind: str


def run_guarded(command: Callable[[], object], *, as_json: bool, program: str = "dtam") -> int:
    """Run a command and give its exit code; every failure has been told by then."""
    try:
        command()
    except click.exceptions.Exit as stopped:
        return stopped.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE_EXIT_CODE
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  a traceback never reaches a person
        told = explain(error)
        _tell(program, told, as_json=as_json)
        return told.exit_code
    return 0


def explain(error: BaseException) -> Told:
    """The line, the hint and the exit code that an exception stands for."""
    kind = type(error).__name__
    match error:
        case DtamError():
            log.info("refused: %s (exit code %d)", error, error.exit_code)
            return Told(str(error), error.hint, error.exit_code, kind)
        case TryAgain():
            return Told(error.reason, "wait a moment, then run the same command again", SILENT_EXIT_CODE, "NotYet")
        case click.UsageError():
            return Told(error.format_message(), _usage_hint(error), error.exit_code, "Usage")
        case click.Abort() | KeyboardInterrupt():
            return Told("interrupted", "what was begun, if anything, is in: dtam history", INTERRUPTED_EXIT_CODE, kind)
        case click.ClickException():
            return Told(error.format_message(), "", error.exit_code, kind)
        case _:
            return _explain_bug(error)


def _usage_hint(error: click.UsageError) -> str:
    return f"{error.ctx.command_path} --help" if error.ctx else ""


def _explain_bug(error: BaseException) -> Told:
    log.error("unexpected", exc_info=error)
    where = next((getattr(handler, "baseFilename", "") for handler in log.handlers), "")
    line = f"unexpected {type(error).__name__}: {error}".splitlines()[0]
    hint = f"this is a mistake of the program: its details are in {where}" if where else ""
    return Told(line, hint, BUG_EXIT_CODE, "Bug")


def _tell(program: str, told: Told, *, as_json: bool) -> None:
    if as_json:
        names = {"kind": told.kind, "message": told.line, "hint": told.hint, "exit_code": told.exit_code}
        click.echo(json.dumps({"error": names}))
    click.echo(f"{program}: {' '.join(told.line.split())}", err=True)
    if told.hint:
        click.echo(f"hint: {' '.join(told.hint.split())}", err=True)
