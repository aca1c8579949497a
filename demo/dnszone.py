"""A zone of the demo's DNS server: kept in its file, changed as RFC 2136 says (3.2 prerequisites, 3.4 update)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.transaction
import dns.zone

_ANY = dns.rdataclass.ANY
_NONE = dns.rdataclass.NONE


class Refusal(Exception):
    """The request is answered with this code and nothing is done."""

    def __init__(self, code: dns.rcode.Rcode) -> None:
        self.code = code
        super().__init__(dns.rcode.to_text(code))


@dataclass
class ServedZone:
    """A zone, where it is kept, and whose keys may change it.

    ``may_change`` None means every known key; names in ``denied`` are closed to updates.
    """

    content: dns.zone.Zone
    path: Path | None = None
    may_change: tuple[str, ...] | None = None
    denied: frozenset[str] = frozenset()

    @classmethod
    def from_text(cls, name: str, text: str, path: Path | None = None) -> ServedZone:
        """A zone from the text of a zone file."""
        return cls(dns.zone.from_text(text, origin=name, relativize=False), path)

    @classmethod
    def from_file(cls, name: str, path: Path) -> ServedZone:
        """A zone from its file, which updates rewrite."""
        return cls.from_text(name, path.read_text(), path)

    @property
    def name(self) -> dns.name.Name:
        """The zone's own name."""
        assert self.content.origin is not None  # noqa: S101  given at construction
        return self.content.origin

    def allows(self, key: str, name: dns.name.Name) -> bool:
        """Whether this key may change this name."""
        known = self.may_change is None or key.rstrip(".").lower() in self.may_change
        return known and name.to_text().lower() not in self.denied

    def save(self) -> None:
        """Have the zone on disk, whole, before the update is answered."""
        if self.path is None:
            return
        draft = self.path.with_name(self.path.name + ".new")
        with draft.open("w") as file:
            self.content.to_file(file, relativize=False, want_origin=True)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)


def check_prerequisites(txn: dns.transaction.Transaction, records: Iterable[dns.rrset.RRset]) -> None:
    """Raises Refusal with the code of the first prerequisite that does not hold."""
    valued: dict[tuple[dns.name.Name, dns.rdatatype.RdataType], set[dns.rdata.Rdata]] = {}
    for record in records:
        if record.ttl != 0:
            raise Refusal(dns.rcode.FORMERR)
        if record.deleting is None:
            valued.setdefault((record.name, record.rdtype), set()).update(record)
        else:
            _check_presence(txn, record)
    for (name, record_type), wanted in valued.items():
        present = txn.get(name, record_type)
        if set(present or ()) != wanted:
            raise Refusal(dns.rcode.NXRRSET)


def _check_presence(txn: dns.transaction.Transaction, record: dns.rrset.RRset) -> None:
    of_name = record.rdtype == dns.rdatatype.ANY
    present = txn.name_exists(record.name) if of_name else txn.get(record.name, record.rdtype) is not None
    if record.deleting == _ANY and not present:
        raise Refusal(dns.rcode.NXDOMAIN if of_name else dns.rcode.NXRRSET)
    if record.deleting == _NONE and present:
        raise Refusal(dns.rcode.YXDOMAIN if of_name else dns.rcode.YXRRSET)


def apply_record(txn: dns.transaction.Transaction, zone: ServedZone, record: dns.rrset.RRset) -> bool:
    """Make one change; whether anything became different."""
    if record.deleting == _ANY:
        return _delete_sets(txn, zone, record)
    if record.deleting == _NONE:
        return _delete_record(txn, zone, record)
    return _add(txn, record)


def _delete_sets(txn: dns.transaction.Transaction, zone: ServedZone, record: dns.rrset.RRset) -> bool:
    kept = (dns.rdatatype.SOA, dns.rdatatype.NS) if record.name == zone.name else ()
    node = txn.get_node(record.name)
    doomed = [
        records.rdtype
        for records in node or ()
        if record.rdtype in (dns.rdatatype.ANY, records.rdtype) and records.rdtype not in kept
    ]
    for record_type in doomed:
        txn.delete(record.name, record_type)
    return bool(doomed)


def _delete_record(txn: dns.transaction.Transaction, zone: ServedZone, record: dns.rrset.RRset) -> bool:
    present = txn.get(record.name, record.rdtype)
    if present is None or record[0] not in present or record.rdtype == dns.rdatatype.SOA:
        return False
    if record.rdtype == dns.rdatatype.NS and record.name == zone.name and len(present) == 1:
        return False
    txn.delete(record.name, dns.rdataset.from_rdata(0, record[0]))
    return True


def _add(txn: dns.transaction.Transaction, record: dns.rrset.RRset) -> bool:
    present = txn.get(record.name, record.rdtype)
    others = {records.rdtype for records in txn.get_node(record.name) or ()} - {record.rdtype}
    is_alias = record.rdtype == dns.rdatatype.CNAME
    if (is_alias and others) or (not is_alias and dns.rdatatype.CNAME in others):
        return False
    single = is_alias or record.rdtype == dns.rdatatype.SOA
    old = () if single else tuple(present or ())
    wanted = dns.rdataset.from_rdata_list(record.ttl, [*old, *record])
    if present is not None and set(present) == set(wanted) and present.ttl == wanted.ttl:
        return False
    txn.replace(record.name, wanted)
    return True
