"""Where a session stands: Get-, Set-, Push-, Pop-Location; and the providers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.lab.windows.cmdlets.base import over_machine
from tests.lab.windows.cmdlets.places import Place, chosen, exists, location
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.powershell.commands import Call
from tests.lab.windows.powershell.values import typed

COMMANDS = "Microsoft.PowerShell.Commands."


def _path_info(text: str) -> Any:
    return typed(
        "System.Management.Automation.PathInfo",
        {"Drive": text.partition(":")[0], "ProviderPath": text, "Path": text},
        text=text,
    )


def _stand(call: Call, at: Place) -> None:
    if at.file and not at.file.real.is_dir():
        message = f"Cannot find path '{at.drive_path}' because it does not exist."
        raise Refused(
            message,
            "PathNotFound",
            "ObjectNotFound",
            "System.Management.Automation.ItemNotFoundException",
            at.drive_path,
        )
    call.shell.location = at.drive_path


@over_machine("Get-Location", error_class=f"{COMMANDS}GetLocationCommand")
def get_location(call: Call) -> Iterator[Any]:
    """Where it stands."""
    yield _path_info(location(call))


@over_machine("Set-Location", "Push-Location", error_class=f"{COMMANDS}SetLocationCommand")
def set_location(call: Call) -> Iterator[Any]:
    """Stand elsewhere."""
    if call.name == "Push-Location":
        call.shell.state.setdefault("locations", []).append(location(call))
    for at in chosen(call):
        if exists(call, at):
            _stand(call, at)
    if call.switch("PassThru"):
        yield _path_info(location(call))


@over_machine("Pop-Location", error_class=f"{COMMANDS}PopLocationCommand")
def pop_location(call: Call) -> None:
    """Stand where it stood before the last Push-Location."""
    stack = call.shell.state.setdefault("locations", [])
    if stack:
        call.shell.location = stack.pop()


@over_machine("Get-PSProvider", error_class=f"{COMMANDS}GetPSProviderCommand")
def get_ps_provider(_: Call) -> Iterator[Any]:
    """The two that are simulated."""
    for name in ("Registry", "FileSystem"):
        yield typed("System.Management.Automation.ProviderInfo", {"Name": name}, text=name)
