"""Shares: Get-, New-, Set-, Remove-SmbShare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.lab.windows.cmdlets.base import (
    as_list,
    cim,
    cim_denied,
    enum,
    has_wildcard,
    matches,
    over_machine,
    record,
    texts,
    wanted,
)
from tests.lab.windows.machine import descriptors
from tests.lab.windows.machine.descriptors import Ace, Descriptor
from tests.lab.windows.machine.refusals import Refused, cim_error, no_cim_object
from tests.lab.windows.machine.shares import CLASS, RIGHTS
from tests.lab.windows.powershell.commands import Call
from tests.lab.windows.powershell.values import PsObject, UInt32

NAMESPACE = "ROOT/Microsoft/Windows/SMB"
TYPES = "Microsoft.PowerShell.Cmdletization.GeneratedTypes.SmbShare."
CACHING = {"None": 0, "Manual": 1, "Documents": 2, "Programs": 3, "BranchCache": 4, "Unknown": 5}
ENUMERATION = {"AccessBased": 0, "Unrestricted": 1}
LEASING = {"Full": 0, "Shared": 1, "None": 2}
PROPERTIES = {  # parameter -> key of the model
    "Description": "description", "CachingMode": "caching", "FolderEnumerationMode": "enumeration", "ConcurrentUserLimit": "limit",
    "EncryptData": "encrypt", "ContinuouslyAvailable": "continuously_available", "CATimeout": "ca_timeout", "LeasingMode": "leasing",
    "CompressData": "compress",
}  # fmt: skip


def share_object(machine: Any, share: dict[str, Any]) -> PsObject:
    """A MSFT_SmbShare."""
    special = share["special"]
    ipc = share["name"].upper() == "IPC$"
    items = {
        "PresetPathAcl": None if not share["path"] else "System.Security.AccessControl.DirectorySecurity",
        "ShareState": enum(f"{TYPES}ShareState", "Online", {"Pending": 0, "Online": 1, "Offline": 2}),
        "AvailabilityType": enum(f"{TYPES}AvailabilityType", "NonClustered", {"NonClustered": 0}),
        "ShareType": enum(
            f"{TYPES}ShareType",
            "InterprocessCommunication" if ipc else "FileSystemDirectory",
            {"FileSystemDirectory": 0, "PrintQueue": 1, "InterprocessCommunication": 3},
        ),
        "FolderEnumerationMode": enum(f"{TYPES}FolderEnumerationMode", share["enumeration"], ENUMERATION),
        "CachingMode": enum(f"{TYPES}CachingMode", share["caching"], CACHING),
        "LeasingMode": enum(f"{TYPES}LeasingMode", share["leasing"], LEASING),
        "SmbInstance": enum(f"{TYPES}SmbInstance", "Default", {"Default": 0}),
        "CATimeout": UInt32(share["ca_timeout"]),
        "CompressData": share["compress"],
        "ConcurrentUserLimit": UInt32(share["limit"]),
        "ContinuouslyAvailable": share["continuously_available"],
        "CurrentUsers": UInt32(0),
        "Description": share["description"],
        "EncryptData": share["encrypt"],
        "Name": share["name"],
        "Path": share["path"],
        "Scoped": share["scope"] != "*",
        "ScopeName": share["scope"],
        "SecurityDescriptor": share["sddl"],
        "ShadowCopy": False,
        "Special": special,
        "Temporary": share["temporary"],
        "Volume": _volume(machine, share),
    }
    return cim("MSFT_SmbShare", items, NAMESPACE)


def _volume(machine: Any, share: dict[str, Any]) -> str:
    volume = machine.volumes.find(share["path"][:2]) if share["path"] else None
    return f"\\\\?\\Volume{{{volume['guid']}}}\\" if volume else ""


def chosen(call: Call) -> Iterator[dict[str, Any]]:
    """The shares that -Name, -ScopeName or -InputObject name; an error for each name without one."""
    shares = call.machine.shares
    if call.has("InputObject"):
        names = [str(one.get("Name")) for one in as_list(call.get("InputObject"))]
    else:
        names = texts(call.get("Name", ["*"]))
    everything = [one for one in shares.all() if wanted(call, "ScopeName", one["scope"])]
    for name in names:
        if has_wildcard(name):
            yield from [one for one in everything if matches(name, one["name"])]
            continue
        found = [one for one in everything if one["name"].lower() == name.lower()]
        if not found:
            call.error(record(no_cim_object("MSFT_SMBShare", "Name", name)))
        yield from found


@over_machine("Get-SmbShare", denied=cim_denied(CLASS))
def get_smb_share(call: Call) -> Iterator[Any]:
    """The shares; none of them without the Server service."""
    for share in chosen(call):
        fits = all(
            str(share[key]).lower() in (str(one).lower() for one in as_list(call.get(name)))
            for name, key in {**PROPERTIES, "Special": "special"}.items()
            if call.has(name)
        )
        if fits:
            yield share_object(call.machine, share)


def _access_list(call: Call) -> Descriptor:
    """The descriptor of -FullAccess, -ChangeAccess, -ReadAccess, -NoAccess; without them Everyone may read."""
    aces = []
    for name, right in (("NoAccess", None), ("FullAccess", "Full"), ("ChangeAccess", "Change"), ("ReadAccess", "Read")):
        for account in texts(call.get(name)):
            sid = call.machine.accounts.sid(account)
            aces.append(Ace("A", (), RIGHTS[right], sid) if right else Ace("D", (), RIGHTS["Full"], sid))
    if not aces:
        aces = [Ace("A", (), RIGHTS["Read"], "S-1-1-0")]
    return Descriptor("S-1-5-18", "S-1-5-18", (), tuple(aces))


def _properties(call: Call) -> dict[str, Any]:
    found = {}
    for name, key in PROPERTIES.items():
        if call.has(name):
            value = call.get(name)
            found[key] = value if isinstance(value, bool) else int(value) if isinstance(value, int) else str(value)
    if found.get("continuously_available"):
        raise cim_error(50, CLASS)  # only on a cluster; the number is not confirmed
    return found


@over_machine("New-SmbShare", changes=True, denied=cim_denied(CLASS))
def new_smb_share(call: Call) -> Iterator[Any]:
    """Make a share. Its page says that -WhatIf does not work: it makes the share all the same."""
    lists = [name for name in ("FullAccess", "ChangeAccess", "ReadAccess", "NoAccess") if call.has(name)]
    if call.has("SecurityDescriptor") and lists:
        raise cim_error(87, CLASS)  # not confirmed
    if call.has("ScopeName") and str(call.get("ScopeName")) not in {"*", call.machine.computer.name}:
        raise Refused(
            "The parameter is incorrect.",
            "Windows System Error 87",
            "InvalidArgument",
            "Microsoft.Management.Infrastructure.CimException",
            CLASS,
            87,
        )
    shares = call.machine.shares
    descriptor = (
        shares.descriptor(str(call.get("SecurityDescriptor"))) if call.has("SecurityDescriptor") else _access_list(call)
    )
    made = shares.create(
        str(call.get("Name")),
        str(call.get("Path")),
        descriptor,
        temporary=call.switch("Temporary"),
        **_properties(call),
    )
    yield share_object(call.machine, made)


@over_machine("Set-SmbShare", changes=True, denied=cim_denied(CLASS), impact="High")
def set_smb_share(call: Call) -> Iterator[Any]:
    """Change shares."""
    changes = _properties(call)
    if call.has("SecurityDescriptor"):
        changes["sddl"] = descriptors.sddl(call.machine.shares.descriptor(str(call.get("SecurityDescriptor"))))
    for share in list(chosen(call)):
        if call.should_process(f"{share['scope']},{share['name']}", "Modify"):
            changed = call.machine.shares.change(share["name"], **changes)
            if call.switch("PassThru"):
                yield share_object(call.machine, changed)


@over_machine("Remove-SmbShare", changes=True, denied=cim_denied(CLASS), impact="High")
def remove_smb_share(call: Call) -> Iterator[Any]:
    """Take shares away; the folders stay."""
    for share in list(chosen(call)):
        if call.should_process(f"{share['scope']},{share['name']}", "Remove"):
            call.machine.shares.remove(share["name"])
            if call.switch("PassThru"):
                yield share_object(call.machine, share)
