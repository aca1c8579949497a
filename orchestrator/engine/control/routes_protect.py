"""Routes about protections: their documents, where they stand, what they can be told."""

from __future__ import annotations

from fastapi import APIRouter, Request

from orchestrator.engine.control import schema
from orchestrator.engine.control.answers import Done, ProtectionState
from orchestrator.engine.control.documents import Documents
from orchestrator.engine.control.errors import BadRequest
from orchestrator.engine.control.fields import Name
from orchestrator.engine.control.protections import Protections


def protection_routes(protections: Protections, documents: Documents) -> APIRouter:
    """The protections that this engine has a part in."""
    router = APIRouter(tags=["protections"])

    @router.get("/protections")
    def list_protections() -> list[schema.Protection]:
        return documents.listed()

    @router.get("/protections/{protection}")
    def document(protection: Name) -> schema.Protection:
        return documents.get(protection)

    @router.put("/protections/{protection}")
    def put(protection: Name, document: schema.Protection, request: Request) -> ProtectionState:
        if document.id != protection:
            raise BadRequest(why=f"the path names {protection}, the document {document.id}")
        return protections.put(document, request.scope["dtam.caller"].name)

    @router.delete("/protections/{protection}")
    def delete(protection: Name) -> Done:
        protections.delete(protection)
        return Done(says=f"this engine has no part in {protection} any more")

    @router.get("/protections/{protection}/state")
    def state(protection: Name) -> ProtectionState:
        return protections.state(protection)

    @router.post("/protections/{protection}/actions")
    def act(protection: Name, action: schema.ProtectionAction, request: Request) -> ProtectionState:
        named = action if action.by else action.model_copy(update={"by": request.scope["dtam.caller"].name})
        return protections.act(protection, named)

    return router
