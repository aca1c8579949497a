"""The scripts that lie on Windows hosts: each parses, calls only what is published, and tells a reader what it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.hosts import winrm_scripts as laid
from tests.unit.scripting.powershell_rules import problems

FOLDER = Path(__file__).parents[3] / "scripts" / "windows"
SCRIPTS = sorted(one.name for one in FOLDER.glob("*.ps1") if not one.name.startswith(("storage_", "external_")))
WANTED = re.compile(
    r"\$path is called with arguments that nobody can check"  # the scripts of this folder, by their digests
    r"|there is no command (powershell|icacls)\.exe"
    r"|Stopwatch\]::(Frequency|GetTimestamp) is not in the subset"
    r"|(WindowsBuiltInRole\]|SecurityIdentifier|NTAccount\]|\.Translate\(\)) is not in the subset"
)
"""What the page of the subset does not name, and Windows PowerShell has."""
CHANGES = {
    "act.ps1",
    "deliver_script.ps1",
    "make_directory.ps1",
    "put_protection.ps1",
    "remove_directory.ps1",
    "remove_protection.ps1",
    "set_guard.ps1",
    "set_start_type.ps1",
    "start_run.ps1",
    "start_service.ps1",
    "stop_service.ps1",
}


def text_of(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8-sig")


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_parses_and_calls_only_what_is_published(name: str) -> None:
    beside = () if name == "state.ps1" else (text_of("state.ps1"),)
    assert [one for one in problems(text_of(name), *beside) if not WANTED.search(one)] == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_says_what_it_is(name: str) -> None:
    text = text_of(name)
    assert re.match(r"<#\n\.SYNOPSIS\n\S.*\.\n", text), "a help block comes first"
    described = set(re.findall(r"^\.PARAMETER (\w+)$", text, re.MULTILINE))
    block = re.search(r"^param\((.*?)\)\nSet-StrictMode", text, re.MULTILINE | re.DOTALL)
    given = set(re.findall(r"\$(\w+)", re.sub(r"\$(true|false|null)", "", block[1]))) if block else set()
    assert described == given


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_script_that_changes_something_knows_what_if(name: str) -> None:
    text = text_of(name)
    assert "SupportsShouldProcess" in text
    assert "$PSCmdlet.ShouldProcess(" in text
    assert "Set-StrictMode -Version Latest" in text


def test_nothing_that_a_host_says_becomes_code() -> None:
    for name in SCRIPTS:
        assert not re.search(
            r"Invoke-Expression|\biex\b|\[scriptblock\]::Create|Add-Type", text_of(name), re.IGNORECASE
        )


SENT = {laid.LOADER, laid.INSTALLER, *(one.name for one in FOLDER.glob("doctor_*.ps1"))}


def test_all_scripts_but_those_that_are_sent_are_laid() -> None:
    assert set(laid.scripts()) == {one.name for one in FOLDER.glob("*.ps1")} - SENT


@pytest.mark.parametrize("name", sorted(SENT))
def test_a_text_that_is_sent_fits_a_command_line(name: str) -> None:
    assert len(" ".join((laid.PROGRAM, *laid.arguments_of(name)))) <= laid.COMMAND_LINE_MAX
