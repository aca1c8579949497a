"""How a source reaches its target."""

from __future__ import annotations

import socket

from orchestrator.engine.transfer.errors import PeerUnknown
from orchestrator.engine.transfer.ports import Route
from orchestrator.engine.transfer.tls import Channel, Identity, client_context

CONNECT_S = 5.0


def dial(identity: Identity, route: Route) -> Channel:
    """An encrypted channel to the engine that the route names.

    Raises:
        PeerUnknown: it is not that engine, or does not know us.
        OSError: it cannot be reached.
    """
    where = f"{route.peer.name} ({route.address}:{route.port})"
    sock = socket.create_connection((route.address, route.port), timeout=CONNECT_S)
    channel = Channel(sock, client_context(identity, route.peer), server=False, peer=where)
    if channel.peer_fingerprint != route.peer.fingerprint:
        channel.close()
        raise PeerUnknown(peer=where, why="its certificate is not the one that was pinned")
    return channel
