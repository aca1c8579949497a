"""The two doors of the control API: TCP with TLS for remote callers, a UNIX socket for local ones, one application behind both.

A connection through the UNIX socket carries its peer's uid, gid and pid, as the kernel recorded them at connect, into the
request (scope key ``dtam.peer``); nothing that a caller sends can set it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from orchestrator.engine.control.accounts import LocalPeer
from orchestrator.engine.control.errors import PortInUse
from orchestrator.engine.control.unix_pool import socket_address

PEER = "dtam.peer"
UCRED = struct.Struct("3i")
BACKLOG = 128


class PeerProtocol(H11Protocol):
    """HTTP/1.1 that knows who is at the other end of a UNIX socket."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Ask the kernel once per connection."""
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family == socket.AF_UNIX:
            self.app: Any = _with_peer(self.app, peer_of(connection))


def peer_of(connection: socket.socket) -> LocalPeer:
    """The process at the other end of a UNIX socket."""
    pid, uid, gid = UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size))
    return LocalPeer(uid, gid, pid)


def _with_peer(app: ASGIApp, peer: LocalPeer) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        scope[PEER] = peer
        await app(scope, receive, send)

    return answer


class Server(uvicorn.Server):
    """A uvicorn server that leaves signals to the daemon."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: the daemon stops its servers itself."""
        yield


def tcp_socket(address: str, port: int, option: str) -> socket.socket:
    """A listening TCP socket.

    Raises:
        PortInUse: it cannot be had.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        why = os.strerror(error.errno) if error.errno else str(error)
        raise PortInUse(protocol="TCP", address=address, port=port, why=why, option=option) from error
    return listener


def unix_socket(path: Path) -> socket.socket:
    """A listening UNIX socket that everybody may connect to (who may act is decided by their credentials)."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with socket_address(str(path)) as where:
        listener.bind(where)
    path.chmod(0o666)
    listener.listen(BACKLOG)
    return listener


def tls_server(app: ASGIApp, certificate: Path, key: Path) -> Server:
    """The remote door."""
    config = uvicorn.Config(app, ssl_certfile=str(certificate), ssl_keyfile=str(key), **_common())
    return Server(config)


def local_server(app: ASGIApp) -> Server:
    """The local door."""
    return Server(uvicorn.Config(app, **_common()))


def _common() -> dict[str, Any]:
    return {
        "http": PeerProtocol,
        "loop": "asyncio",
        "lifespan": "off",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": 30,
        "timeout_graceful_shutdown": 3,
    }
