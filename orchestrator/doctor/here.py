"""What is asked from this machine, before anybody logs in: names both ways, ports, and the zone that the server's name lies in."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from orchestrator.directory.port import DirectoryAccess
from orchestrator.doctor.rows import Row, holds, unknown
from orchestrator.errors import DtamError
from orchestrator.model.servers import WINRM_PORT, WINRM_TLS_PORT, Server
from orchestrator.naming.adzones import AdZones

PORT_BUDGET_S = 5.0
SMB_PORT = 445
SECURE_ONLY, ANYBODY = 2, 1


def _addresses(name: str, port: int) -> tuple[str, ...]:
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return tuple(sorted({str(one[4][0]) for one in found}))


def _names(address: str) -> tuple[str, ...]:
    name, others, _ = socket.gethostbyaddr(address)
    return (name, *others)


def _connect(address: str, port: int) -> None:
    socket.create_connection((address, port), PORT_BUDGET_S).close()


@dataclass(frozen=True, slots=True)
class Here:
    """How this machine looks at the network; each function raises OSError where it finds nothing."""

    addresses: Callable[[str, int], tuple[str, ...]] = _addresses
    names: Callable[[str], tuple[str, ...]] = _names
    connect: Callable[[str, int], None] = _connect


def of_names(server: Server, here: Here) -> Iterator[Row]:
    """Whether its name leads to addresses, and they lead back."""
    own, at = str(server.name), server.own_winrm
    name = at.host_name or at.address
    forward, backward = f"{name} has an address", "its address leads back to its name"
    try:
        found = here.addresses(name, at.port)
    except OSError as error:
        yield holds(False, own, "DNS", forward, _said(error), "look at this machine's DNS servers")
        return
    yield holds(True, own, "DNS", forward, ", ".join(found))
    try:
        names = here.names(found[0])
    except OSError as error:
        yield unknown(
            own, "DNS", backward, f"{found[0]}: {_said(error)}", "Kerberos does not need it; administrators do"
        )
        return
    if _is_address(name):
        yield unknown(own, "DNS", backward, f"it is {names[0]}; the server is known by its address")
        return
    proof = name.rstrip(".").lower() in {one.rstrip(".").lower() for one in names}
    yield holds(proof, own, "DNS", backward, f"{found[0]} is {', '.join(names)}", "mend the PTR record")


def of_ports(server: Server, here: Here) -> Iterator[Row]:
    """Which ports take connections from here: that of WinRM must, those of SMB and of the other kind of WinRM may."""
    own, at = str(server.name), server.own_winrm
    needed = f"port {at.port} takes connections from here"
    try:
        here.connect(at.address, at.port)
    except OSError as error:
        advice = "on it: Enable-PSRemoting, and the firewall rules of Windows Remote Management"
        yield holds(False, own, "ports", needed, _said(error), advice)
        return
    yield holds(True, own, "ports", needed, "connected")
    other = WINRM_PORT if at.tls else WINRM_TLS_PORT
    why = f"dtam does not use it: this server is reached at port {at.port}"
    for port, not_needed in ((SMB_PORT, "only its clients need it: ask from one of them"), (other, why)):
        if port == at.port:
            continue
        assumption = f"port {port} takes connections from here"
        try:
            here.connect(at.address, port)
        except OSError as error:
            yield unknown(own, "ports", assumption, f"{_said(error)}; {not_needed}")
        else:
            yield holds(True, own, "ports", assumption, "connected")


def of_zone(server: Server, domain: str, access: DirectoryAccess | None) -> Row:
    """Whether the zone of its domain takes secure updates only, as the directory says it."""
    own, assumption = str(server.name), "the zone of its domain takes secure updates only"
    if access is None:
        why = "no protection of this server has failover.directory, and dtam has no ticket of its own there"
        return unknown(own, "DNS", assumption, why, "on a DNS server of the domain: Get-DnsServerZone, DynamicUpdate")
    try:
        zones = AdZones.open(access)
    except DtamError as error:
        return unknown(own, "DNS", assumption, str(error), error.hint)
    try:
        zone = zones.zone(f"{domain.rstrip('.')}.")
    finally:
        zones.close()
    if zone is None:
        return unknown(own, "DNS", assumption, f"the directory has no zone {domain}")
    updates = zone.properties.updates
    says = {SECURE_ONLY: "secure only", ANYBODY: "anybody may change it"}.get(updates, "it takes no updates")
    advice = "Set-DnsServerPrimaryZone -DynamicUpdate Secure on a DNS server of the domain"
    return holds(updates == SECURE_ONLY, own, "DNS", assumption, f"{zone.name} {says}", advice)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _said(error: OSError) -> str:
    return error.strerror or str(error)
