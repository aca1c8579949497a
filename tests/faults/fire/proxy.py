"""A network that can be cut: a TCP relay between source and target which drops, refuses, or silently holds everything."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from enum import StrEnum

CHUNK_BYTES = 1 << 20
LOOK_S = 0.05


class Cut(StrEnum):
    """How the network is."""

    NONE = "none"
    RESET = "reset"
    """Connections break, new ones are refused at once."""
    SILENT = "silent"
    """Nothing arrives and nobody is told, as when a cable is pulled."""


class Proxy:
    """Listens on ``address`` and relays to ``upstream``."""

    def __init__(self, address: str, upstream: tuple[str, int]) -> None:
        self.upstream = upstream
        self.cut = Cut.NONE
        self.delay_s = 0.0
        """How long everything is under way, in both directions."""
        self._listener = socket.create_server((address, 0))
        self.address, self.port = self._listener.getsockname()[:2]
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        self._listener.settimeout(LOOK_S)
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                here = self._listener.accept()[0]
                thread = threading.Thread(target=self._relay, args=(here,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _relay(self, here: socket.socket) -> None:
        with here, contextlib.suppress(OSError):
            if self.cut is Cut.RESET:
                return
            while self.cut is Cut.SILENT and not self._ended.wait(LOOK_S):
                pass
            with socket.create_connection(self.upstream, timeout=5) as there:
                self._carry({here: there, there: here})

    def _carry(self, other: dict[socket.socket, socket.socket]) -> None:
        while not self._ended.is_set() and self.cut is not Cut.RESET:
            if self.cut is Cut.SILENT:
                self._ended.wait(LOOK_S)
                continue
            for one in select.select(list(other), [], [], LOOK_S)[0]:
                data = one.recv(CHUNK_BYTES)
                if not data:
                    return
                self._ended.wait(self.delay_s)
                if self.cut is Cut.RESET:  # what is under way is lost
                    return
                other[one].sendall(data)

    def close(self) -> None:
        """End all relays."""
        self._ended.set()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()
