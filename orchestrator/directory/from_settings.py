"""How this machine gets into the domain of a protection: from its settings, for the directory itself and for signed updates of DNS."""

from __future__ import annotations

from pathlib import Path

from orchestrator.directory.port import DirectoryAccess
from orchestrator.model.settings import FailoverTab

DNS_PORT = "53"


def directory_access(failover: FailoverTab) -> DirectoryAccess | None:
    """The access of ``failover.directory``; None where the protection names no domain.

    Servers that take TSIG keys are not the domain's: its controllers are looked for as this machine is set up to.
    """
    given = failover.directory
    if given is None:
        return None
    return DirectoryAccess(
        domain=given.domain,
        controllers=given.controllers,
        principal=given.principal,
        keytab=_path(given.keytab_file),
        password_file=_path(given.password_file),
        ca_file=_path(given.ca_file),
        dns_servers=() if failover.dns.signing == "tsig" else resolvers(failover.dns.servers),
    )


def update_access(failover: FailoverTab) -> DirectoryAccess | None:
    """The access with which updates of DNS are signed; None where they are not signed with Kerberos."""
    if failover.dns.signing != "kerberos":
        return None
    dns, given = failover.dns, failover.directory
    own_key = dns.keytab_file or dns.principal
    return DirectoryAccess(
        domain=dns.domain or (given.domain if given else ""),
        controllers=given.controllers if given else (),
        principal=dns.principal if own_key or given is None else given.principal,
        keytab=_path(dns.keytab_file if own_key or given is None else given.keytab_file),
        password_file=None if own_key or given is None else _path(given.password_file),
        ca_file=_path(given.ca_file) if given else None,
        dns_servers=resolvers(dns.servers),
    )


def resolvers(servers: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the DNS servers that listen where resolvers ask, as plain addresses."""
    found = [server.rpartition(":") if server.count(":") == 1 else (server, "", DNS_PORT) for server in servers]
    return tuple(address for address, _, port in found if port == DNS_PORT)


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
