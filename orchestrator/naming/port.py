"""The orchestrator's ``NameService`` port over RFC 2136: model values in and out, waiting left to the executor.

The changes themselves are kept by whoever holds the plan and its journal, so no undo file is written here. A listed server that
is silent, other than the writer, holds nothing up: it cannot give a wrong answer while it is down; it is logged by name.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

import dns.rdatatype

from orchestrator.model.names import NameChange, NameChanges, NameMove, NameRecords
from orchestrator.model.outcomes import TryAgain
from orchestrator.naming.errors import DnsUnreachable, KeyRefused, NameChangeIncomplete, NamingError, ZoneMissing
from orchestrator.naming.exchange import Exchange
from orchestrator.naming.finding import read_set
from orchestrator.naming.proving import prove_changes
from orchestrator.naming.report import Outcome, State
from orchestrator.naming.request import Access, Move, server_name
from orchestrator.naming.returning import restored
from orchestrator.naming.service import DnsNameService
from orchestrator.naming.updating import apply_changes, read_back
from orchestrator.naming.values import Change, NameServer, RecordSet, same_set
from orchestrator.naming.zones import in_parallel, survey

_SHORT_WAIT_S = 2.0

log = logging.getLogger("dtam.naming")


class Rfc2136NameService:
    """The listed DNS servers of a protection, written with its TSIG key."""

    def __init__(self, access: Access) -> None:
        self._access = replace(access, await_s=min(access.await_s, _SHORT_WAIT_S), tolerate_silent=True)
        self._service = DnsNameService(self._access)

    def records(self, move: NameMove) -> tuple[NameRecords, ...]:
        """The records that the move touches, as the writer has them now."""
        report = self._service.plan(to_move(move))
        _raise_first(report.outcomes)
        return tuple(_to_records(change.before) for change in report.changes.changes if change.before is not None)

    def resolve(self, name: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """What each listed server answers for the name; silent servers have no answer and are logged."""
        exchange = Exchange(self._access)
        asked = in_parallel(self._access.threads, lambda one: _addresses(exchange, one, name), self._access.servers)
        return tuple(
            (str(server), addresses)
            for server, addresses in zip(self._access.servers, asked, strict=True)
            if addresses is not None
        )

    def plan(self, move: NameMove) -> NameChanges:
        """The changes that the move needs, as of now.

        Raises:
            NamingError: a server or zone could not be read.
        """
        report = self._service.plan(to_move(move))
        _raise_first(report.outcomes)
        return NameChanges(tuple(_from_change(change) for change in report.changes.changes), report.remarks)

    def apply(self, changes: NameChanges) -> None:
        """Make the changes and see them everywhere; what others added to a record set meanwhile is kept.

        Raises:
            TryAgain: a server does not answer, or does not show them yet.
            NamingError: it will not come right by waiting.
        """
        self._lead(tuple(_to_change(change) for change in changes.changes), keep_others=True)

    def put_back(self, changes: NameChanges) -> None:
        """Undo the changes exactly.

        Raises:
            TryAgain: a server does not answer, or does not show them yet.
            NameChangeIncomplete: somebody else changed a record since; it is named and left alone.
        """
        self._lead(tuple(_to_change(change).reversed() for change in changes.changes), keep_others=False)

    def applied(self, changes: NameChanges) -> bool:
        """Whether every listed server that answers, and every writer, shows the ``after`` of every change."""
        return self._shown(tuple(_to_change(change) for change in changes.changes))

    def is_put_back(self, changes: NameChanges) -> bool:
        """Whether every listed server that answers, and every writer, shows the ``before`` of every change."""
        return self._shown(tuple(_to_change(change).reversed() for change in changes.changes))

    def set_ttl(self, changes: NameChanges) -> None:
        """Give each record its wanted TTL, whatever its data is now; what is gone is left alone.

        Raises:
            TryAgain: a server does not answer, or does not show it yet.
            NamingError: it will not come right by waiting.
        """
        exchange = Exchange(self._access)
        wanted = [_to_ttl(exchange, _to_change(change)) for change in changes.changes]
        todo = [change for change in wanted if change is not None]
        self._make(exchange, todo, todo)

    def has_ttl(self, changes: NameChanges) -> bool:
        """Whether every record that is there has its wanted TTL, on every listed server that answers and every writer."""
        exchange = Exchange(self._access)
        every = tuple(_to_change(change) for change in changes.changes)
        pairs = [(change, server) for change in every for server in self._holders(exchange, change)]
        return all(in_parallel(self._access.threads, lambda pair: _has_ttl(exchange, *pair), pairs))

    def test(self, name: str) -> tuple[tuple[str, str], ...]:
        """Whether the key may change ``name``, without changing anything: problems as (kind, sentence)."""
        absolute = server_name(name)
        exchange = Exchange(self._access)
        known = survey(exchange, [absolute])
        problems = [(_kind(error), f"{error}. {error.hint}") for _, error in known.failures]
        changes = [
            Change(writer, held, held or RecordSet(zone.name, absolute, "A", 0, ("192.0.2.1",)))
            for zone in known.zones
            for writer in zone.writers
            if not exchange.is_silent(writer)
            for held in [read_set(exchange, writer, zone.name, absolute, "A")]
        ]
        problems += [
            (_kind(outcome.error), f"{outcome.error}. {outcome.error.hint}")
            for outcome in prove_changes(exchange, changes)
            if outcome.error is not None
        ]
        return tuple(dict.fromkeys(problems))

    def _lead(self, changes: tuple[Change, ...], *, keep_others: bool) -> None:
        exchange = Exchange(self._access)
        todo = [one for change in changes if (one := _still_to_do(exchange, change, keep_others=keep_others))]
        wanted = {change.key: change for change in changes} | {change.key: change for change in todo}
        self._make(exchange, todo, wanted.values())

    def _make(self, exchange: Exchange, todo: Sequence[Change], wanted: Collection[Change]) -> None:
        """Send what is to be done, and see what is wanted everywhere."""
        failures = apply_changes(exchange, todo)
        pairs = [(change, server) for change in wanted for server in self._holders(exchange, change)]
        _raise_first(read_back(exchange, pairs, failures, {change.key for change in todo}), writers=_writers(wanted))

    def _shown(self, changes: tuple[Change, ...]) -> bool:
        exchange = Exchange(self._access)
        pairs = [(change, server) for change in changes for server in self._holders(exchange, change)]
        return all(in_parallel(self._access.threads, lambda pair: _shows(exchange, *pair), pairs))

    def _holders(self, exchange: Exchange, change: Change) -> tuple[NameServer, ...]:
        """The writer, and every listed server that answers for the zone."""
        zone = change.subject.zone
        known = next((one for one in survey(exchange, [zone]).zones if one.name.lower() == zone.lower()), None)
        others = () if known is None else (*known.writers, *known.watchers)
        return tuple(dict.fromkeys((change.server, *(() if self._access.each_server else others))))


def to_move(move: NameMove) -> Move:
    """The port's move in this room's words."""
    return Move(
        source_name=server_name(move.name),
        addresses=move.addresses,
        zones=tuple(f"{zone.rstrip('.')}." for zone in move.zones),
        names=tuple(f"{name.rstrip('.')}." for name in move.names),
        ttl_s=move.ttl_s,
    )


def _present(exchange: Exchange, change: Change) -> RecordSet | None:
    subject = change.subject
    try:
        return read_set(exchange, change.server, subject.zone, subject.name, subject.type)
    except DnsUnreachable as error:
        raise TryAgain(str(error), after_s=2.0) from error


def _to_ttl(exchange: Exchange, change: Change) -> Change | None:
    """The change of nothing but the TTL of what is there now; None when there is nothing to do."""
    now = _present(exchange, change)
    if now is None or change.after is None or now.ttl_s == change.after.ttl_s:
        return None
    return Change(change.server, now, now.with_ttl(change.after.ttl_s))


def _has_ttl(exchange: Exchange, change: Change, server: NameServer) -> bool:
    subject = change.subject
    try:
        now = read_set(exchange, server, subject.zone, subject.name, subject.type)
    except DnsUnreachable as error:
        log.warning("%s", error)
        return server != change.server
    return now is None or change.after is None or now.ttl_s == change.after.ttl_s


def _still_to_do(exchange: Exchange, change: Change, *, keep_others: bool) -> Change | None:
    subject, now = change.subject, _present(exchange, change)
    if same_set(now, change.after):
        return None
    if same_set(now, change.before):
        return change
    if not keep_others:
        reason = f"{subject.name} {subject.type} on {change.server} was changed by somebody since: it holds {now or 'nothing'}"
        raise NameChangeIncomplete(
            reason=reason, advice=f"it should become: {change.after or 'absent'}; mend it by hand"
        )
    wanted = restored(change.reversed(), now)
    return None if same_set(now, wanted) else Change(change.server, now, wanted)


def _shows(exchange: Exchange, change: Change, server: NameServer) -> bool:
    subject = change.subject
    try:
        return same_set(read_set(exchange, server, subject.zone, subject.name, subject.type), change.after)
    except DnsUnreachable as error:
        log.warning("%s", error)
        return server != change.server


def _addresses(exchange: Exchange, server: NameServer, name: str) -> tuple[str, ...] | None:
    try:
        answers = [exchange.ask(server, f"{name.rstrip('.')}.", kind) for kind in ("A", "AAAA")]
    except NamingError as error:
        log.warning("%s", error)
        return None
    wanted = (dns.rdatatype.A, dns.rdatatype.AAAA)
    return tuple(one.address for answer in answers for rrs in answer.answer if rrs.rdtype in wanted for one in rrs)


def _writers(changes: Iterable[Change]) -> set[str]:
    return {str(change.server) for change in changes}


def _raise_first(outcomes: Iterable[Outcome], writers: set[str] | None = None) -> None:
    """Raise the first failure that counts; silence of a server that is no writer is only logged."""
    for outcome in outcomes:
        if outcome.state is not State.FAILED or outcome.error is None:
            continue
        if isinstance(outcome.error, DnsUnreachable):
            if writers is None or outcome.server in writers:
                raise TryAgain(str(outcome.error), after_s=2.0) from outcome.error
            log.warning("%s", outcome.error)
        elif isinstance(outcome.error, NameChangeIncomplete):
            raise TryAgain(str(outcome.error), after_s=1.0) from outcome.error
        else:
            raise outcome.error


def _kind(error: NamingError | None) -> str:
    match error:
        case KeyRefused():
            return "key-refused"
        case DnsUnreachable():
            return "unreachable"
        case ZoneMissing():
            return "zone-missing"
        case _:
            return "other"


def _to_records(records: RecordSet) -> NameRecords:
    return NameRecords(records.zone, records.name, records.type, records.ttl_s, records.data)


def _from_change(change: Change) -> NameChange:
    before, after = (None if one is None else _to_records(one) for one in (change.before, change.after))
    return NameChange(str(change.server), before, after)


def _to_change(change: NameChange) -> Change:
    before, after = (
        None if one is None else RecordSet(one.zone, one.name, one.type, one.ttl_s, one.data)
        for one in (change.before, change.after)
    )
    return Change(NameServer.parse(change.server), before, after)
