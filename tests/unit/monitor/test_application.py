"""Asking the application: errors in a row make an alert and no more, and a question that hangs ends with all that it began."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from orchestrator.engine.monitor.application import Answered, ApplicationHealth, Point, ask

GOOD, BAD = Answered(ok=True, says="it answers"), Answered(ok=False, says="log-in refused")


def told(*answers: Answered, allowed: int = 3) -> list[str]:
    health, news = ApplicationHealth(allowed), []
    for answer in answers:
        before, health = health, health.after(answer)
        news.append(health.news_since(before))
    return news


@pytest.mark.covers("AM-22")
def test_an_alert_is_raised_once_when_errors_in_a_row_reach_the_threshold() -> None:
    assert [bool(one) for one in told(BAD, BAD, GOOD, BAD, BAD, BAD, BAD, GOOD, GOOD)] == [
        False, False, False, False, False, True, False, True, False,
    ]  # fmt: skip
    alert, over = (one for one in told(BAD, BAD, BAD, GOOD) if one)
    assert alert == "the application does not answer as it should, 3 times in a row: log-in refused"
    assert over == "the application answers again: it answers"
    assert told(BAD, allowed=1) == ["the application does not answer as it should, 1 times in a row: log-in refused"]


@pytest.mark.covers("AM-22")
def test_a_status_says_how_many_errors_of_how_many() -> None:
    health = ApplicationHealth(2).after(BAD)
    assert health.sentence == "1 of 2 errors in a row: log-in refused"
    assert health.after(BAD).sentence.startswith("ALERT, 2 of 2")
    assert health.after(GOOD).sentence == "it answers"


def asked(*commands: tuple[str, ...], timeout_s: float = 60.0, reads: str = "", **environment: str) -> Answered:
    points = [Point(f"point {number}", command, reads) for number, command in enumerate(commands)]
    return ask(points, {"PATH": os.environ["PATH"]} | environment, timeout_s, "/state")


@pytest.mark.covers("AM-22")
def test_points_are_programs_whose_last_line_says_what_is_wrong() -> None:
    assert asked(("sh", "-c", "echo fine")) == Answered(ok=True, says="fine")
    failed = asked(("true",), ("sh", "-c", "echo one; echo two; echo 'hint: look there'; exit 3"), ("false",))
    assert failed == Answered(ok=False, says="point 1: two")
    assert asked(("false",)) == Answered(ok=False, says="point 0: it ended with 1")
    assert "cannot be run: No such file" in asked(("/no/such/program",)).says
    assert asked(("sh", "-c", 'echo "$DTAM_USER {state}"; cat'), reads="in", DTAM_USER="ada").says == "in"
    assert asked(("sh", "-c", 'echo "$DTAM_USER {state}"'), DTAM_USER="ada").says == "ada /state"


@pytest.mark.covers("AM-22")
def test_a_question_that_hangs_ends_with_all_that_it_began(tmp_path: Path) -> None:
    child = tmp_path / "child"
    answer = asked(("sh", "-c", f"sleep 600 & echo $! >{child}; wait"), timeout_s=0.5)
    assert answer == Answered(ok=False, says="point 0: no answer within 0.5 s")
    pid = int(child.read_text())
    until = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < until
        time.sleep(0.01)
