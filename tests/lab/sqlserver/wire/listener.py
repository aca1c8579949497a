"""The listening socket of an instance, and the connections that came through it."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading

from tests.lab.sqlserver.wire.channel import Channel
from tests.lab.sqlserver.wire.connection import Connection, Surroundings

LOG = logging.getLogger(__name__)
BACKLOG = 128
END_S = 20.0
PAUSE_S = 0.1
KEEP_ALIVE = {socket.TCP_NODELAY: 1, socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 1, socket.TCP_KEEPCNT: 10}
"""SQL Server asks after half a minute of silence, then every second, whether the caller is still there."""


def _keep_alive(accepted: socket.socket) -> None:
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEP_ALIVE.items():
        accepted.setsockopt(socket.IPPROTO_TCP, option, value)


class Listener:
    """Accepts until it is closed."""

    def __init__(self, address: str, port: int, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._connections: set[Connection] = set()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((address, port))
        self._socket.listen(BACKLOG)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """In a thread of its own."""
        threading.Thread(target=self._accept, daemon=True, name=f"listener {self.port}").start()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                accepted, _ = self._socket.accept()
                _keep_alive(accepted)
            except OSError as error:  # closed, or no room for one more at this moment
                if not self._closed.wait(PAUSE_S):
                    LOG.warning("not accepted: %s", error)
                continue
            connection = Connection(Channel(accepted), self._surroundings)
            with self._changed:
                self._connections.add(connection)
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection: Connection) -> None:
        try:
            connection.run()
        finally:
            with self._changed:
                self._connections.discard(connection)
                self._changed.notify_all()

    def close(self) -> None:
        """No new connections, and the end of those that are: their sessions are closed when it returns, or ``END_S`` are over."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with self._changed:
            left = list(self._connections)
        for one in left:
            one.end()
        with self._changed:
            self._changed.wait_for(lambda: not self._connections, END_S)
