"""The run of one action of a scheduled task: PowerShell command lines by the simulation's own PowerShell, other programs by their simulated form."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.lab.windows.powershell.commands import PROGRAMS, Session
from tests.lab.windows.powershell.values import Cancelled

if TYPE_CHECKING:
    from tests.lab.windows.machine.machine import Machine

SYSTEM = {"system", "nt authority\\system", "localsystem", "s-1-5-18"}
SYSTEM_SID = "S-1-5-18"
NOT_FOUND = 0x80070002
LOOK_S = 0.05
GROUP_POLICY = r"SOFTWARE\Policies\Microsoft\Windows\PowerShell"
SHELL_ID = r"SOFTWARE\Microsoft\PowerShell\1\ShellIds\Microsoft.PowerShell"


def run_action(machine: Machine, action: dict[str, Any], task: dict[str, Any], cancelled: Callable[[], bool]) -> int:
    """Its exit code; a program that is not there is 0x80070002."""
    program, arguments, directory = action["execute"], action.get("arguments") or "", action.get("directory")
    if machine.hooks.run_task:
        return machine.hooks.run_task(machine, program, arguments, directory)
    from tests.lab.windows.powershell import run as powershell

    powershell.load_cmdlets()
    name = powershell.base_name(program)
    if name not in {"powershell.exe", "cmd.exe"} and name not in PROGRAMS:
        return NOT_FOUND
    session = _session(machine, task, directory or r"C:\Windows\system32")
    nowhere = bytearray().extend
    process = powershell.start(
        f'"{program.strip(chr(34))}" {arguments}', machine, session, nowhere, nowhere, io.BytesIO()
    )
    over = threading.Event()
    threading.Thread(target=_watch, args=(process, cancelled, over), daemon=True).start()
    try:
        return process() & 0xFFFFFFFF
    except Cancelled:
        return 0x41306
    finally:
        over.set()


def _watch(process: Any, cancelled: Callable[[], bool], over: threading.Event) -> None:
    while not over.wait(LOOK_S):
        if cancelled():
            process.cancel()
            return


def _session(machine: Machine, task: dict[str, Any], directory: str) -> Session:
    user = str(task["principal"].get("user") or "SYSTEM")
    is_system = user.lower() in SYSTEM
    return Session(
        user="NT AUTHORITY\\SYSTEM" if is_system else user,
        elevated=is_system or task["principal"].get("run_level") == "Highest",
        is_network_logon=False,
        execution_policy=policy(machine),
        location=directory,
        user_sid=SYSTEM_SID if is_system else "S-1-5-21-0-0-0-500",
    )


def policy(machine: Machine) -> str:
    """The execution policy: that of group policy, else that of the machine, else RemoteSigned as on a server."""
    value = machine.registry.value
    enabled = value(GROUP_POLICY, "EnableScripts", None)
    if enabled is not None:
        return str(value(GROUP_POLICY, "ExecutionPolicy", "Restricted")) if int(enabled) else "Restricted"
    return str(value(SHELL_ID, "ExecutionPolicy", "RemoteSigned"))
