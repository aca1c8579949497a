"""The one client of an engine's control API: typed values in and out, every failure one clear DtamError.

Two ways in: ``EngineClient.https`` to a pinned certificate with a token, an account or a Kerberos ticket (``client_login``),
``EngineClient.local`` over the daemon's UNIX socket, where the kernel says who calls. Everything that another room needs of the
documents is importable from here.

    with EngineClient.https("192.0.2.7", fingerprint=pinned, token=token) as beta:
        beta.server().name

Raises: EngineUnreachable, WrongFingerprint, or AnswerRefused with the engine's own sentence, hint and exit code.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal
from urllib.parse import quote, urlencode

from orchestrator.engine.client_door import Door
from orchestrator.engine.control import schema
from orchestrator.engine.control.answers import (
    ConnectionStatus,
    DeviceStatus,
    Done,
    Event,
    Facts,
    MountStatus,
    ProtectionState,
    ReplicaStatus,
    RunStatus,
    SambaFacts,
    ScriptStatus,
    ScriptText,
    ServerStatus,
    ServiceStatus,
    SetSize,
    Settled,
    Token,
)
from orchestrator.engine.control.answers_snapshots import SnapshotShelf
from orchestrator.engine.control.errors import AnswerRefused, EngineUnreachable, WrongFingerprint
from orchestrator.engine.control.schema_lines import Bandwidth, LineSettings
from orchestrator.engine.control.schema_snapshots import SnapshotAction, SnapshotActionKind, SnapshotSettings
from orchestrator.engine.control.schema_verify import VerifyPlan, VerifySchedule

__all__ = [
    "AnswerRefused",
    "Bandwidth",
    "ConnectionStatus",
    "DeviceStatus",
    "Done",
    "EngineClient",
    "EngineUnreachable",
    "Event",
    "Facts",
    "LineSettings",
    "MountStatus",
    "ProtectionState",
    "ReplicaStatus",
    "RunStatus",
    "SambaFacts",
    "ScriptStatus",
    "ServerStatus",
    "ServiceStatus",
    "Settled",
    "SnapshotAction",
    "SnapshotActionKind",
    "SnapshotSettings",
    "SnapshotShelf",
    "Token",
    "WrongFingerprint",
    "schema",
]


class EngineClient(Door):
    """Asks one engine."""

    # -- the server itself

    def server(self) -> ServerStatus:
        """Who the engine is."""
        return self._get(ServerStatus, "/v1/server")

    def facts(self, paths: Sequence[str] = ()) -> Facts:
        """What its host says about itself and about ``paths``."""
        return self._get(Facts, "/v1/facts", query=[("path", path) for path in paths])

    def samba(self, conf: str, keytabs: Sequence[str] = (), sids: Sequence[str] = ()) -> SambaFacts:
        """What its host says about shares and names; ``sids`` are looked up, those without a name are given back."""
        query = [("conf", conf), *(("keytab", path) for path in keytabs), *(("sid", sid) for sid in sids)]
        return self._get(SambaFacts, "/v1/facts/samba", query=query)

    def events(self, after: int = 0) -> list[Event]:
        """What happened after event number ``after``, oldest first."""
        return self._get(list[Event], "/v1/events", query=[("after", str(after))])

    def openapi(self) -> dict[str, Any]:
        """The whole API as an OpenAPI document."""
        return self._get(dict[str, Any], "/v1/openapi.json")

    def tokens(self) -> list[Token]:
        """Tokens by name, without their secret."""
        return self._get(list[Token], "/v1/tokens")

    def create_token(self, name: str, scope: schema.Scope = schema.Scope.MONITOR) -> Token:
        """A new token; its secret is in this answer and nowhere else."""
        return self._send(Token, "POST", "/v1/tokens", schema.TokenRequest(name=name, scope=scope))

    def revoke_token(self, name: str) -> Done:
        """The token counts no more."""
        return self._send(Done, "DELETE", f"/v1/tokens/{part(name)}")

    # -- peers

    def peers(self) -> list[schema.Peer]:
        """The engines that this one trusts."""
        return self._get(list[schema.Peer], "/v1/peers")

    def add_peer(self, peer: schema.Peer) -> schema.Peer:
        """Trust an engine; the same again replaces its addresses."""
        return self._send(schema.Peer, "POST", "/v1/peers", peer)

    def remove_peer(self, name: str) -> Done:
        """Trust it no more."""
        return self._send(Done, "DELETE", f"/v1/peers?{urlencode({'name': name})}")

    def pair(self, request: schema.PairRequest) -> schema.Peer:
        """Let this engine and another get to know each other, both ways."""
        document = request.model_dump(mode="json") | {"token": request.token.get_secret_value()}
        return self._send(schema.Peer, "POST", "/v1/peers/pair", document)

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

    # -- protections

    def protections(self) -> list[schema.Protection]:
        """The protections that this engine has a part in."""
        return self._get(list[schema.Protection], "/v1/protections")

    def protection(self, protection_id: str) -> schema.Protection:
        """The document of a protection."""
        return self._get(schema.Protection, f"/v1/protections/{part(protection_id)}")

    def put_protection(self, document: schema.Protection) -> ProtectionState:
        """Give the engine its document of a protection; an older epoch than the one it holds is refused."""
        return self._send(ProtectionState, "PUT", f"/v1/protections/{part(document.id)}", document)

    def delete_protection(self, protection_id: str) -> Done:
        """The engine has no part in it any more: its monitor ends, its fence falls, its services are forgotten."""
        return self._send(Done, "DELETE", f"/v1/protections/{part(protection_id)}")

    def protection_state(self, protection_id: str) -> ProtectionState:
        """Where the protection stands on this engine."""
        return self._get(ProtectionState, f"/v1/protections/{part(protection_id)}/state")

    def protection_action(
        self, protection_id: str, action: schema.ProtectionActionKind | str, **settings: Any
    ) -> ProtectionState:
        """Tell a protection something; ``settings`` are the other fields of ProtectionAction."""
        document = schema.ProtectionAction(action=schema.ProtectionActionKind(action), **settings)
        path = f"/v1/protections/{part(protection_id)}/actions"
        return self._send(ProtectionState, "POST", path, document, wait_s=60.0)

    # -- services

    def services(self) -> list[ServiceStatus]:
        """The protected services of this host."""
        return self._get(list[ServiceStatus], "/v1/services")

    def service(self, name: str) -> ServiceStatus:
        """One protected service, its health just asked."""
        return self._get(ServiceStatus, f"/v1/services/{part(name)}")

    def start_service(self, name: str) -> ServiceStatus:
        """Start it and wait until it is healthy; refused while the fence holds."""
        return self._send(ServiceStatus, "POST", f"/v1/services/{part(name)}/start", wait_s=120.0)

    def stop_service(self, name: str) -> ServiceStatus:
        """Stop it, with grace first."""
        return self._send(ServiceStatus, "POST", f"/v1/services/{part(name)}/stop", wait_s=120.0)

    # -- before a protection knows them: directories and services

    def make_directory(self, path: str, mode: int = 0o755) -> Done:
        """A directory with its parents; one that exists is left as it is."""
        return self._send(Done, "POST", "/v1/directories", {"path": path, "mode": mode})

    def remove_directory(self, path: str) -> Done:
        """An empty directory goes; any other is left as it is."""
        return self._send(Done, "DELETE", f"/v1/directories?{urlencode({'path': path})}")

    def own_keytab(self, path: str, owner: int, mode: int) -> Done:
        """A keytab has this owner and these permission bits."""
        return self._send(Done, "POST", "/v1/keytabs/own", {"path": path, "owner": owner, "mode": mode})

    def look_at_services(self, services: Sequence[schema.Service]) -> list[ServiceStatus]:
        """What can be seen of services that no protection names yet."""
        return self._send(list[ServiceStatus], "POST", "/v1/services-not-managed/look", _listed(services), wait_s=30.0)

    def stop_strange_service(self, service: schema.Service) -> list[ServiceStatus]:
        """Stop a service that no protection names yet, with its own means."""
        path = "/v1/services-not-managed/stop"
        return self._send(list[ServiceStatus], "POST", path, _listed([service]), wait_s=service.grace_s + 10.0)

    def set_start_type(self, service: schema.Service, start_type: str) -> Done:
        """Whether the system's own manager starts it at boot: ``manual`` or ``automatic``."""
        document = {"service": service.model_dump(mode="json"), "start_type": start_type}
        return self._send(Done, "POST", "/v1/services-not-managed/start-type", document, wait_s=30.0)

    def witness_problem(self, address: str, port: int, fingerprint: str) -> str:
        """Why this engine could not use a witness; empty when it is admitted there."""
        document = {"address": address, "port": port, "fingerprint": fingerprint}
        found: dict[str, str] = self._send(dict[str, str], "POST", "/v1/witness/look", document)
        return found["problem"]

    # -- scripts and runs

    def put_script(self, protection_id: str, name: str, text: str) -> ScriptStatus:
        """Deliver a script; its hash is computed here and checked there."""
        document = schema.Script(text=text, sha256=text_sha256(text))
        return self._send(ScriptStatus, "PUT", f"/v1/protections/{part(protection_id)}/scripts/{part(name)}", document)

    def script(self, protection_id: str, name: str) -> ScriptText:
        """A script as it lies on the host, and whether that is what was delivered."""
        return self._get(ScriptText, f"/v1/protections/{part(protection_id)}/scripts/{part(name)}")

    def scripts(self, protection_id: str) -> list[ScriptStatus]:
        """The delivered scripts."""
        return self._get(list[ScriptStatus], f"/v1/protections/{part(protection_id)}/scripts")

    def run_script(self, protection_id: str, name: str, request: schema.RunRequest) -> RunStatus:
        """Start (or go on with) a run of a script; it runs on by itself, ask with ``run``."""
        path = f"/v1/protections/{part(protection_id)}/scripts/{part(name)}/run"
        return self._send(RunStatus, "POST", path, request)

    def runs(self) -> list[RunStatus]:
        """All runs, newest first, without their lines."""
        return self._get(list[RunStatus], "/v1/runs")

    def run(self, run_id: str) -> RunStatus:
        """One run with its lines. A run id used with several scripts answers as ``RUN_ID.SCRIPT``."""
        return self._get(RunStatus, f"/v1/runs/{part(run_id)}")

    def wait_run(self, run_id: str, budget_s: float, *, sleep: Callable[[float], None] = time.sleep) -> RunStatus:
        """Ask for a run until it is no longer running or ``budget_s`` is used up; the last answer either way."""
        until = time.monotonic() + budget_s
        status = self.run(run_id)
        while status.state == "running" and time.monotonic() < until:
            sleep(0.05)
            status = self.run(run_id)
        return status


def _listed(services: Sequence[schema.Service]) -> dict[str, Any]:
    return {"services": [service.model_dump(mode="json") for service in services]}


def text_sha256(text: str) -> str:
    """The hash that goes with a delivered script."""
    return hashlib.sha256(text.encode()).hexdigest()


def part(text: str) -> str:
    """One part of a URL's path."""
    return quote(text, safe="")
