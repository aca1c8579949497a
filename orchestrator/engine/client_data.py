"""What a client asks about data: captured directories, replication sets, connections, lines, replicas, snapshots (``control/routes_data``)."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import quote, urlencode

from orchestrator.engine.client_door import Door
from orchestrator.engine.control import schema
from orchestrator.engine.control.answers import DeviceStatus, Done, MountStatus, SetSize
from orchestrator.engine.control.answers_connections import ConnectionStatus, ReplicaStatus
from orchestrator.engine.control.answers_snapshots import SnapshotShelf
from orchestrator.engine.control.schema_lines import LineSettings
from orchestrator.engine.control.schema_snapshots import SnapshotAction
from orchestrator.engine.control.schema_verify import VerifyPlan, VerifySchedule


class DataClient(Door):
    """Asks one engine about data."""

    # -- captured directories and replication sets

    def mounts(self) -> list[MountStatus]:
        """The directories whose changes are captured."""
        return self._get(list[MountStatus], "/v1/mounts")

    def mount(self, request: schema.MountRequest) -> MountStatus:
        """Capture a directory from now on, also after restarts; the same again changes its limits."""
        return self._send(MountStatus, "POST", "/v1/mounts", request)

    def unmount(self, path: str) -> Done:
        """Capture it no more."""
        return self._send(Done, "DELETE", f"/v1/mounts?{urlencode({'path': path})}")

    def devices(self) -> list[DeviceStatus]:
        """The loop devices over files in captured directories."""
        return self._get(list[DeviceStatus], "/v1/devices")

    def add_device(self, request: schema.DeviceRequest) -> DeviceStatus:
        """Attach a loop device to a file in a captured directory, now and at every start."""
        return self._send(DeviceStatus, "POST", "/v1/devices", request)

    def remove_device(self, file: str) -> Done:
        """Detach it and forget it; refused while it is in use."""
        return self._send(Done, "DELETE", f"/v1/devices?{urlencode({'file': file})}")

    def replication_sets(self) -> list[schema.ReplicationSet]:
        """The replication sets of this engine."""
        return self._get(list[schema.ReplicationSet], "/v1/replication-sets")

    def create_replication_set(self, document: schema.ReplicationSet) -> schema.ReplicationSet:
        """A new replication set; the answer carries its first generation."""
        return self._send(schema.ReplicationSet, "POST", "/v1/replication-sets", document)

    def save_replication_set(self, document: schema.ReplicationSet) -> schema.ReplicationSet:
        """Change a set; refused when somebody else saved it since ``document.generation`` was read."""
        return self._send(schema.ReplicationSet, "PUT", f"/v1/replication-sets/{part(document.name)}", document)

    def replication_set_size(self, name: str) -> SetSize:
        """Count the files of a set and their bytes now; it takes a walk through all of it."""
        return self._send(SetSize, "POST", f"/v1/replication-sets/{part(name)}/size")

    def rename_replication_set(self, name: str, to: str) -> schema.ReplicationSet:
        """Another name for a set: a copy, as it was saved under the old one."""
        return self._send(
            schema.ReplicationSet, "POST", f"/v1/replication-sets/{part(name)}/rename?{urlencode({'to': to})}"
        )

    def delete_replication_set(self, name: str) -> Done:
        """Forget a set; refused while a connection uses it."""
        return self._send(Done, "DELETE", f"/v1/replication-sets/{part(name)}")

    # -- connections (the source's end) and replicas (the target's end)

    def connections(self) -> list[ConnectionStatus]:
        """The connections that start at this engine."""
        return self._get(list[ConnectionStatus], "/v1/connections")

    def connect(self, request: schema.ConnectionRequest) -> ConnectionStatus:
        """Connect a replication set to a target."""
        return self._send(ConnectionStatus, "POST", "/v1/connections", request)

    def connection(self, key: int | str) -> ConnectionStatus:
        """One connection, by its number or by its key."""
        return self._get(ConnectionStatus, f"/v1/connections/{part(str(key))}")

    def disconnect(self, key: int | str, *, monitoring: Literal["continue", "stop"] = "continue") -> Done:
        """End a connection for good; the target keeps the data."""
        return self._send(Done, "DELETE", f"/v1/connections/{part(str(key))}?{urlencode({'monitoring': monitoring})}")

    def change_connection(self, key: int | str, terms: schema.ConnectionTerms) -> ConnectionStatus:
        """Carry a connection on by other terms."""
        return self._send(ConnectionStatus, "PUT", f"/v1/connections/{part(str(key))}/terms", terms)

    def connection_action(
        self,
        key: int | str,
        action: schema.ConnectionActionKind | str,
        *,
        options: schema.MirrorOptions | None = None,
        remirror: bool = False,
        timeout_s: float = 60.0,
    ) -> ConnectionStatus:
        """Tell a connection something. ``settle`` waits up to ``timeout_s`` until the target has applied all there is."""
        document = schema.ConnectionAction(
            action=schema.ConnectionActionKind(action), options=options, remirror=remirror, timeout_s=timeout_s
        )
        path = f"/v1/connections/{part(str(key))}/actions"
        return self._send(ConnectionStatus, "POST", path, document, wait_s=timeout_s)

    def verify_plan(self, key: int | str) -> VerifyPlan:
        """When a connection is verified by itself."""
        return self._get(VerifyPlan, f"/v1/connections/{part(str(key))}/verify-schedule")

    def plan_verify(self, key: int | str, schedule: VerifySchedule) -> VerifyPlan:
        """Verify a connection at these hours from now on."""
        return self._send(VerifyPlan, "PUT", f"/v1/connections/{part(str(key))}/verify-schedule", schedule)

    def forget_verify_plan(self, key: int | str) -> Done:
        """Verify a connection no more by itself."""
        return self._send(Done, "DELETE", f"/v1/connections/{part(str(key))}/verify-schedule")

    def lines(self) -> list[LineSettings]:
        """How data travels to the target addresses that somebody set."""
        return self._get(list[LineSettings], "/v1/lines")

    def save_line(self, settings: LineSettings) -> LineSettings:
        """Send to an address like this from now on."""
        return self._send(LineSettings, "PUT", f"/v1/lines/{part(settings.address)}", settings)

    def replicas(self) -> list[ReplicaStatus]:
        """The replicas that this engine keeps for others."""
        return self._get(list[ReplicaStatus], "/v1/replicas")

    def replica(self, key: str) -> ReplicaStatus:
        """One replica by its key."""
        return self._get(ReplicaStatus, f"/v1/replicas/{part(key)}")

    def backup_set(self, key: str) -> schema.ReplicationSet:
        """The copy of a replica's set as its source last sent it, with the root that it has there."""
        return self._get(schema.ReplicationSet, f"/v1/replicas/{part(key)}/set")

    def replica_action(self, key: str, action: schema.ReplicaActionKind | str, **settings: Any) -> ReplicaStatus:
        """Tell a replica something; ``settings`` are the other fields of ReplicaAction."""
        document = schema.ReplicaAction(action=schema.ReplicaActionKind(action), **settings)
        path = f"/v1/replicas/{part(key)}/actions"
        return self._send(ReplicaStatus, "POST", path, document, wait_s=document.timeout_s)

    # -- snapshots

    def snapshots(self, *, replica: str = "", protection: str = "") -> list[SnapshotShelf]:
        """The snapshots of one replica, of a protection's replicas, or of all."""
        query = [(name, value) for name, value in (("replica", replica), ("protection", protection)) if value]
        return self._get(list[SnapshotShelf], "/v1/snapshots", query)

    def snapshot_action(self, action: SnapshotAction) -> list[SnapshotShelf]:
        """Ask something of snapshots; ``under_way`` says what goes on after ``wait_s``."""
        return self._send(list[SnapshotShelf], "POST", "/v1/snapshots/actions", action, wait_s=action.wait_s)


def part(text: str) -> str:
    """One part of a URL's path."""
    return quote(text, safe="")
