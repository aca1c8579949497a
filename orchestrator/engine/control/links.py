"""Makes the links of connections: what they share, and where their targets are reached."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.engine.control import schema
from orchestrator.engine.control.connections import ConnectionRecord
from orchestrator.engine.control.desk import VerifyLogs
from orchestrator.engine.control.edges import Link
from orchestrator.engine.control.errors import Conflict
from orchestrator.engine.control.events import Events
from orchestrator.engine.control.identity import Identity
from orchestrator.engine.control.lines import Lines
from orchestrator.engine.control.mounts import Mounts
from orchestrator.engine.control.peers import Peers
from orchestrator.engine.control.releasing import Releases
from orchestrator.engine.control.source_link import SourceLink
from orchestrator.engine.transfer import tls
from orchestrator.engine.transfer.null_target import NOBODY
from orchestrator.engine.transfer.ports import Route


@dataclass(frozen=True, slots=True)
class Links:
    """Makes links."""

    identity: Identity
    peers: Peers
    mounts: Mounts
    events: Events
    releases: Releases
    lines: Lines
    verify_logs: VerifyLogs

    def make(self, replication_set: schema.ReplicationSet, record: ConnectionRecord, *, fresh: bool) -> Link:
        """The link of a connection; ``fresh`` for one that the target has not seen.

        Raises:
            Unknown: the target is not paired any more.
            Conflict: the directory is not captured.
        """
        capture = self.mounts.capture(replication_set.root)
        if capture is None:
            raise Conflict(
                what=f"replicating {replication_set.root}",
                why="it is not captured",
                hint=f"capture it again: dtengine mounts add {replication_set.root}",
            )
        return SourceLink(self, capture, replication_set, record, fresh=fresh)

    def route(self, record: ConnectionRecord) -> Route:
        """Where the target is reached, and who it must be."""
        if record.request.simulate:
            return Route(NOBODY.name, 0, NOBODY)
        peer, chosen = self.peers.get(record.request.target), record.request.route
        address, port = (chosen.address, chosen.port) if chosen else (peer.address, peer.data_port)
        return Route(address, port, tls.Peer(peer.name, peer.certificate_pem))
