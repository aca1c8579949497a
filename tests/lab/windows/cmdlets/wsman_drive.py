"""The WSMan: drive as far as scripts ask it: settings of the listener by Get-Item (about_WSMan_Provider); reading needs an administrator."""

from __future__ import annotations

from typing import Any

from tests.lab.windows.cmdlets.places import not_found
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.powershell.commands import Call
from tests.lab.windows.powershell.values import PsObject, typed

DEFAULTS = {  # published defaults of WinRM 3.0
    "maxenvelopesizekb": ("MaxEnvelopeSizekb", "500"),
    "maxtimeoutms": ("MaxTimeoutms", "60000"),
    "maxbatchitems": ("MaxBatchItems", "32000"),
    "service\\allowunencrypted": ("AllowUnencrypted", "false"),
    "service\\maxconcurrentoperationsperuser": ("MaxConcurrentOperationsPerUser", "1500"),
    "shell\\idletimeout": ("IdleTimeout", "7200000"),
    "shell\\maxmemorypershellmb": ("MaxMemoryPerShellMB", "2147483647"),
    "shell\\maxprocessespershell": ("MaxProcessesPerShell", "2147483647"),
    "shell\\maxshellsperuser": ("MaxShellsPerUser", "2147483647"),
}


def is_there(path: str) -> bool:
    """Whether a path is of that drive."""
    return path.lower().startswith("wsman:")


def setting(call: Call, path: str) -> PsObject:
    """One setting; ``Value`` is text. What the lab set otherwise stands in computer.data["wsman"]."""
    below = path[6:].strip("\\").lower().removeprefix("localhost").strip("\\")
    if not call.session.elevated:
        message = "Access is denied. "
        raise Refused(
            message, "AccessDenied", "PermissionDenied", "System.InvalidOperationException", path, 5
        )  # id not confirmed
    if below not in DEFAULTS:
        raise not_found(path)
    name, value = DEFAULTS[below]
    held: dict[str, Any] = call.machine.computer.data.get("wsman", {})
    items = {"Name": name, "Value": str(held.get(name, value)), "Type": "System.String", "SourceOfValue": ""}
    return typed(
        "Microsoft.WSMan.Management.WSManConfigLeafElement",
        items,
        "Microsoft.WSMan.Management.WSManConfigElement",
        text=name,
    )
