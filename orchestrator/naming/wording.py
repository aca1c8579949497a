"""The model's words for names and this room's, one into the other. Pure."""

from __future__ import annotations

from orchestrator.model.names import NameChange, NameChanges, NameMove, NameRecords
from orchestrator.naming.errors import DnsUnreachable, KerberosFailed, KeyRefused, NamingError, ZoneMissing
from orchestrator.naming.request import Move, server_name
from orchestrator.naming.values import Change, NameServer, RecordSet


def to_move(move: NameMove) -> Move:
    """The port's move in this room's words."""
    return Move(
        source_name=server_name(move.name),
        addresses=move.addresses,
        zones=tuple(f"{zone.rstrip('.')}." for zone in move.zones),
        names=tuple(f"{name.rstrip('.')}." for name in move.names),
        ttl_s=move.ttl_s,
        account=move.account or None,
    )


def problem(error: NamingError) -> tuple[str, str]:
    """An error as kind and sentence."""
    return _kind(error), f"{error}. {error.hint}"


def _kind(error: NamingError) -> str:
    match error:
        case KeyRefused() | KerberosFailed():
            return "key-refused"
        case DnsUnreachable():
            return "unreachable"
        case ZoneMissing():
            return "zone-missing"
        case _:
            return "other"


def to_changes(changes: NameChanges) -> tuple[Change, ...]:
    """The model's changes in this room's words."""
    return tuple(_to_change(change) for change in changes.changes)


def to_records(records: RecordSet) -> NameRecords:
    """A record set in the model's words."""
    return NameRecords(records.zone, records.name, records.type, records.ttl_s, records.data)


def from_change(change: Change) -> NameChange:
    """A change in the model's words."""
    before, after = (None if one is None else to_records(one) for one in (change.before, change.after))
    return NameChange(str(change.server), before, after)


def _to_change(change: NameChange) -> Change:
    before, after = (
        None if one is None else RecordSet(one.zone, one.name, one.type, one.ttl_s, one.data)
        for one in (change.before, change.after)
    )
    return Change(NameServer.parse(change.server), before, after)


def may_pass(error: NamingError) -> bool:
    """Whether an error of Kerberos may come right by waiting."""
    return isinstance(error, KerberosFailed) and error.may_pass
