"""Each check of SQL Server over facts alone: what makes it speak, what it says, and that it is silent on a sound pair. Cases are data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.model.findings import Finding, Severity
from orchestrator.sdk.checks import Check
from orchestrator.sdk.steps.making import NOTHING
from plugins.sql.checks import CHECKS
from tests.unit.sql.sound_pair import NOW_S, inventory, protection

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases/sql/checks.yaml").read_text())
OWN: dict[str, Check] = {one.id: one for one in CHECKS if one.id.startswith("sql-")}


def found(check: Check, case: Mapping[str, Any]) -> list[Finding]:
    said = check.run(inventory(case), protection(case), NOW_S)
    return [one for one in said if one.severity is not Severity.PASSED]


@pytest.mark.parametrize("mode", ["instance", "database"])
@pytest.mark.parametrize("platform", ["linux", "windows"])
def test_a_sound_pair_is_sound(platform: str, mode: str) -> None:
    sound = {"platform": platform, "mode": mode}
    if mode == "database":
        sound |= {"target": {"sql": {"instances": {"MSSQLSERVER": {"databases": {"orders": None}}}}}}
    assert [said.line() for check in OWN.values() for said in found(check, sound)] == []


@pytest.mark.covers("SQL-04")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "-"))
def test_case(case: Mapping[str, Any]) -> None:
    check = OWN[case["check"]]
    said = found(check, case)
    if case.get("silent"):
        assert [one.line() for one in said] == []
        return
    assert said, "it found nothing"
    told = next((one for one in said if case["what"] in one.what), said[0])
    assert case["what"] in told.what
    assert told.severity == case.get("severity", "error")
    assert told.where
    assert told.why
    assert told.remedy
    assert case.get("remedy", "") in told.remedy
    assert [step.do.verb for step in told.fix] == case.get("fix", [])
    assert all(step.do != NOTHING for step in told.fix)
    others = [one.id for one in OWN.values() if one.id != check.id and found(one, case)]
    assert sorted(others) == sorted(case.get("also", [])), "other checks speak of the same"


@pytest.mark.covers("AM-37")
def test_a_hosts_file_that_holds_the_clients_name_is_found_for_sql_server_too() -> None:
    check = next(one for one in CHECKS if one.id == "hosts-file-names-source")
    hosts = [{"address": "10.0.0.1", "names": ["sql.lab.example"], "line": 3}]
    case = {"platform": "windows", "target": {"windows": {"hosts": hosts}}}
    (said,) = found(check, case)
    assert "on beta leads sql.lab.example to 10.0.0.1" in said.what
    assert found(check, {"platform": "windows"}) == []


def test_every_check_has_a_case() -> None:
    spoken = {case["check"] for case in CASES if not case.get("silent")}
    assert set(OWN) - spoken == set()


def test_every_check_says_why_and_has_an_id_of_its_own() -> None:
    ids = [one.id for one in CHECKS]
    assert sorted(ids) == sorted(set(ids))
    assert all((one.find.__doc__ or "").strip() for one in OWN.values())


def test_silent_servers_make_no_check_fail() -> None:
    """With nobody to ask, checks say nothing wrong of what they cannot see; none crashes."""
    for silent in ({"sql": None}, {"unreachable": "no answer", "sql": None, "windows": None}):
        for where in ("source", "target"):
            said = [one.line() for check in OWN.values() for one in found(check, {where: silent})]
            assert [one for one in said if "the check itself failed" in one] == []
