"""What is asked of a name service and what it found: records before and after, as values that print.

``NameChanges`` is gathered at enable from the records as they were and kept, so that a failover reads nothing from the source
and a failback puts back exactly what was there.
"""

from __future__ import annotations

import msgspec


class NameRecords(msgspec.Struct, frozen=True):
    """All records of one type at one name. ``ttl_s`` in seconds; names are absolute."""

    zone: str
    name: str
    type: str
    ttl_s: int
    data: tuple[str, ...]

    def lines(self) -> tuple[str, ...]:
        """One line a record, as zone files write them."""
        return tuple(f"{self.name} {self.ttl_s} {self.type} {one}" for one in self.data)


class NameChange(msgspec.Struct, frozen=True):
    """One record set on its writer; ``before`` or ``after`` is None where it comes into being or goes."""

    server: str
    before: NameRecords | None
    after: NameRecords | None

    def reversed(self) -> NameChange:
        """The change that puts back what this one found."""
        return NameChange(self.server, self.after, self.before)


class NameNode(msgspec.Struct, frozen=True):
    """What a directory keeps of one name beside its data, as it was before: who may write it, and when each record was registered.

    ``security`` is the descriptor in base64; ``account`` is the SID whose right is taken while failed over, empty for nobody's.
    A stamp is type, data and hours since 1601; 0 hours is static.
    """

    zone: str
    name: str
    dn: str
    security: str
    account: str = ""
    stamps: tuple[tuple[str, str, int], ...] = ()


class NameChanges(msgspec.Struct, frozen=True):
    """All changes of one move of a name, with remarks for a person. ``nodes``: their names in zones of a directory."""

    changes: tuple[NameChange, ...] = ()
    remarks: tuple[str, ...] = ()
    nodes: tuple[NameNode, ...] = ()

    @property
    def before(self) -> tuple[str, ...]:
        """Lines of what goes."""
        return tuple(line for change in self.changes if change.before for line in change.before.lines())

    @property
    def after(self) -> tuple[str, ...]:
        """Lines of what comes."""
        return tuple(line for change in self.changes if change.after for line in change.after.lines())

    def reversed(self) -> NameChanges:
        """The changes that put back what these found."""
        return NameChanges(tuple(change.reversed() for change in self.changes), nodes=self.nodes)

    def protected(self, ttl_s: int | None) -> NameChanges:
        """The same move from records that have the TTL of the time of protection; None keeps theirs."""
        if ttl_s is None:
            return self
        return NameChanges(tuple(_from_ttl(change, ttl_s) for change in self.changes), self.remarks, self.nodes)

    def lowering(self, ttl_s: int | None, earlier: NameChanges | None = None) -> NameChanges:
        """The changes of TTL that protecting these records needs, from what they had before anybody lowered them.

        ``earlier``: what was lowered before; its first TTL counts as long as the record still has the lowered one.
        """
        known = {_key(change): change for change in earlier.changes} if earlier else {}
        for change in self.changes:
            lowered = _lowered(change, ttl_s, known.get(_key(change)))
            if lowered is not None:
                known[_key(change)] = lowered
        return NameChanges(tuple(known.values()))


def _key(change: NameChange) -> tuple[str, str, str, str]:
    subject = change.before or change.after
    assert subject is not None  # noqa: S101  a change is about something
    return change.server, subject.zone.lower(), subject.name.lower(), subject.type


def _from_ttl(change: NameChange, ttl_s: int) -> NameChange:
    if change.before is None:
        return change
    return NameChange(change.server, msgspec.structs.replace(change.before, ttl_s=ttl_s), change.after)


def _lowered(change: NameChange, ttl_s: int | None, earlier: NameChange | None) -> NameChange | None:
    now = change.before
    if now is None:
        return None
    ours = earlier is not None and earlier.after is not None and now.ttl_s == earlier.after.ttl_s
    first_s = earlier.before.ttl_s if ours and earlier and earlier.before else now.ttl_s
    wanted_s = now.ttl_s if ttl_s is None else ttl_s
    if first_s == wanted_s:
        return None
    before, after = (msgspec.structs.replace(now, ttl_s=one) for one in (first_s, wanted_s))
    return NameChange(change.server, before, after)


class NameMove(msgspec.Struct, frozen=True):
    """A client name gives way: records naming ``addresses``' first members point to the second ones. ``ttl_s`` None keeps TTLs."""

    name: str
    addresses: tuple[tuple[str, str], ...]
    zones: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    ttl_s: int | None = None
    account: str = ""
    """The source's account in the directory, whose right is taken; empty: that of the name."""
