"""What was found on both servers, each fact with the command or query it came from.

A server that did not answer is an inventory with a reason instead of facts: checks say so, they do not crash. Times are
seconds since the epoch by the orchestrator's clock.
"""

from __future__ import annotations

from typing import Any

import msgspec

from orchestrator.model.domain import DomainInventory
from orchestrator.model.names import NameChanges, NameRecords
from orchestrator.model.servers import ServerName, Where
from orchestrator.model.shares import Samba
from orchestrator.model.sql import SqlSide
from orchestrator.model.windows import Windows


class Query(msgspec.Struct, frozen=True):
    """Where a fact came from: the question as one could ask it again."""

    asked: str
    of: str
    at_s: float


class EngineFacts(msgspec.Struct, frozen=True):
    """Who an engine is. ``clock_offset_s`` is its clock minus ours."""

    name: str
    engine_id: str
    version: str
    fingerprint: str
    addresses: tuple[str, ...]
    control_port: int
    data_port: int
    probe_port: int
    capture: str
    capture_says: str
    boot_id: str
    clock_offset_s: float
    peers: tuple[str, ...] = ()


class PathFacts(msgspec.Struct, frozen=True):
    """What is known of a path; sizes are None where nothing is there, ``owner`` is empty where the host does not say."""

    path: str
    exists: bool
    kind: str = "absent"
    bytes: int | None = None
    free_bytes: int | None = None
    fs: str = ""
    entries: int | None = None
    owner: str = ""


class AddressFacts(msgspec.Struct, frozen=True):
    """An address of a host and its interface."""

    address: str
    interface: str


class ServiceFacts(msgspec.Struct, frozen=True):
    """A service as its host sees it: running, stopped, failed or unknown; ``start_type`` manual, automatic or unknown."""

    name: str
    state: str
    healthy: bool | None = None
    fenced: bool = False
    managed: bool = False
    start_type: str = ""
    says: str = ""


class ReplicaFacts(msgspec.Struct, frozen=True):
    """A replica that the engine keeps for somebody."""

    source: str
    replication_set: str
    target_root: str
    data_state: str
    protection: str | None = None
    promoted: bool = False


class OtherProtection(msgspec.Struct, frozen=True):
    """A protection that a server has a part in, with the names of its two servers, and what it was told to take over there."""

    id: str
    application: str
    role: str
    source: str
    target: str
    takeover: dict[str, Any] = {}


class SideInventory(msgspec.Struct, frozen=True):
    """All that is known of one server. ``unreachable`` is the reason when it did not answer."""

    name: ServerName
    unreachable: str = ""
    engine: EngineFacts | None = None
    hostname: str = ""
    addresses: tuple[AddressFacts, ...] = ()
    paths: tuple[PathFacts, ...] = ()
    listening: tuple[str, ...] = ()
    services: tuple[ServiceFacts, ...] = ()
    protections: tuple[str, ...] = ()
    target_of: tuple[str, ...] = ()
    replicas: tuple[ReplicaFacts, ...] = ()
    parts: tuple[OtherProtection, ...] | None = None
    """Every protection that it has a part in, this one as well; None where nobody asked."""
    captured: tuple[str, ...] = ()
    changed_scripts: tuple[tuple[str, str], ...] = ()
    """(protection, script) of what was edited on this host since its delivery."""
    takeover: dict[str, Any] | None = None
    """What its engine was told to take over, at the last enable; None where it knows nothing of the protection."""
    samba: Samba | None = None
    """Its file sharing; None where nobody asked, because the protection moves nothing of it."""
    windows: Windows | None = None
    """All that a Windows host says of itself; None on other platforms."""
    sql: SqlSide | None = None
    """Its SQL Server; None where nobody asked, because the protection is of something else."""
    queries: dict[str, Query] = {}

    def path(self, path: str) -> PathFacts | None:
        """What is known of a path, or None when nobody asked."""
        return next((one for one in self.paths if one.path == path), None)

    def service(self, name: str) -> ServiceFacts | None:
        """What is known of a service, or None."""
        return next((one for one in self.services if one.name == name), None)

    def origin(self, fact: str) -> str:
        """The question a group of facts came from, for reports."""
        query = self.queries.get(fact)
        return f"{query.asked} at {query.of}" if query else ""


class NameInventory(msgspec.Struct, frozen=True):
    """What the name service said. ``problems`` are pairs of a kind (key-refused, unreachable, zone-missing, other) and a sentence.

    ``resolves_to`` is what each listed server answers for the client name: (server, addresses). ``changes`` are those that a
    failover would make now: gathered here, so that a failover reads nothing from the source.
    """

    records: tuple[NameRecords, ...] = ()
    changes: NameChanges = NameChanges()
    resolves_to: tuple[tuple[str, tuple[str, ...]], ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    query: Query | None = None


class WitnessInventory(msgspec.Struct, frozen=True):
    """Whether the witness answers; ``problem`` says why not."""

    configured: bool
    problem: str = ""
    epoch: int | None = None
    holder: str = ""


class Inventory(msgspec.Struct, frozen=True):
    """Everything known about a pair at one moment."""

    taken_at_s: float
    source: SideInventory
    target: SideInventory
    names: NameInventory = NameInventory()
    witness: WitnessInventory = WitnessInventory(configured=False)
    paired: bool | None = None
    domain: DomainInventory = DomainInventory()

    def on(self, where: Where) -> SideInventory:
        """One side."""
        return self.target if where is Where.TARGET else self.source

    def age_s(self, now_s: float) -> float:
        """How old these facts are; never negative."""
        return max(0.0, now_s - self.taken_at_s)
