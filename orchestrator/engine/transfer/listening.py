"""The data port of a target: whoever is paired gets a session (``target.py``) with threads of its own.

Nobody is answered whose certificate is not pinned: TLS ends before a word of ours.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterable

from orchestrator.engine.transfer.errors import PeerUnknown
from orchestrator.engine.transfer.protocol import SessionLimits
from orchestrator.engine.transfer.target import Answers, Left, Replicas, TargetConnection, answers_nothing
from orchestrator.engine.transfer.tls import Channel, Identity, Peer, server_context

log = logging.getLogger(__name__)


class TargetListener:
    """Accepts sessions on the data port."""

    def __init__(
        self,
        identity: Identity,
        peers: Callable[[], Iterable[Peer]],
        replicas: Replicas,
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        limits: SessionLimits | None = None,
        left: Left = lambda _key, _unwatched: None,
        answers: Answers = answers_nothing,
    ) -> None:
        """Bind; nothing is accepted until ``start``.

        Args:
            identity: our certificate and key.
            peers: the engines paired now; asked at each connection.
            replicas: where a hello finds its replica.
            address: where to listen.
            port: 0 lets the system choose; see ``port``.
            limits: of every session.
            left: told when a source disconnects for good.
            answers: answers a source that asks for a promise, a target that asks for shares.

        Raises:
            OSError: the port is in use or may not be bound.
        """
        self._identity = identity
        self._peers = peers
        self._replicas = replicas
        self._limits = limits or SessionLimits()
        self._left = left
        self._answers = answers
        self._socket = socket.create_server((address, port), backlog=16)
        self.address, self.port = self._socket.getsockname()[:2]
        self._lock = threading.Lock()
        self._sessions: set[TargetConnection] = set()
        self._thread = threading.Thread(target=self._accept, name="data-listener", daemon=True)
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begin to accept."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every session."""
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        if self._thread.ident is not None:
            self._thread.join()
        for session in self.sessions():
            session.close()

    def sessions(self) -> list[TargetConnection]:
        """The sessions that are open."""
        with self._lock:
            return list(self._sessions)

    def heard_s(self, key: str) -> float | None:
        """How long ago (seconds) a connection's source was heard of; None when it has no session."""
        heard = [session.silent_s for session in self.sessions() if session.key == key]
        return min(heard, default=None)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, address = self._socket.accept()
            except OSError:
                if self._stopping.is_set():
                    return
                self._stopping.wait(0.1)  # out of descriptors: the next try may do better
                continue
            where = f"{address[0]}:{address[1]}"
            threading.Thread(target=self._serve, args=(sock, where), name=f"session-{where}", daemon=True).start()

    def _serve(self, sock: socket.socket, where: str) -> None:
        peers = {peer.fingerprint: peer for peer in self._peers()}
        try:
            channel = Channel(sock, server_context(self._identity, peers.values()), server=True, peer=where)
        except (OSError, PeerUnknown) as error:
            log.warning("no session with %s: %s", where, error)
            return
        peer = peers.get(channel.peer_fingerprint)
        if peer is None:
            channel.close()
            return
        session = TargetConnection(channel, peer, self._replicas, self._limits, self._left, answers=self._answers)
        with self._lock:
            self._sessions.add(session)
        try:
            session.run()
        finally:
            with self._lock:
                self._sessions.discard(session)
