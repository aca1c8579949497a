"""The way to an engine's control API: to a pinned certificate over HTTPS, or over the daemon's UNIX socket; failures as DtamErrors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlencode

import urllib3
from pydantic import BaseModel, TypeAdapter, ValidationError

from orchestrator.engine.client_login import Login, by_token
from orchestrator.engine.control.answers import Refusal
from orchestrator.engine.control.errors import AnswerRefused, EngineUnreachable, WrongFingerprint
from orchestrator.engine.control.unix_pool import UnixPool
from orchestrator.errors import DtamError

Shape = TypeVar("Shape")
CONTROL_PORT = 6320
REFUSED_AT_THE_DOOR = (401, 403, 429)


class Door:
    """A way to one engine. Safe to use from several threads; ``close`` (or the end of the ``with`` block) ends its connections."""

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


def schema_fingerprint(text: str) -> str:
    """A fingerprint in its plain form: 64 small hexadecimal digits."""
    return text.replace(":", "").strip().lower()


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
