"""The source's addresses that its target may take over: off this host while the protection is fenced, back when it is open.

A source that comes back from the dead would answer for an address that its target has by now, so the fence takes it off the interface
before anything else is reached, whatever the system's network configuration did at boot. Interface and prefix are on disk before an
address goes. It comes back only where nobody else answers for it. Linux only, by ``ip`` of iproute2; where it refuses, the fence says so and
tries again.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from orchestrator.engine.control import hostfacts, hostnaming, neighbours, store
from orchestrator.engine.control.answers import NetworkFacts
from orchestrator.engine.control.errors import ServiceFailed
from orchestrator.engine.control.schema import Protection

BUDGET_S = 5.0


class Place(BaseModel):
    """Where an address belongs: its interface and prefix length."""

    interface: str
    prefix: int


class AddressBook(BaseModel):
    """The place of each address as it was seen last."""

    places: dict[str, Place] = {}


@dataclass(frozen=True, slots=True)
class Held:
    """What was put back, and why the rest was not, by address."""

    back: tuple[str, ...] = ()
    why: Mapping[str, str] = field(default_factory=dict)


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

    def hold(self, document: Protection) -> Held:
        """Put back and announce what is not here, but nothing that somebody else answers for, or whose interface is gone."""
        wanted, book = set(wanted_addresses(document)), self._book()
        if not wanted:
            return Held()
        here = {one.address: one for one in hostnaming.networks() if one.address in wanted}
        self._remember(here.values())
        away = {address: place for address, place in book.places.items() if address in wanted and address not in here}
        why = _refusals(away)
        back = {address: place for address, place in away.items() if address not in why}
        for address, place in back.items():
            try:
                _ip("add", f"{address}/{place.prefix}", place.interface)
            except ServiceFailed as error:
                why[address] = str(error)
            else:
                neighbours.announce(place.interface, address)
        return Held(tuple(one for one in back if one not in why), why)

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


def _refusals(away: Mapping[str, Place]) -> dict[str, str]:
    """Why an address must not be put back, by address."""
    why: dict[str, str] = {}
    names = {name for _, name in socket.if_nameindex()}
    for interface in {place.interface for place in away.values()}:
        own = [address for address, place in away.items() if place.interface == interface]
        if interface not in names:
            gone = f"there is no interface {interface} any more; add it by hand where it belongs now (ip address add)"
            why |= dict.fromkeys(own, gone)
            continue
        try:
            others = neighbours.answering(interface, own)
        except OSError as error:
            why |= dict.fromkeys(own, f"{interface} cannot be asked who has it: {error.strerror or error}")
        else:
            why |= {address: f"{mac} answers for it on {interface}" for address, mac in others.items()}
    return why


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
