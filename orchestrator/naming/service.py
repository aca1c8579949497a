"""The name service over RFC 2136: find, test, move, put back, set TTLs, prove the lock.

The order of a deed: look at every server, read the zones from their writers, plan (pure), have the undo on disk, change, read
back everywhere. One run at a time per undo file. Killed anywhere, the same deed run again finishes; the opposite deed undoes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.naming import undo as undoing
from orchestrator.naming.errors import DnsUnreachable, NamingError, UndoUnusable, ZoneMissing
from orchestrator.naming.exchange import Exchange
from orchestrator.naming.finding import Findings, ZoneContent, names_of, read_set, read_zones, reverse_name
from orchestrator.naming.keys import Key
from orchestrator.naming.moving import concerns, plan_move, plan_ttl
from orchestrator.naming.proving import compare_watchers, prove_changes, prove_closed
from orchestrator.naming.report import Outcome, Report, State, failure_of
from orchestrator.naming.request import Access, Move
from orchestrator.naming.returning import plan_rest, plan_return, plan_ttl_return, same_move
from orchestrator.naming.undo import Phase, Undo
from orchestrator.naming.updating import Failures, apply_changes, read_back
from orchestrator.naming.values import Change, ChangeSet, RecordSet, same_set
from orchestrator.naming.zones import Survey, in_parallel, survey

_RECOMMENDED_TTL_S = 300
_PROOFS = ("list", "plan", "test", "lock", "plan failback", "test failback")


@dataclass(frozen=True, slots=True)
class View:
    """What was seen before deciding: zones, contents, and what could not be seen."""

    zones: Survey
    findings: Findings
    failures: tuple[Outcome, ...]
    remarks: tuple[str, ...]


class DnsNameService:
    """Moves a server's names; one instance may serve many deeds, each of which asks the servers afresh."""

    def __init__(self, access: Access, hosts_file: Path = Path("/etc/hosts")) -> None:
        self.access = access
        self._hosts_file = hosts_file

    def find(self, move: Move) -> Report:
        """Every record of the source, as found; nothing is changed."""
        began = time.monotonic()
        view = self._look(Exchange(self.access), move)
        outcomes = [
            Outcome(State.ALREADY, str(records), str(content.server), content.zone, records.name, records.type)
            for content, records in records_of(view, move)
        ]
        return _report("list", began, ChangeSet((), view.remarks), (*view.failures, *outcomes))

    def plan(self, move: Move, undo_path: Path | None = None) -> Report:
        """The change set that a failover would make now; nothing is changed."""
        began = time.monotonic()
        exchange = Exchange(self.access)
        view = self._look(exchange, move)
        undo = undoing.load(undo_path) if undo_path else None
        planned = self._planned(exchange, view, move, undo)
        return _report("plan", began, planned, self._tolerant(view.zones, view.failures))

    def test(self, move: Move) -> Report:
        """Prove servers, zones, key and rights for every record of the move, without changing any."""
        began = time.monotonic()
        exchange = Exchange(self.access)
        view = self._look(exchange, move)
        planned = plan_move(view.findings.contents, move)
        proofs = prove_changes(exchange, planned.changes or _probes(view, move))
        agreement = compare_watchers(exchange, view.zones.zones, planned.changes)
        remarks = (*view.remarks, *self._advice(view, move), *planned.remarks)
        return _report("test", began, replace(planned, remarks=remarks), (*view.failures, *proofs, *agreement))

    def failover(self, move: Move, undo_path: Path) -> Report:
        """Lead the source's names to the target. Safe to run twice; finishes what an interrupted run began.

        Raises:
            UndoUnusable: the undo cannot be written or belongs to another move; nothing was changed then.
        """
        began = time.monotonic()
        with undoing.held(undo_path):
            known = _matching(undoing.load(undo_path), move, undo_path)
            exchange = Exchange(self.access)
            view = self._look(exchange, move)
            undo = _in_force(exchange, known)
            planned = self._planned(exchange, view, move, undo)
            base = undo or Undo("failover", move.source_name, move.addresses)
            kept = base.merged(planned.changes)
            if planned:
                undoing.save(undo_path, kept)
            outcomes = self._change(exchange, view.zones, planned.changes, _as_made(kept, base, planned))
            return _report("failover", began, planned, self._tolerant(view.zones, (*view.failures, *outcomes)))

    def failback(self, undo_path: Path) -> Report:
        """Put every record back as it was. Safe to run twice; a finished undo is kept as ``.done``.

        Raises:
            UndoUnusable: there is no undo to go by.
        """
        return self._return("failback", undo_path, plan_return)

    def rehearse_failback(self, undo_path: Path, *, prove: bool) -> Report:
        """What a failback would put back, and (``prove``) whether the servers would take it; nothing is changed.

        Raises:
            UndoUnusable: there is no undo to go by.
        """
        began = time.monotonic()
        deed = "test failback" if prove else "plan failback"
        undo = undoing.load(undo_path)
        if undo is None:
            return _nothing_to_return(deed, undo_path, began)
        exchange = Exchange(self.access)
        zones, present, unread, rehomed = self._view_undo(exchange, undo)
        planned = plan_return(rehomed, present)
        proofs = prove_changes(exchange, planned.changes) if prove else []
        return _report(deed, began, planned, (*_failures(zones, ()), *unread, *proofs))

    def set_ttl(self, move: Move, ttl_s: int, undo_path: Path) -> Report:
        """Give every record of the source this TTL, remembering what each had."""
        began = time.monotonic()
        with undoing.held(undo_path):
            undo = _matching(undoing.load(undo_path), move, undo_path)
            exchange = Exchange(self.access)
            view = self._look(exchange, move)
            planned = plan_ttl(view.findings.contents, move, ttl_s)
            planned = replace(planned, remarks=view.remarks)
            kept = (undo or Undo("ttl", move.source_name, move.addresses)).merged(planned.changes)
            if planned:
                undoing.save(undo_path, kept)
            outcomes = self._change(exchange, view.zones, planned.changes, planned.changes)
            return _report("ttl", began, planned, self._tolerant(view.zones, (*view.failures, *outcomes)))

    def restore_ttl(self, undo_path: Path) -> Report:
        """Give every record the TTL it had before ``set_ttl``; its data stays what it is now."""
        return self._return("ttl --restore", undo_path, plan_ttl_return)

    def prove_locked(self, move: Move, source_keys: Iterable[Key]) -> Report:
        """Prove that nobody but us may write the source's records: the lock that RFC 2136 servers can give.

        TSIG servers have no access list that could be changed over the wire, so this demands instead of setting.
        """
        began = time.monotonic()
        view = self._look(Exchange(self.access), move)
        records = [(content.server, records) for content, records in records_of(view, move)]
        outcomes = prove_closed(self.access, records, source_keys)
        return _report("lock", began, ChangeSet((), view.remarks), (*view.failures, *outcomes))

    def _return(
        self,
        deed: str,
        undo_path: Path,
        plan: Callable[[Undo, dict[tuple[str, str, str, str], RecordSet | None]], ChangeSet],
    ) -> Report:
        began = time.monotonic()
        with undoing.held(undo_path):
            undo = undoing.load(undo_path)
            if undo is None:
                return _nothing_to_return(deed, undo_path, began)
            exchange = Exchange(self.access)
            zones, present, unread, rehomed = self._view_undo(exchange, undo)
            planned = plan(rehomed, present)
            undoing.save(undo_path, replace(undo, phase=Phase.BACK))
            wanted = _as_returned(rehomed, planned, present)
            failures = (*_failures(zones, ()), *unread)
            outcomes = self._change(exchange, zones, planned.changes, wanted)
            report = _report(deed, began, planned, self._tolerant(zones, (*failures, *outcomes)))
            if not any(outcome.state in (State.FAILED, State.SKIPPED) for outcome in report.outcomes):
                undoing.retire(undo_path)
            return report

    def _view_undo(
        self, exchange: Exchange, undo: Undo
    ) -> tuple[Survey, dict[tuple[str, str, str, str], RecordSet | None], list[Outcome], Undo]:
        """The zones of an undo, what they hold now, what could not be read, and the undo at the zones' present writers."""
        zones = survey(exchange, [change.subject.zone for change in undo.changes] or [undo.source_name])
        rehomed = replace(undo, changes=tuple(_rehomed(change, zones) for change in undo.changes))
        present, unread = _present(exchange, rehomed.changes)
        return zones, present, unread, rehomed

    def _look(self, exchange: Exchange, move: Move) -> View:
        zones = survey(exchange, names_of(move))
        findings = read_zones(exchange, zones, move)
        reverse = {reverse_name(address) for pair in move.addresses for address in pair}
        missing = [name for name, error in zones.failures if isinstance(error, ZoneMissing) and name in reverse]
        remarks = tuple(f"no reverse zone holds {name}: a warning, no PTR record is changed there" for name in missing)
        failures = _failures(zones, tuple(missing)) + tuple(
            failure_of(where, error) for where, error in findings.failures
        )
        return View(zones, findings, failures, remarks)

    def _planned(self, exchange: Exchange, view: View, move: Move, undo: Undo | None) -> ChangeSet:
        planned = plan_move(view.findings.contents, move)
        planned = replace(planned, remarks=(*view.remarks, *planned.remarks))
        if undo is None:
            return planned
        present, _ = _present(exchange, undo.changes)
        return plan_rest(undo, planned, present)

    def _advice(self, view: View, move: Move) -> tuple[str, ...]:
        slow = [
            f"{records.name} {records.type} has a TTL of {records.ttl_s} s: clients may keep the old answer for that long; "
            f"300 s or less is recommended (dfo ttl)"
            for _, records in records_of(view, move)
            if records.ttl_s > _RECOMMENDED_TTL_S
        ]
        return (*slow, *hosts_file_remarks(self._hosts_file, move.source_name))

    def _tolerant(self, zones: Survey, outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
        """The outcomes with silent servers skipped, where that was asked for; a silent writer stays a failure."""
        writers = {str(writer) for zone in zones.zones for writer in zone.writers}

        def skipped(outcome: Outcome) -> bool:
            return isinstance(outcome.error, DnsUnreachable) and outcome.server not in writers

        if not self.access.tolerate_silent or not writers:
            return outcomes
        return tuple(replace(one, state=State.SKIPPED) if skipped(one) else one for one in outcomes)

    def _change(
        self, exchange: Exchange, zones: Survey, changes: tuple[Change, ...], wanted: tuple[Change, ...]
    ) -> list[Outcome]:
        failures: Failures = apply_changes(exchange, changes)
        watchers = {zone.name.lower(): zone.watchers for zone in zones.zones}
        pairs = [
            (change, server)
            for change in wanted
            for server in (change.server, *watchers.get(change.subject.zone.lower(), ()))
        ]
        return read_back(exchange, pairs, failures, {change.key for change in changes})


def records_of(view: View, move: Move) -> list[tuple[ZoneContent, RecordSet]]:
    """The records of the source in what was read."""
    return [
        (content, records)
        for content in view.findings.contents
        for records in content.records
        if concerns(content, records, move)
    ]


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


def _report(deed: str, began: float, planned: ChangeSet, outcomes: Iterable[Outcome]) -> Report:
    proof = deed in _PROOFS
    return Report(deed, planned, tuple(outcomes), planned.remarks, time.monotonic() - began, proof=proof)


def _matching(undo: Undo | None, move: Move, path: Path) -> Undo | None:
    if undo is None or same_move(undo, move):
        return undo
    pairs = ", ".join(f"{one} -> {other}" for one, other in undo.addresses)
    raise UndoUnusable(
        path=path,
        reason=f"it belongs to {undo.source_name} ({pairs})",
        advice="put those names back first (dfo failback), or give another --undo-file",
    )


def _in_force(exchange: Exchange, undo: Undo | None) -> Undo | None:
    """The undo, unless nothing of it is in force any more: names that others put back begin afresh."""
    if undo is None:
        return None
    present, unread = _present(exchange, undo.changes)
    stale = not unread and not any(same_set(present[change.key], change.after) for change in undo.changes)
    return None if stale else undo


def _as_made(kept: Undo, base: Undo, planned: ChangeSet) -> tuple[Change, ...]:
    """What must be shown: what is changed now, and what earlier runs of the same failover changed."""
    now = {change.key: change for change in planned.changes}
    earlier = base.changes if base.phase is Phase.OUT else ()
    known = {change.key for change in earlier} | set(now)
    return tuple(now.get(change.key, change) for change in kept.changes if change.key in known)


def _as_returned(
    undo: Undo, planned: ChangeSet, present: dict[tuple[str, str, str, str], RecordSet | None]
) -> tuple[Change, ...]:
    now = {change.key: change for change in planned.changes}
    return tuple(
        now.get(change.key, Change(change.server, change.before or change.after, present[change.key]))
        for change in undo.changes
        if change.key in present
    )


def _rehomed(change: Change, zones: Survey) -> Change:
    """The change at the zone's present writer, should it have another one than at the time of the undo."""
    writers = next((zone.writers for zone in zones.zones if zone.name.lower() == change.subject.zone.lower()), ())
    return change if change.server in writers or len(writers) != 1 else replace(change, server=writers[0])


def _present(
    exchange: Exchange, changes: Iterable[Change]
) -> tuple[dict[tuple[str, str, str, str], RecordSet | None], list[Outcome]]:
    """What the writers hold now where the changes are; what could not be read is told."""

    def read(change: Change) -> tuple[Change, RecordSet | NamingError | None]:
        subject = change.subject
        try:
            return change, read_set(exchange, change.server, subject.zone, subject.name, subject.type)
        except NamingError as error:
            return change, error

    seen = in_parallel(exchange.access.threads, read, changes)
    present = {change.key: now for change, now in seen if not isinstance(now, NamingError)}
    unread = [
        Outcome(State.FAILED, str(now), str(one.server), one.subject.zone, one.subject.name, one.subject.type, now)
        for one, now in seen
        if isinstance(now, NamingError)
    ]
    return present, unread


def _failures(zones: Survey, tolerated: tuple[str, ...]) -> tuple[Outcome, ...]:
    return tuple(failure_of(where, error) for where, error in zones.failures if where not in tolerated)


def _nothing_to_return(deed: str, undo_path: Path, began: float) -> Report:
    done = undo_path.with_name(undo_path.name + ".done")
    if done.exists():
        return _report(deed, began, ChangeSet((), (f"everything was put back before ({done})",)), ())
    advice = "give the one that the failover wrote with --undo-file; without it nothing is known to put back"
    raise UndoUnusable(path=undo_path, reason="it does not exist", advice=advice)


def _probes(view: View, move: Move) -> tuple[Change, ...]:
    """Something to ask rights for where a move would change nothing (it has been made already): the source's addresses."""
    zone = view.zones.zone_of.get(move.source_name)
    probes: list[Change] = []
    for content in view.findings.contents:
        if zone is None or content.zone.lower() != zone.lower():
            continue
        held: RecordSet | None = content.find(move.source_name, "A") or content.find(move.source_name, "AAAA")
        if held is not None:
            probes.append(Change(content.server, held, held))
    return tuple(probes)
