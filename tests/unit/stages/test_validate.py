"""Checks run, nothing changes; fixes come in the order of what they need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.model.findings import Finding, Severity
from orchestrator.model.inventory import Inventory, SideInventory
from orchestrator.model.servers import ServerName, Where
from orchestrator.model.settings import AdvancedTab, SilencedCheck
from orchestrator.model.steps import Action, Step
from orchestrator.sdk.checks import Check, View, check
from orchestrator.validate import Report, fixes, validate
from tests.faults.rehearsal import protection

NOTHING_KNOWN = Inventory(0.0, SideInventory(ServerName("alpha")), SideInventory(ServerName("beta")))


def step(name: str) -> Step:
    return Step(name, Where.TARGET, name, Action("never"), Action("nothing"), Action("nothing"))


@check("all-well", passed="all is well")
def all_well(view: View) -> Iterator[Finding]:
    yield from ()


@check("broken-check", sets=("strict",), passed="never")
def broken(view: View) -> Iterator[Finding]:
    raise KeyError("unexpected")
    yield


@check("needs-other", passed="fine")
def needs_other(view: View) -> Iterator[Finding]:
    yield view.error("second", why="w", fix=[step("b")], needs=("other-first",))


@check("other-first", passed="fine")
def other_first(view: View) -> Iterator[Finding]:
    yield view.error("first", why="w", fix=[step("a")], needs=("needs-other",))


@check("by-hand", passed="fine")
def by_hand(view: View) -> Iterator[Finding]:
    yield view.error("cannot", why="w", remedy="buy a disk")


def run(*checks: Check, **more: frozenset[str]) -> Report:
    return validate(checks, NOTHING_KNOWN, protection(), 1.0, **more)


@pytest.mark.covers("AM-11")
def test_each_check_is_reported() -> None:
    report = run(all_well, needs_other, by_hand)
    assert [one.severity for one in report.findings] == [Severity.PASSED, Severity.ERROR, Severity.ERROR]
    assert report.says == "1 checks passed, 0 warnings, 2 errors, 1 can be fixed"
    assert report.findings[0].line() == "passed: all is well (via all-well)"


@pytest.mark.covers("AM-11")
def test_a_broken_check_hides_nothing() -> None:
    report = run(broken, by_hand)
    assert "the check itself failed: KeyError" in report.findings[0].what
    assert report.findings[1].what == "cannot"


def test_checks_are_chosen_by_set_and_id() -> None:
    assert [one.check for one in run(all_well, broken, sets=frozenset({"strict"})).findings] == ["broken-check"]
    assert [one.check for one in run(all_well, broken, only=frozenset({"all-well"})).findings] == ["all-well"]


@pytest.mark.covers("AM-12")
def test_fixes_come_after_what_they_need_even_in_a_circle() -> None:
    plan = fixes(run(needs_other, other_first, by_hand), protection())
    assert [one.id for one in plan.steps] == ["a", "b"]
    assert plan.remarks == ("a person must: buy a disk (via by-hand)",)


@pytest.mark.covers("AM-12")
def test_one_fix_brings_what_it_needs() -> None:
    report = run(needs_other, other_first)
    assert [one.id for one in fixes(report, protection(), frozenset({"needs-other"})).steps] == ["a", "b"]


def test_nothing_to_fix_says_why() -> None:
    assert fixes(run(all_well), protection()).nothing_because == "every check passed"
    assert fixes(run(by_hand), protection()).nothing_because == "no finding can be fixed by dtam"


def test_a_silenced_check_is_a_warning_with_its_reason() -> None:
    silenced = AdvancedTab(silenced=(SilencedCheck(check="by-hand", reason="lab only"),))
    given = protection()
    object.__setattr__(given.settings, "advanced", silenced)
    (found,) = validate([by_hand], NOTHING_KNOWN, given, 1.0).findings
    assert (found.severity, found.what) == (Severity.WARNING, "silenced (lab only): cannot")


def test_ids_and_sets_are_checked() -> None:
    with pytest.raises(ValueError, match="kebab"):
        check("Not Kebab", passed="x")
    with pytest.raises(ValueError, match="unknown sets"):
        check("fine", sets=("odd",), passed="x")
