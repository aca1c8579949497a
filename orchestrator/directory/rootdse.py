"""What a controller says of itself (rootDSE, [MS-ADTS] 3.1.1.3.2), and what the configuration says of sites and controllers."""

from __future__ import annotations

import calendar
import ipaddress
import time
from typing import TYPE_CHECKING

from orchestrator.directory.filters import domain_of, filter_text, parent_of, site_of
from orchestrator.directory.locating import addresses
from orchestrator.directory.port import Controller, DirectoryAccess, DomainFacts, Entry

if TYPE_CHECKING:
    from orchestrator.directory.port import Directory

ROOT_WORDS = (
    "defaultNamingContext",
    "configurationNamingContext",
    "schemaNamingContext",
    "rootDomainNamingContext",
    "namingContexts",
    "dnsHostName",
    "serverName",
    "currentTime",
    "highestCommittedUSN",
)
_IS_GC = 1
_NS = 1_000_000_000


def facts_of(root: Entry, netbios: str) -> DomainFacts:
    """The facts in a rootDSE that was read with ``ROOT_WORDS``."""
    base = root.first("defaultNamingContext") or ""
    return DomainFacts(
        domain=domain_of(base),
        netbios=netbios,
        forest_root=domain_of(root.first("rootDomainNamingContext") or base),
        base_dn=base,
        config_dn=root.first("configurationNamingContext") or "",
        schema_dn=root.first("schemaNamingContext") or "",
        controller=(root.first("dnsHostName") or "").lower(),
        site=site_of(root.first("serverName") or ""),
        time_ns=_time_ns(root.first("currentTime") or ""),
        highest_usn=int(root.first("highestCommittedUSN") or 0),
        contexts=root.text("namingContexts"),
    )


def listed_controllers(directory: Directory, access: DirectoryAccess) -> tuple[Controller, ...]:
    """The controllers of the session's domain, as the configuration partition lists them."""
    facts = directory.facts()
    sites = f"CN=Sites,{facts.config_dn}"
    holds = f"(&(objectClass=nTDSDSA)(hasMasterNCs={filter_text(facts.base_dn)}))"
    agents = {parent_of(one.dn).lower(): one for one in directory.find(sites, holds, ["options"])}
    servers = directory.find(sites, "(&(objectClass=server)(dNSHostName=*))", ["dNSHostName"])
    named = [(one, (one.first("dNSHostName") or "").lower()) for one in servers if one.dn.lower() in agents]
    known = addresses(access, (name for _, name in named))
    return tuple(
        Controller(
            name=name,
            address=next(iter(known[name]), None),
            site=site_of(one.dn),
            is_gc=bool(int(agents[one.dn.lower()].first("options") or 0) & _IS_GC),
        )
        for one, name in sorted(named, key=lambda pair: pair[1])
    )


def site_of_address(directory: Directory, address: str) -> str | None:
    """The site whose subnets hold an address, the narrowest first; None when no subnet does."""
    ours = ipaddress.ip_address(address.partition("%")[0])
    nets = [ipaddress.ip_network((ours, length), strict=False) for length in range(ours.max_prefixlen, 0, -1)]
    wanted = "".join(f"(cn={net})" for net in nets)
    found = directory.find(
        f"CN=Subnets,CN=Sites,{directory.facts().config_dn}", f"(|{wanted})", ["cn", "siteObject"], "level"
    )
    sites = {one.first("cn"): one.first("siteObject") for one in found}
    dn = next((sites[str(net)] for net in nets if sites.get(str(net))), None)
    return None if dn is None else site_of(f",CN=Servers,{dn}")


def _time_ns(text: str) -> int:
    """Generalized time, such as ``20261121141500.0Z``; zero when it is not one."""
    try:
        return calendar.timegm(time.strptime(text[:14], "%Y%m%d%H%M%S")) * _NS
    except ValueError:
        return 0
