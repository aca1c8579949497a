"""Routes about the schedules of verifications."""

from __future__ import annotations

from fastapi import APIRouter

from orchestrator.engine.control.answers import Done
from orchestrator.engine.control.schema_verify import VerifyPlan, VerifySchedule
from orchestrator.engine.control.verifying import Verifying


def verify_routes(verifying: Verifying) -> APIRouter:
    """A schedule belongs to a connection."""
    router = APIRouter(tags=["connections"])

    @router.get("/connections/{key}/verify-schedule")
    def planned(key: str) -> VerifyPlan:
        return verifying.planned(key)

    @router.put("/connections/{key}/verify-schedule")
    def plan(key: str, schedule: VerifySchedule) -> VerifyPlan:
        return verifying.plan(key, schedule)

    @router.delete("/connections/{key}/verify-schedule")
    def forget(key: str) -> Done:
        verifying.forget(key)
        return Done(says=f"connection {key} is not verified by itself any more")

    return router
