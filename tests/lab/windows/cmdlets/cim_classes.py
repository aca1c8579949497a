"""The classes of root/cimv2: what their instances hold, and their methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.lab.windows.cmdlets.base import moment
from tests.lab.windows.machine import descriptors
from tests.lab.windows.machine.network import INTERFACES
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.powershell.commands import Call
from tests.lab.windows.powershell.values import PsObject, Table, UInt16, UInt32, UInt64

Rows = Iterator[dict[str, Any]]
MODES = {"Automatic": "Auto", "AutomaticDelayedStart": "Auto", "Manual": "Manual", "Disabled": "Disabled"}
STATES = {
    "StartPending": "Start Pending",
    "StopPending": "Stop Pending",
    "ContinuePending": "Continue Pending",
    "PausePending": "Pause Pending",
}
SERVICE_RESULTS = {5: 2, 1051: 3, 1061: 5, 1062: 6, 1056: 10, 1058: 14, 1068: 15, 1060: 6}
SHARE_RESULTS = {5: 2, 87: 9, 2118: 22, 3: 24, 2: 24, 21: 24, 123: 24, 2310: 25}


def _operating_system(call: Call) -> Rows:
    computer = call.machine.computer
    yield {
        "Caption": computer.caption,
        "Version": computer.version,
        "BuildNumber": computer.build,
        "CSName": computer.name,
        "LastBootUpTime": moment(call.machine.booted_at),
        "LocalDateTime": moment(call.machine.now()),
        "OSArchitecture": "64-bit",
        "OperatingSystemSKU": UInt32(8 if computer.is_datacenter else 7),
        "ProductType": UInt32(3),
        "SystemDirectory": r"C:\Windows\system32",
        "SystemDrive": "C:",
        "WindowsDirectory": r"C:\Windows",
        "InstallDate": moment(1_600_000_000.0),
        "Status": "OK",
    }


def _computer_system(call: Call) -> Rows:
    computer = call.machine.computer
    yield {
        "Name": computer.name,
        "DNSHostName": computer.name,
        "Domain": computer.data["domain"] or "WORKGROUP",
        "Workgroup": None if computer.data["domain"] else "WORKGROUP",
        "PartOfDomain": bool(computer.data["domain"]),
        "DomainRole": UInt16(3 if computer.data["domain"] else 2),
        "Manufacturer": "Microsoft Corporation",
        "Model": "Virtual Machine",
        "TotalPhysicalMemory": UInt64(4 << 30),
        "NumberOfLogicalProcessors": UInt32(2),
        "UserName": None,
    }


def _service(call: Call) -> Rows:
    services = call.machine.services
    for one in services.all():
        if one["kind"] == "KernelDriver":
            continue
        state = services.state(one["name"])
        yield {
            "Name": one["name"],
            "DisplayName": one["display"],
            "Description": one["description"],
            "State": STATES.get(state.status, state.status),
            "Status": "OK",
            "StartMode": MODES[one["start"]],
            "DelayedAutoStart": one["start"] == "AutomaticDelayedStart",
            "StartName": one["account"],
            "PathName": one["path"],
            "ProcessId": UInt32(state.pid),
            "ExitCode": UInt32(state.exit_code),
            "Started": state.status == "Running",
            "ServiceType": "Own Process" if one["kind"] == "Win32OwnProcess" else "Share Process",
            "AcceptStop": state.status == "Running",
            "AcceptPause": one["can_pause"] and state.status == "Running",
            "SystemName": call.machine.computer.name,
        }


def _share(call: Call) -> Rows:
    for one in call.machine.shares.all():
        kind = (1 << 31 if one["special"] else 0) | (3 if one["name"].upper() == "IPC$" else 0)
        yield {
            "Name": one["name"],
            "Path": one["path"],
            "Description": one["description"],
            "Caption": one["description"],
            "Type": UInt32(kind),
            "AllowMaximum": not one["limit"],
            "MaximumAllowed": UInt32(one["limit"]) if one["limit"] else None,
            "Status": "OK",
        }


def _process(call: Call) -> Rows:
    for pid, service, state in call.machine.services.processes():
        path = service["path"].split(".exe")[0] + ".exe"
        yield {
            "ProcessId": UInt32(pid),
            "Name": path.rpartition("\\")[2],
            "ExecutablePath": path,
            "CommandLine": service["path"],
            "CreationDate": moment(state.started_at),
            "ParentProcessId": UInt32(500),
        }


def _adapter_configuration(call: Call) -> Rows:
    network = call.machine.network
    for at, card in enumerate(network.data["adapters"]):
        own = [one for one in network.addresses(card["name"]) if network.state(one) == "Preferred"]
        key = rf"{INTERFACES}\{card['guid'].lower()}"
        masks = call.machine.registry.value(key, "SubnetMask", [])
        yield {
            "Index": UInt32(at + 1),
            "InterfaceIndex": UInt32(card["index"]),
            "Description": card["description"],
            "SettingID": card["guid"],
            "MACAddress": card["mac"].replace("-", ":"),
            "IPEnabled": bool(own) and card["enabled"],
            "IPAddress": [one["address"] for one in own] or None,
            "IPSubnet": list(masks) or None,
            "DefaultIPGateway": list(card["gateways"]) or None,
            "DNSServerSearchOrder": list(card["dns"]) or None,
            "DHCPEnabled": card["dhcp"],
            "FullDNSRegistrationEnabled": card["register"],
            "DomainDNSRegistrationEnabled": card["use_suffix"],
            "DNSDomain": card["suffix"],
            "DNSHostName": call.machine.computer.name,
        }


def _logical_disk(call: Call) -> Rows:
    for one in call.machine.volumes.all():
        blocked = bool(one["blocked"])
        yield {
            "DeviceID": f"{one['letter']}:",
            "DriveType": UInt32(3),
            "FileSystem": None if blocked else one["file_system"],
            "VolumeName": None if blocked else one["label"],
            "Size": None if blocked else UInt64(one["size"]),
            "FreeSpace": None if blocked else UInt64(call.machine.volumes.remaining(one)),
        }


def _volume(call: Call) -> Rows:
    for one in call.machine.volumes.all():
        yield {
            "DriveLetter": f"{one['letter']}:",
            "DeviceID": f"\\\\?\\Volume{{{one['guid']}}}\\",
            "Name": f"{one['letter']}:\\",
            "Label": one["label"],
            "FileSystem": None if one["blocked"] else one["file_system"],
            "Capacity": None if one["blocked"] else UInt64(one["size"]),
            "FreeSpace": None if one["blocked"] else UInt64(call.machine.volumes.remaining(one)),
            "DriveType": UInt32(3),
        }


def shadow_row(call: Call, one: dict[str, Any]) -> dict[str, Any]:
    """A Win32_ShadowCopy."""
    return {
        "ID": one["id"],
        "SetID": one["set"],
        "DeviceObject": one["device"],
        "VolumeName": one["volume"],
        "InstallDate": moment(one["time"]),
        "ClientAccessible": one["client_accessible"],
        "Persistent": True,
        "NoAutoRelease": True,
        "NoWriters": one["client_accessible"],
        "Differential": True,
        "Imported": False,
        "State": UInt32(12),
        "Count": UInt32(1),
        "OriginatingMachine": call.machine.computer.fqdn,
        "ServiceMachine": call.machine.computer.fqdn,
        "ProviderID": "{B5946137-7B9F-4925-AF80-51ABD60B20D5}",
    }


def _shadow_copy(call: Call) -> Rows:
    for one in call.machine.shadows.all():
        yield shadow_row(call, one)


def _user_account(call: Call) -> Rows:
    computer = call.machine.computer
    own = call.machine.accounts.data["machine_sid"]
    for name, number, disabled in (
        ("Administrator", 500, False),
        ("Guest", 501, True),
        ("DefaultAccount", 503, True),
        ("WDAGUtilityAccount", 504, True),
    ):
        yield {
            "Name": name,
            "Domain": computer.name,
            "Caption": f"{computer.name}\\{name}",
            "LocalAccount": True,
            "Disabled": disabled,
            "SID": f"{own}-{number}",
            "SIDType": UInt32(1),
            "AccountType": UInt32(512),
        }


def _time_zone(_: Call) -> Rows:
    yield {"StandardName": "Coordinated Universal Time", "Bias": 0, "Caption": "(UTC) Coordinated Universal Time"}


CLASSES: dict[str, Callable[[Call], Rows]] = {
    "Win32_OperatingSystem": _operating_system,
    "Win32_ComputerSystem": _computer_system,
    "Win32_Service": _service,
    "Win32_Share": _share,
    "Win32_Process": _process,
    "Win32_NetworkAdapterConfiguration": _adapter_configuration,
    "Win32_LogicalDisk": _logical_disk,
    "Win32_Volume": _volume,
    "Win32_ShadowCopy": _shadow_copy,
    "Win32_TimeZone": _time_zone,
    "Win32_UserAccount": _user_account,
}


def _create_shadow(call: Call, _: PsObject | None, arguments: Table) -> dict[str, Any]:
    services = call.machine.services
    if services.find("VSS") and services.get("VSS")["start"] == "Disabled":
        return {"ReturnValue": 6, "ShadowID": ""}
    result, made = call.machine.shadows.create(
        str(arguments.get("Volume", "")), str(arguments.get("Context", "ClientAccessible"))
    )
    return {"ReturnValue": result, "ShadowID": made}


def _service_method(what: str) -> Callable[[Call, PsObject | None, Table], dict[str, Any]]:
    def run(call: Call, one: PsObject | None, arguments: Table) -> dict[str, Any]:
        name = str(one.get("Name")) if one else ""
        try:
            if what == "change":
                modes = {"automatic": "Automatic", "manual": "Manual", "disabled": "Disabled"}
                call.machine.services.configure(name, start=modes[str(arguments.get("StartMode")).lower()])
            else:
                getattr(call.machine.services, what)(name)
        except Refused as why:
            return {"ReturnValue": SERVICE_RESULTS.get(why.code, 8)}
        return {"ReturnValue": 0}

    return run


def _create_share(call: Call, _: PsObject | None, arguments: Table) -> dict[str, Any]:
    everyone = descriptors.parse("O:SYG:SYD:(A;;0x1200a9;;;WD)")
    try:
        made = call.machine.shares.create(str(arguments.get("Name", "")), str(arguments.get("Path", "")), everyone)
        call.machine.shares.change(made["name"], description=str(arguments.get("Description") or ""))
    except Refused as why:
        return {"ReturnValue": SHARE_RESULTS.get(why.code, 8)}
    return {"ReturnValue": 0}


def _delete_share(call: Call, one: PsObject | None, _: Table) -> dict[str, Any]:
    try:
        call.machine.shares.remove(str(one.get("Name")) if one else "")
    except Refused as why:
        return {"ReturnValue": SHARE_RESULTS.get(why.code, 25)}
    return {"ReturnValue": 0}


def _reboot(call: Call, _: PsObject | None, __: Table) -> dict[str, Any]:
    call.machine.restart()
    return {"ReturnValue": 0}


METHODS: dict[tuple[str, str], Callable[[Call, PsObject | None, Table], dict[str, Any]]] = {
    ("win32_shadowcopy", "create"): _create_shadow,
    ("win32_service", "startservice"): _service_method("begin_start"),
    ("win32_service", "stopservice"): _service_method("begin_stop"),
    ("win32_service", "changestartmode"): _service_method("change"),
    ("win32_share", "create"): _create_share,
    ("win32_share", "delete"): _delete_share,
    ("win32_operatingsystem", "reboot"): _reboot,
}
