"""The control API as an application: who calls is settled before anything else, every refusal is one clear JSON document.

Reading (GET) needs the monitor scope, everything else admin. Route functions are plain functions and run in threads: the event
loop never waits for a file, a subprocess or a peer.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.engine.control import accounts, schema
from orchestrator.engine.control.answers import Refusal
from orchestrator.engine.control.errors import (
    BadRequest,
    Conflict,
    Fenced,
    Forbidden,
    TooManyFailures,
    Unauthorised,
    Unknown,
)
from orchestrator.engine.control.events import Events
from orchestrator.engine.control.listening import PEER
from orchestrator.engine.control.logins import Logins, Recognised
from orchestrator.engine.control.refusals import Refusals, shown
from orchestrator.errors import DtamError

log = logging.getLogger(__name__)
BODY_LIMIT_BYTES = 8 * 1024 * 1024
LOOKS = ("GET", "HEAD", "OPTIONS")
STATUS: tuple[tuple[type[DtamError], int], ...] = (  # the first that fits counts
    (Forbidden, 403),
    (TooManyFailures, 429),
    (Unauthorised, 401),
    (Unknown, 404),
    (BadRequest, 422),
    (Fenced, 409),
    (Conflict, 409),
)
BUG_EXIT_CODE = 90
WAYS_IN = ("Negotiate", 'Basic realm="dtam", charset="UTF-8"', 'Bearer realm="dtam"')


def refusal(error: DtamError) -> JSONResponse:
    """The answer that a refused caller gets."""
    status = next((code for kind, code in STATUS if isinstance(error, kind)), 409)
    document = Refusal(error=type(error).__name__, message=str(error), hint=error.hint, exit_code=error.exit_code)
    answer = JSONResponse(document.model_dump(), status_code=status)
    if status == 401:
        for way in WAYS_IN:
            answer.headers.append("WWW-Authenticate", way)
    return answer


class Gate:
    """Lets a request through when its caller is known and may do what they ask; tells the journal who acted."""

    def __init__(self, app: ASGIApp, logins: Logins, events: Events) -> None:
        self._app = app
        self._logins = logins
        self._events = events
        self._refusals = Refusals(events)
        self._own_uid = os.geteuid()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        needed = schema.Scope.MONITOR if scope["method"] in LOOKS else schema.Scope.ADMIN
        try:
            found = await self._recognised(scope)
            caller = accounts.require(found.caller if found else None, needed, local=PEER in scope)
        except Unauthorised as error:
            self._refusals.tell(scope["method"], scope["path"], str(error), _client(scope))
            await refusal(error)(scope, receive, send)
            return
        if needed is schema.Scope.ADMIN:
            self._events.tell(
                "asked", f"{caller.name} asked {shown(scope['method'] + ' ' + scope['path'])}", client=_client(scope)
            )
        scope["dtam.caller"] = caller
        await self._app(scope, _limited(receive), _proving(send, found.answer) if found and found.answer else send)

    async def _recognised(self, scope: Scope) -> Recognised | None:
        peer = scope.get(PEER)
        if peer is not None:
            caller = await asyncio.to_thread(accounts.local_caller, peer, self._own_uid)
            return Recognised(caller) if caller else None
        given = next((value for key, value in scope["headers"] if key == b"authorization"), b"").decode("latin-1")
        client = scope.get("client")
        return await self._logins.recognise(given, client[0] if client else "unknown")


def _proving(send: Send, answer: str) -> Send:
    """Answers that carry our half of a mutual authentication."""

    async def give(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"www-authenticate", answer.encode())]}
        await send(message)

    return give


def _client(scope: Scope) -> str:
    peer = scope.get(PEER)
    if peer is not None:
        return f"pid {peer.pid} uid {peer.uid}"
    client = scope.get("client")
    return f"{client[0]}:{client[1]}" if client else "unknown"


def _limited(receive: Receive) -> Receive:
    """The request's body, cut off with a clear error past the limit."""
    taken = 0

    async def take() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > BODY_LIMIT_BYTES:
            raise BadRequest(why=f"it is larger than {BODY_LIMIT_BYTES} bytes")
        return message

    return take


def make_app(routers: Sequence[APIRouter], logins: Logins, events: Events, version: str) -> ASGIApp:
    """The whole application."""
    app = FastAPI(title="dtengine control API", version=version, openapi_url=None, docs_url=None, redoc_url=None)
    for router in routers:
        app.include_router(router, prefix="/v1")
    _say_refusals_clearly(app)

    @app.get("/v1/openapi.json", include_in_schema=False)
    def openapi() -> dict[str, Any]:
        return app.openapi()

    return Gate(app, logins, events)


def _say_refusals_clearly(app: FastAPI) -> None:
    @app.exception_handler(DtamError)
    def refused(_: Request, error: DtamError) -> JSONResponse:
        return refusal(error)

    @app.exception_handler(RequestValidationError)
    def not_understood(_: Request, error: RequestValidationError) -> JSONResponse:
        return refusal(BadRequest(why=first_problem(error)))

    @app.exception_handler(HTTPException)
    def no_such_place(request: Request, error: HTTPException) -> JSONResponse:
        document = Refusal(
            error="NotServed",
            message=f"{request.method} {request.url.path}: {error.detail}",
            hint="see 'dtengine openapi' for what is served",
            exit_code=BadRequest.exit_code,
        )
        return JSONResponse(document.model_dump(), status_code=error.status_code)

    @app.exception_handler(Exception)
    def bug(request: Request, error: Exception) -> JSONResponse:
        log.error("bug in %s %s", request.method, request.url.path, exc_info=error)
        document = Refusal(
            error="Bug",
            message=f"the engine failed inside: {type(error).__name__}: {error}",
            hint="please report it with the engine's log of this moment",
            exit_code=BUG_EXIT_CODE,
        )
        return JSONResponse(document.model_dump(), status_code=500)


def first_problem(error: RequestValidationError) -> str:
    """All problems of a request in one line: the first three by place, the others counted."""
    problems = [f"{'.'.join(str(part) for part in one['loc'][1:]) or 'body'}: {one['msg']}" for one in error.errors()]
    more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
    return "; ".join(problems[:3]) + more
