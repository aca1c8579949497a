"""The records of a server: what a zone says about it, read whole by transfer or name by name.

Reading is here; deciding what to do with it is in ``moving``. A zone that refuses its transfer is read at the names that are
known: the server's own, its addresses' reverse names, the zone's apex, and the names that were listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.reversename

from orchestrator.naming.errors import NamingError
from orchestrator.naming.exchange import Exchange, TransferRefused
from orchestrator.naming.request import Move
from orchestrator.naming.values import MOVABLE_TYPES, NameServer, RecordSet
from orchestrator.naming.zones import Survey, in_parallel


@dataclass(frozen=True, slots=True)
class ZoneContent:
    """What one writer holds in one zone; ``whole`` is False when only some names were read."""

    server: NameServer
    zone: str
    records: tuple[RecordSet, ...]
    whole: bool = True

    def find(self, name: str, record_type: str) -> RecordSet | None:
        """The record set at a name, or None."""
        key = (name.lower(), record_type)
        return next((one for one in self.records if (one.name.lower(), one.type) == key), None)


@dataclass(frozen=True, slots=True)
class Findings:
    """The contents of all zones that matter, and the zones that could not be read."""

    contents: tuple[ZoneContent, ...]
    failures: tuple[tuple[str, NamingError], ...] = ()


def reverse_name(address: str) -> str:
    """The name of an address in the reverse tree."""
    return dns.reversename.from_address(address).to_text()


def names_of(move: Move) -> tuple[str, ...]:
    """The names whose zones matter to a move, the source's own first."""
    reverse = [reverse_name(address) for pair in move.addresses for address in pair]
    return tuple(dict.fromkeys((move.source_name, *move.zones, *move.names, *reverse)))


def read_zones(exchange: Exchange, known: Survey, move: Move, kept: Mapping[str, Sequence[RecordSet]]) -> Findings:
    """Read every zone of the survey from each of its writers, several at a time; ``kept``: those that are known already."""
    every = [(zone.name, writer) for zone in known.zones for writer in zone.writers]
    told = [(zone, writer) for zone, writer in every if zone.lower() in kept and not exchange.access.is_apart(writer)]
    places = [place for place in every if place not in told]
    known_already = [ZoneContent(writer, zone, tuple(kept[zone.lower()])) for zone, writer in told]
    wanted = names_of(move)

    def read(place: tuple[str, NameServer]) -> ZoneContent | tuple[str, NamingError]:
        zone, server = place
        names = (zone, *(name for name in wanted if known.zone_of.get(name, "").lower() == zone.lower()))
        try:
            return read_zone(exchange, server, zone, names)
        except NamingError as error:
            return (f"{zone} on {server}", error)

    results = in_parallel(exchange.access.threads, read, places)
    contents = tuple(one for one in results if isinstance(one, ZoneContent))
    return Findings((*known_already, *contents), tuple(one for one in results if not isinstance(one, ZoneContent)))


def read_zone(exchange: Exchange, server: NameServer, zone: str, names: Iterable[str]) -> ZoneContent:
    """One zone from one server, by transfer, else by the names given.

    Raises:
        NamingError: the server is silent or does not take the key.
    """
    try:
        return ZoneContent(server, zone, exchange.transfer(server, zone))
    except TransferRefused:
        records = [
            found
            for name in dict.fromkeys(names)
            for record_type in MOVABLE_TYPES
            if (found := read_set(exchange, server, zone, name, record_type)) is not None
        ]
        return ZoneContent(server, zone, tuple(records), whole=False)


def read_set(exchange: Exchange, server: NameServer, zone: str, name: str, record_type: str) -> RecordSet | None:
    """The record set that a server gives at a name, with authority; None where there is none.

    Raises:
        NamingError: silence, or an answer without authority.
    """
    answer = exchange.ask(server, name, record_type)
    if answer.rcode() == dns.rcode.NXDOMAIN:
        return None
    if answer.rcode() != dns.rcode.NOERROR:
        reason = f"{server} answered {dns.rcode.to_text(answer.rcode())} for {name} {record_type}"
        raise NamingError(reason=reason)
    return _from_answer(answer, zone, name, record_type)


def _from_answer(answer: dns.message.Message, zone: str, name: str, record_type: str) -> RecordSet | None:
    for records in answer.answer:
        if records.name.to_text().lower() == name.lower() and dns.rdatatype.to_text(records.rdtype) == record_type:
            data = tuple(sorted(record.to_text() for record in records))
            return RecordSet(zone, records.name.to_text(), record_type, records.ttl, data)
    if not answer.flags & dns.flags.AA and not answer.answer:
        raise NamingError(reason=f"an answer for {name} {record_type} came without authority")
    return None
