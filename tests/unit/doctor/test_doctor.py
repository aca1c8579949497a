"""What `dtam doctor` makes of answers, and that it asks for exactly what the scripts use."""

# ruff: noqa: ARG002 - the port's signatures
from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from orchestrator.doctor.asking import examine, used_commands
from orchestrator.doctor.judging import LEAST, Row, of_facts, of_state
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.servers import Server, ServerName, WinRmAddress
from orchestrator.model.windows import USUAL, Windows, WindowsAsk
from tests.unit.doctor.used import used

FACTS = Windows(
    powershell_version="5.1.20348.1",
    language_mode="FullLanguage",
    execution_policy="RemoteSigned",
    account="LAB\\dtam",
    elevated=True,
    domain="lab.example",
    clock_offset_s=0.3,
    features=("Storage-Replica",),
)
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "constrained": ({"language_mode": "ConstrainedLanguage"}, "scripts run in full language"),
    "signed-only": ({"execution_policy": "AllSigned"}, "unsigned local scripts run"),
    "no-rights": ({"elevated": False}, "the account is an administrator"),
    "workgroup": ({"domain": "", "workgroup": "WORKGROUP"}, "it is a member of a domain"),
    "restart": ({"pending_reboot": True}, "no restart is pending"),
    "clock": ({"clock_offset_s": -200.0}, "its clock is within 60 s of ours (Kerberos allows 300 s)"),
    "old": ({"powershell_version": "4.0"}, "Windows PowerShell 5.1"),
}


def test_the_commands_asked_for_are_those_that_scripts_use() -> None:
    assert used_commands() == used(), "python -m tests.unit.doctor.used"


def test_a_good_server_proves_everything() -> None:
    assert {row.state for row in of_facts("alpha", FACTS)} == {"proved"}


@pytest.mark.parametrize("case", sorted(WRONG))
def test_each_thing_that_does_not_hold_is_one_row(case: str) -> None:
    given, assumption = WRONG[case]
    rows = list(of_facts("alpha", msgspec.structs.replace(FACTS, **given)))
    assert [row.assumption for row in rows if row.state == "disproved"] == [assumption]


def test_what_is_not_told_or_perhaps_not_needed_is_not_known() -> None:
    rows = of_facts("alpha", msgspec.structs.replace(FACTS, clock_offset_s=None, features=()))
    assert [row.area for row in rows if row.state == "unknown"] == ["clock", "Storage Replica"]


def test_a_missing_command_a_missing_parameter_and_a_small_limit_are_named() -> None:
    lines = [
        {"kind": "command", "name": "Get-SmbShare", "exists": True, "lacking": []},
        {"kind": "command", "name": "Get-SmbSession", "exists": False, "lacking": []},
        {"kind": "command", "name": "New-SmbShare", "exists": True, "lacking": ["SecurityDescriptor"]},
        {"kind": "setting", "name": "MaxEnvelopeSizekb", "value": "50", "why": ""},
        {"kind": "setting", "name": "MaxTimeoutms", "value": None, "why": "access is denied"},
    ]
    rows = list(of_state("alpha", lines))
    assert [(row.assumption, row.state) for row in rows] == [
        ("Get-SmbSession as dtam calls it", "disproved"),
        ("New-SmbShare as dtam calls it", "disproved"),
        ("every command that is used is there", "disproved"),
        (f"MaxEnvelopeSizekb is at least {LEAST['MaxEnvelopeSizekb']}", "disproved"),
        (f"MaxTimeoutms is at least {LEAST['MaxTimeoutms']}", "unknown"),
    ]
    assert "SecurityDescriptor" in rows[1].says


class Answers:
    def windows(self, ask: WindowsAsk = USUAL) -> Windows:
        return FACTS

    def call(self, script: str, arguments: dict[str, Any], *, deed: bool = True) -> tuple[Any, ...]:
        assert (script, deed) == ("doctor_state", False)
        return tuple({"kind": "command", "name": name, "exists": True, "lacking": []} for name in arguments["commands"])


class Silent:
    def windows(self, ask: WindowsAsk = USUAL) -> Windows:
        raise TryAgain("it does not answer")

    def call(self, script: str, arguments: dict[str, Any], *, deed: bool = True) -> tuple[Any, ...]:
        raise TryAgain("it does not answer")


@pytest.fixture
def server() -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Server(ServerName("alpha"), ("127.0.0.1",), winrm=WinRmAddress("127.0.0.1", listener.getsockname()[1]))


def test_a_whole_examination(server: Server) -> None:
    rows = list(examine(server, lambda _: ("ok", "WinRM answers, 30 scripts as they were laid"), lambda _: Answers()))
    assert {row.state for row in rows} == {"proved"}
    assert {"DNS", "WinRM", "scripts", "PowerShell", "rights", "clock", "commands"} <= {row.area for row in rows}


def test_a_silent_server_has_rows_as_well(server: Server) -> None:
    rows = list(examine(server, lambda _: ("failed", "log-in refused"), lambda _: Silent()))
    states: dict[str, list[Row]] = {}
    for row in rows:
        states.setdefault(row.state, []).append(row)
    assert [row.says for row in states["disproved"]] == ["log-in refused"]
    assert {row.area for row in states["unknown"]} == {"scripts", "facts", "commands"}
