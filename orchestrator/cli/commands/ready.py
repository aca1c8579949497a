"""``dtam ready``: stands beside a script of the target and runs what it asks for, with everything imported already.

coproc READY { exec dtam ready; }   # runtime.sh of the delivered scripts
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from orchestrator.cli.examples import Command


@click.command("ready", cls=Command, hidden=True, examples=("dtam ready",))
def command() -> None:
    """Run the programs that are asked for on standard input. A delivered script starts it by itself; no person needs it."""
    from orchestrator.cli.ready import Ready  # noqa: PLC0415  the other commands need none of it

    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    own = Path(sys.argv[0]).parent
    Ready(sys.stdin.fileno(), lambda line: _say(answers, line), own).serve()


def _say(answers: int, line: str) -> None:
    os.write(answers, f"{line}\n".encode())
