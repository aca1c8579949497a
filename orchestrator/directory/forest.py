"""The whole forest: its domains, and the global catalogs that know some of every object in it ([MS-ADTS] 3.1.1.1.8, 3.1.1.3.1.1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.directory.filters import parent_of, site_of
from orchestrator.directory.locating import Candidate, addresses

if TYPE_CHECKING:
    from orchestrator.directory.port import Directory, DirectoryAccess, DomainFacts

PLAIN_PORT, TLS_PORT = 3268, 3269
_IS_DOMAIN = "(&(objectClass=crossRef)(systemFlags:1.2.840.113556.1.4.803:=2))"
_IS_CATALOG = "(&(objectClass=nTDSDSA)(options:1.2.840.113556.1.4.803:=1))"


def listed_domains(directory: Directory, facts: DomainFacts) -> tuple[str, ...]:
    """The domains that the configuration partition lists, by DNS name."""
    found = directory.find(f"CN=Partitions,{facts.config_dn}", _IS_DOMAIN, ["dnsRoot"], "level")
    return tuple(sorted({(one.first("dnsRoot") or "").lower() for one in found} - {""}))


def catalogs(directory: Directory, access: DirectoryAccess, facts: DomainFacts) -> tuple[Candidate, ...]:
    """Where global catalogs are: on the session's own controller first, then in its site and its domain, then elsewhere."""
    sites = f"CN=Sites,{facts.config_dn}"
    agents = {parent_of(one.dn).lower() for one in directory.find(sites, _IS_CATALOG, ["cn"])}
    servers = directory.find(sites, "(&(objectClass=server)(dNSHostName=*))", ["dNSHostName"])
    named = {(one.first("dNSHostName") or "").lower(): site_of(one.dn) for one in servers if one.dn.lower() in agents}
    ordered = sorted(
        named,
        key=lambda name: (
            name != facts.controller,
            named[name] != facts.site,
            not name.endswith(f".{facts.domain.lower()}"),
            name,
        ),
    )
    known = addresses(access, ordered)
    return tuple(Candidate(address, name) for name in ordered for address in known[name][:1])
