"""Every cmdlet over the machine, with what each of its parameter sets asks at least: it answers or refuses, it never falls over."""

from __future__ import annotations

import importlib

import pytest

from tests.lab.windows.machine.settings import Hooks
from tests.lab.windows.powershell import vocabulary
from tests.lab.windows.powershell.commands import CMDLETS, Session
from tests.lab.windows.powershell.run import run

ROOMS = importlib.import_module("tests.lab.windows.cmdlets.all").ROOMS
SAMPLES = {
    "Path": "'E:\\x'", "LiteralPath": "'E:\\x'", "ClassName": "Win32_Service", "MethodName": "StopService", "Query": "'select * from Win32_Share'",
    "InterfaceIndex": "4", "InterfaceAlias": "Ethernet", "IPAddress": "10.0.0.88", "Port": "80", "CommonTCPPort": "SMB", "At": "(Get-Date)",
    "FilterHashtable": "@{LogName='System'}", "TemporaryPath": "'E:\\x'", "DriveLetter": "E", "StartupType": "Manual", "Action": "(New-ScheduledTaskAction -Execute x.exe)",
    "InputObject": "(Get-Service Spooler)", "AclObject": "(Get-Acl E:\\)", "Group": "Administrators", "Value": "1", "EventId": "7", "DurationInMinutes": "1",
}  # fmt: skip
ENDING = {"Restart-Computer", "Stop-Computer"}


def sample(name, parameter):
    """A value of the parameter's type."""
    kind = parameter.type_name.lower()
    if "switch" in kind:
        return ""
    if name in SAMPLES:
        return SAMPLES[name]
    if parameter.values:
        return str(parameter.values[0])
    return "1" if "int" in kind or "byte" in kind else "$true" if "bool" in kind else "nothing"


def lines(name):
    """One command line for each parameter set, with its mandatory parameters."""
    signature = vocabulary.signature(name)
    for one in signature.sets:
        wanted = [signature.parameters[each.casefold()] for each in sorted(one.mandatory)]
        words = [f"-{each.name} {sample(each.name, each)}".strip() for each in wanted]
        confirm = ["-Confirm:$false"] if signature.should_process else []
        yield " ".join([name, *words, *confirm])


@pytest.mark.parametrize(
    "room", sorted(ROOMS, key=lambda room: room.__name__), ids=lambda room: room.__name__.rpartition(".")[2]
)
def test_it_answers_or_refuses(build, room):
    importlib.import_module("tests.lab.windows.powershell.core.all")
    machine = build(hooks=Hooks(), features=("Storage-Replica", "RSAT-Clustering-PowerShell", "FS-DFS-Namespace"))
    names = [
        spec.name
        for spec in CMDLETS.values()
        if spec.function.__globals__ is room.__dict__ or _defined_in(spec.function, room)
    ]
    fell = []
    for line in [line for name in sorted(set(names) - ENDING) for line in lines(name)]:
        for elevated in (False, True):
            ran = run(line, machine, Session(elevated=elevated))
            if b"Traceback" in ran.stderr or b"the simulation failed" in ran.stderr:
                fell.append((line, elevated, ran.stderr.decode()[-400:]))
    assert fell == []


def _defined_in(function, room):
    """Whether the guarded function behind a cmdlet is one of the room's."""
    return any(
        cell.cell_contents.__module__ == room.__name__
        for cell in function.__closure__ or ()
        if callable(cell.cell_contents) and hasattr(cell.cell_contents, "__module__")
    )


@pytest.mark.parametrize(
    "line", ["Get-SmbShare -CimSession other", "Get-Item E:\\ -Stream x", "Set-SRGroup -Name x -AddVolumeName y -Force"]
)
def test_what_is_not_simulated_is_never_a_silent_success(build, line):
    machine = build(features=("Storage-Replica",))
    assert run(line, machine, Session()).exit_code != 0
