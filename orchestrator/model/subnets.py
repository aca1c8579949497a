"""When an address may be taken over: only where routers would lead packets for it to the taker. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_interface

WHY_NOT_ACROSS = (
    "Routers send packets for an address to its own subnet, so clients would not reach it there; source and target must share a "
    "subnet (a VPN can make them), or routers must be led over by a script, with nothing else in the source's subnet"
)


def on_link(address: str, networks: Iterable[str]) -> bool:
    """Whether an address belongs to one of a network interface's own networks, written as ``10.0.0.20/24``.

    >>> on_link("10.0.0.10", ["10.0.0.20/24"]), on_link("10.0.1.10", ["10.0.0.20/24"])
    (True, False)
    """
    wanted = ip_address(address)
    own = [ip_interface(one).network for one in networks]
    return any(wanted.version == one.version and wanted in one and one.prefixlen < one.max_prefixlen for one in own)
