"""A run as it is told: one line a step, waiting at most once a second, a bar only on a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from orchestrator.cli.progress import Teller
from orchestrator.cli.screen import Screen
from orchestrator.executing import Progress
from orchestrator.model.servers import Where
from orchestrator.model.steps import Action, Step

STEP = Step(
    "connect", Where.SOURCE, "connect alpha to beta", Action("link-there"), Action("connect"), Action("nothing")
)


def told(*events: Progress, terminal: bool = False) -> str:
    text = io.StringIO()
    ticks = iter(range(100))
    console = Console(file=text, force_terminal=terminal, soft_wrap=True, width=100)
    teller = Teller(Screen(console=console), clock_s=lambda: next(ticks) / 2)
    for event in events:
        teller(event)
    teller.end_bar()
    return text.getvalue()


def test_each_end_is_one_line() -> None:
    said = told(
        Progress(STEP, "about-to"),
        Progress(STEP, "done", "connected", seconds=0.42),
        Progress(STEP, "already", "it was"),
        Progress(STEP, "failed", "the target refuses"),
        Progress(STEP, "undone", "undone"),
    )
    assert said.splitlines() == [
        "  ✓ connect alpha to beta (0.4 s)",
        "  = connect alpha to beta (was so already)",
        "  ✗ connect alpha to beta: the target refuses",
        "  ↶ connect alpha to beta",
    ]


def test_waiting_is_told_when_it_changes_and_not_more_than_once_a_second() -> None:
    waits = [Progress(STEP, "waiting", f"{number} bytes") for number in (1, 1, 2, 3, 4)]
    assert told(*waits).splitlines() == [
        "    connect alpha to beta: 1 bytes",
        "    connect alpha to beta: 2 bytes",
        "    connect alpha to beta: 4 bytes",
    ]


def test_a_bar_on_a_terminal_leaves_nothing_behind() -> None:
    said = told(Progress(STEP, "waiting", "mirroring", 0.5), Progress(STEP, "done", "", seconds=2.0), terminal=True)
    assert "50%" in said
    assert "✓ connect alpha to beta (2.0 s)" in said
