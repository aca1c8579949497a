"""Commands that do not fit the state are refused with the reason and what fits instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.failover.guards import Wish, fitting, raise_if_refused, refusal
from orchestrator.failover.snapshot import Snapshot
from orchestrator.model.errors import NotInThisState

Build = Callable[..., Snapshot]
FAILED_OVER = {"silent": "source", "serving": "target", "target": {"phase": "done", "epoch": 2}}
AT_WORK = {"silent": "source", "target": {"phase": "granting", "says": "asking the witness"}}

REFUSED: list[tuple[str, Wish, dict[str, Any], str]] = [
    ("failback while protected", Wish("failback"), {}, "there is nothing to failback: alpha has the service"),
    ("restore while protected", Wish("restore"), {}, "there is nothing to restore"),
    ("failover twice", Wish("failover"), FAILED_OVER, "beta serves already under epoch 2"),
    ("failover while at work", Wish("failover"), AT_WORK, "asking the witness"),
    ("failover before enable", Wish("failover"), {"known": "none"}, "neither server has a part in it"),
    ("failover without target", Wish("failover"), {"silent": "target"}, "beta must answer"),
    (
        "graceful without source",
        Wish("failover", graceful=True),
        {"silent": "source"},
        "a graceful failover hands over",
    ),
    ("failover to half a mirror", Wish("failover"), {"data": "mirroring"}, "a half-mirrored state"),
    ("failback without source", Wish("failback"), FAILED_OVER, "alpha must answer"),
    ("enable while failed over", Wish("enable"), {**FAILED_OVER, "silent": ""}, "beta serves already"),
    ("enable without source", Wish("enable"), {"silent": "source"}, "alpha must answer"),
    ("disable while at work", Wish("disable"), AT_WORK, "asking the witness"),
    ("disable while the target serves", Wish("disable"), FAILED_OVER, "only a failback gives back"),
]


@pytest.mark.covers("AM-13")
@pytest.mark.parametrize(("wish", "given", "reason"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused(build: Build, wish: Wish, given: dict[str, Any], reason: str) -> None:
    found = refusal(build(**given), wish)
    assert found is not None
    assert reason in found.reason
    assert found.advice
    with pytest.raises(NotInThisState, match="does not fit") as told:
        raise_if_refused(build(**given), wish)
    assert told.value.hint == found.advice


ACCEPTED: list[tuple[str, Wish, dict[str, Any]]] = [
    ("failover", Wish("failover"), {"silent": "source"}),
    ("graceful", Wish("failover", graceful=True), {}),
    ("forced on half a mirror", Wish("failover", forced=True), {"silent": "source", "data": "mirroring"}),
    ("a chosen snapshot", Wish("failover", data="snapshot:x"), {"silent": "source", "data": "mirroring"}),
    ("the last good state was kept", Wish("failover"), {"data": "mirroring", "kept": "20260101T000000Z-abcdef"}),
    ("failback", Wish("failback"), {**FAILED_OVER, "silent": "", "source": {"fenced": True}}),
    ("restore", Wish("restore"), {**FAILED_OVER, "silent": "", "source": {"fenced": True}}),
    ("enable", Wish("enable"), {"known": "none", "serving": "none"}),
    ("disable", Wish("disable"), {}),
    ("disable when the source is lost for good", Wish("disable", forced=True), FAILED_OVER),
]


@pytest.mark.parametrize(("wish", "given"), [case[1:] for case in ACCEPTED], ids=[case[0] for case in ACCEPTED])
def test_accepted(build: Build, wish: Wish, given: dict[str, Any]) -> None:
    assert refusal(build(**given), wish) is None


def test_what_fits_is_shown(build: Build) -> None:
    assert fitting(build()) == ("enable", "disable", "failover")
    assert fitting(build(**{**FAILED_OVER, "silent": ""})) == ("failback", "restore")
