"""How the demo speaks: chapters, what is typed, what it answered, progress, and the table at the end.

On a terminal in colour with bars; elsewhere plain lines without control codes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Step:
    """A chapter of the story and how long it took."""

    name: str
    seconds: float


class Narrator:
    """Tells the story and keeps the time of each chapter."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self.steps: list[Step] = []

    @contextmanager
    def chapter(self, name: str, why: str = "") -> Iterator[None]:
        """A step of the story; its duration is kept even when it fails."""
        self._console.print(f"\n[bold cyan]{len(self.steps) + 1}. {name}[/]" + (f"  [dim]{why}[/]" if why else ""))
        began = time.monotonic()
        try:
            yield
        finally:
            self.steps.append(Step(name, round(time.monotonic() - began, 2)))
            self._console.print(f"   [dim]{self.steps[-1].seconds:.1f} s[/]")

    @property
    def is_terminal(self) -> bool:
        """Whether people watch this on a terminal."""
        return self._console.is_terminal

    def broke(self, why: str, logs: str) -> None:
        """The story could not go on: why, and the last words of every process."""
        self._console.print(f"\n[bold red]the story broke:[/] {why}", soft_wrap=True)
        self._console.print(logs, markup=False, soft_wrap=True)

    def typed(self, command: str) -> None:
        """A command as an administrator would type it."""
        self._console.print(f"   [bold]$ {command}[/]", soft_wrap=True)

    def answered(self, text: str) -> None:
        """What a command printed, indented."""
        for line in text.rstrip().splitlines():
            self._console.print(f"     {line}", markup=False, soft_wrap=True)

    def says(self, sentence: str) -> None:
        """A remark of the narrator."""
        self._console.print(f"   {sentence}", soft_wrap=True)

    def event(self, sentence: str) -> None:
        """Something that happens to the hosts."""
        self._console.print(f"   [bold red]* {sentence}[/]", soft_wrap=True)

    @contextmanager
    def bar(self, what: str) -> Iterator[Progress]:
        """A progress bar on a terminal; elsewhere only its name."""
        if not self._console.is_terminal:
            self.says(what)
        columns = (TextColumn(f"   {what}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
        with Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal) as bar:
            yield bar

    def closes(self, rows: list[tuple[str, str]], *, good: bool) -> None:
        """The table at the end."""
        table = Table(show_header=False, box=None, padding=(0, 2))
        for name, value in rows:
            table.add_row(name, value)
        title = "the client went on; nothing acknowledged was lost" if good else "NOT as promised: see above"
        self._console.print(Panel(table, title=title, border_style="green" if good else "red", expand=False))
