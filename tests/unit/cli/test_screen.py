"""What is printed where: units, bars as lines, questions only where somebody can answer."""

from __future__ import annotations

import doctest
import io

import pytest
from rich.console import Console

from orchestrator.cli import screen as screens
from orchestrator.cli import words
from orchestrator.cli.errors import AnswerNeeded
from orchestrator.cli.screen import Screen, ask, confirm


@pytest.mark.parametrize("module", [screens, words])
def test_examples_in_docstrings(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def plain() -> tuple[Screen, io.StringIO]:
    text = io.StringIO()
    return Screen(console=Console(file=text, soft_wrap=True)), text


def test_no_colour_outside_of_a_terminal() -> None:
    screen, text = plain()
    screen.say("well", "passed")
    assert text.getvalue() == "well\n"


def test_no_colour_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    text = io.StringIO()
    Screen(console=Console(file=text, force_terminal=True, soft_wrap=True)).say("well", "passed")
    assert "\x1b[3" not in text.getvalue()


def test_json_silences_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(as_json=True)
    screen.say("a sentence")
    screen.table(("a",), [("b",)])
    screen.document({"a": 1})
    assert capsys.readouterr().out == '{\n  "a": 1\n}\n'


def test_nobody_to_ask_names_the_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(AnswerNeeded) as told:
        ask("Which", what="the source server", flag="--source SERVER")
    assert told.value.hint == "give --source SERVER"
    with pytest.raises(AnswerNeeded):
        confirm("Sure?", what="it", yes=False)
    confirm("Sure?", what="it", yes=True)
