"""Records and zone properties as Active Directory stores them: bytes to values and back, losing nothing. Pure.

Sources: [MS-DNSP] 2.3.2.2 (dnsRecord), 2.2.2.2.2 (DNS_COUNT_NAME), 2.3.2.1 (dNSProperty). All numbers are little-endian but the
TTL and those inside record data, which are as on the wire of DNS. Types that are not understood keep their bytes.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass, replace

import dns.exception
import dns.name

HOUR_S = 3600
SECONDS_1601_TO_1970 = 11_644_473_600
TOMBSTONE = 0
_TYPES = {1: "A", 2: "NS", 5: "CNAME", 12: "PTR", 15: "MX", 28: "AAAA", 33: "SRV"}
_NUMBERS = {name: number for number, name in _TYPES.items()}
_HEAD = struct.Struct("<HHBBHI")
_TTL = struct.Struct(">I")
_TAIL = struct.Struct("<II")
_HEAD_BYTES = _HEAD.size + _TTL.size + _TAIL.size
_PROPERTY = struct.Struct("<IIIII")
_ZONE_RANK, _VERSION = 0xF0, 5


class DnspInvalid(ValueError):
    """Bytes that are not what [MS-DNSP] describes."""


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """One dnsRecord value. ``stamp_h`` is hours since 1601 when it was last registered; 0 is static: never scavenged."""

    type: int
    ttl_s: int
    data: bytes
    stamp_h: int = 0
    rank: int = _ZONE_RANK
    version: int = _VERSION
    flags: int = 0
    serial: int = 0
    reserved: int = 0

    @property
    def type_name(self) -> str:
        """``A``, ``PTR`` ...; ``TYPE16`` for what is not understood here."""
        return _TYPES.get(self.type, f"TYPE{self.type}")

    def stamped(self, stamp_h: int) -> DnsRecord:
        """The same record with another time stamp."""
        return replace(self, stamp_h=stamp_h)

    def text(self) -> str | None:
        """The data as a zone file writes it, names absolute; None for types that are not understood.

        Raises:
            DnspInvalid: the data is not that of its type.
        """
        try:
            return _text(self.type, self.data)
        except (struct.error, ValueError, dns.exception.DNSException, IndexError) as error:
            raise DnspInvalid(f"the data of a {self.type_name} record is malformed ({error})") from error


def read_record(raw: bytes) -> DnsRecord:
    """A dnsRecord value.

    Raises:
        DnspInvalid: it is too short, or its lengths do not agree.
    """
    if len(raw) < _HEAD_BYTES:
        raise DnspInvalid(f"a dnsRecord of {len(raw)} bytes")
    size, number, version, rank, flags, serial = _HEAD.unpack_from(raw)
    (ttl_s,) = _TTL.unpack_from(raw, _HEAD.size)
    reserved, stamp_h = _TAIL.unpack_from(raw, _HEAD.size + _TTL.size)
    data = raw[_HEAD_BYTES:]
    if size != len(data):
        raise DnspInvalid(f"a dnsRecord says {size} bytes of data and has {len(data)}")
    return DnsRecord(number, ttl_s, data, stamp_h, rank, version, flags, serial, reserved)


def write_record(record: DnsRecord) -> bytes:
    """The value as it is stored; the inverse of ``read_record``."""
    head = _HEAD.pack(len(record.data), record.type, record.version, record.rank, record.flags, record.serial)
    return head + _TTL.pack(record.ttl_s) + _TAIL.pack(record.reserved, record.stamp_h) + record.data


def record_from_text(type_name: str, ttl_s: int, text: str) -> DnsRecord:
    """A record from its zone file text.

    Raises:
        DnspInvalid: the type is not understood, or the text is malformed.
    """
    try:
        return DnsRecord(_NUMBERS[type_name], ttl_s, _data(type_name, text.split()))
    except (KeyError, ValueError, struct.error, dns.exception.DNSException) as error:
        raise DnspInvalid(f"{type_name} {text!r}: {error}") from error


@dataclass(frozen=True, slots=True)
class ZoneProperties:
    """What a zone's dNSProperty values say. Hours; ``updates``: 0 none, 1 anybody's, 2 secure only."""

    updates: int = 0
    ageing: bool = False
    no_refresh_h: int = 168
    refresh_h: int = 168


_UPDATES, _NO_REFRESH, _REFRESH, _AGEING = 0x02, 0x10, 0x20, 0x40


def read_properties(values: tuple[bytes, ...]) -> ZoneProperties:
    """The properties that matter here; malformed values are passed over, as DNS servers do."""
    found = dict(pair for raw in values if (pair := _property(raw)) is not None)
    return ZoneProperties(
        updates=found.get(_UPDATES, 0),
        ageing=bool(found.get(_AGEING, 0)),
        no_refresh_h=found.get(_NO_REFRESH, 168),
        refresh_h=found.get(_REFRESH, 168),
    )


def hours_since_1601(seconds: float) -> int:
    """A time (seconds since 1970) as record time stamps have it."""
    return int(seconds + SECONDS_1601_TO_1970) // HOUR_S


def _property(raw: bytes) -> tuple[int, int] | None:
    if len(raw) < _PROPERTY.size:
        return None
    size, _name, _flag, _version, number = _PROPERTY.unpack_from(raw)
    data = raw[_PROPERTY.size : _PROPERTY.size + size]
    return (number, int.from_bytes(data, "little")) if len(data) == size else None


def _text(number: int, data: bytes) -> str | None:
    match _TYPES.get(number):
        case "A":
            return str(ipaddress.IPv4Address(data))
        case "AAAA":
            return str(ipaddress.IPv6Address(data))
        case "NS" | "CNAME" | "PTR":
            return _name(data)
        case "MX":
            return f"{struct.unpack_from('>H', data)[0]} {_name(data[2:])}"
        case "SRV":
            priority, weight, port = struct.unpack_from(">HHH", data)
            return f"{priority} {weight} {port} {_name(data[6:])}"
        case _:
            return None


def _data(type_name: str, words: list[str]) -> bytes:
    match type_name:
        case "A":
            return ipaddress.IPv4Address(words[0]).packed
        case "AAAA":
            return ipaddress.IPv6Address(words[0]).packed
        case "MX" | "SRV":
            numbers = [int(word) for word in words[:-1]]
            return struct.pack(f">{3 if type_name == 'SRV' else 1}H", *numbers) + _counted(words[-1])
        case _:
            return _counted(words[0])


def _name(raw: bytes) -> str:
    """A DNS_COUNT_NAME: bytes and labels counted, then the labels, each behind its length, and a zero."""
    if len(raw) < 2 or raw[0] != len(raw) - 2:
        raise ValueError("a counted name whose length does not agree")
    labels: list[bytes] = []
    at = 2
    while raw[at]:
        labels.append(raw[at + 1 : at + 1 + raw[at]])
        at += 1 + raw[at]
    if len(labels) != raw[1] or at != len(raw) - 1:
        raise ValueError("a counted name whose labels do not agree")
    return dns.name.Name([*labels, b""]).to_text()


def _counted(text: str) -> bytes:
    name = dns.name.from_text(text)
    wire = name.to_wire() or b""
    return bytes((len(wire), len(name.labels) - 1)) + wire
