"""Routes about the engine itself, its host, its peers, services, scripts and runs."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import StringConstraints

from orchestrator.engine.control import hostfacts, hostlogs, schema, sharefacts
from orchestrator.engine.control import peers as peering
from orchestrator.engine.control.accounts import Tokens
from orchestrator.engine.control.answers import (
    Done,
    Event,
    Facts,
    LogText,
    RunStatus,
    SambaFacts,
    ScriptStatus,
    ScriptText,
    ServerStatus,
    ServiceStatus,
    Token,
)
from orchestrator.engine.control.documents import Documents
from orchestrator.engine.control.errors import BadRequest
from orchestrator.engine.control.events import Events
from orchestrator.engine.control.fields import Name, Path
from orchestrator.engine.control.itself import Itself
from orchestrator.engine.control.runs import Runs
from orchestrator.engine.control.scripts import Scripts
from orchestrator.engine.control.services import Services

SMB_CONF = "/etc/samba/smb.conf"
Sid = Annotated[str, StringConstraints(pattern=r"^S-1-[0-9-]{1,200}$")]


def server_routes(itself: Itself, events: Events, tokens: Tokens) -> APIRouter:
    """Who the engine is, what its host says, what happened, who may call."""
    router = APIRouter(tags=["server"])

    @router.get("/server")
    def server() -> ServerStatus:
        return itself.status()

    @router.get("/facts")
    def facts(path: Annotated[list[Path] | None, Query()] = None) -> Facts:
        return hostfacts.gather(path or [])

    @router.get("/facts/samba")
    def samba(
        conf: Path = SMB_CONF,
        keytab: Annotated[list[Path] | None, Query()] = None,
        sid: Annotated[list[Sid] | None, Query()] = None,
    ) -> SambaFacts:
        return sharefacts.gather(FilePath(conf), keytab or [], sid or [])

    @router.get("/events")
    def happened(after: Annotated[int, Query(ge=0)] = 0) -> list[Event]:
        return events.after(after)

    @router.get("/tokens")
    def list_tokens() -> list[Token]:
        return tokens.listed()

    @router.post("/tokens")
    def create_token(request: schema.TokenRequest) -> Token:
        return tokens.create(request)

    @router.delete("/tokens/{name}")
    def revoke_token(name: Name) -> Done:
        tokens.revoke(name)
        return Done(says=f"token {name} counts no more")

    return router


def log_routes(state: FilePath) -> APIRouter:
    """What the utilities wrote that scripts of this host call."""
    router = APIRouter(tags=["logs"])

    @router.get("/logs/{name}")
    def log(name: Name, lines: Annotated[int, Query(ge=1, le=10_000)] = 200) -> LogText:
        return hostlogs.read(state, name, lines)

    return router


def peer_routes(peers: peering.Peers, itself: Itself, events: Events) -> APIRouter:
    """The engines that this one trusts."""
    router = APIRouter(tags=["peers"])

    @router.get("/peers")
    def list_peers() -> list[schema.Peer]:
        return peers.listed()

    @router.post("/peers")
    def add_peer(peer: schema.Peer) -> schema.Peer:
        added = peers.add(peer)
        events.tell("peer", f"engine {peer.name} is trusted from now on", fingerprint=peer.fingerprint)
        return added

    @router.post("/peers/pair")
    def pair(request: schema.PairRequest) -> schema.Peer:
        added = peering.pair(peers, itself.as_peer, request)
        events.tell("peer", f"paired with {added.name} at {added.address}", fingerprint=added.fingerprint)
        return added

    @router.delete("/peers")
    def remove_peer(name: Annotated[Name, Query()]) -> Done:
        peers.remove(name)
        events.tell("peer", f"engine {name} is trusted no more")
        return Done(says=f"engine {name} is trusted no more")

    return router


def service_routes(services: Services, events: Events) -> APIRouter:
    """The protected services of this host."""
    router = APIRouter(tags=["services"])

    @router.get("/services")
    def list_services() -> list[ServiceStatus]:
        return services.listed()

    @router.get("/services/{name}")
    def service(name: Name) -> ServiceStatus:
        return services.status(name)

    @router.post("/services/{name}/start")
    def start(name: Name) -> ServiceStatus:
        status = services.start(name)
        events.tell("service", f"service {name} was started")
        return status

    @router.post("/services/{name}/stop")
    def stop(name: Name) -> ServiceStatus:
        status = services.stop(name)
        events.tell("service", f"service {name} was stopped")
        return status

    return router


def script_routes(scripts: Scripts, runs: Runs, documents: Documents, events: Events) -> APIRouter:
    """Scripts delivered for a protection, and their runs."""
    router = APIRouter(tags=["scripts"])

    @router.get("/protections/{protection}/scripts")
    def list_scripts(protection: Name) -> list[ScriptStatus]:
        documents.get(protection)
        return scripts.listed(protection)

    @router.get("/protections/{protection}/scripts/{name}")
    def read_script(protection: Name, name: schema.ScriptName) -> ScriptText:
        documents.get(protection)
        return scripts.look(protection, name)

    @router.put("/protections/{protection}/scripts/{name}")
    def deliver(protection: Name, name: schema.ScriptName, script: schema.Script) -> ScriptStatus:
        documents.get(protection)
        status = scripts.deliver(protection, name, script)
        events.tell("script", f"script {name} of {protection} was delivered", sha256=status.sha256)
        return status

    @router.post("/protections/{protection}/scripts/{name}/run")
    def run(protection: Name, name: schema.ScriptName, request: schema.RunRequest) -> RunStatus:
        status = runs.run(documents.get(protection), name, request)
        events.tell("run", f"script {name} of {protection} runs as {status.run_id}", dry_run=request.dry_run)
        return status

    @router.get("/runs")
    def list_runs() -> list[RunStatus]:
        return runs.listed()

    @router.get("/runs/{name}")
    def show_run(name: str) -> RunStatus:
        if "/" in name or len(name) > 200:
            raise BadRequest(why="a run is named RUN_ID or RUN_ID.SCRIPT")
        return runs.status(name)

    return router
