"""Seeing before deciding: which zones matter, what they hold, what could not be seen, and what a person should know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.directory.errors import DirectoryError
from orchestrator.naming.errors import DnsUnreachable, NamingError, RecordGone, ZoneMissing
from orchestrator.naming.exchange import Exchange
from orchestrator.naming.finding import Findings, ZoneContent, names_of, read_set, read_zones, reverse_name
from orchestrator.naming.moving import concerns
from orchestrator.naming.report import Outcome, State, failure_of
from orchestrator.naming.request import Move
from orchestrator.naming.session import Session, directory_failed
from orchestrator.naming.values import Change, RecordSet
from orchestrator.naming.zones import Survey, in_parallel, survey

RECOMMENDED_TTL_S = 300
Present = dict[tuple[str, str, str, str], RecordSet | None]


@dataclass(frozen=True, slots=True)
class View:
    """What was seen before deciding: zones, contents, and what could not be seen."""

    zones: Survey
    findings: Findings
    failures: tuple[Outcome, ...]
    remarks: tuple[str, ...]


def look(session: Session, move: Move) -> View:
    """Look at every server; read each zone from the directory that keeps it, else from its writer."""
    kept, failures = _kept_zones(session)
    zones = survey(session.exchange, (*names_of(move), *kept))
    findings = read_zones(session.exchange, zones, move, kept)
    reverse = {reverse_name(address) for pair in move.addresses for address in pair}
    absent = [name for name, error in zones.failures if isinstance(error, ZoneMissing)]
    missing = [name for name in absent if name in reverse]
    unserved = [name for name in absent if name in kept and name not in names_of(move)]
    remarks = tuple(f"no reverse zone holds {name}: a warning, no PTR record is changed there" for name in missing)
    remarks += tuple(f"no listed DNS server answers for {name}, which the directory keeps" for name in unserved)
    failures += zone_failures(zones, (*missing, *unserved))
    failures += tuple(failure_of(where, error) for where, error in findings.failures)
    return View(zones, findings, failures, remarks)


def _kept_zones(session: Session) -> tuple[dict[str, tuple[RecordSet, ...]], tuple[Outcome, ...]]:
    """What the directory's zones hold, by their names in small letters."""
    if session.zones is None:
        return {}, session.failures
    try:
        kept = {
            name: tuple(records for node in session.zones.nodes(zone) for records in node.record_sets())
            for name, zone in session.zones.zones.items()
        }
    except DirectoryError as error:
        failure = failure_of("directory", directory_failed(session.exchange.access, error))
        return {}, (*session.failures, failure)
    return kept, session.failures


def records_of(view: View, move: Move) -> list[tuple[ZoneContent, RecordSet]]:
    """The records of the source in what was read."""
    return [
        (content, records)
        for content in view.findings.contents
        for records in content.records
        if concerns(content, records, move)
    ]


def with_every_address(view: View, move: Move) -> Move:
    """The move with every address that the source's name was found to have."""
    held = [
        address
        for content in view.findings.contents
        for records in content.records
        if records.type in ("A", "AAAA") and records.name.lower() == move.source_name.lower()
        for address in records.data
    ]
    more = [address for address in dict.fromkeys(held) if address not in move.address_of]
    return replace(move, addresses=(*move.addresses, *((address, address) for address in more)))


def zone_failures(zones: Survey, tolerated: tuple[str, ...]) -> tuple[Outcome, ...]:
    """Servers and names that gave an error, as outcomes."""
    return tuple(failure_of(where, error) for where, error in zones.failures if where not in tolerated)


def tolerant(view: Survey, outcomes: Iterable[Outcome], *, tolerate: bool) -> tuple[Outcome, ...]:
    """The outcomes with silent servers skipped, where that was asked for; a silent writer stays a failure."""
    writers = {str(writer) for zone in view.zones for writer in zone.writers}

    def skipped(outcome: Outcome) -> bool:
        return isinstance(outcome.error, DnsUnreachable) and outcome.server not in writers

    every = tuple(outcomes)
    if not tolerate or not writers:
        return every
    return tuple(one.now(State.SKIPPED) if skipped(one) else one for one in every)


def present(exchange: Exchange, changes: Iterable[Change]) -> tuple[Present, list[Outcome]]:
    """What the writers hold now where the changes are; what could not be read is told."""

    def read(change: Change) -> tuple[Change, RecordSet | NamingError | None]:
        subject = change.subject
        try:
            return change, read_set(exchange, change.server, subject.zone, subject.name, subject.type)
        except NamingError as error:
            return change, error

    seen = in_parallel(exchange.access.threads, read, changes)
    found = {change.key: now for change, now in seen if not isinstance(now, NamingError)}
    unread = [
        Outcome(State.FAILED, str(now), str(one.server), one.subject.zone, one.subject.name, one.subject.type, now)
        for one, now in seen
        if isinstance(now, NamingError)
    ]
    return found, unread


def gone(session: Session, view: View, move: Move) -> list[Outcome]:
    """A failure for each writer of the source's zone that has no address of it: there is nothing that could be moved."""
    zone = view.zones.zone_of.get(move.source_name, "").lower()
    outcomes = []
    for content in view.findings.contents:
        held = [content.find(move.source_name, kind) for kind in ("A", "AAAA", "CNAME")]
        if content.zone.lower() != zone or any(held) or not _wanted(move):
            continue
        reason, advice = _why_gone(session, content.zone, move)
        error = RecordGone(server=content.server, type="A", name=move.source_name, reason=reason, advice=advice)
        outcomes.append(
            Outcome(State.FAILED, str(error), str(content.server), content.zone, move.source_name, "A", error)
        )
    return outcomes


def _wanted(move: Move) -> bool:
    return bool({"A", "AAAA"} & set(move.types))


def _why_gone(session: Session, zone_name: str, move: Move) -> tuple[str, str]:
    again = "register it again on the source: net ads dns register, or ipconfig /registerdns"
    zone = session.zones.zone(zone_name) if session.zones else None
    if session.zones is None or zone is None:
        return "it is not there", again
    try:
        node = session.zones.node(zone, move.source_name)
    except DirectoryError as error:
        return str(error), error.hint
    if node is not None and node.tombstoned:
        return "the directory holds its tombstone: it was scavenged or deleted", again
    return "the directory does not hold it", again


def advice(session: Session, view: View, move: Move, hosts_file: Path) -> tuple[str, ...]:
    """What a person should know although nothing fails: slow TTLs, ageing zones, and a hosts file that hides DNS."""
    slow = [
        f"{records.name} {records.type} has a TTL of {records.ttl_s} s: clients may keep the old answer for that long; "
        f"{RECOMMENDED_TTL_S} s or less is recommended (dfo ttl)"
        for _, records in records_of(view, move)
        if records.ttl_s > RECOMMENDED_TTL_S
    ]
    return (*slow, *_ageing(session, view, move), *hosts_file_remarks(hosts_file, move.source_name))


def _ageing(session: Session, view: View, move: Move) -> tuple[str, ...]:
    names = {content.zone.lower() for content, _ in records_of(view, move)}
    zones = [zone for name, zone in session.zones.zones.items() if name in names] if session.zones else []
    return tuple(
        f"records of {zone.name} that are not registered again for "
        f"{zone.properties.no_refresh_h + zone.properties.refresh_h} h are scavenged: what a failover writes there is made static"
        for zone in zones
        if zone.properties.ageing
    )


def hosts_file_remarks(hosts_file: Path, name: str) -> tuple[str, ...]:
    """A hosts-file entry for the source keeps this machine from seeing what DNS says."""
    try:
        lines = hosts_file.read_text(errors="replace").splitlines()
    except OSError:
        return ()
    wanted = name.rstrip(".").lower()
    return tuple(
        f"{hosts_file} line {number} names {wanted}: this machine will not see the failover; remove the line"
        for number, line in enumerate(lines, 1)
        if wanted in line.partition("#")[0].lower().split()[1:]
    )
