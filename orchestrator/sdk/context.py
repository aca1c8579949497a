"""What a verb may touch: the ports of one protection, and the clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from orchestrator.model.host import Host
from orchestrator.model.outcomes import GiveUp
from orchestrator.model.ports import Clients, DomainView, Grants, NameService, Replication, ServiceNames, WitnessView
from orchestrator.model.servers import Where
from orchestrator.model.sqlport import SqlServers


@dataclass(frozen=True, slots=True)
class Ports:
    """The world of one protection.

    ``names`` is None without DNS servers in the settings, ``witness`` without a witness, ``domain`` without a directory, ``sql`` without failover.sql. ``now`` gives seconds since the epoch. ``hosts`` holds ``Where.SOURCE`` and ``Where.TARGET``.
    """

    hosts: Mapping[Where, Host]
    replication: Replication
    clients: Clients
    now: Callable[[], float]
    names: NameService | None = None
    witness: WitnessView | None = None
    domain: DomainView | None = None
    texts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    grants: Grants | None = None
    service_names: ServiceNames | None = None
    sql: SqlServers | None = None

    def host(self, where: str) -> Host:
        """The host of a side."""
        return self.hosts[Where(where)]

    @property
    def epoch_grants(self) -> Grants:
        """Who grants epochs here; GiveUp where the target's own engine does it."""
        if self.grants is None:
            raise GiveUp(
                "the target's engine asks for its epochs itself", "is this plan made for a target without engine?"
            )
        return self.grants

    @property
    def name_service(self) -> NameService:
        """The name service; GiveUp when the protection has none."""
        if self.names is None:
            raise GiveUp("no DNS server is configured", "give failover.dns.servers in the protection file")
        return self.names

    @property
    def accounts(self) -> ServiceNames:
        """Who moves service names from here; GiveUp when the protection names no domain."""
        if self.service_names is None:
            raise GiveUp("no domain is configured", "give failover.directory in the protection file")
        return self.service_names

    @property
    def sql_servers(self) -> SqlServers:
        """The instances of both servers; GiveUp when the protection is not of SQL Server."""
        if self.sql is None:
            raise GiveUp("no SQL Server is configured", "give failover.sql in the protection file")
        return self.sql
