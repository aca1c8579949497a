"""Storage Replica's wire of the lab: one request a connection, a JSON line and as many bytes as it says."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Callable
from typing import Any

TIMEOUT_S = 3.0


class Unreachable(Exception):
    """The other computer does not answer."""


def ask(address: tuple[str, int], request: dict[str, Any], data: bytes = b"") -> dict[str, Any]:
    """Send one request and read the answer.

    Raises:
        Unreachable: nobody answers, or not to the end.
    """
    try:
        with socket.create_connection(address, TIMEOUT_S) as wire:
            wire.sendall(json.dumps(request | {"bytes": len(data)}).encode() + b"\n" + data)
            answer = wire.makefile("rb").readline()
        found: dict[str, Any] = json.loads(answer)
    except (OSError, ValueError) as why:
        raise Unreachable(str(why)) from why
    return found


class Listener:
    """Answers the other computer's requests."""

    def __init__(self, address: tuple[str, int], answer: Callable[[dict[str, Any], bytes], dict[str, Any]]) -> None:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                request = json.loads(self.rfile.readline() or b"{}")
                data = self.rfile.read(request.get("bytes", 0))
                if len(data) == request.get("bytes", 0) and "op" in request:
                    self.wfile.write(json.dumps(answer(request, data)).encode() + b"\n")

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer(address, Handler)
        self._server.daemon_threads = True
        self.address: tuple[str, int] = self._server.server_address[:2]  # type: ignore[assignment]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """No more answers."""
        self._server.shutdown()
        self._server.server_close()
