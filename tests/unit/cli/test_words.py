"""The guide's slash spellings."""

from __future__ import annotations

import pytest

from orchestrator.cli.words import without_slashes


@pytest.mark.covers("AM-01")
@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["/fileprint"], ["--fileprint"]),
        (["/FilePrint", "status"], ["--fileprint", "status"]),
        (["/?"], ["--help"]),
        (["/sql", "/Advanced", "/nosqlsearch"], ["--sql", "--advanced", "--nosqlsearch"]),
        (["/altdns", "status"], ["--altdns", "status"]),
        (["--json", "/exchange"], ["--json", "--exchange"]),
        (["configure", "--path", "/sql"], ["configure", "--path", "/sql"]),
        ([], []),
    ],
)
def test_slashes(typed: list[str], meant: list[str]) -> None:
    assert without_slashes(typed) == meant
