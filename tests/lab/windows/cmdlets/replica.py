"""Storage Replica: groups, partnerships, their direction; and the test of a topology."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.lab.windows.cmdlets.base import as_list, cim, cim_denied, enum, moment, over_machine, texts
from tests.lab.windows.cmdlets.replica_pairs import create_partnership, partnerships
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.machine.replica_rules import CLASS, check_server, refused
from tests.lab.windows.machine.replica_wire import Unreachable
from tests.lab.windows.powershell.commands import Call
from tests.lab.windows.powershell.values import PsObject, UInt32, UInt64

NAMESPACE = "ROOT/Microsoft/Windows/StorageReplica"
DEFAULT_LOG = 8 << 30
TYPES = "Microsoft.PowerShell.Cmdletization.GeneratedTypes.StorageReplica."
MODES = {"Synchronous": 1, "Asynchronous": 2}
STATUSES = {
    "None": 0,
    "Unknown": 1,
    "InitialBlockCopy": 2,
    "ContinuouslyReplicating": 3,
    "ContinuouslyReplicating_InRPO": 4,
    "WaitingForDestination": 5,
    "ConnectingToSource": 6,
    "Suspended": 7,
}  # fmt: skip - the numbers are not confirmed


def require_feature(call: Call) -> None:
    """Without the feature the module is not there: the command is not found."""
    if "StorageReplica" not in call.machine.computer.modules():
        message = (
            f"The term '{call.name}' is not recognized as the name of a cmdlet, function, script file, or operable program. "
            "Check the spelling of the name, or if a path was included, verify that the path is correct and try again."
        )
        exception = "System.Management.Automation.CommandNotFoundException"
        raise Refused(message, "CommandNotFoundException", "ObjectNotFound", exception, call.name)


def remote_groups(call: Call, computer: str | None) -> tuple[list[dict[str, Any]], dict[str, int], str]:
    """Groups of this or of another server, the sizes of its volumes, its name."""
    replica = call.machine.replica
    if replica.is_self(computer):
        check_server(call.machine)
        groups = [
            dict(one) | {"status": replica.status(one), "remaining": replica.remaining(one)} for one in replica.groups()
        ]
        sizes = {
            letter: call.machine.volumes.data["volumes"][letter]["size"] for one in groups for letter in one["volumes"]
        }
        return groups, sizes, call.machine.computer.name
    answer = ask(call, str(computer), {"op": "groups"})
    return answer["groups"], answer["sizes"], answer["computer"]


def ask(call: Call, computer: str, request: dict[str, Any]) -> dict[str, Any]:
    """Ask another server; one that does not answer is a refusal."""
    try:
        found: dict[str, Any] = call.machine.replica.ask(computer, request)
    except Unreachable as why:
        raise refused(f"Unable to connect to {computer}. The RPC server is unavailable.", 1722, computer) from why
    return found


def group_object(group: dict[str, Any], sizes: dict[str, int], computer: str) -> PsObject:
    """A MSFT_WvrReplicationGroup with its replicas."""
    status = enum(f"{TYPES}ReplicationStatus", group["status"], STATUSES)
    mode = enum(f"{TYPES}ReplicationMode", group["mode"], MODES)
    replicas = []
    for letter in group["volumes"]:
        items = {
            "CurrentLsn": UInt64(0),
            "DataVolume": f"{letter}:\\",
            "LastInSyncTime": moment(group["last_in_sync"]),
            "LastKnownPrimaryLsn": UInt64(1),
            "LastOutOfSyncTime": None,
            "NumOfBytesRecovered": UInt64(0),
            "NumOfBytesRemaining": UInt64(group["remaining"]),
            "PartitionId": group["partitions"][letter],
            "PartitionSize": UInt64(sizes[letter]),
            "ReplicationMode": mode,
            "ReplicationStatus": status,
        }
        replicas.append(cim("MSFT_WvrReplica", items, NAMESPACE))
    items = {
        "AllowVolumeResize": False,
        "AsyncRPO": UInt32(group["async_rpo"]),
        "ComputerName": computer,
        "Description": group["description"],
        "Id": group["id"],
        "IsAutoFailover": False,
        "IsCluster": False,
        "IsEncrypted": group["encrypted"],
        "IsInPartnership": group["partner"] is not None,
        "IsPrimary": group["role"] == "Primary",
        "IsSuspended": group["suspended"],
        "IsWriteConsistency": group["consistency"],
        "LastInSyncTime": moment(group["last_in_sync"]),
        "LogSizeInBytes": UInt64(group["log_size"]),
        "LogVolume": f"{group['log']}:\\",
        "Name": group["name"],
        "NumOfReplicas": UInt32(len(replicas)),
        "Partitions": [group["partitions"][letter] for letter in group["volumes"]],
        "Replicas": replicas,
        "ReplicationMode": mode,
        "ReplicationStatus": status,
        "TemporaryPath": None,
    }
    return cim("MSFT_WvrReplicationGroup", items, NAMESPACE)


@over_machine("Get-SRGroup", changes=True, denied=cim_denied(CLASS))
def get_sr_group(call: Call) -> Iterator[Any]:
    """Groups of this server or of another."""
    require_feature(call)
    groups, sizes, computer = remote_groups(call, call.get("ComputerName"))
    found = [one for one in groups if not call.has("Name") or one["name"].lower() == str(call.get("Name")).lower()]
    if call.has("Name") and not found:
        raise refused(f"Unable to find replication group {call.get('Name')}.", 1168, call.get("Name"))
    for group in found:
        yield group_object(group, sizes, computer)


@over_machine("New-SRGroup", changes=True, denied=cim_denied(CLASS))
def new_sr_group(call: Call) -> Iterator[Any]:
    """Make a group of this server."""
    require_feature(call)
    size = int(call.get("LogSizeInBytes", DEFAULT_LOG))
    other = {
        "description": str(call.get("Description", "")),
        "encrypted": call.switch("EnableEncryption"),
        "consistency": call.switch("EnableConsistencyGroups"),
    }
    if not call.machine.replica.is_self(call.get("ComputerName")):
        request = {
            "op": "create",
            "group": str(call.get("Name")),
            "volumes": texts(call.get("VolumeName")),
            "log": str(call.get("LogVolumeName")),
        }
        ask(call, str(call.get("ComputerName")), request | {"log_size": size, "description": other["description"]})
    else:
        call.machine.replica.create(
            str(call.get("Name")), texts(call.get("VolumeName")), str(call.get("LogVolumeName")), size, **other
        )
    groups, sizes, computer = remote_groups(call, call.get("ComputerName"))
    yield from [
        group_object(one, sizes, computer) for one in groups if one["name"].lower() == str(call.get("Name")).lower()
    ]


def _names(call: Call) -> list[str]:
    return [str(one.get("Name")) if isinstance(one, PsObject) else str(one) for one in as_list(call.get("Name"))]


@over_machine("Remove-SRGroup", changes=True, denied=cim_denied(CLASS), impact="High")
def remove_sr_group(call: Call) -> None:
    """Remove groups that are in no partnership."""
    require_feature(call)
    for name in _names(call):
        if call.machine.replica.is_self(call.get("ComputerName")):
            call.machine.replica.get(name)
        if not call.should_process(name, "Remove replication group"):
            continue
        if call.machine.replica.is_self(call.get("ComputerName")):
            call.machine.replica.remove(name)
        else:
            ask(call, str(call.get("ComputerName")), {"op": "remove", "group": name})


@over_machine("Set-SRGroup", "Suspend-SRGroup", "Sync-SRGroup", changes=True, denied=cim_denied(CLASS), impact="High")
def change_sr_group(call: Call) -> None:
    """Change a group, stop its replication for a while, go on with it."""
    require_feature(call)
    group = call.machine.replica.get(str(call.get("Name")))
    if call.name != "Sync-SRGroup" and not call.should_process(group["name"], call.name):
        return
    if call.name == "Sync-SRGroup":
        if not group["partner"]:
            raise refused(f"The replication group {group['name']} is not part of a partnership.", 1168, group["name"])
        call.machine.replica.sync(group)
    elif call.name == "Suspend-SRGroup":
        call.machine.replica.change(group, suspended=True)
    else:
        names = {
            "LogSizeInBytes": "log_size",
            "Description": "description",
            "ReplicationMode": "mode",
            "Encryption": "encrypted",
        }
        changes = {key: call.get(name) for name, key in names.items() if call.has(name)}
        if "mode" in changes:
            changes["mode"] = str(changes["mode"])
        if "log_size" in changes:
            changes["log_size"] = int(changes["log_size"])
        call.machine.replica.change(group, **changes)


def _partnership_object(pair: dict[str, str]) -> PsObject:
    items = {
        "DestinationComputerName": pair["destination"],
        "DestinationRGName": pair["destination_group"],
        "Id": pair["id"],
        "SourceComputerName": pair["source"],
        "SourceRGName": pair["source_group"],
    }
    return cim("MSFT_WvrReplicationPartnership", items, NAMESPACE)


@over_machine("Get-SRPartnership", changes=True, denied=cim_denied(CLASS))
def get_sr_partnership(call: Call) -> Iterator[Any]:
    """The partnerships that this (or the named) server is in."""
    require_feature(call)
    groups, _, computer = remote_groups(call, call.get("ComputerName"))
    for pair in partnerships(groups, computer):
        asked = {
            "SourceRGName": "source_group",
            "DestinationRGName": "destination_group",
            "SourceComputerName": "source",
            "DestinationComputerName": "destination",
        }
        if all(str(call.get(name)).lower() == pair[key].lower() for name, key in asked.items() if call.has(name)):
            yield _partnership_object(pair)


@over_machine("New-SRPartnership", changes=True, denied=cim_denied(CLASS))
def new_sr_partnership(call: Call) -> Iterator[Any]:
    """Begin to replicate from this server's group to another server's."""
    require_feature(call)
    yield _partnership_object(create_partnership(call, ask))


def _own_group(call: Call) -> tuple[dict[str, Any], bool]:
    """This server's group of the named partnership, and whether this server is what the call says is the source."""
    replica = call.machine.replica
    source_here = replica.is_self(call.get("NewSourceComputerName", call.get("SourceComputerName")))
    name = str(call.get("SourceRGName") if source_here else call.get("DestinationRGName"))
    group = replica.get(name)
    other = str(
        call.get("DestinationComputerName")
        if source_here
        else call.get("NewSourceComputerName", call.get("SourceComputerName", ""))
    )
    partner = group["partner"]
    if partner is None or partner["computer"].lower() != other.lower().split(".")[0]:
        message = f"Unable to find the replication partnership of group {name} with {other}."
        raise refused(message, 1168, name)
    return group, source_here


@over_machine("Set-SRPartnership", changes=True, denied=cim_denied(CLASS), impact="High")
def set_sr_partnership(call: Call) -> Iterator[Any]:
    """Another source, or other settings. With the old source dead it must be run on the server that becomes the source."""
    require_feature(call)
    group, source_here = _own_group(call)
    if not call.should_process(group["name"], "Set replication partnership"):
        return
    replica = call.machine.replica
    if call.has("NewSourceComputerName") and source_here:
        replica.switch(group)
    elif call.has("NewSourceComputerName"):
        ask(call, str(call.get("NewSourceComputerName")), {"op": "switch", "group": str(call.get("SourceRGName"))})
    changes: dict[str, Any] = {"mode": str(call.get("ReplicationMode"))} if call.has("ReplicationMode") else {}
    changes |= {"async_rpo": int(call.get("AsyncRPO"))} if call.has("AsyncRPO") else {}
    if changes:
        replica.change(group, **changes)
    yield from [
        _partnership_object(one) for one in partnerships([replica.get(group["name"])], call.machine.computer.name)
    ]


@over_machine("Remove-SRPartnership", changes=True, denied=cim_denied(CLASS), impact="High")
def remove_sr_partnership(call: Call) -> None:
    """End the replication: run on the source; -IgnoreRemovalFailure where the other side is dead. Volumes of a destination come back."""
    require_feature(call)
    group, _ = _own_group(call)
    ignore = call.switch("IgnoreRemovalFailure")
    if group["role"] != "Primary" and not ignore:
        message = f"The operation must be run on the source of replication, not on the destination {call.machine.computer.name}."
        raise refused(message, 50, group["name"])
    if not call.should_process(group["name"], "Remove replication partnership"):
        return
    try:
        ask(call, group["partner"]["computer"], {"op": "leave", "group": group["partner"]["group"]})
    except Refused:
        if not ignore:
            raise
    call.machine.replica.end_partnership(group)


@over_machine("Mount-SRDestination", "Dismount-SRDestination", changes=True, denied=cim_denied(CLASS), impact="High")
def mount_sr_destination(call: Call) -> None:
    """A writable look at a destination (2019 and later)."""
    require_feature(call)
    if call.machine.computer.release == "2016":
        raise refused("The request is not supported.", 50)
    group = call.machine.replica.get(str(call.get("Name")))
    if not call.should_process(group["name"], call.name):
        return
    if call.name == "Dismount-SRDestination":
        call.machine.replica.dismount(group)
        return
    if group["role"] != "Secondary" or not group["complete"]:
        raise refused(
            f"The replication group {group['name']} is not a destination that can be mounted.", 50, group["name"]
        )
    place = call.machine.files.locate(str(call.get("TemporaryPath")))
    if place.volume and place.volume["letter"] in {*group["volumes"], group["log"]}:
        raise refused("The temporary path must be on a volume that is not replicated.", 87, group["name"])
    call.machine.replica.mount(group, place.real)


@over_machine("Clear-SRMetadata", changes=True, denied=cim_denied(CLASS), impact="High")
def clear_sr_metadata(call: Call) -> None:
    """Throw away what is left of groups that are not in a partnership any more."""
    require_feature(call)
    if not call.should_process(call.machine.computer.name, "Clear-SRMetadata"):
        return
    for group in list(call.machine.replica.groups()):
        if call.switch("AllConfiguration") or group["name"].lower() == str(call.get("Name", "")).lower():
            if group["partner"]:
                call.machine.replica.end_partnership(group)
            call.machine.replica.remove(group["name"])


@over_machine("Get-SRNetworkConstraint", "Get-SRAccess", "Get-SRDelegation", changes=True, denied=cim_denied(CLASS))
def get_sr_lists(call: Call) -> Iterator[Any]:
    """Constraints and who was given access."""
    require_feature(call)
    key = {"Get-SRNetworkConstraint": "constraints", "Get-SRAccess": "access", "Get-SRDelegation": "delegation"}[
        call.name
    ]
    for one in call.machine.replica.data.get(key, []):
        yield cim(f"MSFT_Wvr{key.capitalize()}", one, NAMESPACE)


@over_machine(
    "Grant-SRAccess",
    "Revoke-SRAccess",
    "Grant-SRDelegation",
    "Revoke-SRDelegation",
    "Set-SRNetworkConstraint",
    "Remove-SRNetworkConstraint",
    changes=True,
    denied=cim_denied(CLASS),
    impact="Medium",
)
def change_sr_lists(call: Call) -> None:
    """Give or take access, set or remove constraints."""
    require_feature(call)
    data = call.machine.replica.data
    verb, _, noun = call.name.partition("-")
    key = {"SRAccess": "access", "SRDelegation": "delegation", "SRNetworkConstraint": "constraints"}[noun]
    names = (
        "Cluster",
        "UserName",
        "SourceComputerName",
        "SourceRGName",
        "SourceNWInterface",
        "DestinationComputerName",
        "DestinationRGName",
        "DestinationNWInterface",
    )
    one = {name: texts(call.get(name)) if "NW" in name else str(call.get(name)) for name in names if call.has(name)}
    if verb != "Set" and not call.should_process(call.machine.computer.name, call.name):
        return
    held = [other for other in data.get(key, []) if any(other.get(name) != value for name, value in one.items())]
    data[key] = [*held, one] if verb in {"Grant", "Set"} else held
    call.machine.replica.save()


@over_machine("Test-SRTopology", changes=True, denied=cim_denied(CLASS))
def test_sr_topology(call: Call) -> Iterator[Any]:
    """A report in the named folder: whether volumes and edition would do."""
    require_feature(call)
    if call.switch("GenerateReport"):
        raise refused("Not simulated: -GenerateReport.", 50)
    at = call.machine.files.locate(str(call.get("ResultPath")))
    if not at.real.is_dir():
        raise refused(f"The path {call.get('ResultPath')} does not exist.", 3)
    lines = ["<html><body><h1>Storage Replica Test Report</h1>"]
    for name in [*texts(call.get("SourceVolumeName")), str(call.get("SourceLogVolumeName"))]:
        volume = call.machine.volumes.find(name)
        verdict = (
            "Warning: not found" if volume is None else "Success" if volume["style"] == "GPT" else "Warning: not GPT"
        )
        lines.append(f"<p>{verdict}: volume {name}</p>")
    ask(call, str(call.get("DestinationComputerName")), {"op": "groups"})
    report = at.real / "TestSrTopologyReport.html"
    report.write_text("\n".join([*lines, "</body></html>"]))
    yield f"{at.windows}\\TestSrTopologyReport.html"
