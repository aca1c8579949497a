"""Security descriptors: SDDL read and written (MS-DTYP 2.5.1), and the self-relative bytes that the registry keeps (MS-DTYP 2.4.6)."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, replace

ALIASES = {
    "AA": "S-1-5-32-579", "AN": "S-1-5-7", "AU": "S-1-5-11", "BA": "S-1-5-32-544", "BG": "S-1-5-32-546", "BO": "S-1-5-32-551",
    "BU": "S-1-5-32-545", "CG": "S-1-3-1", "CO": "S-1-3-0", "ED": "S-1-5-9", "IU": "S-1-5-4", "LS": "S-1-5-19", "NS": "S-1-5-20",
    "NU": "S-1-5-2", "OW": "S-1-3-4", "PO": "S-1-5-32-550", "PS": "S-1-5-10", "PU": "S-1-5-32-547", "RC": "S-1-5-12",
    "RD": "S-1-5-32-555", "SO": "S-1-5-32-549", "SU": "S-1-5-6", "SY": "S-1-5-18", "WD": "S-1-1-0", "AC": "S-1-15-2-1",
}  # fmt: skip
DOMAIN_ALIASES = {
    "DA": 512,
    "DU": 513,
    "DG": 514,
    "DC": 515,
    "DD": 516,
    "CA": 517,
    "LA": 500,
    "LG": 501,
    "PA": 520,
    "RS": 553,
}
ACE_TYPES = {"A": 0, "D": 1, "AU": 2, "AL": 3}
ACE_FLAGS = {"OI": 1, "CI": 2, "NP": 4, "IO": 8, "ID": 16, "SA": 64, "FA": 128}
ACL_FLAGS = {"P": 0x1000, "AR": 0x0100, "AI": 0x0400}
RIGHTS = {
    "GA": 0x10000000, "GX": 0x20000000, "GW": 0x40000000, "GR": 0x80000000, "RC": 0x20000, "SD": 0x10000, "WD": 0x40000,
    "WO": 0x80000, "RP": 0x10, "WP": 0x20, "CC": 0x1, "DC": 0x2, "LC": 0x4, "SW": 0x8, "LO": 0x80, "DT": 0x40, "CR": 0x100,
    "FA": 0x1F01FF, "FR": 0x120089, "FW": 0x120116, "FX": 0x1200A0, "KA": 0xF003F, "KR": 0x20019, "KW": 0x20006, "KX": 0x20019,
}  # fmt: skip
FULL, CHANGE, READ = 0x1F01FF, 0x1301BF, 0x1200A9
SID = re.compile(r"S-1-(\d+|0x[0-9a-fA-F]+)(-\d+)*$", re.IGNORECASE)


class Malformed(ValueError):
    """A text that is no security descriptor."""


@dataclass(frozen=True)
class Ace:
    """One entry; ``mask`` as a number, ``sid`` as text."""

    kind: str
    flags: tuple[str, ...]
    mask: int
    sid: str


@dataclass(frozen=True)
class Descriptor:
    """Owner, group and discretionary list; a system list is kept as text only."""

    owner: str | None = None
    group: str | None = None
    dacl_flags: tuple[str, ...] = ()
    dacl: tuple[Ace, ...] | None = None

    def with_dacl(self, aces: tuple[Ace, ...]) -> Descriptor:
        """The same with other entries."""
        return replace(self, dacl=aces)


def _sid(text: str, domain_sid: str | None) -> str:
    if text.upper() in ALIASES:
        return ALIASES[text.upper()]
    if text.upper() in DOMAIN_ALIASES and domain_sid:
        return f"{domain_sid}-{DOMAIN_ALIASES[text.upper()]}"
    if not SID.match(text) or any(int(part, 0) >= 1 << 32 for part in text.split("-")[3:]):
        raise Malformed(text)
    return text.upper()


def _letters(text: str, known: dict[str, int]) -> tuple[str, ...]:
    found = []
    rest = text.upper()
    while rest:
        token = next((one for one in sorted(known, key=len, reverse=True) if rest.startswith(one)), None)
        if token is None:
            raise Malformed(text)
        found.append(token)
        rest = rest[len(token) :]
    return tuple(found)


def _mask(text: str) -> int:
    if text.isdigit() or text.lower().startswith("0x"):
        return int(text, 0)
    return sum(RIGHTS[one] for one in set(_letters(text, RIGHTS)))


def _ace(text: str, domain_sid: str | None) -> Ace:
    fields = text.split(";")
    if len(fields) != 6 or fields[0].upper() not in ACE_TYPES or not fields[2]:
        raise Malformed(text)
    kind, flags, mask, _, _, sid = fields
    try:
        return Ace(kind.upper(), _letters(flags, ACE_FLAGS), _mask(mask), _sid(sid, domain_sid))
    except ValueError as why:
        raise Malformed(text) from why


def parse(text: str, domain_sid: str | None = None) -> Descriptor:
    """Read SDDL.

    Raises:
        Malformed: anything that ConvertStringSecurityDescriptorToSecurityDescriptor would not take.
    """
    rest = text.strip()
    if not rest:
        raise Malformed(text)
    found = Descriptor()
    seen: set[str] = set()
    while rest:
        tag = re.match(r"([OGDS]):", rest, re.IGNORECASE)
        if tag is None or tag[1].upper() in seen:
            raise Malformed(text)
        seen.add(tag[1].upper())
        rest = rest[2:]
        if tag[1].upper() in "OG":
            ended = re.match(r"(S-[0-9\-xXa-fA-F]+?|[A-Z]{2})(?=[OGDS]:|$)", rest, re.IGNORECASE)
            if ended is None:
                raise Malformed(text)
            sid, rest = _sid(ended[1], domain_sid), rest[ended.end() :]
            found = replace(found, owner=sid) if tag[1].upper() == "O" else replace(found, group=sid)
            continue
        listed = re.match(r"([A-Z]*?)((?:\([^()]*\))*)(?=[OGDS]:|$)", rest, re.IGNORECASE)
        if listed is None:
            raise Malformed(text)
        rest = rest[listed.end() :]
        aces = tuple(_ace(one, domain_sid) for one in re.findall(r"\(([^()]*)\)", listed[2]))
        if tag[1].upper() == "D":
            found = replace(found, dacl_flags=_letters(listed[1], ACL_FLAGS), dacl=aces)
    return found


def alias(sid: str) -> str:
    """The two letters of a well-known SID, or the SID."""
    return next((short for short, long in ALIASES.items() if long == sid), sid)


def sddl(descriptor: Descriptor) -> str:
    """Write it as Windows does: rights of files by letters where they are exactly those, else as a number."""
    names = {
        FULL: "FA",
        0x10000000: "GA",
        0x80000000: "GR",
        0x40000000: "GW",
        0x20000000: "GX",
        0x120089: "FR",
        0x120116: "FW",
        0x1200A0: "FX",
    }
    text = f"O:{alias(descriptor.owner)}" if descriptor.owner else ""
    text += f"G:{alias(descriptor.group)}" if descriptor.group else ""
    if descriptor.dacl is not None:
        text += "D:" + "".join(descriptor.dacl_flags)
        for ace in descriptor.dacl:
            text += f"({ace.kind};{''.join(ace.flags)};{names.get(ace.mask, hex(ace.mask))};;;{alias(ace.sid)})"
    return text


def _sid_bytes(sid: str) -> bytes:
    _, revision, authority, *parts = sid.split("-")
    head = struct.pack("BB", int(revision), len(parts)) + int(authority, 0).to_bytes(6, "big")
    return head + b"".join(struct.pack("<I", int(part)) for part in parts)


def to_bytes(descriptor: Descriptor) -> bytes:
    """Self-relative form."""
    control = 0x8000 | (0x0004 if descriptor.dacl is not None else 0)
    control |= sum(ACL_FLAGS[one] for one in descriptor.dacl_flags)
    body, offsets = b"", [0, 0, 0]
    if descriptor.dacl is not None:
        aces = b""
        for ace in descriptor.dacl:
            sid = _sid_bytes(ace.sid)
            flags = sum(ACE_FLAGS[one] for one in ace.flags)
            aces += struct.pack("<BBHI", ACE_TYPES[ace.kind], flags, 8 + len(sid), ace.mask) + sid
        offsets[2] = 20
        body += struct.pack("<BBHHH", 2, 0, 8 + len(aces), len(descriptor.dacl), 0) + aces
    for place, sid_text in enumerate((descriptor.owner, descriptor.group)):
        if sid_text:
            offsets[place] = 20 + len(body)
            body += _sid_bytes(sid_text)
    return struct.pack("<BBHIIII", 1, 0, control, offsets[0], offsets[1], 0, offsets[2]) + body


def _read_sid(data: bytes, at: int) -> str:
    revision, count = data[at], data[at + 1]
    parts = struct.unpack_from(f"<{count}I", data, at + 8)
    return "-".join(["S", str(revision), str(int.from_bytes(data[at + 2 : at + 8], "big")), *map(str, parts)])


def from_bytes(data: bytes) -> Descriptor:
    """Read the self-relative form.

    Raises:
        Malformed: the bytes are none.
    """
    try:
        _, _, control, owner, group, _, dacl = struct.unpack_from("<BBHIIII", data)
        aces = []
        if control & 4 and dacl:
            count = struct.unpack_from("<H", data, dacl + 4)[0]
            at = dacl + 8
            for _ in range(count):
                kind, flags, size, mask = struct.unpack_from("<BBHI", data, at)
                name = next(text for text, number in ACE_TYPES.items() if number == kind)
                named = tuple(text for text, bit in ACE_FLAGS.items() if flags & bit)
                aces.append(Ace(name, named, mask, _read_sid(data, at + 8)))
                at += size
        return Descriptor(
            _read_sid(data, owner) if owner else None,
            _read_sid(data, group) if group else None,
            tuple(text for text, bit in ACL_FLAGS.items() if control & bit),
            tuple(aces) if control & 4 else None,
        )
    except (struct.error, IndexError, StopIteration) as why:
        raise Malformed(data.hex()) from why
