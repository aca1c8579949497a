"""What a person reads on the screen: the worst last, words as they stand in a file, advice where there is something to do."""

from __future__ import annotations

import pytest

from orchestrator.cli.commands import validate
from orchestrator.cli.commands.configure import _told
from orchestrator.cli.screen import Screen
from orchestrator.model.findings import Finding, Severity
from orchestrator.validate import Report


def test_what_has_to_be_done_stands_last(capsys: pytest.CaptureFixture[str]) -> None:
    found = (
        Finding("a-check", Severity.ERROR, "broken", "alpha"),
        Finding("b-check", Severity.PASSED, "fine", ""),
        Finding("c-check", Severity.WARNING, "odd", "beta"),
    )
    validate.show(Screen(), Report(found))
    first = [line.split()[0] for line in capsys.readouterr().out.splitlines()[:3]]
    assert first == ["passed", "warning", "error"]


def test_yes_and_no_are_shown_as_a_file_has_them() -> None:
    assert dict(_told({"monitoring": {"manual_intervention": False}}, "")) == {
        "monitoring.manual_intervention": "false"
    }
