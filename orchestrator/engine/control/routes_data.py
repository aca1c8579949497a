"""Routes about captured directories, replication sets, connections and replicas."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from orchestrator.engine.control import schema
from orchestrator.engine.control.answers import (
    DeviceStatus,
    Done,
    MountStatus,
    SetSize,
)
from orchestrator.engine.control.answers_connections import ConnectionStatus, ReplicaStatus
from orchestrator.engine.control.backup_sets import BackupSets
from orchestrator.engine.control.connections import Connections
from orchestrator.engine.control.devices import Devices
from orchestrator.engine.control.errors import BadRequest
from orchestrator.engine.control.events import Events
from orchestrator.engine.control.fields import Address, Name, Path
from orchestrator.engine.control.lines import Lines
from orchestrator.engine.control.mounts import Mounts
from orchestrator.engine.control.replicas import Replicas
from orchestrator.engine.control.schema_lines import LineSettings
from orchestrator.engine.control.sets import ReplicationSets


def mount_routes(mounts: Mounts) -> APIRouter:
    """The captured directories."""
    router = APIRouter(tags=["mounts"])

    @router.get("/mounts")
    def list_mounts() -> list[MountStatus]:
        return mounts.listed()

    @router.post("/mounts")
    def mount(request: schema.MountRequest) -> MountStatus:
        return mounts.mount(request)

    @router.delete("/mounts")
    def unmount(path: Annotated[Path, Query()]) -> Done:
        mounts.unmount(path)
        return Done(says=f"{path} is captured no more")

    return router


def device_routes(devices: Devices) -> APIRouter:
    """The loop devices over files in captured directories."""
    router = APIRouter(tags=["devices"])

    @router.get("/devices")
    def list_devices() -> list[DeviceStatus]:
        return devices.listed()

    @router.post("/devices")
    def add(request: schema.DeviceRequest) -> DeviceStatus:
        return devices.add(request)

    @router.delete("/devices")
    def remove(file: Annotated[Path, Query()]) -> Done:
        devices.remove(file)
        return Done(says=f"no device is attached to {file} any more")

    return router


def set_routes(sets: ReplicationSets, events: Events) -> APIRouter:
    """The replication sets."""
    router = APIRouter(tags=["replication sets"])

    @router.get("/replication-sets")
    def list_sets() -> list[schema.ReplicationSet]:
        return sets.listed()

    @router.post("/replication-sets")
    def create(document: schema.ReplicationSet) -> schema.ReplicationSet:
        kept = sets.create(document)
        events.tell("set", f"replication set {kept.name} of {kept.root} was made")
        return kept

    @router.put("/replication-sets/{name}")
    def save(name: Name, document: schema.ReplicationSet) -> schema.ReplicationSet:
        if document.name != name:
            raise BadRequest(why=f"the path names {name}, the document {document.name}")
        kept = sets.save(document)
        events.tell("set", kept.warning or f"replication set {name} was changed", generation=kept.generation)
        return kept

    @router.post("/replication-sets/{name}/rename")
    def rename(name: Name, to: Annotated[schema.SetName, Query()]) -> schema.ReplicationSet:
        kept = sets.rename(name, to)
        events.tell("set", f"replication set {name} was copied to {to}")
        return kept

    @router.post("/replication-sets/{name}/size")
    def size(name: Name) -> SetSize:
        return sets.size(name)

    @router.delete("/replication-sets/{name}")
    def delete(name: Name) -> Done:
        sets.delete(name)
        events.tell("set", f"replication set {name} was forgotten")
        return Done(says=f"replication set {name} is no more")

    return router


def connection_routes(connections: Connections) -> APIRouter:
    """The connections that start at this engine."""
    router = APIRouter(tags=["connections"])

    @router.get("/connections")
    def list_connections() -> list[ConnectionStatus]:
        return connections.listed()

    @router.post("/connections")
    def connect(request: schema.ConnectionRequest) -> ConnectionStatus:
        return connections.connect(request)

    @router.get("/connections/{key}")
    def connection(key: str) -> ConnectionStatus:
        return connections.status(key)

    @router.delete("/connections/{key}")
    def disconnect(key: str, monitoring: Annotated[Literal["continue", "stop"], Query()] = "continue") -> Done:
        connections.disconnect(key, unwatched=monitoring == "stop")
        return Done(says=f"connection {key} ended; the target keeps its data")

    @router.put("/connections/{key}/terms")
    def change(key: str, terms: schema.ConnectionTerms) -> ConnectionStatus:
        return connections.change(key, terms)

    @router.post("/connections/{key}/actions")
    def act(key: str, action: schema.ConnectionAction) -> ConnectionStatus:
        return connections.act(key, action)

    return router


def line_routes(lines: Lines) -> APIRouter:
    """The ways to target addresses."""
    router = APIRouter(tags=["connections"])

    @router.get("/lines")
    def list_lines() -> list[LineSettings]:
        return lines.listed()

    @router.put("/lines/{address}")
    def save(address: Address, settings: LineSettings) -> LineSettings:
        if settings.address != address:
            raise BadRequest(why=f"the path names {address}, the document {settings.address}")
        return lines.save(settings)

    return router


def replica_routes(replicas: Replicas, backup_sets: BackupSets) -> APIRouter:
    """The replicas that this engine keeps for others."""
    router = APIRouter(tags=["replicas"])

    @router.get("/replicas")
    def list_replicas() -> list[ReplicaStatus]:
        return replicas.listed()

    @router.get("/replicas/{key}")
    def replica(key: str) -> ReplicaStatus:
        return replicas.status(key)

    @router.get("/replicas/{key}/set")
    def backup_set(key: str) -> schema.ReplicationSet:
        return backup_sets.of(replicas.get(key))

    @router.post("/replicas/{key}/actions")
    def act(key: str, action: schema.ReplicaAction) -> ReplicaStatus:
        return replicas.act(key, action)

    return router
