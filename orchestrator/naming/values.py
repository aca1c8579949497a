"""The nouns of a name change: servers, record sets, changes. Frozen, comparable, printable; no I/O.

Names and data are absolute text ("alpha.lab.example."), in the case in which they were read; comparing ignores case, as DNS
does (RFC 4343).
"""

from __future__ import annotations

from dataclasses import dataclass

import dns.inet

MOVABLE_TYPES = ("A", "AAAA", "PTR", "MX", "SRV", "CNAME")


@dataclass(frozen=True, slots=True, order=True)
class NameServer:
    """One DNS server as it is listed: where to ask."""

    address: str
    port: int = 53

    @classmethod
    def parse(cls, text: str) -> NameServer:
        """Read ``10.0.0.5``, ``10.0.0.5:5353``, ``2001:db8::5`` or ``[2001:db8::5]:5353``.

        Raises:
            ValueError: it is not an address (host names are not accepted: DNS may be what is broken).
        """
        address, port = _split_port(text.strip())
        if not dns.inet.is_address(address):
            msg = f"{text!r} is not the address of a DNS server"
            raise ValueError(msg)
        return cls(address, int(port) if port else 53)

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address and self.port != 53 else self.address
        return host if self.port == 53 else f"{host}:{self.port}"


def _split_port(text: str) -> tuple[str, str]:
    if text.startswith("["):
        address, _, rest = text[1:].partition("]")
        return address, rest.removeprefix(":")
    if text.count(":") == 1:
        address, _, port = text.partition(":")
        return address, port
    return text, ""


@dataclass(frozen=True, slots=True)
class RecordSet:
    """All records of one type at one name, with their TTL in seconds."""

    zone: str
    name: str
    type: str
    ttl_s: int
    data: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str, str]:
        """Zone, name and type, without regard to case."""
        return (self.zone.lower(), self.name.lower(), self.type)

    def with_data(self, data: tuple[str, ...]) -> RecordSet:
        """The same set with other data; duplicates fall together."""
        return RecordSet(self.zone, self.name, self.type, self.ttl_s, distinct(data))

    def with_ttl(self, ttl_s: int) -> RecordSet:
        """The same set with another TTL."""
        return RecordSet(self.zone, self.name, self.type, ttl_s, self.data)

    def __str__(self) -> str:
        return f"{self.name} {self.ttl_s} {self.type} {', '.join(self.data)}"


def distinct(data: tuple[str, ...]) -> tuple[str, ...]:
    """Data without repetitions (case ignored), in a stable order."""
    return tuple(sorted({text.lower(): text for text in reversed(data)}.values(), key=str.lower))


def same_data(one: RecordSet | None, other: RecordSet | None) -> bool:
    """Whether two sets hold the same data; TTL and case of names are ignored."""
    if one is None or other is None:
        return one is other
    return {text.lower() for text in one.data} == {text.lower() for text in other.data}


def same_set(one: RecordSet | None, other: RecordSet | None) -> bool:
    """Whether two sets hold the same data with the same TTL."""
    if one is None or other is None:
        return one is other
    return same_data(one, other) and one.ttl_s == other.ttl_s


@dataclass(frozen=True, slots=True)
class Change:
    """One record set of one zone on its writer: what was read there, and what it becomes.

    ``before`` is None for a set that comes into being, ``after`` is None for one that goes.
    """

    server: NameServer
    before: RecordSet | None
    after: RecordSet | None

    def __post_init__(self) -> None:
        if self.before is None and self.after is None:
            msg = "a change needs a before or an after"
            raise ValueError(msg)

    @property
    def subject(self) -> RecordSet:
        """The set that names zone, name and type of this change."""
        subject = self.before or self.after
        assert subject is not None  # noqa: S101  __post_init__ holds it
        return subject

    @property
    def kind(self) -> str:
        """``create``, ``update`` or ``delete``."""
        if self.before is None:
            return "create"
        return "delete" if self.after is None else "update"

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Server, zone, name and type."""
        return (str(self.server), *self.subject.key)

    def reversed(self) -> Change:
        """The change that puts back what this one found."""
        return Change(self.server, self.after, self.before)

    def lines(self) -> tuple[str, ...]:
        """The change as a person reads it: what goes, what comes."""
        gone = () if self.before is None else _lines("-", self.before)
        return gone + (() if self.after is None else _lines("+", self.after))


def _lines(sign: str, records: RecordSet) -> tuple[str, ...]:
    return tuple(f"{sign} {records.name} {records.ttl_s} {records.type} {data}" for data in records.data)


def create(server: NameServer, after: RecordSet) -> Change:
    """A record set that was not there."""
    return Change(server, None, after)


def update(server: NameServer, before: RecordSet, after: RecordSet) -> Change:
    """A record set with other data or another TTL."""
    return Change(server, before, after)


def delete(server: NameServer, before: RecordSet) -> Change:
    """A record set that goes."""
    return Change(server, before, None)


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """All changes of one deed, with what a person should know about what is not in it."""

    changes: tuple[Change, ...] = ()
    remarks: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changes)

    def by_zone(self) -> dict[tuple[NameServer, str], tuple[Change, ...]]:
        """The changes grouped as they are sent: one group a writer and zone."""
        groups: dict[tuple[NameServer, str], list[Change]] = {}
        for change in self.changes:
            groups.setdefault((change.server, change.subject.zone), []).append(change)
        return {place: tuple(group) for place, group in groups.items()}

    def diff(self) -> str:
        """The whole set as text, zone by zone."""
        lines: list[str] = []
        for (server, zone), group in sorted(self.by_zone().items(), key=lambda item: (item[0][1], item[0][0])):
            lines.append(f"zone {zone} on {server}")
            lines.extend(f"  {line}" for change in group for line in change.lines())
        return "\n".join(lines)
