"""HTTP over a UNIX socket for urllib3, also where the socket's path is longer than the 107 bytes an address may have."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import NewConnectionError

ADDRESS_BYTES_MAX = 107


@contextlib.contextmanager
def socket_address(path: str) -> Iterator[str]:
    """An address for ``path`` that fits, through a descriptor of its directory where needed; valid inside the block."""
    if len(os.fsencode(path)) <= ADDRESS_BYTES_MAX:
        yield path
        return
    directory = os.open(Path(path).parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{Path(path).name}"
    finally:
        os.close(directory)


class UnixConnection(HTTPConnection):
    """A connection whose host is the path of a socket."""

    socket_path: str = ""

    def connect(self) -> None:
        """Connect to the socket; NewConnectionError says why not."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self.timeout if isinstance(self.timeout, int | float) else None)
        try:
            with socket_address(self.socket_path) as where:
                connection.connect(where)
        except OSError as error:
            connection.close()
            raise NewConnectionError(self, error.strerror or str(error)) from error
        self.sock = connection


class UnixPool(HTTPConnectionPool):
    """A pool of connections to one UNIX socket."""

    ConnectionCls = UnixConnection

    def __init__(self, socket_path: str, **settings: object) -> None:
        super().__init__("localhost", **settings)  # type: ignore[arg-type]
        self.socket_path = socket_path

    def _new_conn(self) -> UnixConnection:
        connection = UnixConnection("localhost", timeout=self.timeout.connect_timeout)
        connection.socket_path = self.socket_path
        return connection
