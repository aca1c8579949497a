"""Failover clusters: Get-Cluster, its nodes, groups and resources; moving, starting, stopping."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.lab.windows.cmdlets.base import as_list, over_machine, texts, wanted
from tests.lab.windows.machine.cluster import EXCEPTION
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.powershell.commands import Call
from tests.lab.windows.powershell.values import EnumValue, PsObject, typed

TYPES = "Microsoft.FailoverClusters.PowerShell."
GROUP_STATES = {"Unknown": -1, "Online": 0, "Offline": 1, "Failed": 2, "PartialOnline": 3, "Pending": 4}
RESOURCE_STATES = {"Unknown": -1, "Online": 2, "Offline": 3, "Failed": 4}


def _cluster(call: Call) -> dict[str, Any]:
    if not call.machine.computer.has_feature("RSAT-Clustering-PowerShell"):
        message = f"The term '{call.name}' is not recognized as the name of a cmdlet, function, script file, or operable program. Check the spelling of the name, or if a path was included, verify that the path is correct and try again."
        raise Refused(
            message,
            "CommandNotFoundException",
            "ObjectNotFound",
            "System.Management.Automation.CommandNotFoundException",
            call.name,
        )
    if not call.session.elevated:
        message = "You do not have administrative privileges on the cluster. Contact your network administrator to request access.\r\n    Access is denied"
        raise Refused(message, call.name, "AuthenticationError", EXCEPTION, None, 5)
    found: dict[str, Any] = call.machine.cluster.get()
    return found


def _names(call: Call) -> list[str]:
    held = call.get("InputObject")
    return [str(held.get("Name"))] if isinstance(held, PsObject) else texts(call.get("Name"))


@over_machine("Get-Cluster")
def get_cluster(call: Call) -> Iterator[Any]:
    """The cluster of this node."""
    found = _cluster(call)
    yield typed(
        f"{TYPES}Cluster", {"Name": found["name"], "Domain": call.machine.computer.data["domain"]}, text=found["name"]
    )


@over_machine("Get-ClusterNode")
def get_cluster_node(call: Call) -> Iterator[Any]:
    """Its nodes."""
    for at, (name, state) in enumerate(_cluster(call)["nodes"].items()):
        if wanted(call, "Name", name):
            yield typed(
                f"{TYPES}ClusterNode",
                {
                    "Name": name,
                    "Id": str(at + 1),
                    "State": EnumValue(f"{TYPES}ClusterNodeState", state, 0 if state == "Up" else 1),
                    "Type": "Node",
                },
                text=name,
            )


def _group(call: Call, name: str, group: dict[str, Any]) -> PsObject:
    items = {
        "Name": name,
        "OwnerNode": group["owner"],
        "State": EnumValue(f"{TYPES}ClusterGroupState", group["state"], GROUP_STATES[group["state"]]),
        "GroupType": group.get("type", "Unknown"),
        "Cluster": _cluster(call)["name"],
    }
    return typed(f"{TYPES}ClusterGroup", items, text=name)


@over_machine("Get-ClusterGroup")
def get_cluster_group(call: Call) -> Iterator[Any]:
    """Its groups (roles)."""
    groups = _cluster(call)["groups"]
    for name in _names(call):
        if "*" not in name:
            call.machine.cluster.group(name)
    for name, group in groups.items():
        if wanted(call, "Name", name):
            yield _group(call, name, group)


@over_machine("Get-ClusterResource")
def get_cluster_resource(call: Call) -> Iterator[Any]:
    """Its resources, or those of a group."""
    held = call.get("InputObject")
    groups = _cluster(call)["groups"]
    for name in texts(call.get("Name")):
        if "*" not in name:
            call.machine.cluster.resource(name)
    for group_name, group in groups.items():
        if isinstance(held, PsObject) and str(held.get("Name")) != group_name:
            continue
        for name, resource in group["resources"].items():
            if wanted(call, "Name", name):
                yield _resource(name, resource, group_name, group)


def _resource(name: str, resource: dict[str, Any], group_name: str, group: dict[str, Any]) -> PsObject:
    state = EnumValue(f"{TYPES}ClusterResourceState", resource["state"], RESOURCE_STATES[resource["state"]])
    items = {
        "Name": name,
        "State": state,
        "OwnerGroup": group_name,
        "OwnerNode": group["owner"],
        "ResourceType": resource["type"],
    }
    return typed(f"{TYPES}ClusterResource", items, text=name)


@over_machine("Move-ClusterGroup")
def move_cluster_group(call: Call) -> Iterator[Any]:
    """Give a group to another node."""
    _cluster(call)
    for name in _names(call):
        call.machine.cluster.move(name, str(call.get("Node")) if call.has("Node") else None)
        yield _group(call, *call.machine.cluster.group(name))


@over_machine("Start-ClusterGroup", "Stop-ClusterGroup")
def switch_cluster_group(call: Call) -> Iterator[Any]:
    """A group online or offline."""
    _cluster(call)
    for name in _names(call):
        call.machine.cluster.set_group(name, online=call.name.startswith("Start"))
        yield _group(call, *call.machine.cluster.group(name))


@over_machine("Start-ClusterResource", "Stop-ClusterResource")
def switch_cluster_resource(call: Call) -> Iterator[Any]:
    """A resource online or offline."""
    cluster = _cluster(call)
    for one in as_list(_names(call)):
        call.machine.cluster.set_resource(one, online=call.name.startswith("Start"))
        name, resource, group = call.machine.cluster.resource(one)
        yield _resource(
            name, resource, next(known for known, held in cluster["groups"].items() if held is group), group
        )
