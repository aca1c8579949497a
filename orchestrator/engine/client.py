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
import json
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlencode

import urllib3
from pydantic import BaseModel, TypeAdapter, ValidationError

from orchestrator.engine.client_login import Login, by_token
from orchestrator.engine.control import schema
from orchestrator.engine.control.answers import (
    ConnectionStatus,
    Done,
    Event,
    Facts,
    MountStatus,
    ProtectionState,
    Refusal,
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
from orchestrator.engine.control.errors import AnswerRefused, EngineUnreachable, WrongFingerprint
from orchestrator.engine.control.unix_pool import UnixPool
from orchestrator.errors import DtamError

__all__ = [
    "AnswerRefused",
    "ConnectionStatus",
    "Done",
    "EngineClient",
    "EngineUnreachable",
    "Event",
    "Facts",
    "MountStatus",
    "ProtectionState",
    "ReplicaStatus",
    "RunStatus",
    "SambaFacts",
    "ScriptStatus",
    "ServerStatus",
    "ServiceStatus",
    "Settled",
    "Token",
    "WrongFingerprint",
    "schema",
]

Shape = TypeVar("Shape")
CONTROL_PORT = 6320
REFUSED_AT_THE_DOOR = (401, 403, 429)


class EngineClient:
    """Asks one engine. Safe to use from several threads; ``close`` (or the end of the ``with`` block) ends its connections."""

    def __init__(
        self,
        pool: urllib3.HTTPConnectionPool,
        where: str,
        *,
        timeout_s: float,
        login: Login | None = None,
        pinned: str = "",
    ) -> None:
        self.where = where
        self._timeout_s = timeout_s
        self._pool = pool
        self._login = login
        self._pinned = pinned

    @classmethod
    def https(
        cls,
        address: str,
        port: int = CONTROL_PORT,
        *,
        fingerprint: str,
        token: str | None = None,
        login: Login | None = None,
        timeout_s: float = 10.0,
    ) -> Self:
        """A remote engine: its certificate must have this SHA-256 ``fingerprint``; ``token`` or ``login`` says who asks."""
        pinned = schema_fingerprint(fingerprint)
        pool = urllib3.HTTPSConnectionPool(
            address,
            port,
            cert_reqs="CERT_NONE",
            assert_fingerprint=pinned,
            assert_hostname=False,
            timeout=timeout_s,
            maxsize=4,
        )
        who = by_token(token) if token else login
        return cls(pool, f"{address}:{port}", timeout_s=timeout_s, login=who, pinned=pinned)

    @classmethod
    def local(cls, socket_path: str, *, timeout_s: float = 10.0) -> Self:
        """The daemon of this machine over its UNIX socket, usually STATE/control.sock."""
        return cls(UnixPool(socket_path, timeout=timeout_s, maxsize=4), socket_path, timeout_s=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connections."""
        self._pool.close()

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

    def disconnect(self, key: int | str) -> Done:
        """End a connection for good; the target keeps the data."""
        return self._send(Done, "DELETE", f"/v1/connections/{part(str(key))}")

    def connection_action(
        self,
        key: int | str,
        action: schema.ConnectionActionKind | str,
        *,
        options: schema.MirrorOptions | None = None,
        timeout_s: float = 60.0,
    ) -> ConnectionStatus:
        """Tell a connection something. ``settle`` waits up to ``timeout_s`` until the target has applied all there is."""
        document = schema.ConnectionAction(
            action=schema.ConnectionActionKind(action), options=options, timeout_s=timeout_s
        )
        path = f"/v1/connections/{part(str(key))}/actions"
        return self._send(ConnectionStatus, "POST", path, document, wait_s=timeout_s)

    def replicas(self) -> list[ReplicaStatus]:
        """The replicas that this engine keeps for others."""
        return self._get(list[ReplicaStatus], "/v1/replicas")

    def replica(self, key: str) -> ReplicaStatus:
        """One replica by its key."""
        return self._get(ReplicaStatus, f"/v1/replicas/{part(key)}")

    def replica_action(self, key: str, action: schema.ReplicaActionKind | str, **settings: Any) -> ReplicaStatus:
        """Tell a replica something; ``settings`` are the other fields of ReplicaAction."""
        document = schema.ReplicaAction(action=schema.ReplicaActionKind(action), **settings)
        path = f"/v1/replicas/{part(key)}/actions"
        return self._send(ReplicaStatus, "POST", path, document, wait_s=document.timeout_s)

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

    # -- how

    def _get(self, shape: type[Shape], path: str, query: Sequence[tuple[str, str]] = ()) -> Shape:
        return self._call(shape, "GET", f"{path}?{urlencode(query)}" if query else path, None, 0.0)

    def _send(
        self,
        shape: type[Shape],
        method: str,
        path: str,
        document: BaseModel | Mapping[str, Any] | None = None,
        wait_s: float = 0.0,
    ) -> Shape:
        if isinstance(document, BaseModel):
            document = document.model_dump(mode="json")
        return self._call(shape, method, path, document, wait_s)

    def _call(
        self, shape: type[Shape], method: str, path: str, document: Mapping[str, Any] | None, wait_s: float
    ) -> Shape:
        body = None if document is None else json.dumps(document).encode()
        beginning = self._login.begin() if self._login else None
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if beginning is not None:
            headers["Authorization"] = beginning.header
        answer = self._exchange(method, path, body, headers, wait_s)
        if beginning is not None and answer.status not in REFUSED_AT_THE_DOOR:
            beginning.finish(answer.headers.get("WWW-Authenticate", ""), self.where)
        if answer.status >= 400:
            raise refusal(answer, self.where)
        try:
            return TypeAdapter(shape).validate_json(answer.data)
        except ValidationError as error:
            first = error.errors()[0]
            why = f"its answer is not understood ({'.'.join(map(str, first['loc']))}: {first['msg']})"
            raise EngineUnreachable(where=self.where, why=why) from error

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], wait_s: float
    ) -> urllib3.BaseHTTPResponse:
        timeout = urllib3.Timeout(connect=self._timeout_s, read=self._timeout_s + wait_s)
        again = 0 if self._login is not None and self._login.single_use else 1
        retries = urllib3.Retry(
            total=again, connect=0, read=again, redirect=0, status=0, other=0, allowed_methods={"GET"}
        )
        try:
            return self._pool.urlopen(method, path, body=body, headers=headers, timeout=timeout, retries=retries)
        except urllib3.exceptions.HTTPError as error:
            raise unreachable(error, self.where, self._pinned) from error
        except OSError as error:
            raise EngineUnreachable(where=self.where, why=error.strerror or str(error)) from error


def _listed(services: Sequence[schema.Service]) -> dict[str, Any]:
    return {"services": [service.model_dump(mode="json") for service in services]}


def schema_fingerprint(text: str) -> str:
    """A fingerprint in its plain form: 64 small hexadecimal digits."""
    return text.replace(":", "").strip().lower()


def text_sha256(text: str) -> str:
    """The hash that goes with a delivered script."""
    return hashlib.sha256(text.encode()).hexdigest()


def part(text: str) -> str:
    """One part of a URL's path."""
    return quote(text, safe="")


def refusal(answer: urllib3.BaseHTTPResponse, where: str) -> DtamError:
    """The error that an engine's refusal stands for."""
    try:
        said = Refusal.model_validate_json(answer.data)
    except ValidationError:
        return EngineUnreachable(where=where, why=f"it answered HTTP {answer.status} without saying why")
    return AnswerRefused(
        message=said.message, hint=said.hint, error=said.error, status=answer.status, answered_exit_code=said.exit_code
    )


def unreachable(error: urllib3.exceptions.HTTPError, where: str, pinned: str) -> DtamError:
    """The error that a failed exchange stands for."""
    cause: BaseException = error
    if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason is not None:
        cause = error.reason
    if isinstance(cause, urllib3.exceptions.SSLError) and "ingerprint" in str(cause):
        return WrongFingerprint(where=where, fingerprint=pinned[:16] + "…", why="its fingerprint does not match")
    return EngineUnreachable(where=where, why=plain_reason(cause))


def plain_reason(cause: BaseException) -> str:
    """Why, in a few words."""
    match cause:
        case urllib3.exceptions.ReadTimeoutError():
            return "it took the request and did not answer in time"
        case urllib3.exceptions.NameResolutionError():
            return "its name cannot be resolved"
        case urllib3.exceptions.NewConnectionError():
            return "connection refused" if "refused" in str(cause) else str(cause).rpartition(": ")[2]
        case urllib3.exceptions.ConnectTimeoutError():
            return "no answer to the connection"
        case urllib3.exceptions.SSLError():
            return f"TLS failed ({cause})"
        case _:
            return str(cause.__cause__ or cause)
