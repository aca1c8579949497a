"""Proof without change: would each record of a move be taken by its server, with this key, today?

The proof is an update that changes nothing but needs every right that the real one needs (``unchanging_update``). A refused
zone is asked record by record, so that the answer names server, zone and record. The same proof with the source's key, or
unsigned, shows whether the source could take its name back: there it must fail.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from orchestrator.naming.errors import DnsUnreachable, KeyRefused, NamingError, SourceMayWrite
from orchestrator.naming.exchange import Exchange
from orchestrator.naming.finding import read_set
from orchestrator.naming.keys import Key
from orchestrator.naming.report import Outcome, State, outcome_of
from orchestrator.naming.request import Access
from orchestrator.naming.updating import send, unchanging_update
from orchestrator.naming.values import Change, NameServer, RecordSet, same_set
from orchestrator.naming.zones import Zone, in_parallel


def prove_changes(exchange: Exchange, changes: Iterable[Change]) -> list[Outcome]:
    """For each change, whether its writer would take it; nothing is changed."""
    groups: dict[tuple[NameServer, str], list[Change]] = {}
    for change in changes:
        groups.setdefault((change.server, change.subject.zone.lower()), []).append(change)
    proved = in_parallel(exchange.access.threads, lambda group: _prove_group(exchange, group), groups.values())
    return [outcome for outcomes in proved for outcome in outcomes]


def _prove_group(exchange: Exchange, group: list[Change]) -> list[Outcome]:
    error = send(exchange, group, unchanging_update)
    alone = len(group) > 1 and error is not None and not isinstance(error, DnsUnreachable | KeyRefused)
    if alone:
        return [_proof(change, send(exchange, (change,), unchanging_update)) for change in group]
    return [_proof(change, error) for change in group]


def _proof(change: Change, error: NamingError | None) -> Outcome:
    if error is None:
        return outcome_of(change, change.server, State.PROVED, f"{change.server} would take the {change.kind}")
    return outcome_of(change, change.server, State.FAILED, str(error), error)


def compare_watchers(exchange: Exchange, zones: Iterable[Zone], changes: Iterable[Change]) -> list[Outcome]:
    """Whether every watched server shows today what its writer shows; one that lags today will lag at a failover."""
    watchers = {zone.name.lower(): zone.watchers for zone in zones}
    pairs = [(change, server) for change in changes for server in watchers.get(change.subject.zone.lower(), ())]
    return in_parallel(exchange.access.threads, lambda pair: _compare(exchange, *pair), pairs)


def _compare(exchange: Exchange, change: Change, server: NameServer) -> Outcome:
    subject = change.subject
    try:
        seen = read_set(exchange, server, subject.zone, subject.name, subject.type)
    except NamingError as error:
        return outcome_of(change, server, State.FAILED, str(error), error)
    if same_set(seen, change.before):
        return outcome_of(change, server, State.PROVED, f"{server} agrees with {change.server}")
    differs = NamingError(
        reason=f"{server} shows {seen or 'nothing'} where {change.server} shows {change.before or 'nothing'}",
        advice=f"does {server} transfer {subject.zone} from {change.server}?",
    )
    return outcome_of(change, server, State.FAILED, str(differs), differs)


def prove_closed(
    access: Access, records: Iterable[tuple[NameServer, RecordSet]], source_keys: Iterable[Key]
) -> list[Outcome]:
    """Whether the source is kept from these records: unsigned, and with each of its keys, an update must be refused."""
    intruders: list[tuple[str, Access]] = [
        ("anybody without a key", replace(access, keys=(), kerberos=None, unsigned=True))
    ]
    intruders += [(f"the key {key.name}", replace(access, keys=(("", key),), kerberos=None)) for key in source_keys]
    known = list(records)
    return [outcome for who, its in intruders for outcome in _prove_intruder(Exchange(its), who, known)]


def _prove_intruder(exchange: Exchange, who: str, records: list[tuple[NameServer, RecordSet]]) -> list[Outcome]:
    return in_parallel(exchange.access.threads, lambda item: _closed(exchange, who, *item), records)


def _closed(exchange: Exchange, who: str, server: NameServer, records: RecordSet) -> Outcome:
    change = Change(server, records, records)
    error = send(exchange, (change,), unchanging_update)
    if isinstance(error, DnsUnreachable):
        return outcome_of(change, server, State.FAILED, str(error), error)
    if error is not None:
        return outcome_of(
            change, server, State.PROVED, f"{server} refuses {who} to change {records.name} {records.type}"
        )
    name, zone = records.name.rstrip("."), records.zone.rstrip(".")
    open_door = SourceMayWrite(server=server, who=who, name=name, zone=zone)
    return outcome_of(change, server, State.FAILED, str(open_door), open_door)
