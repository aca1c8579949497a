"""What the answers of a server mean, row by row. Pure.

Each answer is a list of lines with ``part``; a part that could not be asked is a line ``problem`` with ``of`` and ``says``, and its rows are not known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from orchestrator.doctor.rows import Row, holds, unknown

Line = Mapping[str, Any]
CLOCK_LIMIT_S = 60.0
LEAST: Mapping[str, int] = {
    "MaxEnvelopeSizekb": 150,
    "MaxTimeoutms": 60_000,
    "Service\\MaxConcurrentOperationsPerUser": 15,
    "Shell\\MaxShellsPerUser": 5,
    "Shell\\MaxProcessesPerShell": 5,
    "Shell\\MaxMemoryPerShellMB": 512,
    "Shell\\IdleTimeout": 60_000,
}
"""Limits of WinRM, and the least that dtam works with; Windows Server's own values are above all of them."""
UNSEALED = "Service\\AllowUnencrypted"
SETTINGS = (*LEAST, UNSEALED)
NO_SCRIPTS = {"Restricted", "AllSigned"}
FULL = "FullLanguage"
MAKE = 0x6
"""The rights FILE_ADD_FILE and FILE_ADD_SUBDIRECTORY ([MS-DTYP] 2.4.3, winnt.h)."""
GENERIC = {"FA", "GA", "FW", "GW"}
_ACE = re.compile(r"\((A|D);([A-Z]*);(\w+);;;([\w-]+)\)")
NAMES_OF_SKU = {7: "Standard", 8: "Datacenter", 12: "Datacenter", 13: "Standard", 79: "Standard", 80: "Datacenter"}
STORAGE_REPLICA, REPLICA = "StorageReplica", "Storage Replica"
WHOLE = "the edition has Storage Replica without limits"
GROUPS_FINE = {"ContinuouslyReplicating", "ContinuouslyReplicating_InRPO", "InitialBlockCopy"}


def of_mode(server: str, lines: Iterable[Line]) -> Iterator[Row]:
    """Of ``doctor_mode``: what Windows PowerShell is there, and what it lets scripts do."""
    for line in _parts(lines, "mode"):
        version, language = str(line["version"]), str(line["language"])
        yield holds(
            version.startswith("5.1"),
            server,
            "PowerShell",
            "it is Windows PowerShell 5.1",
            version,
            "install Windows Management Framework 5.1",
        )
        advice = "application control restricts scripts there: allow those of C:\\Program Files\\dtam\\bin in its policy, by their publisher or their digests"
        yield holds(language == FULL, server, "PowerShell", "commands run in full language", language, advice)


def of_session(server: str, lines: Iterable[Line], middle_s: float, computer: str) -> Iterator[Row]:
    """Of ``doctor_session``. ``middle_s`` is our clock in the middle of the question, ``computer`` the name that was noted at ``hosts add``."""
    lines = list(lines)
    answered: Mapping[str, Callable[[Line], Iterator[Row]]] = {
        "clock": lambda line: _clock(server, float(line["time_s"]) - middle_s),
        "account": lambda line: _account(server, line),
        "policies": lambda line: _policies(server, line),
        "computer": lambda line: _computer(server, line, computer),
        "access lists": lambda line: _folders(server, line),
    }
    yield from _each(server, lines, answered)


def of_server(server: str, lines: Iterable[Line]) -> Iterator[Row]:
    """Of ``doctor_server``."""
    lines = list(lines)
    services = {str(line["name"]): line for line in _parts(lines, "services")}
    answered: Mapping[str, Callable[[Line], Iterator[Row]]] = {
        "services": lambda line: _service(server, line),
        "SMB server": lambda line: _smb(server, line),
        "ports": lambda line: _ports(server, line, services.get("LanmanServer", {})),
        "secure channel": lambda line: _channel(server, line),
        "Storage Replica": lambda line: _replica(server, line),
    }
    yield from _each(server, lines, answered)


def of_commands(server: str, lines: Iterable[Line], *, replica: bool) -> Iterator[Row]:
    """Of ``doctor_commands``; ``replica``: the feature Storage Replica is installed, so its commands must be there."""
    for line in lines:
        if line["part"] == "module":
            yield _module(server, line, replica=replica)
        elif line["name"] == UNSEALED:
            yield _unsealed(server, line)
        else:
            yield _limit(server, line)


def is_full(lines: Iterable[Line]) -> bool:
    """Whether ``doctor_mode`` saw the full language, which all other questions need."""
    return any(line["language"] == FULL for line in _parts(lines, "mode"))


def has_replica(lines: Iterable[Line]) -> bool:
    """Whether ``doctor_server`` saw the feature Storage Replica installed."""
    return any(line["state"] == "Installed" for line in _parts(lines, "Storage Replica"))


def _each(server: str, lines: Iterable[Line], answered: Mapping[str, Callable[[Line], Iterator[Row]]]) -> Iterator[Row]:
    for line in lines:
        if line["part"] == "problem":
            yield unknown(server, "answers", f"its {line['of']} can be asked", str(line["says"]), _advice(line))
        elif line["part"] in answered:
            yield from answered[line["part"]](line)


def _advice(line: Line) -> str:
    denied = "denied" in str(line["says"]).lower()
    return "an administrator of it may ask that: see the row of rights" if denied else ""


def _parts(lines: Iterable[Line], part: str) -> list[Line]:
    return [line for line in lines if line["part"] == part]


def _clock(server: str, offset_s: float) -> Iterator[Row]:
    assumption = f"its clock is within {CLOCK_LIMIT_S:g} s of ours"
    says = f"{offset_s:+.1f} s (Kerberos allows 300 s)"
    yield holds(
        abs(offset_s) <= CLOCK_LIMIT_S, server, "clock", assumption, says, "w32tm /resync on it, or look at ours"
    )


def _account(server: str, line: Line) -> Iterator[Row]:
    advice = (
        "make the account a member of the local group Administrators; a local account other than Administrator needs "
        "LocalAccountTokenFilterPolicy = 1 as well (docs/how-to/windows-hosts.md)"
    )
    says = f"{line['name']}, {'with the full token' if line['elevated'] else 'without the rights of an administrator'}"
    yield holds(bool(line["elevated"]), server, "rights", "the account is an administrator", says, advice)


def _policies(server: str, line: Line) -> Iterator[Row]:
    policy = str(line["effective"])
    scopes = ", ".join(str(one) for one in line["scopes"] if not str(one).endswith(" Undefined"))
    assumption = "scripts that lie on it run unsigned"
    advice = "Set-ExecutionPolicy RemoteSigned, or the group policy above it; or lay signed scripts (docs/how-to/windows-hosts.md)"
    yield holds(
        policy not in NO_SCRIPTS,
        server,
        "PowerShell",
        assumption,
        f"{policy} ({scopes or 'no scope says anything'})",
        advice,
    )


def _computer(server: str, line: Line, noted: str) -> Iterator[Row]:
    name, sku = str(line["name"]), int(line["sku"])
    if noted:
        advice = f"another computer has the address: dtam hosts add {server} --winrm with the right one"
        says = name if name.lower() == noted.lower() else f"it is {name}, not {noted}"
        yield holds(name.lower() == noted.lower(), server, "system", "it is the computer that was added", says, advice)
    says = f"a member of {line['domain']}" if line["member"] else f"no, of the workgroup {line['domain']}"
    yield holds(bool(line["member"]), server, "domain", "it is a member of a domain", says, "join it: Add-Computer")
    edition = NAMES_OF_SKU.get(sku, f"edition {sku}")
    server_os = "Server" in str(line["os"])
    says = f"{line['os']}, {line['version']}, {edition}"
    yield holds(server_os, server, "system", "it is a Windows Server", says, "dtam protects services of Windows Server")
    if edition == "Datacenter":
        yield holds(True, server, REPLICA, WHOLE, edition)
    else:
        why = f"{edition}; the Standard edition has one partnership with one volume of at most 2 TB, from Windows Server 2019 on"
        yield unknown(server, REPLICA, WHOLE, why)
    waits = bool(line["restart_pending"])
    says = "pending" if waits else "none is pending"
    yield holds(not waits, server, "system", "no restart is pending", says, "restart it")


def _folders(server: str, line: Line) -> Iterator[Row]:
    for field, folder, what in (
        ("program_files", "Program Files", "administrators may write below Program Files"),
        ("tasks", "System32\\Tasks", "administrators may make scheduled tasks"),
    ):
        proof = may_make(str(line[field]))
        says = f"the access list of {folder} {'lets' if proof else 'does not let'} them; it was not tried"
        yield holds(proof, server, "rights", what, says, f"give Administrators full control of {folder}")


def may_make(sddl: str) -> bool:
    """Whether an access list lets administrators make files and folders; the first entry that names a right counts."""
    left = MAKE
    for kind, flags, rights, who in _ACE.findall(sddl.partition("D:")[2]):
        if who not in {"BA", "S-1-5-32-544", "WD", "AU"} or "IO" in flags:
            continue
        mask = MAKE if rights in GENERIC else int(rights, 16) if rights.startswith("0x") else 0
        if kind == "D" and mask & left:
            return False
        left &= ~mask if kind == "A" else left
    return not left


_SERVICES: Mapping[str, tuple[str, Callable[[Line], bool], str]] = {
    "WinRM": ("WinRM starts with the system", lambda one: one["start"] == "Auto", "Set-Service WinRM -StartupType Automatic"),
    "Schedule": ("the scheduler of tasks runs", lambda one: one["state"] == "Running" and one["start"] == "Auto", "Set-Service Schedule -StartupType Automatic; Start-Service Schedule"),
    "LanmanServer": ("the Server service can be started", lambda one: one["start"] in {"Auto", "Manual"}, "Set-Service LanmanServer -StartupType Manual"),
    "Netlogon": ("Netlogon is not disabled", lambda one: one["start"] in {"Auto", "Manual"}, "Set-Service Netlogon -StartupType Automatic"),
    "W32Time": ("the time service is not disabled", lambda one: one["start"] in {"Auto", "Manual"}, "Set-Service W32Time -StartupType Manual"),
}  # fmt: skip


def _service(server: str, line: Line) -> Iterator[Row]:
    assumption, proof, advice = _SERVICES[str(line["name"])]
    says = f"{line['start']}, {line['state']}" if line["start"] else "there is no such service"
    yield holds(proof(line), server, "services", assumption, says, advice)


def _smb(server: str, line: Line) -> Iterator[Row]:
    smb2 = bool(line["EnableSMB2Protocol"])
    advice = "Set-SmbServerConfiguration -EnableSMB2Protocol $true"
    yield holds(smb2, server, "SMB", "SMB 2 and 3 are served", "on" if smb2 else "off", advice)
    level = int(line["SmbServerNameHardeningLevel"])
    says = f"SmbServerNameHardeningLevel is {level}, strict name checking is {'on' if line['EnableStrictNameChecking'] else 'off'}"
    advice = "Set-SmbServerConfiguration -SmbServerNameHardeningLevel 0, or the group policy above it"
    yield holds(level == 0, server, "SMB", "it may answer to further names", says, advice)


def _ports(server: str, line: Line, service: Line) -> Iterator[Row]:
    listens, assumption = 445 in list(line["open"]), "the Server service listens on port 445"
    if not listens and service.get("state") == "Stopped":
        yield unknown(server, "ports", assumption, "the service is stopped, as on a target that waits")
        return
    says = f"it listens on {', '.join(map(str, line['open'])) or 'none of 445, 5985, 5986'}"
    yield holds(listens, server, "ports", assumption, says, "look at its service LanmanServer and at its event log")


def _channel(server: str, line: Line) -> Iterator[Row]:
    works = bool(line["holds"])
    advice = "Test-ComputerSecureChannel -Repair -Credential ... on it"
    assumption = "its secure channel to the domain holds"
    yield holds(works, server, "domain", assumption, "it was tested there" if works else "broken", advice)


def _replica(server: str, line: Line) -> Iterator[Row]:
    area, assumption = REPLICA, "the feature is installed"
    if line["state"] != "Installed":
        advice = "where you want it: Install-WindowsFeature Storage-Replica -IncludeManagementTools -Restart"
        says = f"{line['state']}; needed only where connection.replication is storage_replica"
        yield unknown(server, area, assumption, says, advice)
        return
    yield holds(True, server, area, assumption, "Installed")
    groups, ways = [str(one) for one in line["groups"]], ", ".join(str(one) for one in line["partnerships"])
    if not ways:
        yield unknown(server, area, "its groups replicate", f"{', '.join(groups) or 'no group'}, no partnership")
        return
    bad = [one for one in groups if one.partition(": ")[2] not in GROUPS_FINE]
    yield holds(
        not bad,
        server,
        area,
        "its groups replicate",
        f"{', '.join(groups)}; {ways}",
        "Get-SRGroup and its event log on both sides say why",
    )


def _module(server: str, line: Line, *, replica: bool) -> Row:
    name, found = str(line["name"]), int(line["found"])
    wrong = [f"{one} is missing" for one in line["missing"]] + [f"{one} is not known" for one in line["lacking"]]
    assumption = f"{name}: commands and parameters as used"
    if name == STORAGE_REPLICA and not replica and not found:
        return unknown(server, "commands", assumption, "the feature Storage Replica is not installed")
    says = "; ".join(wrong) or f"all there: {found}"
    advice = "Windows Server 2016 and later have them: hand in the report"
    return holds(not wrong, server, "commands", assumption, says, advice)


def _unsealed(server: str, line: Line) -> Row:
    assumption = "WinRM refuses messages that are not encrypted"
    if not line["value"]:
        return unknown(server, "WinRM", assumption, str(line["why"]))
    advice = f"Set-Item WSMan:\\localhost\\{UNSEALED} $false"
    refuses = str(line["value"]).lower() == "false"
    return holds(refuses, server, "WinRM", assumption, f"AllowUnencrypted is {line['value']}", advice)


def _limit(server: str, line: Line) -> Row:
    name, value = str(line["name"]), str(line["value"])
    least = LEAST[name]
    assumption = f"{name} is at least {least}"
    if not value.isdigit():
        return unknown(server, "WinRM", assumption, str(line["why"]) or f"it says {value or 'nothing'}")
    enough = int(value) >= least
    return holds(enough, server, "WinRM", assumption, value, f"Set-Item WSMan:\\localhost\\{name} {least}")
