"""``dtwitness``: the book behind a small HTTPS server; mutual TLS, one thread a connection, at most 64 of them.

The standard library's HTTP server is enough for a few small requests a second, and needs no event loop that one slow disk could
hold up. An unknown client fails the handshake; a known one that asks for what is not its own gets 403 and a reason.
"""

from __future__ import annotations

import fcntl
import hashlib
import http.server
import logging
import os
import re
import socket
import socketserver
import ssl
import sys
import threading
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from orchestrator.engine.witness import rules
from orchestrator.engine.witness.book import Book
from orchestrator.engine.witness.errors import RecordDamaged, WitnessCannotServe
from orchestrator.engine.witness.identity import Client, Clients, Identity, load_or_make, server_context
from orchestrator.engine.witness.store import DirectoryShelf, Store
from orchestrator.engine.witness.wire import GrantRequest, LeaseRequest, RegisterRequest, ReleaseRequest

CONNECTIONS_MAX = 64
HANDSHAKE_S = 5.0
IDLE_S = 120.0
LINGER_S = 1.0
BODY_MAX_BYTES = 16 * 1024
SERVING = "serving.json"
_PATH = re.compile(r"/v1/protections/(?P<protection>[^/]+)(?:/(?P<verb>[a-z]+))?")

log = logging.getLogger(__name__)
R = TypeVar("R", RegisterRequest, LeaseRequest, GrantRequest, ReleaseRequest)


class Serving(msgspec.Struct, frozen=True):
    """Where the running witness listens; kept in the state directory for ``dtwitness status``."""

    address: str
    port: int
    pid: int


class Refusal(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class WitnessServer(http.server.ThreadingHTTPServer):
    """Serves one state directory. ``port`` 0 chooses one; ``server_port`` says which.

    Raises:
        WitnessCannotServe: the port is taken, or another witness runs on this state directory.
        RecordDamaged: the book cannot be read; a witness with a damaged book answers nobody.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, state: Path, address: str, port: int) -> None:
        shelf = DirectoryShelf(state)
        self._lock_file = _lock(state, address, port)
        self.identity: Identity = load_or_make(state)
        self.clients = Clients(state)
        self.book = Book(Store(shelf))
        self._slots = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            super().__init__((address, port), _Handler)
        except OSError as error:
            self._lock_file.close()
            raise WitnessCannotServe(address=address, port=port, why=error.strerror or str(error)) from error
        shelf.replace(SERVING, msgspec.json.encode(Serving(address, self.server_port, os.getpid())))

    def server_bind(self) -> None:
        """Bind without the reverse look-up of the name that http.server does: DNS may be what has failed."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[0], self.server_address[1]  # type: ignore[assignment]

    def server_close(self) -> None:
        """Close the socket, and let the state directory go."""
        super().server_close()
        self._lock_file.close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """One thread a connection while slots last; beyond, the connection is closed at once."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection and give its slot back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Handshake in the connection's own thread, then HTTP."""
        request.settimeout(HANDSHAKE_S)
        try:
            context = server_context(self.identity, self.clients.all())
            with context.wrap_socket(request, server_side=True, do_handshake_on_connect=False) as secured:
                if self._is_welcome(secured, client_address[0]):
                    secured.settimeout(IDLE_S)
                    _Handler(secured, client_address, self)
        except (OSError, RecordDamaged) as error:
            log.info("connection from %s ended: %s", client_address[0], error)

    def _is_welcome(self, secured: ssl.SSLSocket, address: str) -> bool:
        """Shake hands. A refused client gets the time to read the alert that says so, and nothing else."""
        try:
            secured.do_handshake()
        except ssl.SSLError as error:
            log.info("connection from %s refused: %s", address, error)
            secured.settimeout(LINGER_S)
            secured.shutdown(socket.SHUT_WR)
            while secured.recv(BODY_MAX_BYTES):
                pass
            return False
        return True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the library's signature
        """Log instead of printing a traceback on standard error."""
        log.error("connection from %s failed: %r", client_address[0], sys.exc_info()[1])


def _lock(state: Path, address: str, port: int) -> Any:
    """Hold the state directory for this process alone: two witnesses over one book would both grant."""
    file = os.fdopen(os.open(state / "lock", os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise WitnessCannotServe(address=address, port=port, why=f"another witness runs on {state}") from error
    return file


class _Handler(http.server.BaseHTTPRequestHandler):
    """One connection of an enrolled client."""

    server: WitnessServer
    protocol_version = "HTTP/1.1"
    server_version = "dtwitness"
    sys_version = ""
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Look at one protection, or at all."""
        self._serve(self._look)

    def do_POST(self) -> None:
        """Register, renew, grant, release."""
        self._serve(self._act)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """To the log, not to standard error."""
        log.debug(format, *args)

    def _serve(self, answer: Any) -> None:
        try:
            self._reply(200, answer())
        except Refusal as refusal:
            self._reply(refusal.status, {"reason": refusal.reason})
        except (OSError, RecordDamaged) as error:
            log.exception("the book could not be kept")
            self._reply(500, {"reason": f"the book could not be kept: {error}"})

    def _look(self) -> Any:
        self._client()
        if self.path == "/v1/protections":
            return self.server.book.all()
        protection, _ = self._place()
        view = self.server.book.look(protection)
        if view is None:
            raise Refusal(404, "the witness does not know this protection")
        return view

    def _act(self) -> Any:
        client = self._client()
        body = self.rfile.read(self._length())
        protection, verb = self._place()
        book = self.server.book
        match verb:
            case "register":
                return book.register(protection, _own(client, _timed(_parse(body, RegisterRequest))))
            case "renew":
                return book.renew(protection, _own(client, _timed(_parse(body, LeaseRequest))))
            case "release":
                return book.release(protection, _own(client, _parse(body, ReleaseRequest)))
            case "grant":
                return book.grant(protection, _own(client, _timed(_parse(body, GrantRequest))))
        raise Refusal(404, f"there is no {verb!r} here")

    def _client(self) -> Client:
        """Looked up at every request: one that was withdrawn is refused on its open connection as well."""
        der = self.connection.getpeercert(binary_form=True) or b""
        fingerprint = hashlib.sha256(der).hexdigest()
        if fingerprint == self.server.identity.fingerprint:
            return Client(fingerprint, "", "the witness itself")
        client = self.server.clients.all().get(fingerprint)
        if client is None:
            self.close_connection = True
            raise Refusal(403, "this certificate is not enrolled any more")
        return client

    def _length(self) -> int:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > BODY_MAX_BYTES:
            self.close_connection = True
            raise Refusal(400, f"a body of at most {BODY_MAX_BYTES} bytes, with its length, is expected")
        return int(length)

    def _place(self) -> tuple[str, str]:
        found = _PATH.fullmatch(self.path)
        if found is None or not rules.is_valid_id(found["protection"]):
            raise Refusal(404, "expected /v1/protections/ID or /v1/protections/ID/VERB")
        return found["protection"], found["verb"] or ""

    def _reply(self, status: int, answer: Any) -> None:
        body = msgspec.json.encode(answer)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _parse(body: bytes, kind: type[R]) -> R:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise Refusal(400, str(error)) from error


def _timed(request: R) -> R:
    lease_s = getattr(request, "lease_s", None)
    if lease_s is not None and not rules.is_valid_lease(lease_s):
        raise Refusal(400, f"a lease lasts from {rules.LEASE_MIN_S} to {rules.LEASE_MAX_S} seconds, not {lease_s}")
    if getattr(request, "forced", False) and not getattr(request, "by", "").strip():
        raise Refusal(400, "a forced grant must say by whom")
    return request


def _own(client: Client, request: R) -> R:
    """A client enrolled for one engine speaks for that engine alone."""
    who = request.candidate if isinstance(request, GrantRequest) else request.holder
    if not rules.is_valid_id(who):
        raise Refusal(400, f"{who!r} is not an engine id")
    if client.holder and client.holder != who:
        raise Refusal(403, f"this key is enrolled for {client.holder} and may not speak for {who}")
    return request
