"""All replicas of an engine: found by their connection's id, opened at the daemon's start, admitted at their first hello.

Invariant: a replica belongs to the peer that introduced it; a source with an older epoch than any that its protection has had here
is refused, whatever connection it comes with.
"""

from __future__ import annotations

import logging
import shutil
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

from orchestrator.engine.apply.errors import ReplicaUnusable
from orchestrator.engine.apply.replica import Replica
from orchestrator.engine.apply.works import ReplicaSettings
from orchestrator.engine.transfer.events import Denied
from orchestrator.engine.transfer.messages import Hello, Refusal
from orchestrator.engine.transfer.tls import Peer

log = logging.getLogger(__name__)
Admit = Callable[[Hello, Peer], str | None]
"""Whether a new connection may come: None, or a sentence why not."""


class ReplicaHouse:
    """The replicas in one directory, each in a folder named by its key. Safe from any thread."""

    def __init__(
        self,
        directory: Path,
        *,
        admit: Admit = lambda _hello, _peer: None,
        epoch_of: Callable[[str], int] = lambda _protection: 0,
        settings: ReplicaSettings | None = None,
        ports: dict[str, object] | None = None,
    ) -> None:
        """Nothing is opened yet.

        Args:
            directory: STATE/replicas.
            admit: decides on connections that come for the first time.
            epoch_of: the newest epoch of a protection that this engine knows from elsewhere.
            settings: for every replica.
            ports: ``mirror``, ``before_change``, ``happened`` for every replica.
        """
        self._directory = directory
        self._admit = admit
        self._epoch_of = epoch_of
        self._settings = settings
        self._ports = ports or {}
        self._lock = threading.Lock()
        self._replicas: dict[str, Replica] = {}

    def open_all(self) -> list[str]:
        """Open the replicas from before; sentences about those that cannot be used."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        troubles = []
        for folder in sorted(self._directory.iterdir()):
            try:
                replica = Replica.open(folder, self._settings, **self._ports)
            except ReplicaUnusable as error:
                troubles.append(str(error))
                continue
            self._replicas[replica.key] = replica
        return troubles

    def all(self) -> list[Replica]:
        """Every replica."""
        with self._lock:
            return list(self._replicas.values())

    def get(self, key: str) -> Replica | None:
        """A replica by its key."""
        with self._lock:
            return self._replicas.get(key)

    def find(self, hello: Hello, peer: Peer) -> Replica | Denied:
        """The replica that a hello is about; made when it is new and admitted."""
        if not _is_key(hello.connection):
            return Denied(Refusal.NOT_READY, "the connection's id is no uuid")
        with self._lock:
            denied = self._too_old(hello) or self._live(hello)
            if denied is not None:
                return denied
            replica = self._replicas.get(hello.connection)
            if replica is None:
                return self._new(hello, peer)
        if replica.record.peer != peer.fingerprint or replica.record.root != hello.target_root:
            return Denied(Refusal.UNKNOWN_PEER, "this connection was made by another engine or for another directory")
        return replica

    def _too_old(self, hello: Hello) -> Denied | None:
        known = [r.record.epoch for r in self._replicas.values() if r.record.protection == hello.protection]
        newest = max([*known, self._epoch_of(hello.protection)])
        if hello.epoch >= newest:
            return None
        return Denied(Refusal.STALE_EPOCH, f"the source has epoch {hello.epoch}, the protection is at {newest}")

    def _live(self, hello: Hello) -> Denied | None:
        root = Path(hello.target_root)
        for replica in self._replicas.values():
            other = Path(replica.record.root)
            if replica.record.promoted and (root.is_relative_to(other) or other.is_relative_to(root)):
                return Denied(
                    Refusal.RESTORE_REQUIRED, f"{other} is live since the failover of {replica.record.source}"
                )
        return None

    def _new(self, hello: Hello, peer: Peer) -> Replica | Denied:
        if not Path(hello.target_root).is_absolute():
            return Denied(Refusal.NOT_READY, f"the target root {hello.target_root!r} is no absolute path")
        why_not = self._admit(hello, peer)
        if why_not is not None:
            return Denied(Refusal.NOT_READY, why_not)
        try:
            replica = Replica.create(
                self._directory / hello.connection, hello, peer.fingerprint, self._settings, **self._ports
            )
        except OSError as error:
            return Denied(Refusal.NOT_READY, f"no replica can be made: {error.strerror}")
        self._replicas[replica.key] = replica
        return replica

    def remove(self, key: str) -> bool:
        """Forget a replica and its queue; the replicated files stay. Whether there was one."""
        with self._lock:
            replica = self._replicas.pop(key, None)
        if replica is None:
            return False
        replica.close()
        shutil.rmtree(replica.directory, ignore_errors=True)
        return True

    def close(self) -> None:
        """End all in order."""
        for replica in self.all():
            replica.close()


def _is_key(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
