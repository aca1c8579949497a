"""What both platforms say of a server in different places: hosts lines, networks, its clock."""

from __future__ import annotations

from orchestrator.model.inventory import SideInventory
from orchestrator.model.shares import HostsLine, Network


def hosts_lines(side: SideInventory) -> tuple[HostsLine, ...]:
    """The lines of its hosts file."""
    found = side.samba or side.windows
    return found.hosts if found else ()


def hosts_path(side: SideInventory) -> str:
    """Where that file is."""
    return r"C:\Windows\System32\drivers\etc\hosts" if side.windows else "/etc/hosts"


def networks(side: SideInventory) -> tuple[Network, ...]:
    """Its addresses with their interfaces."""
    if side.windows is None:
        return side.samba.networks if side.samba else ()
    return tuple(Network(one.address, one.prefix, one.interface, one.dynamic) for one in side.windows.addresses)


def clock_offset_s(side: SideInventory) -> tuple[str, float] | None:
    """The server's name and its clock minus ours."""
    if side.engine is not None:
        return side.engine.name, side.engine.clock_offset_s
    if side.windows is not None and side.windows.clock_offset_s is not None:
        return str(side.name), side.windows.clock_offset_s
    return None
