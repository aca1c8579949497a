"""Routes about the snapshots of replicas."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from orchestrator.engine.control.answers_snapshots import SnapshotShelf
from orchestrator.engine.control.fields import Name
from orchestrator.engine.control.schema_snapshots import SnapshotAction
from orchestrator.engine.control.snapshot_desk import SnapshotDesk


def snapshot_routes(desk: SnapshotDesk) -> APIRouter:
    """What is kept of the replicas."""
    router = APIRouter(tags=["snapshots"])

    @router.get("/snapshots")
    def list_snapshots(
        replica: Annotated[Name | None, Query()] = None, protection: Annotated[Name | None, Query()] = None
    ) -> list[SnapshotShelf]:
        return desk.listed(replica, protection)

    @router.post("/snapshots/actions")
    def act(action: SnapshotAction) -> list[SnapshotShelf]:
        return desk.act(action)

    return router
