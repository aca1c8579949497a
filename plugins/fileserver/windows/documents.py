"""What each Windows host keeps of its part: the protection's document, below ProgramData."""

from __future__ import annotations

from typing import Any

from orchestrator.model.servers import Server, Where
from orchestrator.sdk.application import Planning
from plugins.fileserver.windows import taking


def protection_document(planning: Planning, where: Where, epoch: int) -> dict[str, Any]:
    """The document for the host on ``where``. Services that may run on the target meanwhile are not its guard's business."""
    protection, settings = planning.protection, planning.protection.settings
    guarded = [
        service for service in settings.failover.services if where is Where.SOURCE or service.must_be_stopped_on_target
    ]
    return {
        "id": protection.id,
        "application": protection.application,
        "role": str(where),
        "epoch": epoch,
        "name": settings.name,
        "source": _side(protection.pair.source),
        "target": _side(protection.pair.target),
        "roots": [{"source_path": one.source_path, "target_path": one.on_target} for one in settings.connection.roots],
        "replication_set": settings.replication_set,
        "services": [service.document(where) for service in guarded],
        "takeover": taking.documents(planning),
        "scripts": {one.name: one.sha256 for one in planning.scripts if one.where == where},
    }


def _side(server: Server) -> dict[str, Any]:
    return {"name": server.name, "addresses": list(server.addresses)}
