"""The orchestrator's ``NameService`` port over RFC 2136: model values in and out, waiting left to the executor.

The changes themselves, and what a directory kept of their names, are held by whoever holds the plan and its journal, so no undo
file is written here. A listed server that is silent, other than the writer, holds nothing up: it cannot give a wrong answer while
it is down; it is logged by name. Where every server of a zone writes it, as controllers do, a silent writer is replaced by another.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

import dns.rdatatype

from orchestrator.directory.errors import DirectoryError
from orchestrator.directory.port import Directory
from orchestrator.model.names import NameChanges, NameMove, NameNode, NameRecords
from orchestrator.model.outcomes import TryAgain
from orchestrator.naming import guarding, locking
from orchestrator.naming.adzones import AdZones
from orchestrator.naming.errors import (
    DnsUnreachable,
    NameChangeIncomplete,
    NamingError,
)
from orchestrator.naming.exchange import Exchange
from orchestrator.naming.finding import read_set
from orchestrator.naming.guarding import Noted
from orchestrator.naming.looking import look, tolerant
from orchestrator.naming.moving import plan_move
from orchestrator.naming.proving import prove_changes
from orchestrator.naming.report import Outcome, State, failure_of
from orchestrator.naming.request import Access, Move, server_name
from orchestrator.naming.returning import SHARED, is_as_wanted, plan_refresh, restored
from orchestrator.naming.service import DnsNameService
from orchestrator.naming.session import Session, directory_failed, opened
from orchestrator.naming.undo import Undo
from orchestrator.naming.updating import Failures, apply_changes, read_back, renew
from orchestrator.naming.values import Change, NameServer, RecordSet, same_set
from orchestrator.naming.wording import from_change, may_pass, problem, to_changes, to_move, to_records
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
        return tuple(to_records(change.before) for change in report.changes.changes if change.before is not None)

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
        """The changes that the move needs, as of now, with what a directory keeps of their names.

        Raises:
            NamingError: a server or zone could not be read.
        """
        wanted = to_move(move)
        with opened(self._access) as session:
            view = look(session, wanted)
            _raise_first(tolerant(view.zones, view.failures, tolerate=True))
            planned = plan_move(view.findings.contents, wanted)
            noted = self._noted(session, wanted, planned.changes)
        changes = tuple(from_change(change) for change in planned.changes)
        return NameChanges(changes, (*view.remarks, *planned.remarks, *noted.remarks), noted.nodes)

    def apply(self, changes: NameChanges) -> None:
        """Lock the source out, make the changes and see them everywhere; what others added to a record set meanwhile is kept.

        A lock for which rights are missing is logged and holds nothing up: clients wait. ``lock`` is strict, and validation finds it.

        Raises:
            TryAgain: a server does not answer, or does not show them yet.
            NamingError: it will not come right by waiting.
        """
        with opened(self._access) as session:
            _log_failures([*session.failures, *self._locked(session, changes)])
            made = self._lead(session, to_changes(changes), keep_others=True)
            self._make_static(session, made)

    def put_back(self, changes: NameChanges) -> None:
        """Undo the changes exactly, and then give the source its right back.

        Raises:
            TryAgain: a server does not answer, or does not show them yet.
            NameChangeIncomplete: somebody else changed a record since; it is named and left alone. Of a PTR what others added stays.
        """
        with opened(self._access) as session:
            back = tuple(change.reversed() for change in to_changes(changes))
            shown = self._lead(session, back, keep_others=False)
            if changes.nodes:
                zones = _zones(session)
                _raise_first(guarding.put_stamps_back(zones, changes.nodes, shown, self._access.await_s))
                _raise_first(guarding.unlock(zones, changes.nodes))

    def applied(self, changes: NameChanges) -> bool:
        """Whether every listed server that answers, and every writer, shows the ``after`` of every change."""
        return self._shown(to_changes(changes))

    def is_put_back(self, changes: NameChanges) -> bool:
        """Whether every listed server that answers, and every writer, shows the ``before`` of every change, and nothing is locked."""
        shown = self._shown(tuple(change.reversed() for change in to_changes(changes)))
        return shown and self.is_unlocked(changes)

    def lock(self, changes: NameChanges) -> None:
        """Take the source's right in the directory.

        Raises:
            TryAgain: the directory does not answer.
            LockIncomplete: this account may not.
        """
        if changes.nodes:
            with opened(self._access) as session:
                _zones(session)
                _raise_first(self._locked(session, changes))

    def is_locked(self, changes: NameChanges) -> bool:
        """Whether the source may write none of the nodes.

        Raises:
            TryAgain: the directory does not answer.
        """
        return self._every_node(changes, locking.is_locked)

    def unlock(self, changes: NameChanges) -> None:
        """Give the source's right back.

        Raises:
            TryAgain: the directory does not answer.
            LockIncomplete: this account may not.
        """
        if changes.nodes:
            with opened(self._access) as session:
                _raise_first(guarding.unlock(_zones(session), changes.nodes))

    def is_unlocked(self, changes: NameChanges) -> bool:
        """Whether the source may write every node again as before.

        Raises:
            TryAgain: the directory does not answer.
        """
        return self._every_node(changes, locking.is_unlocked)

    def refresh(self, changes: NameChanges) -> None:
        """Register what the changes brought again; what is gone comes back, what others changed is left alone and logged.

        Raises:
            TryAgain: a server does not answer, or does not show them yet.
        """
        with opened(self._access) as session:
            exchange = session.exchange
            every = self._rehomed(exchange, to_changes(changes))
            undo = Undo("failover", "", (), changes=every)
            planned, kept = plan_refresh(undo, {change.key: _present(exchange, change) for change in every})
            for remark in planned.remarks:
                log.warning("%s", remark)
            failures = renew(exchange, kept)
            self._make(session, planned.changes, (*kept, *planned.changes), failures)
            self._make_static(session, (*kept, *planned.changes))

    def set_ttl(self, changes: NameChanges) -> None:
        """Give each record its wanted TTL, whatever its data is now; what is gone is left alone.

        Raises:
            TryAgain: a server does not answer, or does not show it yet.
            NamingError: it will not come right by waiting.
        """
        with opened(self._access) as session:
            every = self._rehomed(session.exchange, to_changes(changes))
            todo = [one for change in every if (one := _to_ttl(session.exchange, change)) is not None]
            here = session.in_directory(todo)
            nodes = guarding.note_stamps(session.zones, here) if session.zones else ()
            self._make(session, todo, todo)
            if session.zones is not None:
                _log_failures(guarding.put_stamps_back(session.zones, nodes, here, self._access.await_s))

    def has_ttl(self, changes: NameChanges) -> bool:
        """Whether every record that is there has its wanted TTL, on every listed server that answers and every writer."""
        with Exchange(self._access) as exchange:
            every = self._rehomed(exchange, to_changes(changes))
            return all(
                in_parallel(self._access.threads, lambda pair: _has_ttl(exchange, *pair), self._pairs(exchange, every))
            )

    def test(self, name: str) -> tuple[tuple[str, str], ...]:
        """Whether the key may change ``name``, without changing anything: problems as (kind, sentence)."""
        absolute = server_name(name)
        with opened(self._access) as session:
            exchange = session.exchange
            known = survey(exchange, [absolute])
            problems = [problem(error) for _, error in known.failures]
            problems += [problem(outcome.error) for outcome in session.failures if outcome.error]
            changes = [
                Change(writer, held, held or RecordSet(zone.name, absolute, "A", 0, ("192.0.2.1",)))
                for zone in known.zones
                for writer in zone.writers
                if not exchange.is_silent(writer)
                for held in [read_set(exchange, writer, zone.name, absolute, "A")]
            ]
            proofs = [*prove_changes(exchange, changes), *self._rights(session, absolute, changes)]
        problems += [problem(outcome.error) for outcome in proofs if outcome.error is not None]
        return tuple(dict.fromkeys(problems))

    def _rights(self, session: Session, name: str, changes: Sequence[Change]) -> Sequence[Outcome]:
        if session.zones is None:
            return ()
        try:
            return guarding.prove(session.zones, Move(name, ()), changes)[0]
        except DirectoryError as error:
            return (failure_of("directory", directory_failed(self._access, error)),)

    def _noted(self, session: Session, move: Move, changes: Sequence[Change]) -> Noted:
        if session.zones is None:
            return Noted(())
        try:
            return guarding.note(session.zones, move, changes)
        except DirectoryError as error:
            raise directory_failed(self._access, error) from error

    def _make_static(self, session: Session, changes: Iterable[Change]) -> None:
        if session.zones is not None:
            _log_failures(guarding.make_static(session.zones, session.in_directory(changes), self._access.await_s))

    def _locked(self, session: Session, changes: NameChanges) -> list[Outcome]:
        return guarding.lock(session.zones, changes.nodes) if session.zones else []

    def _every_node(self, changes: NameChanges, holds: Callable[[Directory, NameNode], bool]) -> bool:
        if not changes.nodes:
            return True
        with opened(self._access) as session:
            directory = _zones(session).directory
            try:
                return all(holds(directory, node) for node in changes.nodes)
            except DirectoryError as error:
                raise TryAgain(str(error), after_s=2.0) from error

    def _lead(self, session: Session, changes: tuple[Change, ...], *, keep_others: bool) -> tuple[Change, ...]:
        """Make the changes; as they were made, given what was there."""
        every = self._rehomed(session.exchange, changes)
        aims = [_aim(session.exchange, change, keep_others=keep_others) for change in every]
        wanted = tuple(aim for aim, _ in aims)
        self._make(session, [aim for aim, open_ in aims if open_], wanted)
        return wanted

    def _make(
        self,
        session: Session,
        todo: Sequence[Change],
        wanted: Collection[Change],
        failed: Failures | None = None,
    ) -> None:
        """Send what is to be done, and see what is wanted everywhere."""
        exchange = session.exchange
        failures = {**(failed or {}), **apply_changes(exchange, todo)}
        pairs = self._pairs(exchange, wanted)
        if session.zones is not None and len(pairs) > len(wanted):
            guarding.hurry(session.zones, todo)
        seen = read_back(exchange, pairs, failures, {change.key for change in todo})
        _raise_first(seen, writers=_writers(wanted))

    def _shown(self, changes: tuple[Change, ...]) -> bool:
        with Exchange(self._access) as exchange:
            pairs = self._pairs(exchange, self._rehomed(exchange, changes))
            return all(in_parallel(self._access.threads, lambda pair: _shows(exchange, *pair), pairs))

    def _rehomed(self, exchange: Exchange, changes: tuple[Change, ...]) -> tuple[Change, ...]:
        """The changes at another controller where theirs is silent: each of them writes the zones of its domain."""
        if self._access.kerberos is None or not changes:
            return changes
        known = survey(exchange, {change.subject.zone for change in changes})
        return tuple(known.rehomed(one) if exchange.is_silent(one.server) else one for one in changes)

    def _pairs(self, exchange: Exchange, changes: Collection[Change]) -> list[tuple[Change, NameServer]]:
        """Each change with its writer, and with every listed server that answers for the zone."""
        if self._access.each_server or not changes:
            return [(change, change.server) for change in changes]
        zones = survey(exchange, {change.subject.zone for change in changes}).zones
        holders = {zone.name.lower(): (*zone.writers, *zone.watchers) for zone in zones}
        return [
            (change, server)
            for change in changes
            for server in dict.fromkeys((change.server, *holders.get(change.subject.zone.lower(), ())))
        ]


def _zones(session: Session) -> AdZones:
    """The directory of a session that cannot do without.

    Raises:
        TryAgain: it does not answer, or refuses the credentials: its controller may come back, or another.
    """
    if session.zones is None:
        says = next((one.says for one in session.failures), "Kerberos is not chosen for these servers")
        raise TryAgain(says, after_s=2.0)
    return session.zones


def _log_failures(outcomes: Iterable[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.state is State.FAILED:
            log.warning("%s", outcome.says)


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


def _aim(exchange: Exchange, change: Change, *, keep_others: bool) -> tuple[Change, bool]:
    """A change as it is to be made, given what is there; and whether anything is left to do.

    A reverse name is every server's that has the address: what others added to it, or took from it, always stays.
    """
    subject, now = change.subject, _present(exchange, change)
    if same_set(now, change.after):
        return change, False
    if same_set(now, change.before):
        return change, True
    if not keep_others and subject.type != SHARED:
        reason = f"{subject.name} {subject.type} on {change.server} was changed by somebody since: it holds {now or 'nothing'}"
        raise NameChangeIncomplete(
            reason=reason, advice=f"it should become: {change.after or 'absent'}; mend it by hand"
        )
    wanted = restored(change.reversed(), now)
    return Change(change.server, now, wanted), not same_set(now, wanted)


def _shows(exchange: Exchange, change: Change, server: NameServer) -> bool:
    subject = change.subject
    try:
        return is_as_wanted(change, read_set(exchange, server, subject.zone, subject.name, subject.type))
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
        elif isinstance(outcome.error, NameChangeIncomplete) or may_pass(outcome.error):
            raise TryAgain(str(outcome.error), after_s=1.0) from outcome.error
        else:
            raise outcome.error
