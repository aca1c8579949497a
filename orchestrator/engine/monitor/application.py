"""Asking the application itself, beside its server: points are programs that end with 0 when all is well, and say why not on their last line.

The counting is pure: errors in a row, an alert when they reach their limit, its end with the first good answer. Nothing here fails over:
an application that does not answer on a server that does is for a person to look at.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

SAID_CHARS = 500


@dataclass(frozen=True, slots=True)
class Point:
    """One question: a program with its arguments and what it reads. ``{state}`` in an argument is the asker's state directory."""

    name: str
    command: tuple[str, ...]
    reads: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of one round of questions: ``says`` names the point that was not well."""

    ok: bool
    says: str


@dataclass(frozen=True, slots=True)
class ApplicationHealth:
    """``errors`` in a row, of ``allowed``; ``alarmed`` from the moment when they are as many until the next good answer."""

    allowed: int
    errors: int = 0
    alarmed: bool = False
    says: str = "the application has not been asked yet"

    def after(self, answer: Answered) -> ApplicationHealth:
        """The same after one more round."""
        if answer.ok:
            return replace(self, errors=0, alarmed=False, says=answer.says)
        errors = self.errors + 1
        return replace(self, errors=errors, alarmed=errors >= self.allowed, says=answer.says)

    def news_since(self, before: ApplicationHealth) -> str:
        """What a person must be told; empty when nothing is new."""
        if self.alarmed and not before.alarmed:
            return f"the application does not answer as it should, {self.errors} times in a row: {self.says}"
        if before.alarmed and not self.alarmed:
            return f"the application answers again: {self.says}"
        return ""

    @property
    def sentence(self) -> str:
        """How it stands, for a status."""
        if not self.errors:
            return self.says
        alert = "ALERT, " if self.alarmed else ""
        return f"{alert}{self.errors} of {self.allowed} errors in a row: {self.says}"


def ask(points: Sequence[Point], environment: Mapping[str, str], timeout_s: float, state: str) -> Answered:
    """Ask one point after the other, until one is not well; each may take ``timeout_s``."""
    said: list[str] = []
    for point in points:
        answer = _asked(point, environment, timeout_s, state)
        if not answer.ok:
            return Answered(ok=False, says=f"{point.name}: {answer.says}")
        said.append(answer.says)
    return Answered(ok=True, says="; ".join(one for one in said if one) or "the application answers")


def _asked(point: Point, environment: Mapping[str, str], timeout_s: float, state: str) -> Answered:
    command = [word.replace("{state}", state) for word in point.command]
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=dict(environment),
            start_new_session=True,
        )
    except OSError as error:
        return Answered(ok=False, says=f"{command[0]} cannot be run: {error.strerror}")
    try:
        output, _ = child.communicate(point.reads.encode(), timeout=timeout_s)
    except subprocess.TimeoutExpired:
        return Answered(ok=False, says=f"no answer within {timeout_s:g} s")
    finally:
        _end(child)
    lines = [line for line in output.decode(errors="replace").splitlines() if line.strip()]
    says = _spoken(lines)[:SAID_CHARS]
    if child.returncode:
        return Answered(ok=False, says=says or f"it ended with {child.returncode}")
    return Answered(ok=True, says=says)


def _spoken(lines: Sequence[str]) -> str:
    """The last line, but for one that is only a hint."""
    told = [line for line in lines if not line.startswith("hint:")]
    return told[-1].strip() if told else ""


def _end(child: subprocess.Popen[bytes]) -> None:
    """Whatever it began ends with it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
