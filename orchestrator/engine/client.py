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
from typing import Any
from urllib.parse import urlencode

from orchestrator.engine.client_data import DataClient, part
from orchestrator.engine.control import schema
from orchestrator.engine.control.answers import (
    DeviceStatus,
    Done,
    Event,
    Facts,
    LogText,
    MountStatus,
    ProtectionState,
    RunStatus,
    SambaFacts,
    ScriptStatus,
    ScriptText,
    ServerStatus,
    ServiceStatus,
    Settled,
    Token,
)
from orchestrator.engine.control.answers_connections import ConnectionStatus, ReplicaStatus
from orchestrator.engine.control.answers_snapshots import SnapshotShelf
from orchestrator.engine.control.errors import AnswerRefused, EngineUnreachable, WrongFingerprint
from orchestrator.engine.control.schema_lines import Bandwidth, LineSettings
from orchestrator.engine.control.schema_snapshots import SnapshotAction, SnapshotActionKind, SnapshotSettings

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


class EngineClient(DataClient):
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

    def log(self, name: str, lines: int = 200) -> LogText:
        """The last lines of a log of its host: dfo, exchfailover."""
        return self._get(LogText, f"/v1/logs/{part(name)}", query=[("lines", str(lines))])

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
