"""KERB_VALIDATION_INFO: who a ticket's caller is and in which groups; [MS-PAC] 2.5, in the NDR of [MS-RPCE] 2.2.6."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tests.lab.sqlserver.wire.reading import Fields, Malformed

HEADERS_BYTES = 20  # common and private header, and the pointer to all


class Unreadable(Exception):
    """No KERB_VALIDATION_INFO."""


@dataclass(frozen=True, slots=True)
class LogonInfo:
    """What is of use here. SIDs are binary."""

    user: str
    domain: str
    sid: bytes
    groups: tuple[bytes, ...]


class _Ndr:
    """Little-endian NDR: what is fixed first, what pointers mean behind it, each aligned to four bytes."""

    def __init__(self, raw: bytes) -> None:
        self.fields = Fields(raw)
        self._total = len(raw)

    def align(self) -> None:
        self.fields.take(-(self._total - self.fields.left) % 4)

    def u32(self) -> int:
        self.align()
        return self.fields.u32()

    def text(self) -> str:
        """A conformant and varying array of characters: room, offset, count."""
        _, _, count = self.u32(), self.u32(), self.u32()
        return self.fields.text(count)

    def sid(self) -> bytes:
        count = self.u32()
        return self.fields.take(8 + 4 * count)

    def groups(self) -> list[tuple[int, int]]:
        return [(self.u32(), self.u32()) for _ in range(self.u32())]


def with_rid(sid: bytes, rid: int) -> bytes:
    """A SID of the domain whose SID is given."""
    return sid[:1] + bytes([sid[1] + 1]) + sid[2:] + struct.pack("<I", rid)


def parse(raw: bytes) -> LogonInfo:
    """Raises Unreadable."""
    try:
        return _parse(raw)
    except (Malformed, struct.error, IndexError) as error:
        raise Unreadable(str(error)) from error


def _unicode_string(fields: Fields) -> bool:
    fields.take(4)
    return bool(fields.u32())


def _parse(raw: bytes) -> LogonInfo:
    ndr = _Ndr(raw[HEADERS_BYTES:])
    fields = ndr.fields
    fields.take(6 * 8)  # times
    strings = [_unicode_string(fields) for _ in range(6)]  # name, full name, script, profile, home, home drive
    fields.take(4)  # counts of log-ons and of bad passwords
    user, primary, _, groups_pointer, _ = (fields.u32() for _ in range(5))
    fields.take(16)  # session key
    strings += [_unicode_string(fields) for _ in range(2)]  # server, domain
    domain_pointer = fields.u32()
    fields.take(8 + 4 + 4 + 8 + 8 + 4 + 4)  # reserved, account control, status and times of log-ons
    sids, sids_pointer, resource_domain, resource_count, resource_pointer = (fields.u32() for _ in range(5))
    texts = [ndr.text() if there else "" for there in strings[:6]]
    rids = ndr.groups() if groups_pointer else []
    texts += [ndr.text() if there else "" for there in strings[6:]]
    domain = ndr.sid() if domain_pointer else b""
    groups = [with_rid(domain, rid) for rid, _ in rids]
    groups += [] if primary in {rid for rid, _ in rids} else [with_rid(domain, primary)]
    groups += _extra(ndr) if sids and sids_pointer else []
    if resource_domain:
        resources = ndr.sid()
        groups += [with_rid(resources, rid) for rid, _ in (ndr.groups() if resource_count and resource_pointer else [])]
    return LogonInfo(texts[0], texts[7], with_rid(domain, user), tuple(groups))


def _extra(ndr: _Ndr) -> list[bytes]:
    pointers = [(ndr.u32(), ndr.u32()) for _ in range(ndr.u32())]
    return [ndr.sid() for pointer, _ in pointers if pointer]
