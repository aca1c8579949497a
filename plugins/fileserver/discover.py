"""What the plugin proposes for a pair: addresses to watch and to swap in DNS, and for a Samba server its shares, data and services.

There is no directory of Linux file servers: servers are those that were added to dtam, and any of them may be either side.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from orchestrator.model.inventory import Inventory
from orchestrator.model.servers import Pair
from orchestrator.model.settings import ConnectionTab
from orchestrator.sdk.addressing import address_pairs, resolvers, takeable
from plugins.fileserver import sharing

NAME = "fileprint"
SMBD: dict[str, Any] = {"name": "smbd", "unit": "smbd", "grace_s": 10.0}
HEALTH: dict[str, Any] = {
    "command": ["smbclient", "--machine-pass", "--use-kerberos=required", "//{name}/IPC$", "-c", "exit"],
    "timeout_s": 15.0,
}
"""Asked on the target with its own account, as any client of the domain would ask, with a ticket for the clients' name."""


def defaults(
    pair: Pair, found: Inventory | None = None, given: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """Source addresses are watched, and each gives way to a target address of its own family, in order.

    ``found``: what both sides say of their shares; ``given``: the settings that people gave, as far as the proposal depends on them.
    """
    pairs = address_pairs(pair.source.addresses, pair.target.addresses)
    failover: dict[str, Any] = {"dns": {"addresses": [{"source": one, "target": other} for one, other in pairs]}}
    proposed = {
        "application": NAME,
        "source": pair.source.name,
        "target": pair.target.name,
        "monitoring": {"addresses": list(pair.source.addresses)},
        "failover": failover,
    }
    return proposed | _of_samba(pair, found, given, failover) if found else proposed


def _of_samba(pair: Pair, found: Inventory, given: Mapping[str, Any], failover: dict[str, Any]) -> dict[str, Any]:
    """The data of the chosen shares and further volumes, Samba's own daemon, and the addresses that the target could take."""
    tab = _connection(given)
    shares = sharing.selected(found.source.samba, tab.shares)
    volumes = {one.source_path: one.target_path for one in tab.volumes}
    roots = [
        {"source_path": path, "target_path": volumes.get(path)} for path in sharing.roots_of(shares, tuple(volumes))
    ]
    others = [one for one in pair.source.addresses if one != pair.source.address]
    taken = {"identity": {"addresses": takeable(others, found)}}
    _propose_servers(found, failover)
    served = {"samba": {}, "services": [SMBD], "health": HEALTH} if shares else {}
    return {"failover": failover | taken | served, "connection": {"roots": roots}}


def _propose_servers(found: Inventory, failover: dict[str, Any]) -> None:
    """The DNS servers that either side asks hold the clients' name, or know who does; people may name others."""
    if servers := resolvers(found):
        failover["dns"] = failover["dns"] | {"servers": servers}


def _connection(given: Mapping[str, Any]) -> ConnectionTab:
    """What people chose of shares and volumes; what cannot be read is told when the settings are made."""
    chosen = {
        name: value for name, value in dict(given.get("connection") or {}).items() if name in {"shares", "volumes"}
    }
    try:
        return ConnectionTab.model_validate(chosen)
    except ValidationError:
        return ConnectionTab()
