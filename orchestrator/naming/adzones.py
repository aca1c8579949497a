"""DNS zones as Active Directory keeps them: found, read and matched with what DNS says. One controller, one thread.

Reading a zone here shows every record and when it was last registered, which no DNS query tells; tombstoned names hold none.

Sources: [MS-DNSP] 2.3.1 (where zones live), [MS-ADTS] 3.1.1.4.5 (allowedAttributesEffective and its kin).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import dns.exception
import dns.name

from orchestrator.directory.errors import EntryMissing
from orchestrator.directory.filters import dn_value
from orchestrator.directory.port import Directory, DirectoryAccess, Entry
from orchestrator.naming.dnsp import (
    TOMBSTONE,
    DnspInvalid,
    DnsRecord,
    ZoneProperties,
    read_properties,
    read_record,
)
from orchestrator.naming.values import RecordSet, distinct

_NODE_WORDS = ("dc", "name", "dnsRecord", "dNSTombstoned")
_NOT_OURS = ("rootdnsservers", "..")
_APEX = "@"


@dataclass(frozen=True, slots=True)
class AdZone:
    """A zone of the directory; its name is absolute."""

    name: str
    dn: str
    properties: ZoneProperties


@dataclass(frozen=True, slots=True)
class AdNode:
    """All records at one name, as stored. ``raw`` and ``records`` go together."""

    zone: str
    name: str
    dn: str
    tombstoned: bool
    raw: tuple[bytes, ...]
    records: tuple[DnsRecord, ...]

    def live(self) -> Iterator[tuple[bytes, DnsRecord, str]]:
        """What DNS shows of it: the stored value, the record, its text."""
        for raw, record in zip(self.raw, self.records, strict=True):
            text = None if self.tombstoned or record.type == TOMBSTONE else _text(record)
            if text is not None:
                yield raw, record, text

    def record_sets(self) -> tuple[RecordSet, ...]:
        """The record sets that it makes; the lowest TTL counts, as in an answer."""
        found: dict[str, list[tuple[DnsRecord, str]]] = {}
        for _, record, text in self.live():
            found.setdefault(record.type_name, []).append((record, text))
        return tuple(
            RecordSet(self.zone, self.name, kind, min(record.ttl_s for record, _ in held), _sorted(held))
            for kind, held in found.items()
        )

    def stamps(self) -> tuple[tuple[str, str, int], ...]:
        """Type, data and time stamp (hours since 1601; 0: static) of each record."""
        return tuple((record.type_name, text, record.stamp_h) for _, record, text in self.live())


class AdZones:
    """The zones of a domain and its forest, through one session; close it when done."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.zones = {zone.name.lower(): zone for zone in _zones(directory)}

    @classmethod
    def open(cls, access: DirectoryAccess) -> Self:
        """The zones that one controller holds.

        Raises:
            DirectoryError: no controller answers, or it refuses the credentials.
        """
        from orchestrator.directory.opening import open_directory  # noqa: PLC0415  LDAP is loaded only where it is used

        directory = open_directory(access)
        try:
            return cls(directory)
        except BaseException:
            directory.close()
            raise

    def zone(self, name: str) -> AdZone | None:
        """The zone of this name, where the directory holds it."""
        return self.zones.get(name.lower())

    def nodes(self, zone: AdZone) -> Iterator[AdNode]:
        """Every name of a zone, page by page."""
        for entry in self.directory.find(zone.dn, "(objectClass=dnsNode)", _NODE_WORDS, "level"):
            node = _node(zone, entry)
            if node is not None:
                yield node

    def node(self, zone: AdZone, name: str) -> AdNode | None:
        """One name of a zone; None when the directory has no object for it."""
        entry = self.directory.read(node_dn(zone, name), _NODE_WORDS)
        return None if entry is None else _node(zone, entry)

    def may_write(self, dn: str) -> tuple[bool, bool]:
        """Whether this account may change the records of a node, and its access list and owner."""
        entry = self.directory.read(dn, ("allowedAttributesEffective", "sDRightsEffective"))
        if entry is None:
            return False, False
        allowed = {word.lower() for word in entry.text("allowedAttributesEffective")}
        rights = int(entry.first("sDRightsEffective") or 0)
        return "dnsrecord" in allowed, rights & _LOCKING == _LOCKING

    def may_add(self, zone: AdZone) -> bool:
        """Whether this account may add names to a zone."""
        entry = self.directory.read(zone.dn, ("allowedChildClassesEffective",))
        return entry is not None and "dnsnode" in {word.lower() for word in entry.text("allowedChildClassesEffective")}

    def is_samba(self) -> bool:
        """Whether the controller is Samba, whose signed answers cannot always be verified."""
        root = self.directory.read("", ("vendorName",))
        return root is not None and "samba" in (root.first("vendorName") or "").lower()

    def close(self) -> None:
        """End the session."""
        self.directory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_LOCKING = 0x1 | 0x4
"""Owner and DACL, as sDRightsEffective counts them."""


def node_dn(zone: AdZone, name: str) -> str:
    """Where the directory keeps a name of a zone."""
    bare = name.rstrip(".")
    zone_name = zone.name.rstrip(".")
    relative = _APEX if bare.lower() == zone_name.lower() else bare[: -len(zone_name) - 1]
    return f"DC={dn_value(relative)},{zone.dn}"


def _zones(directory: Directory) -> Iterator[AdZone]:
    facts = directory.facts()
    elsewhere = {facts.base_dn.lower(), facts.config_dn.lower(), facts.schema_dn.lower()}
    partitions = [context for context in facts.contexts if context.lower() not in elsewhere]
    for base in (*(f"CN=MicrosoftDNS,{one}" for one in partitions), f"CN=MicrosoftDNS,CN=System,{facts.base_dn}"):
        try:
            found = list(directory.find(base, "(objectClass=dnsZone)", ("dc", "name", "dNSProperty"), "level"))
        except EntryMissing:
            continue
        for entry in found:
            name = entry.first("dc") or entry.first("name") or ""
            if name and not name.lower().startswith(_NOT_OURS):
                yield AdZone(f"{name.rstrip('.')}.", entry.dn, read_properties(entry.values("dNSProperty")))


def _node(zone: AdZone, entry: Entry) -> AdNode | None:
    relative = entry.first("dc") or entry.first("name") or ""
    try:
        name = zone.name if relative == _APEX else dns.name.from_text(f"{relative}.{zone.name}").to_text()
        raw = entry.values("dnsRecord")
        records = tuple(read_record(value) for value in raw)
    except (dns.exception.DNSException, DnspInvalid):
        return None
    tombstoned = (entry.first("dNSTombstoned") or "").upper() == "TRUE"
    return AdNode(zone.name, name, entry.dn, tombstoned, raw, records)


def _text(record: DnsRecord) -> str | None:
    try:
        return record.text()
    except DnspInvalid:
        return None


def _sorted(held: Sequence[tuple[DnsRecord, str]]) -> tuple[str, ...]:
    return tuple(sorted(distinct(tuple(text for _, text in held))))
