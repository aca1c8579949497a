"""What the answers of a server mean: one row an assumption, proved, disproved or not known. Pure.

An assumption is something that could be shown on a simulated server only. A row never holds a secret: names of accounts are the only thing said of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from orchestrator.model.windows import Windows

State = Literal["proved", "disproved", "unknown"]
CLOCK_LIMIT_S = 60.0
LEAST: Mapping[str, int] = {
    "MaxEnvelopeSizekb": 150,
    "MaxTimeoutms": 60_000,
    "Shell\\MaxShellsPerUser": 5,
    "Shell\\MaxProcessesPerShell": 5,
    "Shell\\MaxMemoryPerShellMB": 512,
    "Shell\\IdleTimeout": 60_000,
}
"""Limits of WinRM, and the least that dtam works with; Windows Server's own values are above all of them."""
OF_STORAGE_REPLICA = "-SR"
NO_SCRIPTS = {"Restricted", "AllSigned"}


class Row(msgspec.Struct, frozen=True):
    """One assumption about one server. ``next`` says what to do where it does not hold."""

    server: str
    area: str
    assumption: str
    state: State
    says: str
    next: str = ""


def of_facts(server: str, facts: Windows) -> Iterator[Row]:
    """Of what a server says about itself."""
    yield _row(
        server,
        "PowerShell",
        "Windows PowerShell 5.1",
        facts.powershell_version.startswith("5.1"),
        facts.powershell_version,
    )
    full = facts.language_mode == "FullLanguage"
    advice = "allow the scripts of C:\\Program Files\\dtam\\bin in the policy of application control, or sign them"
    yield _row(server, "PowerShell", "scripts run in full language", full, facts.language_mode, advice)
    policy = facts.execution_policy
    advice = "sign the scripts (dtam hosts install names their digests), or: Set-ExecutionPolicy RemoteSigned"
    yield _row(server, "PowerShell", "unsigned local scripts run", policy not in NO_SCRIPTS, policy, advice)
    advice = "give the account that dtam uses to the local group Administrators"
    yield _row(server, "rights", "the account is an administrator", facts.elevated, facts.account, advice)
    yield _clock(server, facts.clock_offset_s)
    yield _row(
        server,
        "domain",
        "it is a member of a domain",
        bool(facts.domain),
        facts.domain or facts.workgroup,
        "join it first",
    )
    yield _row(
        server,
        "system",
        "no restart is pending",
        not facts.pending_reboot,
        "pending" if facts.pending_reboot else "none",
        "restart it",
    )
    yield _storage_replica(server, installed="Storage-Replica" in facts.features)
    for problem in facts.problems:
        yield Row(server, "facts", "all facts can be asked", "disproved", problem, "see which right or module it lacks")


def of_state(server: str, lines: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    """Of what ``doctor_state`` found: commands with their parameters, and WinRM's limits."""
    commands = [line for line in lines if line["kind"] == "command"]
    wrong = 0
    for line in commands:
        if line["exists"] and not line["lacking"]:
            continue
        wrong += 1
        if not line["exists"] and OF_STORAGE_REPLICA in line["name"]:
            says = "is not there; it comes with the feature Storage Replica"
            yield Row(server, "commands", f"{line['name']} as dtam calls it", "unknown", says)
            continue
        lacks = f"has no parameter {', '.join(line['lacking'])}" if line["exists"] else "is not there"
        yield Row(
            server,
            "commands",
            f"{line['name']} as dtam calls it",
            "disproved",
            lacks,
            "tell us with the report: it is needed for what it names",
        )
    if commands:
        fine = len(commands) - wrong
        yield _row(
            server,
            "commands",
            "every command that is used is there",
            not wrong,
            f"{fine} of {len(commands)} with the parameters that are given",
        )
    for line in lines:
        if line["kind"] == "setting":
            yield _setting(server, line)


def _storage_replica(server: str, *, installed: bool) -> Row:
    if installed:
        return Row(server, "Storage Replica", "the feature is installed", "proved", "installed")
    advice = "where you want it: Install-WindowsFeature Storage-Replica -IncludeManagementTools"
    says = "not installed; needed only where connection.replication is storage_replica"
    return Row(server, "Storage Replica", "the feature is installed", "unknown", says, advice)


def _setting(server: str, line: Mapping[str, Any]) -> Row:
    least, value = LEAST[line["name"]], line["value"]
    assumption = f"{line['name']} is at least {least}"
    if value is None or not str(value).isdigit():
        return Row(server, "WinRM", assumption, "unknown", line["why"] or f"it says {value}")
    enough = int(value) >= least or int(value) == 0
    return _row(server, "WinRM", assumption, enough, str(value), f"Set-Item WSMan:\\localhost\\{line['name']} {least}")


def _clock(server: str, offset_s: float | None) -> Row:
    assumption = f"its clock is within {CLOCK_LIMIT_S:g} s of ours (Kerberos allows 300 s)"
    if offset_s is None:
        return Row(server, "clock", assumption, "unknown", "it was not told")
    return _row(
        server,
        "clock",
        assumption,
        abs(offset_s) <= CLOCK_LIMIT_S,
        f"{offset_s:+.1f} s",
        "w32tm /resync on it, or look at ours",
    )


def _row(server: str, area: str, assumption: str, holds: bool, says: str, advice: str = "") -> Row:  # noqa: FBT001, PLR0917
    return Row(server, area, assumption, "proved" if holds else "disproved", says, "" if holds else advice)
