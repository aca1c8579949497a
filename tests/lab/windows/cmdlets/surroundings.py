"""What a server is asked besides: processes, secure channel, local groups, hot fixes, quotas and name spaces where their features are installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.lab.windows.cmdlets.base import as_list, cim, moment, over_machine, record, texts, wanted
from tests.lab.windows.cmdlets.cim_classes import CLASSES
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.powershell.commands import Call
from tests.lab.windows.powershell.values import PsObject, UInt32, typed

COMMANDS = "Microsoft.PowerShell.Commands."
GROUPS = {
    "Administrators": "S-1-5-32-544",
    "Users": "S-1-5-32-545",
    "Remote Management Users": "S-1-5-32-580",
    "Backup Operators": "S-1-5-32-551",
}


@over_machine("Stop-Process", error_class=f"{COMMANDS}StopProcessCommand")
def stop_process(call: Call) -> None:
    """End processes: of the machine's services."""
    ids = [int(one) for one in as_list(call.get("Id"))] + [
        int(one.get("Id")) for one in as_list(call.get("InputObject")) if isinstance(one, PsObject)
    ]
    names = [one.lower() for one in texts(call.get("Name"))]
    running = {pid: service for pid, service, _ in call.machine.services.processes()}
    for pid, service in list(running.items()):
        program = service["path"].split("\\")[-1].split(".exe")[0].lower()
        if pid not in ids and program not in names:
            continue
        if not call.session.elevated:
            message = f'Cannot stop process "{program} ({pid})" because of the following error: Access is denied'
            call.error(
                record(Refused(message, "CouldNotStopProcess", "CloseError", f"{COMMANDS}ProcessCommandException", pid))
            )
        elif call.should_process(f"{program} ({pid})"):
            call.machine.services.kill(service["name"])
    for pid in [one for one in ids if one not in running]:
        message = f"Cannot find a process with the process identifier {pid}."
        call.error(
            record(
                Refused(
                    message, "NoProcessFoundForGivenId", "ObjectNotFound", f"{COMMANDS}ProcessCommandException", pid
                )
            )
        )


@over_machine("Test-ComputerSecureChannel", error_class=f"{COMMANDS}TestComputerSecureChannelCommand")
def test_secure_channel(call: Call) -> Iterator[Any]:
    """Whether the machine's account still works: a member whose Netlogon runs."""
    computer = call.machine.computer
    if not call.session.elevated or not computer.data["domain"]:
        message = f"Cannot verify the secure channel password status of the local computer '{computer.name}'."
        raise Refused(
            message, "InvalidOperationException", "InvalidOperation", "System.InvalidOperationException", computer.name
        )
    if call.should_process(computer.name):
        yield call.machine.services.is_running("Netlogon") and not computer.data.get("broken_channel", False)


@over_machine("Get-LocalGroup", error_class=f"{COMMANDS}GetLocalGroupCommand")
def get_local_group(call: Call) -> Iterator[Any]:
    """The built-in groups."""
    for name, sid in GROUPS.items():
        if wanted(call, "Name", name) and wanted(call, "SID", sid):
            yield typed(f"{COMMANDS}LocalGroup", {"Name": name, "SID": sid, "ObjectClass": "Group"}, text=name)


@over_machine("Get-LocalGroupMember", error_class=f"{COMMANDS}GetLocalGroupMemberCommand")
def get_local_group_member(call: Call) -> Iterator[Any]:
    """Members of a group as the lab says them in accounts.data["members"]."""
    group = call.get("Group") or call.get("Name") or call.get("SID")
    name = str(group.get("Name")) if isinstance(group, PsObject) else str(group)
    name = next((known for known, sid in GROUPS.items() if name in {known, sid} or name.lower() == known.lower()), "")
    if not name:
        message = f"Group {group} was not found."
        raise Refused(message, "GroupNotFound", "ObjectNotFound", f"{COMMANDS}GroupNotFoundException", group)
    members = call.machine.accounts.data.get("members", {})
    own = [f"{call.machine.computer.name}\\Administrator"] if name == "Administrators" else []
    for member in [*own, *members.get(name, [])]:
        local = member.lower().startswith(call.machine.computer.name.lower())
        items = {
            "Name": member,
            "SID": call.machine.accounts.sid(member),
            "ObjectClass": "User",
            "PrincipalSource": "Local" if local else "ActiveDirectory",
        }
        yield typed(f"{COMMANDS}LocalPrincipal", items, text=member)


@over_machine("Get-HotFix", error_class=f"{COMMANDS}GetHotFixCommand")
def get_hot_fix(call: Call) -> Iterator[Any]:
    """Installed updates, as the lab says them in computer.data["hot_fixes"]."""
    found = [one for one in call.machine.computer.data.get("hot_fixes", []) if wanted(call, "Id", one)]
    for name in texts(call.get("Id")):
        if name not in found:
            message = f"Cannot find the requested hotfix on the '{call.machine.computer.name}' computer. Verify the input and run the command again."
            raise Refused(message, "GetHotFixNoEntriesFound", "ObjectNotFound", "System.ArgumentException", name)
    for name in found:
        yield typed(
            "System.Management.ManagementObject#root\\cimv2\\Win32_QuickFixEngineering",
            {"HotFixID": name, "InstalledOn": moment(1_690_000_000.0)},
            text=name,
        )


@over_machine("Get-NetConnectionProfile")
def get_net_connection_profile(call: Call) -> Iterator[Any]:
    """In which kind of network each adapter is."""
    domain = call.machine.computer.data["domain"]
    for card in call.machine.network.data["adapters"]:
        if card["enabled"] and wanted(call, "InterfaceAlias", card["name"]):
            items = {
                "Name": domain or "Network",
                "InterfaceAlias": card["name"],
                "InterfaceIndex": UInt32(card["index"]),
            }
            yield cim(
                "MSFT_NetConnectionProfile",
                items
                | {
                    "NetworkCategory": "DomainAuthenticated" if domain else "Private",
                    "IPv4Connectivity": "LocalNetwork",
                },
                "ROOT/StandardCimv2",
            )


def _module(call: Call, name: str) -> None:
    if name not in call.machine.computer.modules():
        message = f"The term '{call.name}' is not recognized as the name of a cmdlet, function, script file, or operable program. Check the spelling of the name, or if a path was included, verify that the path is correct and try again."
        raise Refused(
            message,
            "CommandNotFoundException",
            "ObjectNotFound",
            "System.Management.Automation.CommandNotFoundException",
            call.name,
        )


@over_machine("Get-FsrmQuota", "Get-FsrmFileScreen")
def get_fsrm(call: Call) -> Iterator[Any]:
    """Quotas and screens, as the lab says them in computer.data["fsrm"]."""
    _module(call, "FileServerResourceManager")
    kind = "quotas" if call.name.endswith("Quota") else "screens"
    for one in call.machine.computer.data.get("fsrm", {}).get(kind, []):
        if wanted(call, "Path", one["Path"]):
            yield cim(f"MSFT_FSRM{kind.capitalize()[:-1]}", one, "ROOT/Microsoft/Windows/FSRM")


@over_machine("Get-DfsnRoot", "Get-DfsnFolder", "Get-DfsnFolderTarget")
def get_dfsn(call: Call) -> Iterator[Any]:
    """Name spaces, as the lab says them in computer.data["dfsn"]: folder path -> targets."""
    _module(call, "DFSN")
    for path, targets in call.machine.computer.data.get("dfsn", {}).items():
        if not wanted(call, "Path", path):
            continue
        if not call.name.endswith("Target"):
            yield cim("MSFT_DFSNamespace", {"Path": path, "State": "Online"}, "ROOT/Microsoft/Windows/DFSN")
        for target in targets if call.name.endswith("Target") else []:
            yield cim(
                "MSFT_DFSNamespaceFolderTarget",
                {"Path": path, "TargetPath": target, "State": "Online"},
                "ROOT/Microsoft/Windows/DFSN",
            )


@over_machine("Get-CimClass", error_class="Microsoft.Management.Infrastructure.CimCmdlets.GetCimClassCommand")
def get_cim_class(call: Call) -> Iterator[Any]:
    """The classes that are simulated."""
    found = [name for name in sorted(CLASSES) if wanted(call, "ClassName", name)]
    if not found:
        raise Refused(
            "Not found ",
            "HRESULT 0x80041002",
            "ObjectNotFound",
            "Microsoft.Management.Infrastructure.CimException",
            call.get("ClassName"),
        )
    for name in found:
        yield typed("Microsoft.Management.Infrastructure.CimClass", {"CimClassName": name}, text=f"ROOT/cimv2:{name}")
