"""What both platforms say of a server in different places (its account, hosts lines, networks, clock), and what settings say of a side."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.inventory import SideInventory
from orchestrator.model.paths import inside
from orchestrator.model.servers import Where
from orchestrator.model.settings import Root, Settings
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


def root_of(settings: Settings, path: str) -> Root | None:
    """The protected directory that a path lies in."""
    return next((root for root in settings.connection.roots if inside(path, root.source_path)), None)


def target_keys(settings: Settings, account: str) -> list[tuple[str, str]]:
    """(keytab, principal) of each key that the target's script signs with; without a principal it is the target's own account."""
    directory, dns = settings.failover.directory, settings.failover.dns
    domain = (directory.domain if directory else dns.domain or "").upper()
    given = [
        (directory.target_keytab_file, directory.target_principal) if directory else (None, None),
        (dns.target_keytab_file, dns.target_principal),
    ]
    return [(path, _full(principal or f"{account}$", domain)) for path, principal in given if path]


def _full(principal: str, realm: str) -> str:
    user = principal.rpartition("\\")[2]
    return user if "@" in user else f"{user}@{realm}"


def volumes(settings: Settings, where: Where) -> Iterator[str]:
    """The volumes of data on a side, by their drives, each once."""
    options = settings.connection.storage_replica
    if options is not None and options.volumes:
        given = [one.on_target if where is Where.TARGET else one.source for one in options.volumes]
    else:
        given = [root.on(where)[:2] for root in settings.connection.roots]
    yield from dict.fromkeys(given)
