"""The engines that this one trusts, each by its pinned certificate.

A peer is added by a person (or an orchestrator) who knows its fingerprint: nothing is trusted on first sight. Pairing goes both
ways: this engine reads who the other is over a connection that shows the given fingerprint, stores it, and stores itself there.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

from orchestrator.engine.client import EngineClient
from orchestrator.engine.control import store
from orchestrator.engine.control.answers import ServerStatus
from orchestrator.engine.control.errors import Conflict, PairingFailed, Unknown
from orchestrator.engine.control.identity import pem_fingerprint
from orchestrator.engine.control.schema import PairRequest, Peer


class Peers:
    """The trusted engines by name. Callable from any thread. ``changed`` is called after each change, without the lock."""

    def __init__(self, directory: Path, own_engine_id: str) -> None:
        self._directory = directory
        self._own = own_engine_id
        self._lock = threading.Lock()
        self._peers = {peer.name: peer for peer in store.load_all(directory, Peer)}
        self.changed: Callable[[], None] = lambda: None
        self.itself: Peer | None = None
        """This engine, as it reaches itself: a set may be replicated to another directory of the same server."""

    def listed(self) -> list[Peer]:
        """All peers."""
        return list(self._peers.values())

    def get(self, name: str) -> Peer:
        """A peer by name."""
        peer = self.find(name)
        if peer is None:
            raise Unknown(kind="peer", name=name, listing="peers list")
        return peer

    def find(self, name: str) -> Peer | None:
        """A peer by name, or this engine by its own; None when there is none."""
        itself = self.itself
        return self._peers.get(name) or (itself if itself is not None and itself.name == name else None)

    def add(self, peer: Peer) -> Peer:
        """Trust an engine; the same engine again replaces its name, addresses and ports.

        Raises:
            PairingFailed: its certificate is not the one of its fingerprint.
            Conflict: it is this engine itself, or the name or the key belongs to another.
        """
        self._check(peer)
        with self._lock:
            store.save(self._directory / f"{peer.name}.json", peer)
            self._peers = {**self._peers, peer.name: peer}
        self.changed()
        return peer

    def remove(self, name: str) -> None:
        """Trust it no more."""
        with self._lock:
            self.get(name)
            store.remove(self._directory / f"{name}.json")
            self._peers = {key: peer for key, peer in self._peers.items() if key != name}
        self.changed()

    def _check(self, peer: Peer) -> None:
        if peer.engine_id == self._own:
            raise Conflict(
                what=f"pairing with {peer.name}", why="it is this engine itself", hint="name the other server"
            )
        try:
            shown = pem_fingerprint(peer.certificate_pem)
        except ValueError:
            shown = "none"
        if shown != peer.fingerprint:
            hint = f"read both from 'dtengine server --json' on {peer.name}"
            raise PairingFailed(
                where=peer.name, why="the certificate does not have the fingerprint given with it", hint=hint
            )
        for known in self._peers.values():
            same_name, same_engine = known.name == peer.name, known.engine_id == peer.engine_id
            if same_name != same_engine or (same_engine and known.fingerprint != peer.fingerprint):
                why = f"{known.name} is paired already with engine id {known.engine_id} and another name, id or key"
                hint = f"if that is meant to change: dtengine peers remove {known.name}"
                raise Conflict(what=f"pairing with {peer.name}", why=why, hint=hint)


def pair(peers: Peers, own: Callable[[str], Peer], request: PairRequest) -> Peer:
    """Pair with the engine at an address, both ways. ``own`` gives this engine's record as reached at an address.

    Raises:
        WrongFingerprint, EngineUnreachable, AnswerRefused: as the client says.
    """
    where, port = request.address, request.control_port
    token = request.token.get_secret_value()
    with EngineClient.https(where, port, fingerprint=request.fingerprint, token=token) as remote:
        peer = as_peer(remote.server(), where, control_port=port, data_port=request.data_port)
        peers.add(peer)
        remote.add_peer(own(request.own_address or address_towards(where, port)))
    return peer


def as_peer(
    server: ServerStatus, address: str, *, control_port: int | None = None, data_port: int | None = None
) -> Peer:
    """The peer record of an engine that was reached at ``address``; its own ports unless it is reached at others."""
    return Peer(
        name=server.name,
        engine_id=server.engine_id,
        fingerprint=server.fingerprint,
        certificate_pem=server.certificate_pem,
        address=address,
        control_port=control_port or server.control_port,
        data_port=data_port or server.data_port,
    )


def address_towards(address: str, port: int) -> str:
    """The address of this host that packets to ``address`` carry; nothing is sent."""
    family, kind, number, _, where = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, number) as probe:
        probe.connect(where)
        return str(probe.getsockname()[0])
