"""A failover cluster as one node knows it: enough to recognise one and to refuse or use it."""

from __future__ import annotations

from typing import Any

from tests.lab.windows.machine.part import Part
from tests.lab.windows.machine.refusals import Refused

EXCEPTION = "Microsoft.FailoverClusters.PowerShell.ClusterCmdletException"


class Cluster(Part):
    """None until the lab makes one with ``form``."""

    file = "cluster"

    def fresh(self) -> dict[str, Any]:
        return {"cluster": None}

    def form(self, name: str, nodes: list[str], groups: dict[str, dict[str, Any]]) -> None:
        """The lab says what the cluster is: group -> {"owner", "type", "resources": {name: {"type", "requires": [..]}}}."""
        for group in groups.values():
            group.setdefault("state", "Online")
            for resource in group.setdefault("resources", {}).values():
                resource.setdefault("state", "Online")
                resource.setdefault("requires", [])
        self.data["cluster"] = {"name": name, "nodes": dict.fromkeys(nodes, "Up"), "groups": groups}
        self.save()

    def get(self) -> dict[str, Any]:
        """The cluster; refused where there is none or its service does not run."""
        if (
            self.data["cluster"] is None
            or not self.machine.services.find("ClusSvc")
            or not self.machine.services.is_running("ClusSvc")
        ):
            message = (
                "The cluster service is not running.  Make sure that the service is running on all nodes in the cluster.\r\n"
                "    There are no more endpoints available from the endpoint mapper"
            )
            raise Refused(message, "Get-Cluster", "ConnectionError", EXCEPTION, None, 1753)
        found: dict[str, Any] = self.data["cluster"]
        return found

    def group(self, name: str) -> tuple[str, dict[str, Any]]:
        """A group by its name."""
        for known, group in self.get()["groups"].items():
            if known.lower() == name.lower():
                return known, group
        message = f"Unable to find group '{name}'."  # wording not confirmed
        raise Refused(message, "Get-ClusterGroup", "ObjectNotFound", EXCEPTION, name, 5013)

    def resource(self, name: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
        """A resource by its name: its name, itself, its group."""
        for group in self.get()["groups"].values():
            for known, resource in group["resources"].items():
                if known.lower() == name.lower():
                    return known, resource, group
        message = f"Unable to find resource '{name}'."  # wording not confirmed
        raise Refused(message, "Get-ClusterResource", "ObjectNotFound", EXCEPTION, name, 5007)

    def move(self, name: str, node: str | None) -> None:
        """Give a group to another node that is up."""
        _, group = self.group(name)
        nodes = self.get()["nodes"]
        target = node or next(
            (one for one, state in nodes.items() if state == "Up" and one.lower() != group["owner"].lower()), None
        )
        known = next((one for one in nodes if target and one.lower() == target.lower()), None)
        if known is None or nodes[known] != "Up":
            message = f"The cluster node is not available. Unable to move the group '{name}'."  # wording not confirmed
            raise Refused(message, "Move-ClusterGroup", "NotSpecified", EXCEPTION, name, 5042)
        group["owner"] = known
        self.save()

    def set_resource(self, name: str, *, online: bool) -> None:
        """Bring a resource online with what it needs, or offline with what needs it."""
        known, resource, group = self.resource(name)
        resource["state"] = "Online" if online else "Offline"
        for other, one in group["resources"].items():
            if online and other in resource["requires"] and one["state"] != "Online":
                self.set_resource(other, online=True)
            if not online and known in one["requires"] and one["state"] != "Offline":
                self.set_resource(other, online=False)
        states = {one["state"] for one in group["resources"].values()}
        group["state"] = states.pop() if len(states) == 1 else "PartialOnline"
        self.save()

    def set_group(self, name: str, *, online: bool) -> None:
        """The whole group."""
        _, group = self.group(name)
        for resource in group["resources"].values():
            resource["state"] = "Online" if online else "Offline"
        group["state"] = "Online" if online else "Offline"
        self.save()
