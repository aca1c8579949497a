"""Settings of a DNS failover: servers, how updates are signed, which address gives way to which."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from orchestrator.model.fields import AbsolutePath, DomainName, IpAddress, NameServerAddress, Principal, Tab


class AddressPair(Tab):
    """A monitored source address and the target address that takes its place in DNS."""

    source: IpAddress
    target: IpAddress


class DnsSettings(Tab):
    """DNS failover. ``key_file`` names a TSIG key file of mode 0600 on this machine.

    ``ttl_s`` is the TTL of the clients' records while they are protected: enable sets it, disable puts back what was; None
    keeps the records' own.
    ``target_key_file`` is where the same key lies on the target, whose script changes DNS when nobody else is alive.
    ``security``: how updates are signed; without it tsig when there is a key file, kerberos when there is a keytab, else none.
    For Kerberos ``domain``, ``principal`` and ``keytab_file`` stand in for those of failover.directory.
    ``source_key_files`` are copies of keys that the source has: validation demands that none of them may write the clients' name.
    ``refresh_interval_s``: while the target serves, it registers the moved records again that often, so that scavenging never takes
    them; None: never.
    ``client_server`` is the listed server that is asked as a client first, and written first where it holds the zone; else the zone tells.
    ``ttl_limit_s`` is the TTL above which validation complains: clients would go on asking the dead server for that long.
    """

    servers: Annotated[tuple[NameServerAddress, ...], Field(max_length=64)] = ()
    client_server: NameServerAddress | None = None
    security: Literal["tsig", "kerberos", "none"] | None = None
    key_file: AbsolutePath | None = None
    target_key_file: AbsolutePath | None = None
    domain: DomainName | None = None
    principal: Principal | None = None
    keytab_file: AbsolutePath | None = None
    target_principal: Principal | None = None
    target_keytab_file: AbsolutePath | None = None
    source_key_files: Annotated[tuple[AbsolutePath, ...], Field(max_length=20)] = ()
    zones: Annotated[tuple[Annotated[str, Field(max_length=253)], ...], Field(max_length=100)] = ()
    addresses: Annotated[tuple[AddressPair, ...], Field(max_length=64)] = ()
    ttl_s: Annotated[int, Field(ge=0, le=604800)] | None = None
    ttl_limit_s: Annotated[int, Field(ge=1, le=604800)] = 300
    refresh_interval_s: Annotated[int, Field(ge=1, le=31_536_000)] | None = 86400

    @property
    def in_order(self) -> tuple[str, ...]:
        """The servers, the clients' first."""
        return tuple(sorted(self.servers, key=lambda one: one != self.client_server))

    @model_validator(mode="after")
    def _client_server_listed(self) -> Self:
        if self.client_server is not None and self.client_server not in self.servers:
            msg = f"client_server {self.client_server} is none of servers: list it there"
            raise ValueError(msg)
        return self

    @property
    def signing(self) -> Literal["tsig", "kerberos", "none"]:
        """How updates are signed: as chosen, else by what key there is."""
        if self.security is not None:
            return self.security
        return "tsig" if self.key_file else "kerberos" if self.keytab_file else "none"

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.signing == "tsig" and self.key_file is None:
            msg = "security tsig needs key_file"
            raise ValueError(msg)
        if self.signing != "tsig" and self.key_file is not None:
            msg = f"key_file is given but security is {self.signing}: leave one of the two out"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for side in ("source", "target"):
            seen = [getattr(pair, side) for pair in self.addresses]
            again = sorted({one for one in seen if seen.count(one) > 1})
            if again:
                msg = f"{side} address {again[0]} is used more than once: each source address needs its own target address"
                raise ValueError(msg)
        return self
