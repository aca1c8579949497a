"""Which address of the source gives way to which of the target: by DNS, or taken over; and who is asked for names."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from orchestrator.model.inventory import Inventory
from orchestrator.model.subnets import on_link
from orchestrator.sdk.sides import networks


def takeable(addresses: Iterable[str], found: Inventory) -> list[dict[str, Any]]:
    """The source's addresses that an interface of the target shares a subnet with."""
    ours, theirs = networks(found.source), networks(found.target)
    pairs = ((one, net) for one in addresses for net in theirs if on_link(one, [f"{net.address}/{net.prefix}"]))
    interfaces = {address: net.interface for address, net in reversed(tuple(pairs))}
    prefixes = {net.address: net.prefix for net in ours}
    return [
        {"source": one, "interface": interfaces[one], "prefix": prefixes.get(one)}
        for one in addresses
        if one in interfaces
    ]


def resolvers(found: Inventory) -> list[str]:
    """The DNS servers that either side asks, each once: they hold the clients' name, or know who does."""
    samba = (address for side in (found.source, found.target) if side.samba for address in side.samba.resolvers)
    clients = (one for side in (found.source, found.target) if side.windows for one in side.windows.dns_clients)
    return list(dict.fromkeys((*samba, *(address for one in clients for address in one.servers))))


def address_pairs(sources: tuple[str, ...], targets: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Source to target addresses of one family, each target once; sources for which none is left stay out."""
    left = list(targets)
    pairs: list[tuple[str, str]] = []
    for source in sources:
        match = next((one for one in left if _family(one) == _family(source)), None)
        if match is not None:
            left.remove(match)
            pairs.append((source, match))
    return tuple(pairs)


def _family(address: str) -> int:
    return ipaddress.ip_address(address).version
