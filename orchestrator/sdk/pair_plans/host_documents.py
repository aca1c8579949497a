"""What each Windows host keeps of its part: the protection's document, below ProgramData."""

from __future__ import annotations

from typing import Any

from orchestrator.model.servers import Server, Where
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans.deeds import PairDeeds


def protection_document(deeds: PairDeeds, planning: Planning, where: Where, epoch: int) -> dict[str, Any]:
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
        "takeover": deeds.takeover(planning) | _noted(planning),
        "scripts": {one.name: one.sha256 for one in planning.scripts if one.where == where},
    }


def _noted(planning: Planning) -> dict[str, Any]:
    return {"start_types": {str(where): start_types(planning, where) for where in (Where.SOURCE, Where.TARGET)}}


def start_types(planning: Planning, where: Where) -> dict[str, str]:
    """How the services of a side started before they were protected: as was noted then, else as it is now."""
    side = planning.inventory.on(where)
    noted: dict[str, str] = ((side.takeover or {}).get("start_types") or {}).get(str(where)) or {}
    now = {one.name: one.start_type for one in side.services}
    names_of = [one.name for one in planning.protection.settings.failover.services]
    found = {name: noted.get(name) or now.get(name, "") for name in names_of}
    return {name: value for name, value in found.items() if value}


def _side(server: Server) -> dict[str, Any]:
    return {"name": server.name, "addresses": list(server.addresses)}
