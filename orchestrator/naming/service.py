"""The name service: find, test, move, put back, refresh, set TTLs, lock and unlock.

The order of a deed: look at every server, read the zones, plan (pure), have the undo on disk, lock, change, read back everywhere,
have it static; on the way back put back, have it age as before, unlock. One run at a time per undo file. Killed anywhere, the same deed run again finishes; the opposite deed undoes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from orchestrator.directory.errors import DirectoryError
from orchestrator.model.names import NameNode
from orchestrator.naming import guarding, looking
from orchestrator.naming import undo as undoing
from orchestrator.naming.errors import UndoUnusable
from orchestrator.naming.exchange import Exchange
from orchestrator.naming.keys import Key
from orchestrator.naming.looking import Present, View, look, present, records_of, tolerant, zone_failures
from orchestrator.naming.moving import plan_move, plan_ttl
from orchestrator.naming.proving import compare_watchers, prove_changes, prove_closed
from orchestrator.naming.report import Outcome, Report, State, failure_of
from orchestrator.naming.request import Access, Move
from orchestrator.naming.returning import plan_refresh, plan_rest, plan_return, plan_ttl_return, same_move
from orchestrator.naming.session import Session, directory_failed, opened
from orchestrator.naming.undo import Phase, Undo
from orchestrator.naming.updating import Failures, apply_changes, read_back, renew
from orchestrator.naming.values import Change, ChangeSet, RecordSet, same_set
from orchestrator.naming.zones import Survey, survey

_PROOFS = ("list", "plan", "test", "lock", "plan failback", "test failback")
_NOTHING_LOCKED = (
    "nothing to unlock is known: a server with TSIG keys decides by its configuration who may write; see dfo lock"
)


class DnsNameService:
    """Moves a server's names; one instance may serve many deeds, each of which asks the servers afresh."""

    def __init__(self, access: Access, hosts_file: Path = Path("/etc/hosts")) -> None:
        self.access = access
        self._hosts_file = hosts_file

    def find(self, move: Move) -> Report:
        """Every record of the source, as found, also of those of its addresses that nobody named; nothing is changed."""
        began = time.monotonic()
        with opened(self.access) as session:
            view = look(session, move)
            whole = looking.with_every_address(view, move)
            if whole != move:
                view, move = look(session, whole), whole
        outcomes = [
            Outcome(State.ALREADY, str(records), str(content.server), content.zone, records.name, records.type)
            for content, records in records_of(view, move)
        ]
        return _report("list", began, ChangeSet((), view.remarks), (*view.failures, *outcomes))

    def plan(self, move: Move, undo_path: Path | None = None) -> Report:
        """The change set that a failover would make now; nothing is changed."""
        began = time.monotonic()
        with opened(self.access) as session:
            view = look(session, move)
            undo = undoing.load(undo_path) if undo_path else None
            planned = _planned(session.exchange, view, move, undo)
        return _report("plan", began, planned, self._tolerant(view.zones, view.failures))

    def test(self, move: Move) -> Report:
        """Prove servers, zones, key and rights for every record of the move, without changing any."""
        began = time.monotonic()
        with opened(self.access) as session:
            view = look(session, move)
            planned = plan_move(view.findings.contents, move)
            asked = planned.changes or _probes(view, move)
            proofs = [*prove_changes(session.exchange, asked), *looking.gone(session, view, move)]
            rights, notes = _prove_rights(session, move, asked)
            agreement = compare_watchers(session.exchange, view.zones.zones, planned.changes)
            advice = looking.advice(session, view, move, self._hosts_file)
        planned = replace(planned, remarks=(*view.remarks, *advice, *notes, *planned.remarks))
        return _report("test", began, planned, (*view.failures, *proofs, *rights, *agreement))

    def failover(self, move: Move, undo_path: Path) -> Report:
        """Lead the source's names to the target. Safe to run twice; finishes what an interrupted run began.

        Raises:
            UndoUnusable: the undo cannot be written or belongs to another move; nothing was changed then.
        """
        began = time.monotonic()
        with undoing.held(undo_path), opened(self.access) as session:
            known = _matching(undoing.load(undo_path), move, undo_path)
            view = look(session, move)
            undo = _in_force(session.exchange, known)
            planned = _planned(session.exchange, view, move, undo)
            base = undo or Undo("failover", move.source_name, move.addresses)
            kept = base.merged(planned.changes)
            if planned:
                undoing.save(undo_path, kept)
            nodes, unsure, notes = _noted(session, move, kept.changes, undo_path)
            locked = guarding.lock(session.zones, nodes) if session.zones else []
            made = _as_made(kept, base, planned)
            moved = self._change(session, view.zones, planned.changes, made)
            static = self._made_static(session, made, moved)
            outcomes = (*view.failures, *unsure, *locked, *moved, *static)
            planned = replace(planned, remarks=(*planned.remarks, *notes))
            return _report("failover", began, planned, self._tolerant(view.zones, outcomes))

    def failback(self, undo_path: Path) -> Report:
        """Put every record back as it was, then the right to write it. Safe to run twice; a finished undo is kept as ``.done``.

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
        with opened(self.access) as session:
            zones, now, unread, rehomed = _view_undo(session.exchange, undo)
            planned = plan_return(rehomed, now)
            proofs = prove_changes(session.exchange, planned.changes) if prove else []
        return _report(deed, began, planned, (*session.failures, *zone_failures(zones, ()), *unread, *proofs))

    def refresh(self, undo_path: Path) -> Report:
        """Register what a failover wrote again, so that scavenging never takes it; what is gone comes back.

        Raises:
            UndoUnusable: there is no undo to go by.
        """
        began = time.monotonic()
        with undoing.held(undo_path), opened(self.access) as session:
            undo = undoing.load(undo_path)
            if undo is None:
                return _nothing_to_return("refresh", undo_path, began)
            zones, now, unread, rehomed = _view_undo(session.exchange, undo)
            planned, kept = plan_refresh(rehomed, now)
            failed = renew(session.exchange, kept)
            seen = self._change(session, zones, planned.changes, (*kept, *planned.changes), failed)
            static = self._made_static(session, (*kept, *planned.changes), seen)
            outcomes = (*session.failures, *zone_failures(zones, ()), *unread, *seen, *static)
            return _report("refresh", began, planned, self._tolerant(zones, outcomes))

    def set_ttl(self, move: Move, ttl_s: int, undo_path: Path) -> Report:
        """Give every record of the source this TTL, remembering what each had."""
        began = time.monotonic()
        with undoing.held(undo_path), opened(self.access) as session:
            undo = _matching(undoing.load(undo_path), move, undo_path)
            view = look(session, move)
            planned = plan_ttl(view.findings.contents, move, ttl_s)
            planned = replace(planned, remarks=view.remarks)
            kept = (undo or Undo("ttl", move.source_name, move.addresses)).merged(planned.changes)
            if planned:
                undoing.save(undo_path, kept)
            nodes, unsure, _ = _noted(session, None, planned.changes, undo_path)
            done = self._change(session, view.zones, planned.changes, planned.changes)
            aged = self._aged(session, nodes, planned.changes, done)
            outcomes = (*view.failures, *unsure, *done, *aged)
            return _report("ttl", began, planned, self._tolerant(view.zones, outcomes))

    def restore_ttl(self, undo_path: Path) -> Report:
        """Give every record the TTL it had before ``set_ttl``; its data stays what it is now."""
        return self._return("ttl --restore", undo_path, plan_ttl_return)

    def lock(self, move: Move, source_keys: Iterable[Key], undo_path: Path) -> Report:
        """Take the source's right to its names where a directory keeps them; elsewhere prove that it has none.

        TSIG servers have no access list that could be changed over the wire, so there this demands instead of setting.

        Raises:
            UndoUnusable: what is to be given back cannot be written; nothing was changed then.
        """
        began = time.monotonic()
        with undoing.held(undo_path), opened(self.access) as session:
            view = look(session, move)
            found = records_of(view, move)
            nodes, unsure, notes = _noted(
                session, move, [Change(one.server, held, held) for one, held in found], undo_path
            )
            locked = guarding.lock(session.zones, nodes) if session.zones else []
            elsewhere = [(one.server, held) for one, held in found if not _is_kept(session, one.zone)]
            closed = prove_closed(self.access, elsewhere, source_keys)
            outcomes = (*view.failures, *unsure, *locked, *closed)
            return _report("lock", began, ChangeSet((), (*view.remarks, *notes)), outcomes)

    def unlock(self, undo_path: Path) -> Report:
        """Give the source its right back, as ``lock`` or ``failover`` found it. Nothing locked is no error."""
        began = time.monotonic()
        with undoing.held(undo_path), opened(self.access) as session:
            nodes = undoing.load_nodes(undo_path)
            freed = guarding.unlock(session.zones, nodes) if session.zones else []
            done = session.zones is not None and not any(one.state is State.FAILED for one in freed)
            if done and undoing.load(undo_path) is None:
                undoing.retire_nodes(undo_path)
        remarks = () if nodes else (_NOTHING_LOCKED,)
        return _report("unlock", began, ChangeSet((), remarks), (*session.failures, *freed))

    def _return(self, deed: str, undo_path: Path, plan: Callable[[Undo, Present], ChangeSet]) -> Report:
        began = time.monotonic()
        with undoing.held(undo_path), opened(self.access) as session:
            undo = undoing.load(undo_path)
            if undo is None:
                return _nothing_to_return(deed, undo_path, began)
            zones, now, unread, rehomed = _view_undo(session.exchange, undo)
            planned = plan(rehomed, now)
            undoing.save(undo_path, replace(undo, phase=Phase.BACK))
            wanted = _as_returned(rehomed, planned, now)
            done = self._change(session, zones, planned.changes, wanted)
            nodes = undoing.load_nodes(undo_path)
            aged = self._aged(session, nodes, wanted, done)
            freed = _unlocked(session, nodes, (*unread, *done))
            outcomes = (*session.failures, *zone_failures(zones, ()), *unread, *done, *aged, *freed)
            report = _report(deed, began, planned, self._tolerant(zones, outcomes))
            if not any(outcome.state in (State.FAILED, State.SKIPPED) for outcome in report.outcomes):
                undoing.retire(undo_path)
            return report

    def _aged(
        self, session: Session, nodes: Iterable[NameNode], changes: Iterable[Change], seen: Iterable[Outcome]
    ) -> list[Outcome]:
        """What is shown as it should be is as static or as old as it was."""
        if session.zones is None:
            return []
        return guarding.put_stamps_back(
            session.zones, nodes, session.in_directory(_shown(changes, seen)), self.access.await_s
        )

    def _made_static(self, session: Session, changes: Iterable[Change], seen: Iterable[Outcome]) -> list[Outcome]:
        """What was brought and is shown by its writer is made static in the directory."""
        if session.zones is None:
            return []
        return guarding.make_static(session.zones, session.in_directory(_shown(changes, seen)), self.access.await_s)

    def _tolerant(self, zones: Survey, outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
        return tolerant(zones, outcomes, tolerate=self.access.tolerate_silent)

    def _change(
        self,
        session: Session,
        zones: Survey,
        changes: tuple[Change, ...],
        wanted: tuple[Change, ...],
        failed: Failures | None = None,
    ) -> list[Outcome]:
        failures = {**(failed or {}), **apply_changes(session.exchange, changes)}
        watchers = {zone.name.lower(): zone.watchers for zone in zones.zones}
        if session.zones is not None and any(watchers.values()):
            guarding.hurry(session.zones, changes)
        pairs = [
            (change, server)
            for change in wanted
            for server in (change.server, *watchers.get(change.subject.zone.lower(), ()))
        ]
        return read_back(session.exchange, pairs, failures, {change.key for change in changes})


def _shown(changes: Iterable[Change], seen: Iterable[Outcome]) -> list[Change]:
    """The changes that their writers show."""
    failed = {(one.server, one.zone.lower(), one.name.lower(), one.type) for one in seen if one.state is State.FAILED}
    return [change for change in changes if change.key not in failed]


def _unlocked(session: Session, nodes: Iterable[NameNode], seen: Iterable[Outcome]) -> list[Outcome]:
    """Last of all, locks taken off: of the names whose records are all back."""
    if session.zones is None:
        return []
    left = {(one.zone.lower(), one.name.lower()) for one in seen if one.state is State.FAILED}
    back = [node for node in nodes if (node.zone.lower(), node.name.lower()) not in left]
    return guarding.unlock(session.zones, back)


def _is_kept(session: Session, zone: str) -> bool:
    return session.zones is not None and session.zones.zone(zone) is not None


def _noted(
    session: Session, move: Move | None, changes: Iterable[Change], undo_path: Path
) -> tuple[tuple[NameNode, ...], tuple[Outcome, ...], tuple[str, ...]]:
    """What the directory keeps of the names to be changed, on disk; why it could not be noted; remarks. No move: no lock."""
    if session.zones is None:
        return (), (), ()
    earlier = undoing.load_nodes(undo_path)
    try:
        noted = (
            guarding.note(session.zones, move, changes)
            if move
            else guarding.Noted(guarding.note_stamps(session.zones, changes))
        )
    except DirectoryError as error:
        failure = failure_of("directory", directory_failed(session.exchange.access, error))
        return earlier, (failure,), ()
    nodes = guarding.merged(earlier, noted.nodes)
    if nodes != earlier:
        undoing.save_nodes(undo_path, nodes)
    return nodes, (), noted.remarks


def _prove_rights(
    session: Session, move: Move, changes: Iterable[Change]
) -> tuple[tuple[Outcome, ...], tuple[str, ...]]:
    if session.zones is None:
        return (), ()
    try:
        outcomes, remarks = guarding.prove(session.zones, move, changes)
    except DirectoryError as error:
        return (failure_of("directory", directory_failed(session.exchange.access, error)),), ()
    return tuple(outcomes), remarks


def _planned(exchange: Exchange, view: View, move: Move, undo: Undo | None) -> ChangeSet:
    planned = plan_move(view.findings.contents, move)
    planned = replace(planned, remarks=(*view.remarks, *planned.remarks))
    if undo is None:
        return planned
    now, _ = present(exchange, undo.changes)
    return plan_rest(undo, planned, now)


def _view_undo(exchange: Exchange, undo: Undo) -> tuple[Survey, Present, list[Outcome], Undo]:
    """The zones of an undo, what they hold now, what could not be read, and the undo at the zones' present writers."""
    zones = survey(exchange, [change.subject.zone for change in undo.changes] or [undo.source_name])
    rehomed = replace(undo, changes=tuple(zones.rehomed(change) for change in undo.changes))
    now, unread = present(exchange, rehomed.changes)
    return zones, now, unread, rehomed


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
    now, unread = present(exchange, undo.changes)
    put_back = not unread and all(same_set(now[change.key], change.before) for change in undo.changes)
    return None if put_back else undo


def _as_made(kept: Undo, base: Undo, planned: ChangeSet) -> tuple[Change, ...]:
    """What must be shown: what is changed now, and what earlier runs of the same failover changed."""
    now = {change.key: change for change in planned.changes}
    earlier = base.changes if base.phase is Phase.OUT else ()
    known = {change.key for change in earlier} | set(now)
    return tuple(now.get(change.key, change) for change in kept.changes if change.key in known)


def _as_returned(undo: Undo, planned: ChangeSet, seen: Present) -> tuple[Change, ...]:
    now = {change.key: change for change in planned.changes}
    return tuple(
        now.get(change.key, Change(change.server, change.before or change.after, seen[change.key]))
        for change in undo.changes
        if change.key in seen
    )


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
