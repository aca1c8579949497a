"""What the engine says about itself."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.engine.control import hostfacts
from orchestrator.engine.control.answers import ServerStatus
from orchestrator.engine.control.identity import Identity
from orchestrator.engine.control.schema import Peer
from orchestrator.engine.control.settings import Settings


@dataclass(frozen=True, slots=True)
class Itself:
    """This engine: its identity, where it listens, how it can capture and why not better."""

    identity: Identity
    settings: Settings
    version: str
    capture: Literal["fuse", "watcher"]
    capture_says: str
    started_s: float = field(default_factory=time.monotonic)

    def status(self) -> ServerStatus:
        """The document of GET /v1/server."""
        return ServerStatus(
            name=self.identity.name,
            engine_id=self.identity.engine_id,
            version=self.version,
            fingerprint=self.identity.fingerprint,
            certificate_pem=self.identity.certificate_pem,
            addresses=self.addresses(),
            control_port=self.settings.control_port,
            data_port=self.settings.data_port,
            probe_port=self.settings.probe_port,
            capture=self.capture,
            capture_says=self.capture_says,
            boot_id=hostfacts.boot_id(),
            time_ns=time.time_ns(),
            uptime_s=time.monotonic() - self.started_s,
        )

    def addresses(self) -> list[str]:
        """The addresses that this engine answers on; loopback only when told to listen there."""
        if not self.settings.listens_everywhere:
            return [self.settings.address]
        found = [entry.address for entry in hostfacts.interface_addresses()]
        return [address for address in found if not address.startswith("127.") and address != "::1"]

    def as_peer(self, address: str) -> Peer:
        """This engine as another one stores it, reached at ``address`` unless it listens at one address only."""
        if not self.settings.listens_everywhere:
            address = self.settings.address
        return Peer(
            name=self.identity.name,
            engine_id=self.identity.engine_id,
            fingerprint=self.identity.fingerprint,
            certificate_pem=self.identity.certificate_pem,
            address=address,
            control_port=self.settings.control_port,
            data_port=self.settings.data_port,
        )
