"""What a command prints: sentences and tables for people, one document for programs, bars for long work on a terminal.

Colour appears only on a terminal and never where ``NO_COLOR`` is set; rich holds to both. Bars and refreshing need a terminal;
elsewhere the same facts come as plain lines, at most one a second.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.text import Text

from orchestrator.cli.errors import AnswerNeeded, NotConfirmed

LINE_EVERY_S = 1.0
MARKS = {"passed": "green", "ok": "green", "warning": "yellow", "error": "red", "failed": "red"}


@dataclass(slots=True)
class Screen:
    """Where a command speaks. ``as_json`` silences everything but the one document."""

    as_json: bool = False
    console: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=True))

    def say(self, sentence: str, mark: str = "") -> None:
        """One sentence for a person."""
        if not self.as_json:
            self.console.print(Text(sentence, style=MARKS.get(mark, "")))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Rows for a person; nothing at all when there are none."""
        rows = list(rows)
        if self.as_json or not rows:
            return
        head, *body = plain_lines(columns, rows)
        self.console.print(Text("  ".join(head).rstrip(), style="bold"))
        for row in body:
            self.console.print(Text("  ").join(Text(cell, style=MARKS.get(cell.strip(), "")) for cell in row))

    def document(self, document: Any) -> None:
        """The one JSON document of a command; printed only when asked for."""
        if self.as_json:
            click.echo(json.dumps(document, indent=2, default=str))

    def line(self, document: Any) -> None:
        """One JSON document on one line, for what goes on and on."""
        if self.as_json:
            click.echo(json.dumps(document, default=str))

    @property
    def is_terminal(self) -> bool:
        """Whether a person watches: bars and refreshing make sense."""
        return not self.as_json and self.console.is_terminal

    @contextmanager
    def bar(self, what: str) -> Iterator[Bar]:
        """A progress bar counted in bytes, or plain lines where no terminal is."""
        if not self.is_terminal:
            yield LineBar(what, self)
            return
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=self.console) as progress:
            yield RichBar(progress, progress.add_task(what, total=None))


class Bar:
    """Long work seen from outside."""

    def moved(self, done_bytes: int, total_bytes: int | None) -> None:
        """So much is done; ``total_bytes`` is None while it is not known."""
        raise NotImplementedError


@dataclass(slots=True)
class RichBar(Bar):
    """A bar on a terminal."""

    progress: Progress
    task: TaskID

    def moved(self, done_bytes: int, total_bytes: int | None) -> None:
        """Move the bar."""
        self.progress.update(self.task, completed=done_bytes, total=total_bytes)


@dataclass(slots=True)
class LineBar(Bar):
    """Plain lines, not more than one a second."""

    what: str
    screen: Screen
    said_at_s: float = 0.0
    said: str = ""

    def moved(self, done_bytes: int, total_bytes: int | None) -> None:
        """Say it when it is time, and always say the end."""
        now_s = time.monotonic()
        ended = total_bytes is not None and done_bytes >= total_bytes
        line = f"{self.what}: {in_units(done_bytes)} of {in_units(total_bytes) if total_bytes is not None else '?'}"
        if line != self.said and (ended or now_s - self.said_at_s >= LINE_EVERY_S):
            self.said, self.said_at_s = line, now_s
            self.screen.say(line)


def plain_lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[tuple[str, ...]]:
    """Cells padded to their columns, the last one as it is: no frames, so that it pastes well."""
    cells = [tuple(columns), *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(len(row[position]) for row in cells) for position in range(len(columns))]
    return [
        tuple(cell if position == len(row) - 1 else cell.ljust(widths[position]) for position, cell in enumerate(row))
        for row in cells
    ]


def in_units(value_bytes: int) -> str:
    """Bytes as MB, GB or TB, as the guide's monitor shows them.

    >>> in_units(512), in_units(1_500_000), in_units(2_000_000_000)
    ('512 bytes', '1.5 MB', '2.0 GB')
    """
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6)):
        if value_bytes >= factor:
            return f"{value_bytes / factor:.1f} {unit}"
    return f"{value_bytes} bytes"


def confirm(question: str, *, what: str, yes: bool) -> None:
    """Go on only with a person's word.

    Raises:
        AnswerNeeded: nobody can be asked.
        NotConfirmed: the answer was no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise AnswerNeeded(what=f"a yes to '{question}'", flag="--yes")
    if not click.confirm(question, err=True):
        raise NotConfirmed(what=what)


def ask(question: str, *, what: str, flag: str, default: str | None = None) -> str:
    """A person's answer, or AnswerNeeded where none can be had."""
    if not sys.stdin.isatty():
        raise AnswerNeeded(what=what, flag=flag)
    answer: str = click.prompt(question, default=default, err=True)
    return answer
