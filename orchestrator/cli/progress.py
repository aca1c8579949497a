"""A run as a person watches it: each step as it begins and ends, a bar for what takes long, one line a second elsewhere.

Only facts of the journal are shown, so what stands on the screen is what a later ``dtam history`` tells.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from orchestrator.cli.screen import Screen
from orchestrator.executing import Progress as Seen

MARKS = {"done": ("✓", "passed"), "already": ("=", ""), "failed": ("✗", "failed"), "undone": ("↶", "warning")}
WORDS = {"already": "was so already", "kept": "left as it is"}
LINE_EVERY_S = 1.0


@dataclass(slots=True)
class Teller:
    """Tells the steps of a run. ``seconds`` are shown where a step took more than a moment."""

    screen: Screen
    clock_s: Callable[[], float] = time.monotonic
    _bar: Progress | None = None
    _task: TaskID | None = None
    _said: str = ""
    _said_at_s: float = field(default=float("-inf"))

    def __call__(self, seen: Seen) -> None:
        """One event of a run."""
        if seen.event == "waiting":
            self._waiting(seen)
            return
        self.end_bar()
        mark = MARKS.get(seen.event)
        if mark is None:
            return
        took = f" ({seen.seconds:.1f} s)" if seen.seconds >= 0.05 else ""
        word = f" ({WORDS[seen.event]})" if seen.event in WORDS else took
        more = f": {seen.says}" if seen.says and (seen.event == "failed" or _adds(seen)) else ""
        self.screen.say(f"  {mark[0]} {seen.step.sentence}{word}{more}", mark[1])

    def _waiting(self, seen: Seen) -> None:
        if self.screen.is_terminal and seen.fraction is not None:
            self._move_bar(seen, seen.fraction)
            return
        now_s = self.clock_s()
        if seen.says != self._said and now_s - self._said_at_s >= LINE_EVERY_S:
            self._said, self._said_at_s = seen.says, now_s
            self.screen.say(f"    {seen.step.sentence}: {seen.says}")

    def _move_bar(self, seen: Seen, fraction: float) -> None:
        if self._bar is None:
            columns = (TextColumn("    {task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
            self._bar = Progress(*columns, console=self.screen.console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task(seen.step.sentence, total=1.0)
        if self._task is not None:
            self._bar.update(self._task, completed=fraction)

    def end_bar(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _adds(seen: Seen) -> bool:
    """Whether the sentence tells more than the step's own: what a client got, how much was moved."""
    return seen.step.look.verb in {"clients-served", "failed-over", "script-ran", "link-in-step"}


@contextmanager
def telling(screen: Screen) -> Iterator[Teller]:
    """A teller whose bar ends with the block, whatever happens."""
    teller = Teller(screen)
    try:
        yield teller
    finally:
        teller.end_bar()
