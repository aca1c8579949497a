"""Whatever goes wrong becomes one line, a hint and an exit code; a traceback never reaches a person."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from orchestrator.cli.errors import AnswerNeeded
from orchestrator.cli.guard import open_log, prepare_home, run_guarded
from orchestrator.model.outcomes import TryAgain


@pytest.fixture(autouse=True)
def closed_log():
    yield
    import logging

    logger = logging.getLogger("dtam")
    for handler in logger.handlers:
        handler.close()
    logger.handlers[:] = []


def raising(error: BaseException):
    def command() -> None:
        raise error

    return command


def test_known_error_is_a_line_a_hint_and_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    code = run_guarded(raising(AnswerNeeded(what="the name", flag="--name")), as_json=False)
    assert code == AnswerNeeded.exit_code
    assert capsys.readouterr().err.splitlines() == [
        "dtam: the name is not given, and there is no terminal to ask on",
        "hint: give --name",
    ]


def test_json_mode_tells_the_error_as_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    run_guarded(raising(AnswerNeeded(what="the name", flag="--name")), as_json=True)
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["kind"] == "AnswerNeeded"
    assert error["exit_code"] == AnswerNeeded.exit_code


def test_unknown_exception_is_code_90_and_its_details_are_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_log(prepare_home(tmp_path / "home"))
    assert run_guarded(raising(ZeroDivisionError("by zero\nof all things")), as_json=False) == 90
    said = capsys.readouterr().err
    log = tmp_path / "home" / "log" / "dtam.verbose.log"
    assert said.splitlines()[0] == "dtam: unexpected ZeroDivisionError: by zero"
    assert str(log) in said
    assert "Traceback" not in said
    assert "Traceback" in log.read_text()


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (click.UsageError("no such option --x"), 2, "no such option --x"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.Abort(), 130, "interrupted"),
        (TryAgain("engine a:1 cannot be reached"), 35, "engine a:1 cannot be reached"),
        (click.exceptions.Exit(7), 7, ""),
    ],
)
def test_codes(error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_guarded(raising(error), as_json=False) == code
    assert said in capsys.readouterr().err


def test_home_is_for_its_owner_only(tmp_path: Path) -> None:
    home = prepare_home(tmp_path / "a" / "home")
    assert home.stat().st_mode & 0o077 == 0


def test_log_turns_over_under_the_names_of_the_guide(tmp_path: Path) -> None:
    import logging

    home = prepare_home(tmp_path)
    open_log(home)
    for _ in range(12):
        logging.getLogger("dtam").info("x" * 100_000)
    names = {path.name for path in (home / "log").iterdir()}
    assert names == {"dtam.verbose.log", "dtam.verbose.prev.log"}
