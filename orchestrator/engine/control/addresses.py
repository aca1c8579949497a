"""The source's addresses that its target may take over: off this host while the protection is fenced, back when it is open.

A source that comes back from the dead would answer for an address that its target has by now, so the fence takes it off the interface
before anything else is reached, whatever the system's network configuration did at boot. Interface and prefix are on disk before an
address goes. Linux only, by ``ip`` of iproute2; where it refuses, the fence says so and tries again.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from orchestrator.engine.control import hostfacts, hostnaming, store
from orchestrator.engine.control.answers import NetworkFacts
from orchestrator.engine.control.errors import ServiceFailed
from orchestrator.engine.control.schema import Protection

BUDGET_S = 5.0
ARP, ARP_REQUEST, BROADCAST = 0x0806, 1, b"\xff" * 6


class Place(BaseModel):
    """Where an address belongs: its interface and prefix length."""

    interface: str
    prefix: int


class AddressBook(BaseModel):
    """The place of each address as it was seen last."""

    places: dict[str, Place] = {}


class Addresses:
    """The addresses of one protection; its memory is ``path``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def release(self, document: Protection) -> list[str]:
        """Take every address off that is still here; gives those.

        Raises:
            ServiceFailed: ``ip`` refuses.
        """
        wanted = set(wanted_addresses(document))
        if not wanted & {one.address for one in hostfacts.interface_addresses()}:
            return []
        here = [one for one in hostnaming.networks() if one.address in wanted]
        if not here:
            return []
        self._remember(here)
        for one in here:
            _keep_its_neighbours(one.interface)
            _ip("delete", f"{one.address}/{one.prefix}", one.interface)
        return [one.address for one in here]

    def hold(self, document: Protection) -> list[str]:
        """Put back and announce what is not here; gives those.

        Raises:
            ServiceFailed: ``ip`` refuses.
        """
        wanted, book = set(wanted_addresses(document)), self._book()
        if not wanted:
            return []
        here = {one.address: one for one in hostnaming.networks() if one.address in wanted}
        back = {address: place for address, place in book.places.items() if address in wanted and address not in here}
        for address, place in back.items():
            _ip("add", f"{address}/{place.prefix}", place.interface)
        for address, place in back.items():
            announce(place.interface, address)
        self._remember(here.values())
        return list(back)

    def _remember(self, here: Iterable[NetworkFacts]) -> None:
        """Where each address was seen last is on disk, also when the host loses its power while it has it."""
        places = {one.address: Place(interface=one.interface, prefix=one.prefix) for one in here}
        known = self._book()
        if places and known.places != known.places | places:
            store.save(self._path, AddressBook(places=known.places | places))

    def _book(self) -> AddressBook:
        return store.load(self._path, AddressBook) if self._path.exists() else AddressBook()


def wanted_addresses(document: Protection) -> Iterable[str]:
    """The addresses that this protection's target takes over."""
    given: dict[str, Any] = document.takeover.get("addresses") or {}
    return [str(ipaddress.ip_address(one["address"])) for one in given.get("addresses", ())]


def announce(interface: str, address: str) -> None:
    """Tell the neighbours of an IPv4 address where it is now; without that they would find out by themselves, later."""
    place = ipaddress.ip_address(address)
    if place.version != 4:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP)) as link:
        link.bind((interface, ARP))
        mac = link.getsockname()[4]
        head = struct.pack("!6s6sH", BROADCAST, mac, ARP)
        body = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, ARP_REQUEST, mac, place.packed, b"\0" * 6, place.packed)
        link.send(head + body)


def _keep_its_neighbours(interface: str) -> None:
    """Linux deletes all addresses of a subnet with its first one, unless it is told to promote the next."""
    with contextlib.suppress(OSError):
        Path(f"/proc/sys/net/ipv4/conf/{interface}/promote_secondaries").write_text("1\n", encoding="ascii")


def _ip(deed: str, address: str, interface: str) -> None:
    command = ["ip", "address", deed, address, "dev", interface]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=BUDGET_S, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceFailed(name=address, deed=deed, why=str(error), output=" ".join(command)) from error
    if done.returncode != 0 and "File exists" not in done.stderr and "Cannot assign" not in done.stderr:
        raise ServiceFailed(name=address, deed=deed, why=done.stderr.strip(), output=" ".join(command))
