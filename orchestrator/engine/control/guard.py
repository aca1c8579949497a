"""What both ends of a protection share: the gate before its services, its fence, and the rooms that a guard works with."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

from orchestrator.engine.control.answers import ProtectionState
from orchestrator.engine.control.connections import Connections
from orchestrator.engine.control.documents import Documents, ProtectionRecord, StoredFence, StoredOverride
from orchestrator.engine.control.events import Events
from orchestrator.engine.control.identity import Identity
from orchestrator.engine.control.layout import Layout
from orchestrator.engine.control.mounts import Mounts
from orchestrator.engine.control.peers import Peers
from orchestrator.engine.control.replicas import Replicas
from orchestrator.engine.control.runs import Runs
from orchestrator.engine.control.schema import Protection, ProtectionAction
from orchestrator.engine.control.scripts import Scripts
from orchestrator.engine.control.services import Services
from orchestrator.engine.witness.book import Book
from orchestrator.engine.witness.boot_fence import Override


@dataclass(frozen=True, slots=True)
class Rooms:
    """Everything that a protection's guard works with."""

    identity: Identity
    layout: Layout
    boot_id: str
    events: Events
    documents: Documents
    services: Services
    scripts: Scripts
    runs: Runs
    mounts: Mounts
    connections: Connections
    replicas: Replicas
    peers: Peers
    promises: Book
    """What this engine has promised as a target; outlives a protection that is given up and taken up again."""


class Guard(Protocol):
    """One end of a protection on this engine."""

    def start(self) -> None:
        """Begin: fenced until the epoch is confirmed."""
        ...

    def let_go(self) -> None:
        """The daemon ends; services go on, their lease runs out by itself."""
        ...

    def retire(self) -> None:
        """Another guard takes over, or nobody: returns when no deed of this one is under way."""
        ...

    def fence_reason(self) -> str | None:
        """Why protected services may not run here; None when they may."""
        ...

    def state(self) -> ProtectionState:
        """Where the protection stands."""
        ...

    def act(self, action: ProtectionAction) -> None:
        """Do what a person or an orchestrator asks.

        Raises:
            Conflict: it is not possible now.
        """
        ...


def own_paths(document: Protection) -> list[str]:
    """The protected directories on this engine."""
    if document.role == "source":
        return [root.source_path for root in document.roots]
    return [root.target_path for root in document.roots]


def fence_mounts(rooms: Rooms, document: Protection, *, on: bool) -> None:
    """Make the captured directories of a protection read-only, or writable again."""
    for path in own_paths(document):
        rooms.mounts.fence(path, on=on)


def fenced_by(by: str, why: str, epoch: int) -> StoredFence:
    """A fence that stands from now on."""
    return StoredFence(by=by or "somebody", why=why or "no reason was given", time_ns=time.time_ns(), epoch=epoch)


def overridden_by(by: str, why: str, epoch: int, boot_id: str) -> StoredOverride:
    """A person's word that counts for this boot and epoch."""
    return StoredOverride(
        by=by or "somebody", why=why or "no reason was given", time_ns=time.time_ns(), boot_id=boot_id, epoch=epoch
    )


def override_of(record: ProtectionRecord) -> Override | None:
    """The stored override as the boot fence takes it."""
    stored = record.override
    if stored is None:
        return None
    return Override(by=stored.by, why=stored.why, time_ns=stored.time_ns, boot_id=stored.boot_id, epoch=stored.epoch)
