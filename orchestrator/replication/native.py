"""Replication by our own engines: the ``Replication`` port over the control APIs of both sides.

A link is found again by protection, replication set, origin and purpose, never by a number kept here: numbers change when a
daemon starts anew. Roles are those of the settings: ``source`` and ``target`` stay, a restore simply originates at the target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.engine.client import (
    AnswerRefused,
    ConnectionStatus,
    EngineClient,
    ReplicaStatus,
    ServerStatus,
    schema,
)
from orchestrator.model.capabilities import NATIVE
from orchestrator.model.inventory import ReplicaFacts
from orchestrator.model.outcomes import GiveUp, TryAgain
from orchestrator.model.ports import Link, LinkStatus
from orchestrator.model.servers import Where
from orchestrator.patience import absent_is_fine, patience
from orchestrator.replication.errors import refuse

SETTLE_LOOK_S = 2.0
SETTLE_AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class Site:
    """One side: the client of its engine, and the address under which the other side's engine reaches it."""

    engine: EngineClient
    address: str


class NativeReplication:
    """The ``Replication`` port over two engines."""

    def __init__(self, source: Site, target: Site) -> None:
        self._sites = {Where.SOURCE: source, Where.TARGET: target}

    @property
    def capabilities(self) -> frozenset[str]:
        """What our engine can do. Order needs the capturing file system; the host's facts say whether it can be had."""
        return NATIVE

    # -- pairing

    def paired(self) -> bool:
        """Whether each engine holds the other's key."""
        with patience():
            source, target = (self._on(where).server() for where in (Where.SOURCE, Where.TARGET))
            return self._trusts(Where.SOURCE, target) and self._trusts(Where.TARGET, source)

    def pair(self) -> None:
        """Give each engine the other's certificate, as read over its pinned control API."""
        with patience():
            for where in (Where.SOURCE, Where.TARGET):
                self._on(where).add_peer(self._as_peer(where.other))

    def unpair(self) -> None:
        """They trust each other no more."""
        with patience():
            for where in (Where.SOURCE, Where.TARGET):
                with absent_is_fine():
                    self._on(where).remove_peer(self._name(where.other))

    # -- capture and replication sets

    def captured(self, where: Where, path: str) -> bool:
        """Whether changes below ``path`` are captured on that side, now."""
        with patience():
            return any(mount.path == path and mount.state == "capturing" for mount in self._on(where).mounts())

    def capture(self, where: Where, path: str, limits: Mapping[str, Any]) -> None:
        """Capture changes from now on, also after restarts."""
        with patience():
            self._on(where).mount(schema.MountRequest(path=path, **limits))

    def uncapture(self, where: Where, path: str) -> None:
        """Capture no more; not captured before is fine."""
        with patience(), absent_is_fine():
            self._on(where).unmount(path)

    def replication_set(self, where: Where, name: str) -> Mapping[str, Any] | None:
        """The set's root and rules, or None."""
        with patience():
            held = self._set(where, name)
        return held.model_dump(mode="json", include={"root", "rules"}) if held else None

    def put_replication_set(self, where: Where, name: str, root: str, rules: Sequence[Mapping[str, Any]]) -> None:
        """Create or change a set; one that somebody else saves at the same moment is read again by the next try."""
        wanted = [schema.Rule.model_validate(dict(rule)) for rule in rules]
        with patience():
            held = self._set(where, name)
            generation = held.generation if held else 0
            document = schema.ReplicationSet(name=name, root=root, rules=wanted, generation=generation)
            if held is None:
                self._on(where).create_replication_set(document)
            elif (held.root, held.rules) != (root, wanted):
                self._on(where).save_replication_set(document)

    def remove_replication_set(self, where: Where, name: str) -> None:
        """Forget a set that no connection uses."""
        with patience(), absent_is_fine():
            self._on(where).delete_replication_set(name)

    # -- links

    def connect(self, link: Link) -> None:
        """Connect and start mirror and replication; a connection that is there already goes on by the link's terms."""
        with patience():
            connection = self._connection(link)
            request = self._request(link)
            if connection is None:
                self._on(link.origin).connect(request)
            elif differs(connection, link):
                self._on(link.origin).change_connection(connection.key, request.terms)

    def status(self, link: Link) -> LinkStatus | None:
        """How that connection stands, or None when there is none."""
        with patience():
            connection = self._connection(link)
        if connection is None:
            return None
        return link_status(connection, self._set_aside(link), differs(connection, link))

    def disconnect(self, link: Link) -> None:
        """End the connection; the receiving side keeps its data."""
        with patience(), absent_is_fine():
            connection = self._connection(link)
            if connection is not None:
                self._on(link.origin).disconnect(connection.key)

    def settle(self, link: Link) -> None:
        """Everything sent is applied; TryAgain until it is."""
        with patience():
            connection = self._connection(link)
            if connection is None:
                raise GiveUp("the connection is gone", "dtam status, then run the same command again")
            if not _settled(connection):
                connection = self._settled_soon(link, connection)
        if not _settled(connection):
            waiting = connection.committed_sequence - connection.applied_sequence
            raise TryAgain(f"{max(waiting, 0)} operations are not applied yet", after_s=SETTLE_AGAIN_S)

    def replica(self, link: Link) -> ReplicaFacts | None:
        """The receiving side's view of the link."""
        with patience():
            held = self._replica(link)
        return _facts(held) if held else None

    def promote(self, link: Link, epoch: int) -> None:
        """The receiving side takes no more from the sender."""
        self._tell_replica(link, "promote", epoch=epoch)

    def demote(self, link: Link, epoch: int, *, discard_changes: bool) -> None:
        """A promoted side becomes a receiver again."""
        self._tell_replica(link, "demote", epoch=epoch, discard_changes=discard_changes)

    def pause(self, link: Link) -> None:  # noqa: ARG002
        """Not offered: an engine's connection is stopped by hand (dtengine), and starts anew by a mirror."""
        refuse("dtam's own engines", "pause")

    def resume(self, link: Link) -> None:  # noqa: ARG002
        """Not offered."""
        refuse("dtam's own engines", "pause")

    def reverse(self, link: Link, epoch: int) -> None:  # noqa: ARG002
        """Not offered: the way back is a connection of its own."""
        refuse("dtam's own engines", "reverse")

    # -- how

    def _on(self, where: Where) -> EngineClient:
        return self._sites[where].engine

    def _name(self, where: Where) -> str:
        return self._on(where).server().name

    def _trusts(self, where: Where, other: ServerStatus) -> bool:
        known = {(peer.engine_id, peer.fingerprint) for peer in self._on(where).peers()}
        return (other.engine_id, other.fingerprint) in known

    def _as_peer(self, where: Where) -> schema.Peer:
        server = self._on(where).server()
        return schema.Peer(
            name=server.name,
            engine_id=server.engine_id,
            fingerprint=server.fingerprint,
            certificate_pem=server.certificate_pem,
            address=self._sites[where].address,
            control_port=server.control_port,
            data_port=server.data_port,
        )

    def _set(self, where: Where, name: str) -> schema.ReplicationSet | None:
        return next((held for held in self._on(where).replication_sets() if held.name == name), None)

    def _connection(self, link: Link) -> ConnectionStatus | None:
        wanted = (link.protection, link.replication_set, link.purpose)
        found = [
            each
            for each in self._on(link.origin).connections()
            if (each.protection, each.replication_set, each.purpose) == wanted
        ]
        return max(found, key=lambda each: each.epoch, default=None)

    def _request(self, link: Link) -> schema.ConnectionRequest:
        mapping = schema.Mapping(
            kind="custom", pairs=[schema.PathPair(source=link.source_path, target=link.target_path)]
        )
        return schema.ConnectionRequest(
            replication_set=link.replication_set,
            target=self._name(link.origin.other),
            route=schema.Route.model_validate(link.route) if link.route else None,
            mapping=mapping,
            mirror=schema.MirrorOptions(
                kind="full" if link.mirror == "full" else "difference",
                checksum=link.checksum,
                only_newer=link.only_newer,
                overwrite=link.overwrite,
                orphans=schema.Orphans.model_validate(link.orphans),
            ),
            start_replication=link.replicates,
            purpose="restore" if link.purpose == "restore" else "protect",
            protection=link.protection,
            epoch=link.epoch,
            compression=link.compression,
            bandwidth=schema.Bandwidth.model_validate(link.bandwidth) if link.bandwidth else None,
            mode="synchronous" if link.mode == "synchronous" else "asynchronous",
            synchronous_wait_s=link.synchronous_wait_s,
            when_late="wait" if link.when_late == "wait" else "continue",
            ignore_deletes=link.ignore_deletes,
        )

    def _settled_soon(self, link: Link, connection: ConnectionStatus) -> ConnectionStatus:
        try:
            return self._on(link.origin).connection_action(connection.key, "settle", timeout_s=SETTLE_LOOK_S)
        except AnswerRefused:  # not within so short a time: the figures say how far it is
            return self._on(link.origin).connection(connection.key)

    def _replica(self, link: Link) -> ReplicaStatus | None:
        held = self._on(link.origin.other).replicas()
        found = [
            each for each in held if (each.protection, each.replication_set) == (link.protection, link.replication_set)
        ]
        return max(found, key=lambda each: each.epoch, default=None)

    def _set_aside(self, link: Link) -> tuple[str, ...]:
        """What never arrived is told by the side that is restored; while it is silent there is nothing to tell."""
        if link.purpose != "restore":
            return ()
        try:
            with patience():
                held = self._replica(link)
        except TryAgain:
            return ()
        return tuple(held.set_aside) if held else ()

    def _tell_replica(self, link: Link, action: str, **settings: Any) -> None:
        with patience():
            held = self._replica(link)
            if held is not None:
                self._on(link.origin.other).replica_action(held.key, action, **settings)


def differs(connection: ConnectionStatus, link: Link) -> dict[str, Any]:
    """The fields of a link by which its connection is not carried on, as they are now. What the link leaves open never differs."""
    now = connection.terms
    rate = now.bandwidth.rate_bytes_s if now.bandwidth else None
    asked: dict[str, tuple[Any, Any]] = {
        "mode": (now.mode, link.mode),
        "ignore_deletes": (now.ignore_deletes, link.ignore_deletes),
        "route": (now.route.model_dump(mode="json") if now.route else None, link.route),
    }
    if link.mode == "synchronous":
        asked["synchronous_wait_s"] = (now.synchronous_wait_s, link.synchronous_wait_s)
        asked["when_late"] = (now.when_late, link.when_late)
    if link.compression is not None:
        asked["compression"] = (now.compression, link.compression)
    if link.bandwidth is not None and rate != schema.Bandwidth.model_validate(link.bandwidth).rate_bytes_s:
        asked["bandwidth"] = (
            now.bandwidth.model_dump(mode="json", exclude_none=True) if now.bandwidth else None,
            link.bandwidth,
        )
    return {field: is_now for field, (is_now, wanted) in asked.items() if is_now != wanted}


def link_status(
    connection: ConnectionStatus, set_aside: tuple[str, ...] = (), otherwise: Mapping[str, Any] | None = None
) -> LinkStatus:
    """A connection as the port speaks of it; ``otherwise`` is what differs from the link."""
    return LinkStatus(
        state=connection.state,
        data_state=connection.target_data_state,
        mirror_percent=connection.mirror_percent,
        queue_bytes=connection.replication_queue_bytes,
        lag_s=connection.lag_s,
        acknowledged_sequence=connection.acknowledged_sequence,
        committed_sequence=connection.committed_sequence,
        applied_sequence=connection.applied_sequence,
        sent_bytes=connection.sent_bytes,
        mirror_bytes=connection.mirror_bytes_sent,
        files_compared=connection.mirror_files_compared,
        files_different=connection.mirror_files_different,
        epoch=connection.epoch,
        last_error=connection.last_error,
        set_aside=set_aside,
        differs=dict(otherwise or {}),
    )


def _settled(connection: ConnectionStatus) -> bool:
    in_step = connection.state == "Started" and connection.target_data_state == "good"
    return in_step and connection.applied_sequence >= connection.committed_sequence


def _facts(held: ReplicaStatus) -> ReplicaFacts:
    return ReplicaFacts(
        source=held.source,
        replication_set=held.replication_set,
        target_root=held.target_root,
        data_state=held.data_state,
        protection=held.protection,
        promoted=held.promoted,
    )
