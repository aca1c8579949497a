"""All that is known of a protection at one moment: frozen values, read once a cycle.

Nothing raises here: an engine that does not answer is a fact with a reason, because a source that is gone is the very case
that this room exists for.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from orchestrator.engine.client import (
    ConnectionStatus,
    EngineClient,
    ProtectionState,
    ReplicaStatus,
    ServiceStatus,
)
from orchestrator.errors import DtamError


@dataclass(frozen=True, slots=True)
class Side:
    """One engine of a protection. ``silence`` says why it did not answer; ``state`` is None when it has no part in it."""

    server: str
    silence: str = ""
    state: ProtectionState | None = None
    services: tuple[ServiceStatus, ...] = ()
    connections: tuple[ConnectionStatus, ...] = ()
    replicas: tuple[ReplicaStatus, ...] = ()

    @property
    def answers(self) -> bool:
        """Whether the engine answered at all."""
        return not self.silence

    @property
    def serves(self) -> bool:
        """Whether any protected service runs here."""
        return any(service.state == "running" for service in self.services)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Both sides of a protection at one moment."""

    protection: str
    source: Side
    target: Side

    @property
    def connection(self) -> ConnectionStatus | None:
        """The source's end of the protecting connection."""
        return _first(self.source.connections, "protect")

    @property
    def restoring(self) -> ConnectionStatus | None:
        """The target's end of a connection that brings data back."""
        return _first(self.target.connections, "restore")

    @property
    def replica(self) -> ReplicaStatus | None:
        """The replica that the target keeps."""
        return self.target.replicas[0] if self.target.replicas else None

    @property
    def epoch(self) -> int:
        """The newest epoch that either side knows."""
        return max((side.state.epoch for side in (self.source, self.target) if side.state), default=0)


def take(protection: str, source: tuple[str, EngineClient], target: tuple[str, EngineClient]) -> Snapshot:
    """Ask both engines once, at the same time: a silent one must not keep the other's answer waiting."""
    with ThreadPoolExecutor(2) as pool:
        asked = pool.map(lambda side: look(protection, *side), (source, target))
        return Snapshot(protection, *asked)


def look(protection: str, server: str, engine: EngineClient) -> Side:
    """Ask one engine for all that it knows of a protection."""
    try:
        if all(document.id != protection for document in engine.protections()):
            return Side(server)
        return Side(
            server,
            state=engine.protection_state(protection),
            services=tuple(service for service in engine.services() if service.protection == protection),
            connections=tuple(each for each in engine.connections() if each.protection == protection),
            replicas=tuple(each for each in engine.replicas() if each.protection == protection),
        )
    except DtamError as error:
        return Side(server, silence=str(error))


def _first(connections: tuple[ConnectionStatus, ...], purpose: str) -> ConnectionStatus | None:
    return next((each for each in connections if each.purpose == purpose), None)
