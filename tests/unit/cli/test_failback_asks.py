"""Whether the target goes on watching after a failback: a person is asked, a program is not, and a flag is the word."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from orchestrator.cli.commands import failback
from orchestrator.failover.guards import Wish


@pytest.mark.parametrize(
    ("words", "typed", "terminal", "stops"),
    [
        ((), "n\n", True, True),
        ((), "\n", True, False),
        ((), "", False, False),
        (("--yes",), "", True, False),
        (("--stop-monitoring",), "", True, True),
        (("--continue-monitoring",), "", True, False),
    ],
)
def test_continue_or_stop_monitoring(
    words: tuple[str, ...], typed: str, terminal: bool, stops: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    wishes: list[Wish] = []

    def carried(*_: Any, wish: Wish, **_more: Any) -> None:
        wishes.append(wish)

    settings = SimpleNamespace(is_watched=True)
    desk = SimpleNamespace(protection=lambda _name, _command: SimpleNamespace(settings=settings))
    monkeypatch.setattr(failback, "carry", carried)
    monkeypatch.setattr(failback, "sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: terminal)))
    done = CliRunner().invoke(failback.command, [*words], input=typed, obj=desk)
    assert done.exit_code == 0, (done.output, done.exception)
    assert [wish.stop_monitoring for wish in wishes] == [stops]
    assert ("go on watching" in done.stderr) == (terminal and not words)
