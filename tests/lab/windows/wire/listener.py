"""The HTTP/1.1 listener: POST /wsman only, a thread a connection, sealed bodies opened and answers sealed.

Statuses as HTTP.sys and WinRM give them: 404 for another path, 405 for another method, 401 without a known caller, 500 with a
fault. That an unsealed body over HTTP is answered 500 without a body is not confirmed.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from spnego.exceptions import SpnegoError

from tests.lab.windows.wire import codes, sealing, soap
from tests.lab.windows.wire.codes import Fault
from tests.lab.windows.wire.door import Connection, Door, Refusal, Welcome
from tests.lab.windows.wire.service import Service
from tests.lab.windows.wire.trouble import Trouble

SOAP_TYPE = "application/soap+xml;charset=UTF-8"
PATHS = ("/wsman", "/wsman/")
ANONYMOUS_PATH = "/wsman-anon/identify"
LOG = logging.getLogger(__name__)


class Listener(ThreadingHTTPServer):
    """One port. ``tls`` makes it HTTPS; ``machine`` is the name that faults carry; ``version`` what Identify tells."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(
        self,
        address: tuple[str, int],
        *,
        door: Door,
        service: Service,
        trouble: Trouble,
        machine: str,
        version: str,
        tls: ssl.SSLContext | None = None,
        certificate: bytes = b"",
    ) -> None:
        self.door, self.service, self.trouble = door, service, trouble
        self.machine, self.version = machine, version
        self.tls, self.certificate = tls, certificate
        self._connections: set[socket.socket] = set()
        super().__init__(address, Handler)

    def get_request(self) -> tuple[Any, Any]:
        """Accept; the handshake of TLS is left to the thread of the connection."""
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address

    def finish_request(self, request: Any, client_address: Any) -> None:
        """One connection, to its end."""
        if self.tls is not None:
            try:
                request = self.tls.wrap_socket(request, server_side=True)
            except (OSError, ssl.SSLError) as error:
                LOG.info("no TLS with %s: %s", client_address, error)
                return
        self._connections.add(request)
        try:
            super().finish_request(request, client_address)
        finally:
            self._connections.discard(request)
            if self.tls is not None:
                with contextlib.suppress(OSError):
                    request.close()

    def handle_error(self, _request: Any, client_address: Any) -> None:
        """A connection that breaks is no error of the host."""
        LOG.info("connection of %s ended: %r", client_address, sys.exception())

    def drop_all(self) -> int:
        """Reset every connection, as the end of the machine does; how many there were."""
        held = list(self._connections)
        for one in held:
            reset(one)
        return len(held)


def reset(connection: socket.socket) -> None:
    """End it with RST instead of FIN."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RD)  # wakes whoever reads; nothing goes out
    with contextlib.suppress(OSError):
        socket.close(connection.detach())


def tls_context(certificate: Path, key: Path, client_authority: Path | None) -> ssl.SSLContext:
    """The listener's TLS; with an authority, callers may show certificates that it issued."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if client_authority is not None:
        context.load_verify_locations(client_authority)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Listener
    protocol_version = "HTTP/1.1"
    server_version = "Microsoft-HTTPAPI/2.0"
    sys_version = ""

    def setup(self) -> None:
        """Begin a connection."""
        super().setup()
        peer = self.connection.getpeercert(binary_form=True) if isinstance(self.connection, ssl.SSLSocket) else None
        self.known = Connection(
            self.client_address[0], self.server.tls is not None, self.server.certificate, peer or b""
        )

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the base class calls it
        """Into the log of the process."""
        LOG.info(format, *args)

    def handle_one_request(self) -> None:
        """A reset while it reads or writes ends the connection quietly."""
        try:
            super().handle_one_request()
        except (OSError, ValueError):
            self.close_connection = True

    def _refuse_method(self) -> None:
        self._body()
        self._reply(405, b"", headers={"Allow": "POST"})

    do_GET = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = _refuse_method  # noqa: N815 - as the base class looks for them

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def do_POST(self) -> None:
        """One message."""
        if self.server.trouble.take("unavailable", ""):
            self._body()
            self._reply(503, b"")
            self.close_connection = True
            return
        if self.headers.get("Transfer-Encoding"):
            self._reply(411, b"")  # no client of WinRM sends chunks; that they are refused so is not confirmed
            self.close_connection = True
            return
        body = self._body()
        if self.path == ANONYMOUS_PATH or self.headers.get("WSMANIDENTIFY", "").lower() == "unauthenticated":
            self._identify(body)
        elif self.path.partition("?")[0] not in PATHS:
            self._reply(404, b"")
        else:
            self._known_callers(body)

    def _identify(self, body: bytes) -> None:
        try:
            identify = soap.is_identify(soap.parse(body))
        except Fault:
            identify = False
        if identify:
            self._reply(200, soap.identified("OS: 0.0.0 SP: 0.0 Stack: 3.0"), SOAP_TYPE)
        else:
            self._challenge(self.server.door.challenges(self.known))

    def _challenge(self, challenges: tuple[str, ...]) -> None:
        self._reply(401, b"", challenges=challenges)

    def _known_callers(self, body: bytes) -> None:
        knocked = self.server.door.knock(self.known, self.headers.get("Authorization", ""))
        if isinstance(knocked, Refusal):
            self._challenge(knocked.challenges)
        elif not body:
            self._reply(200, b"", challenges=(knocked.token,) if knocked.token else ())
        else:
            self._message(knocked, body)

    def _message(self, welcome: Welcome, body: bytes) -> None:
        kind = self.headers.get("Content-Type", "")
        protocol = ""
        if sealing.is_sealed(kind) and self.known.context is not None:
            try:
                protocol = sealing.protocol_of(kind)
                body = sealing.unseal(self.known.context, kind, body)
            except (sealing.CannotDecrypt, SpnegoError) as error:
                LOG.info("cannot decrypt: %s", error)
                self._reply(400, b"")
                return
        elif not self.known.tls and not self.server.service.configuration.allow_unencrypted:
            self._reply(500, b"")
            return
        elif kind.partition(";")[0].strip().lower() != "application/soap+xml":
            self._reply(415, b"")
            return
        status, text = self._answer(welcome, body)
        if self.close_connection:
            return
        answer_type = SOAP_TYPE
        if protocol and self.known.context is not None:
            answer_type, text = sealing.seal(self.known.context, protocol, text)
        self._reply(status, text, answer_type, (welcome.token,) if welcome.token else ())

    def _answer(self, welcome: Welcome, body: bytes) -> tuple[int, bytes]:
        relates_to = ""
        try:
            self.server.service.check_size(len(body))
            root = soap.parse(body)
            if soap.is_identify(root):
                return 200, soap.identified(self.server.version)
            relates_to = soap.message_id(root)
            asked = soap.request(root)
            verb = asked.action.rpartition("/")[2]
            self._spoil_before(verb)
            text = self.server.service.answer(asked, welcome.identity, self._gone)
            self._spoil_after(verb, text)
        except Fault as fault:
            return 500, soap.fault(fault, relates_to, self.server.machine)
        return 200, text

    def _spoil_before(self, verb: str) -> None:
        trouble = self.server.trouble
        if slow := trouble.take("slow", verb):
            trouble.healed.wait(slow.seconds)
        if trouble.take("deny", verb):
            raise Fault(codes.ACCESS_DENIED)

    def _spoil_after(self, verb: str, text: bytes) -> None:
        if cut := self.server.trouble.take("reset", verb):
            with contextlib.suppress(OSError):
                if cut.after_bytes:
                    head = f"HTTP/1.1 200 \r\nContent-Type: {SOAP_TYPE}\r\nContent-Length: {len(text)}\r\n\r\n".encode()
                    self.connection.sendall((head + text)[: cut.after_bytes])
            reset(self.connection)
            self.close_connection = True

    def _gone(self) -> bool:
        """Whether the caller has closed the connection; HTTP.sys tells WinRM so, and the operation is given up."""
        if isinstance(self.connection, ssl.SSLSocket):
            return False
        try:
            readable, _, _ = select.select([self.connection], [], [], 0)
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):
            return True

    def _reply(
        self,
        status: int,
        body: bytes,
        kind: str = "",
        challenges: tuple[str, ...] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        self.send_response(status, "")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        for one in challenges:
            self.send_header("WWW-Authenticate", one)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(listener: Listener, told: Callable[[str], None] = lambda _: None) -> threading.Thread:
    """Serve beside."""
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True)
    thread.start()
    told(f"listening on {listener.server_address}")
    return thread
