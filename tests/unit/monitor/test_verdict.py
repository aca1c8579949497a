"""From answers to a condition, a colour, a countdown and a sentence."""

from __future__ import annotations

import pytest

from orchestrator.engine.control.observing import all_answer
from orchestrator.engine.monitor.verdict import (
    Answer,
    Colour,
    Condition,
    MonitorSettings,
    Observations,
    Pace,
    Verdict,
    judge,
)

ONE = MonitorSettings(("10.0.0.1",), interval_s=2.0, missed=4)
TWO = MonitorSettings(("10.0.0.1", "10.0.0.2"), interval_s=1.0, missed=2)


def rounds(settings: MonitorSettings, *patterns: dict[tuple[str, str], bool], **signs: object) -> Verdict:
    verdict = None
    for number, pattern in enumerate(patterns):
        answers = tuple(Answer(address, method, up) for (address, method), up in pattern.items())
        verdict = judge(Observations(answers, **signs), verdict, settings, float(number))
    assert verdict is not None
    return verdict


UP, DOWN = {("10.0.0.1", "udp"): True}, {("10.0.0.1", "udp"): False}


@pytest.mark.parametrize(
    ("missed", "colour", "left_s", "condition"),
    [
        (0, Colour.GREEN, 8.0, Condition.SOURCE_ALIVE),
        (1, Colour.YELLOW, 6.0, Condition.SOURCE_MISSING),
        (3, Colour.YELLOW, 2.0, Condition.SOURCE_MISSING),
        (4, Colour.RED, 0.0, Condition.SOURCE_SILENT),
        (9, Colour.RED, 0.0, Condition.SOURCE_SILENT),
    ],
)
def test_the_countdown_falls_by_missed_rounds(missed: int, colour: Colour, left_s: float, condition: Condition) -> None:
    verdict = rounds(ONE, UP, *[DOWN] * missed)
    assert (verdict.colour, verdict.time_to_fail_s, verdict.condition) == (colour, left_s, condition)
    assert verdict.failed is (condition is Condition.SOURCE_SILENT)


def test_below_a_quarter_missed_it_is_still_green() -> None:
    many = MonitorSettings(("10.0.0.1",), missed=20)
    assert rounds(many, *[DOWN] * 4).colour is Colour.GREEN
    assert rounds(many, *[DOWN] * 5).colour is Colour.YELLOW


def test_one_answer_resets_the_countdown() -> None:
    verdict = rounds(ONE, *[DOWN] * 3, UP)
    assert (verdict.colour, verdict.time_to_fail_s) == (Colour.GREEN, 8.0)


def test_time_that_passed_without_a_round_is_no_silence() -> None:
    first = judge(Observations((Answer("10.0.0.1", "udp", True),)), None, ONE, 0.0)
    after_an_hour = judge(Observations((Answer("10.0.0.1", "udp", False),)), first, ONE, 3600.0)
    assert after_an_hour.condition is Condition.SOURCE_MISSING


@pytest.mark.parametrize(
    ("require", "condition", "colour"),
    [("all", Condition.ADDRESS_SILENT, Colour.YELLOW), ("any", Condition.SOURCE_SILENT, Colour.RED)],
)
def test_one_of_two_silent(require: str, condition: Condition, colour: Colour) -> None:
    settings = MonitorSettings(TWO.addresses, interval_s=1.0, missed=2, require=require)
    seen = {("10.0.0.1", "udp"): True, ("10.0.0.2", "udp"): False}
    verdict = rounds(settings, seen, seen)
    assert (verdict.condition, verdict.colour) == (condition, colour)
    assert verdict.colour_of("10.0.0.1", settings) is Colour.GREEN
    assert verdict.colour_of("10.0.0.2", settings) is Colour.RED
    assert "10.0.0.2" in verdict.sentence


def test_with_both_methods_an_echo_alone_says_that_the_engine_is_down_and_no_more() -> None:
    both = MonitorSettings(("10.0.0.1",), method="both", missed=2)
    seen = {("10.0.0.1", "udp"): False, ("10.0.0.1", "icmp"): True}
    verdict = rounds(both, seen, seen, seen)
    assert (verdict.condition, verdict.failed) == (Condition.ENGINE_SILENT, False)
    gone = {("10.0.0.1", "udp"): False, ("10.0.0.1", "icmp"): False}
    assert rounds(both, seen, gone, gone).failed


@pytest.mark.parametrize("signs", [{"witness_sees_source": True}, {"data_heard_s": 0.5}])
def test_silence_to_us_alone_is_a_suspected_link(signs: dict[str, object]) -> None:
    verdict = rounds(ONE, *[DOWN] * 5, **signs)
    assert (verdict.condition, verdict.failed, verdict.colour) == (Condition.LINK_SUSPECTED, False, Colour.YELLOW)
    assert rounds(ONE, *[DOWN] * 5, witness_sees_source=False, data_heard_s=8.0).failed


def test_the_sentence_says_why_and_when_it_looks_again() -> None:
    assert rounds(ONE, UP).sentence == "the source answers; looking again in 2 s"
    assert "6 s to fail; looking again in 2 s" in rounds(ONE, UP, DOWN).sentence
    assert "has not answered since monitoring began" in rounds(ONE, *[DOWN] * 4).sentence
    assert "has not answered" not in rounds(ONE, UP, *[DOWN] * 4).sentence


def test_votes_tell_who_says_what() -> None:
    verdict = rounds(ONE, DOWN, witness_sees_source=False, data_heard_s=3.25)
    assert verdict.votes == (
        "10.0.0.1: 1 of 4 missed",
        "data connection: heard 3.2 s ago",
        "witness: source does not renew",
    )


@pytest.mark.parametrize(
    ("require", "first_missed", "second_missed", "left_s", "counted"),
    [
        ("all", 1, 0, 10.0, (0, 2)),
        ("all", 2, 1, 5.0, (1, 2)),
        ("all", 4, 2, 0.0, (4, 4)),
        ("any", 0, 1, 5.0, (1, 2)),
        ("any", 2, 1, 2.0, (2, 4)),
        ("any", 4, 0, 0.0, (4, 4)),
    ],
)
def test_each_address_counts_down_at_its_own_pace(
    require: str, first_missed: int, second_missed: int, left_s: float, counted: tuple[int, int]
) -> None:
    """The first is asked every second and may miss 4; the second every 5 s, and may miss 2."""
    own = {"10.0.0.1": Pace(1.0, 4), "10.0.0.2": Pace(5.0, 2)}
    settings = MonitorSettings(TWO.addresses, interval_s=60.0, missed=9, require=require, own=own)
    one, other = ("10.0.0.1", "udp"), ("10.0.0.2", "udp")
    quiet = [{one: False}] * first_missed + [{other: False}] * second_missed
    verdict = rounds(settings, {one: True, other: True}, *quiet)
    assert (verdict.time_to_fail_s, (verdict.missed, verdict.allowed)) == (left_s, counted)
    assert verdict.failed is (left_s == 0)
    assert verdict.looks_again_s == 1.0


def test_an_address_that_was_not_asked_keeps_its_silence() -> None:
    """Else the witness would not be asked, and a suspected link be taken for a dead source."""
    settings = MonitorSettings(TWO.addresses, own={"10.0.0.2": Pace(60.0, 1)})
    before = rounds(settings, {("10.0.0.1", "udp"): True, ("10.0.0.2", "udp"): False})
    assert not all_answer((Answer("10.0.0.1", "udp", True),), settings, before)
    assert all_answer((Answer("10.0.0.1", "udp", True), Answer("10.0.0.2", "udp", True)), settings, before)
