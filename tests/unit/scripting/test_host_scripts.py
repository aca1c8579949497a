"""The scripts that are installed once on a Windows server go through the same checker as those that are rendered."""

from __future__ import annotations

from importlib import resources

import pytest

from tests.unit.scripting.powershell_rules import problems

SCRIPTS = {
    one.name: one.read_text(encoding="utf-8-sig")
    for one in (resources.files("scripts") / "windows").iterdir()
    if one.name.endswith(".ps1")
}
BY_VARIABLE = {
    "call.ps1": "the caller of all others: which script and which arguments stand in the request, checked by its digest",
    "external_run.ps1": "the user's own program and its words",
}
"""Who may call what a variable names, and why."""


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_only_what_there_is_is_used(name):
    found = problems(SCRIPTS[name], SCRIPTS["state.ps1"])
    allowed = "that nobody can check" if name in BY_VARIABLE else "\0"
    assert [one for one in found if allowed not in one] == []
