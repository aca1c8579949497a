"""Addresses of the source on network interfaces of the target: taken over, announced, given back.

Nothing is taken while somebody answers for it: IPv4 is asked with ARP probes before anything changes; IPv6 by the kernel's own
duplicate address detection, and an address that it finds in use is removed again. Nothing is taken across subnets, unless the document says
that routers are led over. Nothing is taken that was there already, so giving back removes exactly what was added.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from orchestrator.identity import taken
from orchestrator.identity.errors import (
    AcrossSubnets,
    AddressInUse,
    DocumentInvalid,
    InterfaceUnusable,
    ProgramFailed,
    TakenUnusable,
)
from orchestrator.identity.report import Line, Report
from orchestrator.identity.running import Runner, need
from orchestrator.identity.wire import Wire
from orchestrator.model.subnets import WHY_NOT_ACROSS, on_link

Answer = TypeVar("Answer")
DETECTION_BUDGET_S = 5.0
_POLL_S = 0.1
_AT_ONCE = 32


class WantedAddress(msgspec.Struct, frozen=True):
    """An address of the source, the prefix length of its network, and the interface here that is to have it."""

    address: str
    prefix: int
    interface: str

    @property
    def text(self) -> str:
        """As ``ip address`` writes it."""
        return f"{self.address}/{self.prefix}"

    @property
    def ip(self) -> IPv4Address | IPv6Address:
        """The address alone."""
        return ip_address(self.address)


class AddressDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be taken over. ``across_subnets``: routers are led over by a script, so another subnet is meant."""

    addresses: tuple[WantedAddress, ...] = ()
    conflict_check: bool = True
    across_subnets: bool = False


class TakenAddresses(msgspec.Struct, frozen=True):
    """The undo: what was added."""

    phase: str
    added: tuple[WantedAddress, ...]


class Interface(msgspec.Struct, frozen=True):
    """A network interface: whether it can carry anything, and its addresses as ``address/prefix`` with their flags."""

    name: str
    carries: bool
    addresses: Mapping[str, frozenset[str]] = {}

    @property
    def routable(self) -> tuple[str, ...]:
        """Its addresses but the link-local ones."""
        return tuple(one for one in self.addresses if not ip_interface(one).is_link_local)

    def has(self, wanted: WantedAddress) -> bool:
        """Whether it has the address, whatever the prefix."""
        return any(ip_interface(one).ip == wanted.ip for one in self.addresses)


def read_interfaces(text: str) -> dict[str, Interface]:
    """From what ``ip -json address show`` printed."""
    return {one["ifname"]: _interface(one) for one in msgspec.json.decode(text or "[]") if one.get("ifname")}


def _interface(facts: Mapping[str, Any]) -> Interface:
    flags = facts.get("flags", ())
    addresses = {
        f"{one['local']}/{one['prefixlen']}": frozenset(word for word, value in one.items() if value is True)
        for one in facts.get("addr_info", ())
        if one.get("local")
    }
    return Interface(facts["ifname"], "UP" in flags and "LOWER_UP" in flags, addresses)


def refuse(document: AddressDocument, interfaces: Mapping[str, Interface], ours: Sequence[WantedAddress]) -> None:
    """Whether each address may be taken at all, seen from this host alone. ``ours``: what an earlier run added.

    Raises:
        DocumentInvalid: an address has no form.
        InterfaceUnusable: there is no such interface, it is down, or another one has the address.
        AcrossSubnets: the interface is in another subnet.
    """
    mine = {(one.interface, one.ip) for one in ours}
    for one in document.addresses:
        _refuse_form(one)
        interface = interfaces.get(one.interface)
        if interface is None or not interface.carries:
            reason = "it is down" if interface else "there is none of that name"
            raise InterfaceUnusable(interface=one.interface, address=one.address, reason=reason)
        for other in interfaces.values():
            if other.name != one.interface and other.has(one):
                raise InterfaceUnusable(interface=one.interface, address=one.address, reason=f"{other.name} has it")
        own = [text for text in interface.routable if (one.interface, ip_interface(text).ip) not in mine]
        if not document.across_subnets and not interface.has(one) and not on_link(one.address, own):
            networks = ", ".join(str(ip_interface(text).network) for text in own) or "no subnet"
            raise AcrossSubnets(
                address=one.address, interface=one.interface, networks=networks, why=f"{WHY_NOT_ACROSS}."
            )


def _refuse_form(one: WantedAddress) -> None:
    try:
        ip = ip_interface(one.text)
    except ValueError as error:
        raise DocumentInvalid(reason=f"{error}") from error
    if ip.is_loopback or ip.is_multicast or ip.is_unspecified or ip.is_link_local:
        raise DocumentInvalid(reason=f"{one.address} belongs to no server")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Takes, gives back and shows."""

    runner: Runner
    wire: Wire
    undo: Path
    sleep: Callable[[float], None] = time.sleep

    def show(self, document: AddressDocument) -> Report:
        """Which of the addresses are here."""
        for one in document.addresses:
            _refuse_form(one)
        here = self._interfaces()
        lines = tuple(_line(one, "taken" if _is_here(one, here) else "not-taken") for one in document.addresses)
        return Report("show", all(_is_here(one, here) for one in document.addresses), lines)

    def plan(self, document: AddressDocument) -> Report:
        """What ``take`` would do. A source that still answers is told, not refused: it is there while nothing has happened."""
        missing = self._missing(document)
        owners = self._owners(missing, document)
        lines = (_planned(one, owners[one]) if one in owners else _line(one, "already") for one in document.addresses)
        return Report("take", not missing, tuple(lines))

    def take(self, document: AddressDocument) -> Report:
        """Every address is here and announced; also those that an earlier run took are announced again.

        Raises:
            AddressInUse: somebody answers for one; none was taken.
            AcrossSubnets, InterfaceUnusable, DocumentInvalid: see ``refuse``; also where this process may not ask or tell the network.
            ProgramFailed: ``ip`` refused.
        """
        missing = self._missing(document)
        for one, by in self._owners(missing, document).items():
            if by is not None:
                raise AddressInUse(address=one.address, interface=one.interface, by=by)
        kept = self._kept()
        if missing:
            added = dict.fromkeys((*(kept.added if kept else ()), *missing))
            taken.save(self.undo, TakenAddresses(taken.OUT, tuple(added)))
        for one in missing:
            self._add(one, document)
        _at_once(self._announce, document.addresses)
        lines = (_line(one, "taken" if one in missing else "already") for one in document.addresses)
        return Report("take", so=True, lines=tuple(lines))

    def plan_back(self) -> Report:
        """What ``back`` would do."""
        kept, here = self._kept(), self._interfaces()
        added = kept.added if kept else ()
        lines = tuple(_line(one, "would-give-back" if _is_here(one, here) else "already") for one in added)
        return Report("back", not any(_is_here(one, here) for one in added), lines)

    def back(self) -> Report:
        """Remove exactly what was added.

        Raises:
            ProgramFailed: ``ip`` refused.
        """
        kept, here = self._kept(), self._interfaces()
        lines = []
        for one in kept.added if kept else ():
            there = _is_here(one, here)
            if there:
                self._remove(one, here)
                here = self._interfaces()  # others of its subnet may have gone with it
            lines.append(_line(one, "given-back" if there else "already"))
        taken.retire(self.undo)
        return Report("back", so=True, lines=tuple(lines), remarks=() if kept else ("nothing was taken",))

    def _missing(self, document: AddressDocument) -> tuple[WantedAddress, ...]:
        """What is not here yet, and may be taken."""
        kept, here = self._kept(), self._interfaces()
        refuse(document, here, kept.added if kept else ())
        return tuple(one for one in document.addresses if not _is_here(one, here))

    def _owners(self, asked: Sequence[WantedAddress], document: AddressDocument) -> dict[WantedAddress, str | None]:
        """Who answers for each, all asked at once; None: nobody, or nobody is to be asked."""
        if not document.conflict_check:
            return dict.fromkeys(asked)
        return dict(zip(asked, _at_once(self._answered_by, asked), strict=True))

    def _announce(self, one: WantedAddress) -> None:
        with _on_the_wire(one):
            self.wire.announce(one.interface, one.ip)

    def _answered_by(self, one: WantedAddress) -> str | None:
        ip = one.ip
        if not isinstance(ip, IPv4Address):
            return None
        with _on_the_wire(one):
            return self.wire.answered_by(one.interface, ip)

    def _add(self, one: WantedAddress, document: AddressDocument) -> None:
        """IPv6 stays out of the choice of a source address, so that this server goes on speaking under its own."""
        words = ["ip", "address", "add", one.text, "dev", one.interface]
        if one.ip.version == 4:
            need(self.runner, words)
            return
        need(self.runner, [*words, "preferred_lft", "0", *([] if document.conflict_check else ["nodad"])])
        self._await_detection(one)

    def _await_detection(self, one: WantedAddress) -> None:
        deadline = time.monotonic() + DETECTION_BUDGET_S
        while True:
            here = self._interfaces()
            flags = _flags(one, here)
            if "dadfailed" in flags:
                self._remove(one, here)
                raise AddressInUse(address=one.address, interface=one.interface, by="another server")
            if "tentative" not in flags or time.monotonic() >= deadline:
                return
            self.sleep(_POLL_S)

    def _remove(self, one: WantedAddress, here: Mapping[str, Interface]) -> None:
        _keep_its_neighbours(one.interface)
        for text in here[one.interface].addresses:
            if ip_interface(text).ip == one.ip:
                need(self.runner, ["ip", "address", "delete", text, "dev", one.interface])

    def _interfaces(self) -> dict[str, Interface]:
        try:
            return read_interfaces(need(self.runner, ["ip", "-json", "address", "show"]))
        except (msgspec.DecodeError, KeyError) as error:
            raise ProgramFailed(program="ip", reason=str(error), command="ip -json address show") from error

    def _kept(self) -> TakenAddresses | None:
        kept = taken.load(self.undo, TakenAddresses)
        try:
            for one in kept.added if kept else ():
                _refuse_form(one)
        except DocumentInvalid as error:
            advice = "give back by hand what is readable in it, then move the file away"
            raise TakenUnusable(path=self.undo, reason=f"it is damaged ({error})", advice=advice) from error
        return kept


def _planned(one: WantedAddress, by: str | None) -> Line:
    return Line(one.text, "would-take", f"on {one.interface}{f', once {by} answers for it no more' if by else ''}")


def _at_once(ask: Callable[[WantedAddress], Answer], addresses: Sequence[WantedAddress]) -> list[Answer]:
    """Each question in a thread of its own, because each waits for the network; in order."""
    with ThreadPoolExecutor(max(1, min(len(addresses), _AT_ONCE))) as pool:
        return list(pool.map(ask, addresses))


@contextlib.contextmanager
def _on_the_wire(one: WantedAddress) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"the network cannot be asked through it ({error.strerror or error})"
        raise InterfaceUnusable(interface=one.interface, address=one.address, reason=reason) from error


def _keep_its_neighbours(interface: str) -> None:
    """Linux deletes all addresses of a subnet with its first one, which may be ours, unless it is told to promote the next."""
    with contextlib.suppress(OSError):
        Path(f"/proc/sys/net/ipv4/conf/{interface}/promote_secondaries").write_text("1\n", encoding="ascii")


def _is_here(one: WantedAddress, here: Mapping[str, Interface]) -> bool:
    return one.interface in here and here[one.interface].has(one)


def _flags(one: WantedAddress, here: Mapping[str, Interface]) -> frozenset[str]:
    own = here[one.interface].addresses if one.interface in here else {}
    return next((flags for text, flags in own.items() if ip_interface(text).ip == one.ip), frozenset())


def _line(one: WantedAddress, state: str) -> Line:
    return Line(one.text, state, f"on {one.interface}")
