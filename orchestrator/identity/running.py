"""The one way in which this room runs a program of the host: argument list in, exit code and text out."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.identity.errors import ProgramFailed

TIMEOUT_S = 60.0
_NOT_THERE = 127


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended."""

    code: int
    out: str
    err: str = ""

    @property
    def ok(self) -> bool:
        """It ended with 0."""
        return self.code == 0


class Runner(Protocol):
    """Runs programs of this host."""

    def run(self, words: Sequence[str], text: str = "") -> Ran:
        """Run it with ``text`` on its standard input. A program that is not there ends with 127."""
        ...


class HostRunner:
    """The real one."""

    def run(self, words: Sequence[str], text: str = "") -> Ran:
        """Run it, at most ``TIMEOUT_S`` seconds."""
        try:
            ran = subprocess.run(
                list(words),
                input=text,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIMEOUT_S,
                check=False,
            )
        except FileNotFoundError:
            return Ran(_NOT_THERE, "", f"{words[0]} is not installed")
        except (OSError, subprocess.TimeoutExpired) as error:
            return Ran(_NOT_THERE - 1, "", str(error))
        return Ran(ran.returncode, ran.stdout, ran.stderr)


def need(runner: Runner, words: Sequence[str], text: str = "") -> str:
    """What a program printed, which must have ended well.

    Raises:
        ProgramFailed: it did not.
    """
    ran = runner.run(words, text)
    if not ran.ok:
        raise failed(words, ran)
    return ran.out


def failed(words: Sequence[str], ran: Ran) -> ProgramFailed:
    """The error that says how a program ended."""
    return ProgramFailed(program=words[0], reason=_last_line(ran), command=shlex.join(words))


def _last_line(ran: Ran) -> str:
    lines = [line.strip() for line in (*ran.out.splitlines(), *ran.err.splitlines()) if line.strip()]
    return lines[-1] if lines else f"it ended with {ran.code}"
