"""The run of one action of a scheduled task: PowerShell command lines by the simulation's own PowerShell, other programs by their simulated form."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.powershell.commands import Session

if TYPE_CHECKING:
    from tests.lab.windows.machine.machine import Machine

SYSTEM = {"system", "nt authority\\system", "localsystem", "s-1-5-18"}
NOT_FOUND = 0x80070002


def run_action(machine: Machine, action: dict[str, Any], task: dict[str, Any], cancelled: Callable[[], bool]) -> int:
    """Its exit code; a program that is not there is 0x80070002."""
    program, arguments, directory = action["execute"], action.get("arguments") or "", action.get("directory")
    if machine.hooks.run_task:
        return machine.hooks.run_task(machine, program, arguments, directory)
    from tests.lab.windows.powershell import run as powershell

    session = _session(task, directory or r"C:\Windows\system32")
    try:
        return powershell.run_program_line(program, arguments, machine, session, cancelled)
    except Refused:
        return NOT_FOUND


def _session(task: dict[str, Any], directory: str) -> Session:
    user = task["principal"].get("user") or "SYSTEM"
    is_system = user.lower() in SYSTEM
    return Session(
        user="NT AUTHORITY\\SYSTEM" if is_system else user,
        elevated=is_system or task["principal"].get("run_level") == "Highest",
        is_network_logon=False,
        location=directory,
    )
