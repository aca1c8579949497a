"""The way of a connection's bytes: the socket, and TLS that is shaken hands on within PRELOGIN packets; [MS-TDS] 2.2.6.5 and 3.2.5.2.

TLS runs on buffers in memory, so that one thread may hear while another one speaks: each touches it under a lock and waits outside.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading

from tests.lab.sqlserver.wire.packets import Kind, packed, read_message
from tests.lab.sqlserver.wire.reading import Malformed

PIECE = 1 << 16


class HungUp(Exception):
    """The other side is gone."""


class Channel:
    """Bytes in and out, plain until TLS begins."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._heard = bytearray()
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._lock = threading.Lock()
        self._sending = threading.Lock()

    @property
    def encrypted(self) -> bool:
        """Whether TLS runs."""
        return self._tls is not None

    # -- reading -------------------------------------------------------------------------------------------------------
    def read(self, count: int) -> bytes:
        """Exactly so many bytes, or those that came before the end."""
        while len(self._heard) < count:
            piece = self._piece()
            if not piece:
                break
            self._heard += piece
        found = bytes(self._heard[:count])
        del self._heard[:count]
        return found

    def _piece(self) -> bytes:
        while True:
            if self._tls is not None and (clear := self._deciphered()) is not None:
                return clear
            raw = self.socket.recv(PIECE)
            if self._tls is None or not raw:
                return raw
            with self._lock:
                self._incoming.write(raw)

    def _deciphered(self) -> bytes | None:
        """What lies in the buffers: None when more must come, nothing when the other side ended TLS."""
        assert self._tls is not None
        with self._lock:
            try:
                return self._tls.read(PIECE)
            except ssl.SSLWantReadError:
                return None
            except ssl.SSLZeroReturnError:
                return b""

    # -- writing -------------------------------------------------------------------------------------------------------
    def write(self, data: bytes) -> None:
        """All of it. Raises HungUp."""
        with self._sending:
            if self._tls is not None:
                with self._lock:
                    self._tls.write(data)
                    data = self._outgoing.read()
            try:
                self.socket.sendall(data)
            except OSError as error:
                raise HungUp(str(error)) from error

    # -- TLS -----------------------------------------------------------------------------------------------------------
    def shake_hands(self, context: ssl.SSLContext) -> None:
        """Begin TLS. Raises Malformed or ssl.SSLError."""
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush_wrapped()
                message = read_message(self.read)
                if message is None or message.kind is not Kind.PRELOGIN:
                    raise Malformed("the caller broke off TLS") from None
                self._incoming.write(message.body)
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    self._flush_wrapped()  # the alert
                raise
            else:
                break
        self._flush_wrapped()
        if self._heard:  # what came behind the handshake's last packet is TLS's
            self._incoming.write(bytes(self._heard))
            self._heard.clear()
        self._tls = tls

    def _flush_wrapped(self) -> None:
        if raw := self._outgoing.read():
            self.socket.sendall(packed(Kind.PRELOGIN, raw))

    def end_tls(self) -> None:
        """Encryption was for the log-in only."""
        self._tls = None

    def close(self) -> None:
        """Hang up; whoever reads hears the end."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
