"""The computer: Get-ComputerInfo, Rename-/Restart-/Stop-Computer, features, modules, processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.lab.windows.cmdlets.base import matches, moment, over_machine, record, texts, wanted
from tests.lab.windows.machine.features import FEATURES, PARENTS
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.powershell.commands import Call
from tests.lab.windows.powershell.values import PsObject, custom, typed

COMMANDS = "Microsoft.PowerShell.Commands."
FEATURE_STATES = {"Available": 0, "Installed": 1, "InstallPending": 5}


@over_machine("Get-ComputerInfo", error_class=f"{COMMANDS}GetComputerInfoCommand")
def get_computer_info(call: Call) -> Iterator[Any]:
    """What is usually asked of it."""
    computer = call.machine.computer
    items = {
        "WindowsProductName": computer.caption.removeprefix("Microsoft "),
        "WindowsVersion": {"2016": "1607", "2019": "1809", "2022": "2009", "2025": "2009"}[computer.release],
        "WindowsInstallationType": "Server",
        "WindowsEditionId": f"Server{computer.data['edition']}",
        "CsName": computer.name,
        "CsDNSHostName": computer.name,
        "CsDomain": computer.data["domain"] or "WORKGROUP",
        "CsPartOfDomain": bool(computer.data["domain"]),
        "CsDomainRole": "MemberServer" if computer.data["domain"] else "StandaloneServer",
        "OsName": computer.caption,
        "OsVersion": computer.version,
        "OsBuildNumber": computer.build,
        "OsLastBootUpTime": moment(call.machine.booted_at),
        "OsLocalDateTime": moment(call.machine.now()),
        "OsArchitecture": "64-bit",
    }
    asked = texts(call.get("Property"))
    made = custom(
        {name: value for name, value in items.items() if not asked or any(matches(one, name) for one in asked)}
    )
    made.type_names = (f"{COMMANDS}ComputerInfo", "System.Object")
    yield made


def _other(call: Call, names: list[str]) -> list[str]:
    own = {".", "localhost", call.machine.computer.name.lower(), call.machine.computer.fqdn.lower()}
    return [one for one in names if one.lower() not in own]


@over_machine("Rename-Computer", error_class=f"{COMMANDS}RenameComputerCommand")
def rename_computer(call: Call) -> Iterator[Any]:
    """Another name from the next restart on."""
    computer, new = call.machine.computer, str(call.get("NewName"))
    if not call.should_process(f"{computer.name} ({computer.name})", f"Rename to {new}"):
        return
    if not call.session.elevated or "rename-computer" in call.machine.faults.denied:
        message = (
            f"Fail to rename computer '{computer.name}' to '{new}' due to the following exception: Access is denied."
        )
        raise Refused(
            message, "FailToRenameComputer", "OperationStopped", "System.InvalidOperationException", computer.name
        )
    computer.rename(new)
    if call.switch("Restart"):
        call.machine.restart()
    else:
        call.warning(f"The changes will take effect after you restart the computer {computer.name}.")
    if call.switch("PassThru"):
        yield custom({"HasSucceeded": True, "OldComputerName": computer.name, "NewComputerName": new})


@over_machine("Restart-Computer", "Stop-Computer", error_class=f"{COMMANDS}RestartComputerCommand")
def restart_computer(call: Call) -> None:
    """An ordered restart or the power off."""
    names = texts(call.get("ComputerName"))
    for other in _other(call, names):
        message = (
            f"Failed to restart the computer {other} with the following error message: The RPC server is unavailable."
        )
        call.error(
            record(
                Refused(message, "RestartcomputerFailed", "OperationStopped", "System.InvalidOperationException", other)
            )
        )
    if names and len(_other(call, names)) == len(names):
        return
    name = call.machine.computer.name
    if not call.session.elevated:
        message = f"Failed to restart the computer {name} with the following error message: Access is denied."
        raise Refused(message, "RestartcomputerFailed", "OperationStopped", "System.InvalidOperationException", name)
    if call.should_process(f"localhost ({name})", call.name):
        if call.name == "Stop-Computer":
            call.machine.power_cut()
        else:
            call.machine.restart()


def _feature(call: Call, name: str, display: str, depth: int) -> PsObject:
    computer = call.machine.computer
    pending = name in computer.data["pending_features"]
    state = "Installed" if computer.has_feature(name) else "InstallPending" if pending else "Available"
    items = {
        "Name": name,
        "DisplayName": display,
        "Description": "",
        "Installed": state == "Installed",
        "InstallState": state,
        "FeatureType": "Role"
        if depth == 1 and name in {"FileAndStorage-Services", "AD-Domain-Services", "DNS"}
        else "Feature",
        "Path": display,
        "Depth": depth,
        "Parent": next(reversed(PARENTS.get(name, ())), None),
    }
    return typed("Microsoft.Windows.ServerManager.Commands.Feature", items, text=name)


@over_machine("Get-WindowsFeature", whole=False)
def get_windows_feature(call: Call) -> Iterator[Any]:
    """Features, installed or not; a name that no feature has gives nothing, as on Windows."""
    for name, display, depth in FEATURES:
        if wanted(call, "Name", name):
            yield _feature(call, name, display, depth)


@over_machine("Install-WindowsFeature")
def install_windows_feature(call: Call) -> Iterator[Any]:
    """Install features; some wait for a restart."""
    names = [str(one.get("Name")) if isinstance(one, PsObject) else str(one) for one in call.get("Name", [])]
    if not call.session.elevated:
        message = "You do not have adequate user rights to make changes to the target computer."
        raise Refused(message, "DISMAPI_Error__Failed_To_Enable_Updates", "PermissionDenied", "System.Exception")
    unknown = [one for one in names if call.machine.computer.feature(one) is None]
    if unknown:
        message = f"ArgumentNotValid: The role, role service, or feature name is not valid: '{unknown[0]}'. The name was not found."
        raise Refused(message, "NameDoesNotExist", "InvalidArgument", "System.Exception", unknown[0])
    tools = {"Failover-Clustering": "RSAT-Clustering-PowerShell", "Storage-Replica": "RSAT-Storage-Replica"}
    if call.switch("IncludeManagementTools"):
        names += [tools[one] for one in names if one in tools]
    fresh = [one for one in names if not call.machine.computer.has_feature(one)]
    if not call.should_process(call.machine.computer.name, "Install"):
        return
    restarts = [call.machine.computer.install_feature(call.machine.computer.feature(one)[0]) for one in fresh]
    restart = True in restarts
    items = {"Success": True, "RestartNeeded": "Yes" if restart else "No", "FeatureResult": fresh}
    items["ExitCode"] = "NoChangeNeeded" if not fresh else "SuccessRestartRequired" if restart else "Success"
    yield typed("Microsoft.Windows.ServerManager.Commands.FeatureOperationResult", items)
    if restart and call.switch("Restart"):
        call.machine.restart()
    elif restart:
        call.warning("You must restart this server to finish the installation process.")


@over_machine("Get-Process", error_class=f"{COMMANDS}GetProcessCommand")
def get_process(call: Call) -> Iterator[Any]:
    """The processes of services."""
    found = [
        (pid, service["path"].split("\\")[-1].split(".exe")[0].split()[0])
        for pid, service, _ in call.machine.services.processes()
    ]
    own = getattr(call.shell, "pid", None)
    found = [(4, "System"), (0, "Idle"), *found, *([(own, "powershell")] if own else [])]
    for name in texts(call.get("Name")):
        if "*" not in name and not any(matches(name, one) for _, one in found):
            message = (
                f'Cannot find a process with the name "{name}". Verify the process name and call the cmdlet again.'
            )
            exception = f"{COMMANDS}ProcessCommandException"
            call.error(record(Refused(message, "NoProcessFoundForGivenName", "ObjectNotFound", exception, name)))
    for pid in call.get("Id", []):
        if int(pid) not in [one for one, _ in found]:
            message = f"Cannot find a process with the process identifier {pid}."
            exception = f"{COMMANDS}ProcessCommandException"
            call.error(record(Refused(message, "NoProcessFoundForGivenId", "ObjectNotFound", exception, pid)))
    for pid, name in sorted(found, key=lambda one: one[1].lower()):
        if wanted(call, "Name", name) and wanted(call, "Id", pid):
            yield typed(
                "System.Diagnostics.Process",
                {"Id": pid, "Name": name, "ProcessName": name, "HasExited": False},
                text=name,
            )
