"""Volumes, partitions, disks: Get-Volume, Get-Partition, Get-Disk, Set-Volume, Get-PSDrive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.lab.windows.cmdlets.base import as_list, cim, cim_denied, enum, over_machine, record, texts, wanted
from tests.lab.windows.machine.refusals import Refused, no_cim_object
from tests.lab.windows.powershell.commands import Call
from tests.lab.windows.powershell.values import Char, PsObject, UInt32, UInt64, typed

NAMESPACE = "ROOT/Microsoft/Windows/Storage"
CLASS = "MSFT_Volume:ROOT/Microsoft/Windows/Storage/MSFT_Volume"
GPT_DATA, GPT_SYSTEM = "{ebd0a0a2-b9e5-4433-87c0-68b6b72699c7}", "{e3c9e316-0b5c-4db8-817d-f92df00215ae}"


def volume_object(call: Call, volume: dict[str, Any]) -> PsObject:
    """A MSFT_Volume; one that is out of use shows neither file system nor sizes."""
    blocked = bool(volume["blocked"])
    path = f"\\\\?\\Volume{{{volume['guid']}}}\\"
    items = {
        "ObjectId": path,
        "UniqueId": path,
        "Path": path,
        "DriveLetter": Char(volume["letter"]),
        "DriveType": enum("Microsoft.PowerShell.Cmdletization.GeneratedTypes.Volume.DriveType", "Fixed", {"Fixed": 3}),
        "FileSystem": "" if blocked else volume["file_system"],
        "FileSystemType": "Unknown" if blocked else volume["file_system"],
        "FileSystemLabel": "" if blocked else volume["label"],
        "HealthStatus": "Unknown" if blocked else "Healthy",
        "OperationalStatus": "Unknown" if blocked else "OK",
        "AllocationUnitSize": UInt32(4096),
        "DedupMode": "NotAvailable",
        "Size": UInt64(0 if blocked else volume["size"]),
        "SizeRemaining": UInt64(0 if blocked else call.machine.volumes.remaining(volume)),
    }
    return cim("MSFT_Volume", items, NAMESPACE)


@over_machine("Get-Volume")
def get_volume(call: Call) -> Iterator[Any]:
    """The volumes."""
    volumes = call.machine.volumes
    letters = [str(one).upper() for one in as_list(call.get("DriveLetter"))]
    for letter in letters:
        if volumes.find(letter) is None:
            call.error(record(no_cim_object("MSFT_Volume", "DriveLetter", letter)))
    named = [volumes.find(str(one)[:2]) for one in texts(call.get("FilePath"))]
    for volume in volumes.all():
        if letters and volume["letter"] not in letters:
            continue
        if call.has("FilePath") and volume not in named:
            continue
        if call.has("Partition") and volume["letter"] != str(call.get("Partition").get("DriveLetter")):
            continue
        if wanted(call, "FileSystemLabel", volume["label"]) and wanted(
            call, "Path", f"\\\\?\\Volume{{{volume['guid']}}}\\".replace("?", "`?")
        ):
            yield volume_object(call, volume)


@over_machine("Get-Partition")
def get_partition(call: Call) -> Iterator[Any]:
    """The partitions that carry volumes."""
    found = False
    for volume in call.machine.volumes.all():
        asked = (
            ("DriveLetter", volume["letter"]),
            ("DiskNumber", volume["disk"]),
            ("PartitionNumber", volume["partition"]),
        )
        if not all(wanted(call, name, value) for name, value in asked):
            continue
        if call.has("Disk") and int(call.get("Disk").get("Number")) != volume["disk"]:
            continue
        if call.has("Volume") and str(call.get("Volume").get("DriveLetter")) != volume["letter"]:
            continue
        found = True
        yield _partition(volume)
    if not found:
        for name in ("DriveLetter", "DiskNumber"):
            if call.has(name):
                call.error(record(no_cim_object("MSFT_Partition", name, texts(call.get(name))[0])))
                break


def _partition(volume: dict[str, Any]) -> PsObject:
    items = {
        "DiskNumber": UInt32(volume["disk"]),
        "PartitionNumber": UInt32(volume["partition"]),
        "DriveLetter": Char(volume["letter"]),
        "AccessPaths": [f"{volume['letter']}:\\", f"\\\\?\\Volume{{{volume['guid']}}}\\"],
        "Guid": f"{{{volume['guid']}}}",
        "Offset": UInt64(1 << 20),
        "Size": UInt64(volume["size"]),
        "Type": "Basic" if volume["style"] == "GPT" else "IFS",
        "GptType": GPT_DATA if volume["style"] == "GPT" else None,
        "IsBoot": volume["letter"] == "C",
        "IsSystem": False,
        "IsOffline": False,
        "IsReadOnly": False,
    }
    return cim("MSFT_Partition", items, NAMESPACE)


@over_machine("Get-Disk")
def get_disk(call: Call) -> Iterator[Any]:
    """The disks."""
    found = False
    for number, volumes in call.machine.volumes.disks().items():
        if not wanted(call, "Number", number):
            continue
        if call.has("Partition") and int(call.get("Partition").get("DiskNumber")) != number:
            continue
        found = True
        items = {
            "Number": UInt32(number),
            "DiskNumber": UInt32(number),
            "FriendlyName": "Msft Virtual Disk",
            "SerialNumber": f"{number:08X}",
            "UniqueId": f"600224800000000000000000{number:08X}",
            "PartitionStyle": volumes[0]["style"],
            "OperationalStatus": "Online",
            "HealthStatus": "Healthy",
            "IsBoot": any(one["letter"] == "C" for one in volumes),
            "IsSystem": any(one["letter"] == "C" for one in volumes),
            "IsClustered": False,
            "IsOffline": False,
            "IsReadOnly": False,
            "BusType": "SAS",
            "Size": UInt64(sum(one["size"] for one in volumes) + (2 << 20)),
            "LogicalSectorSize": UInt32(512),
            "PhysicalSectorSize": UInt32(4096),
            "NumberOfPartitions": UInt32(len(volumes) + 1),
        }
        yield cim("MSFT_Disk", items, NAMESPACE)
    if not found and call.has("Number"):
        call.error(record(no_cim_object("MSFT_Disk", "Number", texts(call.get("Number"))[0])))


@over_machine("Set-Volume", changes=True, denied=cim_denied(CLASS))
def set_volume(call: Call) -> None:
    """Give a volume another label."""
    letter = str(call.get("DriveLetter"))
    if call.machine.volumes.find(letter) is None:
        raise no_cim_object("MSFT_Volume", "DriveLetter", letter)
    if call.has("NewFileSystemLabel"):
        call.machine.volumes.relabel(letter, str(call.get("NewFileSystemLabel")))


@over_machine("Format-Volume", changes=True, denied=cim_denied(CLASS), impact="High")
def format_volume(call: Call) -> Iterator[Any]:
    """Empty a volume; not the system's."""
    letter = str(call.get("DriveLetter")).upper()
    volume = call.machine.volumes.usable(letter)
    if letter == "C":
        message = "Cannot format the volume that contains the operating system."  # wording not confirmed
        raise Refused(
            message,
            "StorageWMI 40001",
            "NotSpecified",
            "Microsoft.Management.Infrastructure.CimException",
            CLASS,
            40001,
        )
    if call.should_process(f"{letter}:", "Format"):
        call.machine.volumes.format(
            letter, str(call.get("FileSystem", "NTFS")), str(call.get("NewFileSystemLabel", ""))
        )
        yield volume_object(call, volume)


@over_machine("Get-PSDrive", error_class="Microsoft.PowerShell.Commands.GetPSDriveCommand")
def get_ps_drive(call: Call) -> Iterator[Any]:
    """The drives of the file system and of the registry."""
    drives: list[tuple[str, str, str, Any, Any]] = []
    for volume in call.machine.volumes.all():
        free = 0 if volume["blocked"] else call.machine.volumes.remaining(volume)
        drives.append((volume["letter"], "FileSystem", f"{volume['letter']}:\\", volume["size"] - free, free))
    drives += [
        ("HKCU", "Registry", "HKEY_CURRENT_USER", None, None),
        ("HKLM", "Registry", "HKEY_LOCAL_MACHINE", None, None),
    ]
    for name in texts(call.get("Name")):
        if not any(name.upper() == one[0] for one in drives) and "*" not in name:
            message = f"Cannot find drive. A drive with the name '{name}' does not exist."
            refusal = Refused(
                message,
                "GetLocationNoMatchingDrive",
                "ObjectNotFound",
                "System.Management.Automation.DriveNotFoundException",
                name,
            )
            call.error(record(refusal))
    for name, provider, root, used, free in sorted(drives):
        if wanted(call, "Name", name) and wanted(call, "PSProvider", provider):
            items = {"Name": name, "Root": root, "Used": used, "Free": free, "Provider": provider, "Description": ""}
            yield typed("System.Management.Automation.PSDriveInfo", items, text=name)
