"""What the plugin proposes for a pair: addresses to watch and to swap in DNS, and how the service is asked, where it can tell.

There is no directory of Linux file servers: servers are those that were added to dtam, and any of them may be either side.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from orchestrator.model.inventory import Inventory
from orchestrator.model.servers import Pair

NAME = "fileprint"


def defaults(pair: Pair, _inventory: Inventory | None = None) -> dict[str, Any]:
    """Source addresses are watched, and each gives way to a target address of its own family, in order."""
    pairs = address_pairs(pair.source.addresses, pair.target.addresses)
    return {
        "application": NAME,
        "source": pair.source.name,
        "target": pair.target.name,
        "monitoring": {"addresses": list(pair.source.addresses)},
        "failover": {"dns": {"addresses": [{"source": one, "target": other} for one, other in pairs]}},
    }


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
