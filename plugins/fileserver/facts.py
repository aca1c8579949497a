"""What both platforms say of a server in different places: its account, hosts lines, networks, its clock."""

from __future__ import annotations

from orchestrator.model.inventory import SideInventory
from orchestrator.model.shares import HostsLine, Network


def account_of(side: SideInventory) -> str:
    """The name of its account in the domain: its NetBIOS name where it says it."""
    if side.windows is not None and side.windows.computer_name:
        return side.windows.computer_name
    return side.samba.netbios_name if side.samba and side.samba.netbios_name else str(side.name)


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
