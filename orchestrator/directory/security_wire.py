"""Security descriptors and SIDs as bytes: the self-relative form of [MS-DTYP] 2.4.2 (SID), 2.4.4 (ACE), 2.4.5 (ACL), 2.4.6.

Reading is strict about lengths and lenient about meaning: an ACE of an unknown kind keeps its bytes.
"""

from __future__ import annotations

import re
import struct
from uuid import UUID

from orchestrator.directory.errors import DescriptorInvalid
from orchestrator.directory.security import Ace, Acl, Descriptor

_SELF_RELATIVE, _DACL_PRESENT, _SACL_PRESENT = 0x8000, 0x0004, 0x0010
_SID = re.compile(r"S(-(?:\d+|0X[0-9A-F]+))(-(?:\d+|0X[0-9A-F]+))((?:-\d+){0,15})")
_HEAD = struct.Struct("<BBHIIII")
_ACL_HEAD = struct.Struct("<BBHHH")
_ACE_HEAD = struct.Struct("<BBH")
_PLAIN_KINDS = frozenset({0, 1, 2, 3, 9, 10, 13, 14, 17, 18, 19})
_OBJECT_KINDS = frozenset({5, 6, 7, 8, 11, 12, 15, 16})
_HAS_OBJECT, _HAS_INHERITED = 1, 2


def sid_text(raw: bytes) -> str:
    """A binary SID as ``S-1-5-...``.

    Raises:
        DescriptorInvalid: it is not one.
    """
    text, size = _sid(raw)
    if size != len(raw):
        raise DescriptorInvalid(reason=f"{len(raw) - size} bytes stand behind a SID")
    return text


def sid_bytes(text: str) -> bytes:
    """``S-1-5-...`` as bytes.

    Raises:
        DescriptorInvalid: it is not a SID.
    """
    if not _SID.fullmatch(text.upper()):
        raise DescriptorInvalid(reason=f"{text!r} is not a SID")
    revision, authority, *parts = (int(one, 16 if "X" in one.upper() else 10) for one in text.split("-")[1:])
    try:
        head = struct.pack("<BB", revision, len(parts)) + authority.to_bytes(6, "big")
        return head + struct.pack(f"<{len(parts)}I", *parts)
    except (struct.error, OverflowError):
        raise DescriptorInvalid(reason=f"{text!r} has a number too large for a SID") from None


def decoded(raw: bytes) -> Descriptor:
    """A self-relative descriptor as a value.

    Raises:
        DescriptorInvalid: an offset, a length or the form is wrong.
    """
    if len(raw) < _HEAD.size:
        raise DescriptorInvalid(reason=f"it has {len(raw)} bytes")
    revision, _, control, owner, group, sacl, dacl = _HEAD.unpack_from(raw)
    if revision != 1 or not control & _SELF_RELATIVE:
        raise DescriptorInvalid(reason="it is not self-relative of revision 1")
    lists = {_DACL_PRESENT: dacl, _SACL_PRESENT: sacl}
    read = {flag: _acl(_behind(raw, at)) for flag, at in lists.items() if at and control & flag}
    return Descriptor(
        owner=_sid(_behind(raw, owner))[0] if owner else None,
        group=_sid(_behind(raw, group))[0] if group else None,
        dacl=read.get(_DACL_PRESENT),
        sacl=read.get(_SACL_PRESENT),
        control=control & ~(_SELF_RELATIVE | sum(read)),
    )


def encoded(descriptor: Descriptor) -> bytes:
    """A descriptor in self-relative form: owner, group, SACL, DACL.

    Raises:
        DescriptorInvalid: a SID is none, or a list is longer than its form can say.
    """
    control = descriptor.control | _SELF_RELATIVE
    control |= _DACL_PRESENT if descriptor.dacl is not None else 0
    control |= _SACL_PRESENT if descriptor.sacl is not None else 0
    sids = [None if one is None else sid_bytes(one) for one in (descriptor.owner, descriptor.group)]
    lists = [None if one is None else _acl_bytes(one) for one in (descriptor.sacl, descriptor.dacl)]
    body, offsets = b"", []
    for part in (*sids, *lists):
        offsets.append(_HEAD.size + len(body) if part is not None else 0)
        body += part or b""
    return _HEAD.pack(1, 0, control, *offsets) + body


def _behind(raw: bytes, offset: int) -> bytes:
    if not _HEAD.size <= offset < len(raw):
        raise DescriptorInvalid(reason=f"an offset leads to {offset} of {len(raw)} bytes")
    return raw[offset:]


def _sid(raw: bytes) -> tuple[str, int]:
    """The SID at the beginning, and its length."""
    size = 8 + 4 * raw[1] if len(raw) >= 8 else 8
    if len(raw) < size or raw[1] > 15:
        raise DescriptorInvalid(reason="a SID is cut off")
    parts = struct.unpack_from(f"<{raw[1]}I", raw, 8)
    numbers = (raw[0], int.from_bytes(raw[2:8], "big"), *parts)
    return f"S-{'-'.join(map(str, numbers))}", size


def _acl(raw: bytes) -> Acl:
    if len(raw) < _ACL_HEAD.size:
        raise DescriptorInvalid(reason="an access list is cut off")
    revision, _, size, count, _ = _ACL_HEAD.unpack_from(raw)
    if size > len(raw):
        raise DescriptorInvalid(reason=f"an access list says {size} bytes and has {len(raw)}")
    aces, at = [], _ACL_HEAD.size
    for _ in range(count):
        if at + _ACE_HEAD.size > size:
            raise DescriptorInvalid(reason=f"an access list ends before its {count} entries")
        kind, flags, length = _ACE_HEAD.unpack_from(raw, at)
        if length < _ACE_HEAD.size or at + length > size:
            raise DescriptorInvalid(reason="an entry of an access list is longer than the list")
        aces.append(_ace(kind, flags, raw[at + _ACE_HEAD.size : at + length]))
        at += length
    return Acl(tuple(aces), revision)


def _ace(kind: int, flags: int, body: bytes) -> Ace:
    if kind not in _PLAIN_KINDS | _OBJECT_KINDS:
        return Ace(kind, flags, 0, "", rest=body)
    mask, at = _number(body, 0), 4
    object_type = inherited_type = None
    if kind in _OBJECT_KINDS:
        present, at = _number(body, at), at + 4
        if present & _HAS_OBJECT:
            object_type, at = _uuid(body, at), at + 16
        if present & _HAS_INHERITED:
            inherited_type, at = _uuid(body, at), at + 16
    sid, length = _sid(body[at:])
    return Ace(kind, flags, mask, sid, object_type, inherited_type, body[at + length :])


def _number(body: bytes, at: int) -> int:
    if len(body) < at + 4:
        raise DescriptorInvalid(reason="an entry of an access list is cut off")
    return int(struct.unpack_from("<I", body, at)[0])


def _uuid(body: bytes, at: int) -> UUID:
    if len(body) < at + 16:
        raise DescriptorInvalid(reason="an entry of an access list is cut off")
    return UUID(bytes_le=body[at : at + 16])


def _acl_bytes(acl: Acl) -> bytes:
    body = b"".join(_ace_bytes(one) for one in acl.aces)
    if _ACL_HEAD.size + len(body) > 0xFFFF:
        raise DescriptorInvalid(reason=f"an access list of {len(acl.aces)} entries is too long")
    return _ACL_HEAD.pack(acl.revision, 0, _ACL_HEAD.size + len(body), len(acl.aces), 0) + body


def _ace_bytes(ace: Ace) -> bytes:
    body = _ace_body(ace)
    if _ACE_HEAD.size + len(body) > 0xFFFF:
        raise DescriptorInvalid(reason="an entry of an access list is too long")
    return _ACE_HEAD.pack(ace.kind, ace.flags, _ACE_HEAD.size + len(body)) + body


def _ace_body(ace: Ace) -> bytes:
    if ace.kind not in _PLAIN_KINDS | _OBJECT_KINDS:
        return ace.rest
    types = b""
    if ace.kind in _OBJECT_KINDS:
        present = (_HAS_OBJECT if ace.object_type else 0) | (_HAS_INHERITED if ace.inherited_type else 0)
        named = (one.bytes_le for one in (ace.object_type, ace.inherited_type) if one is not None)
        types = struct.pack("<I", present) + b"".join(named)
    return struct.pack("<I", ace.mask) + types + sid_bytes(ace.sid) + ace.rest
