"""Which zone holds a name, who writes it, and who else answers for it.

The writer is the configured primary, else the listed server whose address belongs to the SOA's MNAME, else that MNAME's
address itself, else (an MNAME that leads nowhere) the first listed server that answers for the zone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from orchestrator.naming.errors import DnsUnreachable, NamingError, ZoneMissing
from orchestrator.naming.exchange import Exchange
from orchestrator.naming.values import Change, NameServer

_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclass(frozen=True, slots=True)
class Authority:
    """One server's word on the zone of a name."""

    server: NameServer
    zone: str
    mname: str
    serial: int


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone with the servers that are written and those that are only watched."""

    name: str
    writers: tuple[NameServer, ...]
    watchers: tuple[NameServer, ...]


@dataclass(frozen=True, slots=True)
class Survey:
    """What was learned about the zones of some names; ``failures`` holds the servers and names that gave an error."""

    zones: tuple[Zone, ...]
    zone_of: dict[str, str]
    failures: tuple[tuple[str, NamingError], ...]

    def named(self, zone: str) -> Zone:
        """The zone of this name."""
        return next(one for one in self.zones if one.name.lower() == zone.lower())

    def rehomed(self, change: Change) -> Change:
        """The change at the zone's present writer, should it have another one than when the change was planned."""
        zone = change.subject.zone.lower()
        writers = next((one.writers for one in self.zones if one.name.lower() == zone), ())
        return change if change.server in writers or len(writers) != 1 else replace(change, server=writers[0])


def in_parallel(threads: int, work: Callable[[_In], _Out], items: Iterable[_In]) -> list[_Out]:
    """Do the same to each item on a bounded number of threads; results in the order of the items."""
    todo = list(items)
    if len(todo) <= 1:
        return [work(item) for item in todo]
    with ThreadPoolExecutor(min(threads, len(todo))) as pool:
        return list(pool.map(work, todo))


def survey(exchange: Exchange, names: Iterable[str]) -> Survey:
    """Find the zones of these names on the listed servers. Reads only; a dead server costs its timeout once."""
    wanted = tuple(dict.fromkeys(names))
    servers = exchange.access.servers
    silent = _greet(exchange, wanted[0])
    alive = [server for server in servers if not exchange.is_silent(server)]
    asked = [(name, server) for name in wanted for server in alive]
    answers = in_parallel(exchange.access.threads, lambda pair: _authority(exchange, *pair), asked)
    found: dict[str, list[Authority]] = {name: [] for name in wanted}
    for (name, _), authority in zip(asked, answers, strict=True):
        if authority is not None:
            found[name].append(authority)
    return _assemble(exchange, found, silent)


def _greet(exchange: Exchange, name: str) -> list[tuple[str, NamingError]]:
    """Ask every server once, together, so that all dead ones cost one timeout."""

    def greet(server: NameServer) -> tuple[str, NamingError] | None:
        try:
            exchange.ask(server, name, "SOA")
        except DnsUnreachable as error:
            return (str(server), error)
        except NamingError:
            return None
        return None

    answers = in_parallel(exchange.access.threads, greet, exchange.access.servers)
    return [answer for answer in answers if answer is not None]


def _authority(exchange: Exchange, name: str, server: NameServer) -> Authority | None:
    try:
        answer = exchange.ask(server, name, "SOA")
    except NamingError:
        return None
    return _read_authority(server, answer)


def _read_authority(server: NameServer, answer: dns.message.Message) -> Authority | None:
    if not answer.flags & dns.flags.AA or answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return None
    for records in (*answer.answer, *answer.authority):
        if records.rdtype == dns.rdatatype.SOA:
            soa = records[0]
            return Authority(server, records.name.to_text(), soa.mname.to_text(), soa.serial)
    return None


def _assemble(exchange: Exchange, found: dict[str, list[Authority]], silent: list[tuple[str, NamingError]]) -> Survey:
    failures = list(silent)
    zone_of: dict[str, str] = {}
    authorities: dict[str, dict[NameServer, Authority]] = {}
    for name, answers in found.items():
        if not answers:
            asked = ", ".join(str(server) for server in exchange.access.servers)
            failures.append((name, ZoneMissing(name=name, servers=asked)))
            continue
        closest = max(answers, key=lambda one: one.zone.count(".")).zone
        zone_of[name] = closest
        holders = authorities.setdefault(closest.lower(), {})
        holders.update({one.server: one for one in answers if one.zone.lower() == closest.lower()})
    zones = in_parallel(
        exchange.access.threads, lambda holders: _zone(exchange, tuple(holders.values())), authorities.values()
    )
    return Survey(tuple(zones), zone_of, tuple(failures))


def _zone(exchange: Exchange, holders: tuple[Authority, ...]) -> Zone:
    servers = tuple(sorted(one.server for one in holders))
    if exchange.access.each_server:
        return Zone(holders[0].zone, servers, ())
    writer = (
        exchange.access.primary_of(holders[0].zone) or _preferred(exchange, servers) or _by_mname(exchange, holders)
    )
    return Zone(holders[0].zone, (writer,), tuple(server for server in servers if server != writer))


def _preferred(exchange: Exchange, holders: tuple[NameServer, ...]) -> NameServer | None:
    """The server that people chose, where it holds the zone and answers."""
    chosen = exchange.access.preferred
    return chosen if chosen in holders and not exchange.is_silent(chosen) else None


def _by_mname(exchange: Exchange, holders: tuple[Authority, ...]) -> NameServer:
    listed = [one.server for one in holders]
    if len(listed) == 1 and len(exchange.access.servers) == 1:
        return listed[0]
    addresses = _addresses(exchange, listed, holders[0].mname)
    chosen = [server for server in listed if server.address in addresses]
    if chosen:
        return chosen[0]
    known = [server for server in exchange.access.servers if server.address in addresses]
    if known or not addresses:
        return known[0] if known else listed[0]
    return NameServer(addresses[0])


def _addresses(exchange: Exchange, servers: list[NameServer], name: str) -> list[str]:
    """The addresses of a name as these servers know it; the listed port tells nothing, so addresses only."""
    for server in (*servers, *(one for one in exchange.access.servers if one not in servers)):
        found = [
            record.address
            for record_type in ("A", "AAAA")
            for records in _answers(exchange, server, name, record_type)
            for record in records
            if hasattr(record, "address")
        ]
        if found:
            return found
    return []


def _answers(exchange: Exchange, server: NameServer, name: str, record_type: str) -> list[dns.rrset.RRset]:
    try:
        return exchange.ask(server, name, record_type).answer
    except NamingError:
        return []
