"""The Failover tab: what the target takes over, and how."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from orchestrator.model.fields import Tab
from orchestrator.model.settings_cluster import ClusterSettings
from orchestrator.model.settings_domain import (
    DirectorySettings,
    IdentitySettings,
    ItemSettings,
    SambaSettings,
    WindowsSettings,
)
from orchestrator.model.settings_names import DnsSettings
from orchestrator.model.settings_services import HealthSettings, Seconds, ServiceSettings
from orchestrator.model.settings_sql import SqlSettings

Item = Literal["addresses", "name", "shares", "spns"]


class FailoverTab(Tab):
    """What happens when the target takes over.

    ``type`` dns changes the records of the clients' name; identity takes the source's addresses over, on the same subnet only.
    ``samba`` says that the source shares files by Samba, ``windows`` that it is a Windows file server, ``sql`` that SQL Server is protected; ``directory`` the domain whose accounts give their service names away.
    ``cluster``: both sides are clusters, whose resources are brought online instead of services; by a DNS failover only.
    ``not_awaited``: scripts whose end nothing waits for: of a failover's the whole, of a failback's people's own part. ``wait`` false: none is.
    ``settle``: apply what had arrived before the loss (apply), or drop what was queued (discard). Where the target's data is not good, an
    automatic failover goes back to its last good state, if that was kept.
    """

    type: Literal["dns", "identity"] = "dns"
    items: ItemSettings = ItemSettings()
    dns: DnsSettings = DnsSettings()
    identity: IdentitySettings = IdentitySettings()
    directory: DirectorySettings | None = None
    samba: SambaSettings | None = None
    windows: WindowsSettings | None = None
    sql: SqlSettings | None = None
    cluster: ClusterSettings | None = None
    services: Annotated[tuple[ServiceSettings, ...], Field(max_length=200)] = ()
    health: HealthSettings = HealthSettings()
    settle: Literal["apply", "discard"] = "apply"
    settle_timeout_s: Seconds = 300.0
    wait: bool = True
    not_awaited: tuple[Literal["pre_failover", "post_failover", "pre_failback", "post_failback"], ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [service.name for service in self.services]
        again = sorted({name for name in names if names.count(name) > 1})
        if again:
            msg = f"service {again[0]} is listed more than once"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _items_can_move(self) -> Self:
        for why in self._impossible():
            raise ValueError(why)
        return self

    def _impossible(self) -> Iterator[str]:
        if self.items.addresses and self.type == "dns":
            yield "items.addresses needs type: identity; a DNS failover leads names to the target's own addresses"
        if self.items.spns and self.directory is None:
            yield "items.spns needs directory: the domain whose accounts hold the service names"
        if self.samba is not None and self.windows is not None:
            yield "samba and windows are two kinds of file server: give one of both"
        if self.sql is not None and self.shares_files:
            yield "sql and a file server are two applications: give each a protection of its own"
        yield from self._not_in_a_cluster()
        if (self.items.shares or self.items.name) and not self.shares_files:
            yield "items.name and items.shares need samba or windows: what shares the files out"
        if self.fails_over("addresses") and not self.identity.addresses:
            yield "an identity failover needs identity.addresses, or items.addresses: false"
        if self.dns.signing == "kerberos" and self.dns.domain is None and self.directory is None:
            yield "dns.security kerberos needs dns.domain or directory"

    def _not_in_a_cluster(self) -> Iterator[str]:
        if self.cluster is None:
            return
        if self.type != "dns":
            yield "a cluster fails over by DNS only: type: dns"
        if self.services:
            yield "cluster.resources stand in for services: leave services out, or cluster"

    def waits_for(self, script: str) -> bool:
        """Whether what follows a script begins only when it has ended."""
        return self.wait and script not in self.not_awaited

    def fails_over(self, item: Item) -> bool:
        """Whether an item moves: as chosen, else what a Samba file server needs."""
        chosen: bool | None = getattr(self.items, item)
        if chosen is not None:
            return chosen
        if item == "addresses":
            return self.type == "identity"
        if item == "spns":
            return self.directory is not None and (self.shares_files or self.sql is not None)
        return self.shares_files

    @property
    def shares_files(self) -> bool:
        """Whether shares, names and service names move with the data."""
        return self.samba is not None or self.windows is not None

    @property
    def moves_names(self) -> bool:
        """Whether records in DNS are changed."""
        return self.type == "dns" and bool(self.dns.servers)
