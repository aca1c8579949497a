"""What is done in the directory around a change of DNS: noted before, locked first, made static, put back, unlocked last.

A name that is in no directory has nothing here. What was noted is kept by whoever asks: in a file beside the undo, or in a plan.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.directory.errors import AccountMissing, DirectoryError
from orchestrator.model.names import NameNode
from orchestrator.naming import ageing, locking
from orchestrator.naming.adzones import AdZones, node_dn
from orchestrator.naming.errors import LockIncomplete, UpdateRefused
from orchestrator.naming.report import Outcome, State, outcome_of
from orchestrator.naming.request import Move
from orchestrator.naming.values import Change, RecordSet

_HURRIED = 20
log = logging.getLogger("dtam.naming")


@dataclass(frozen=True, slots=True)
class Noted:
    """The names of a change set in the directory, and what a person should know about them."""

    nodes: tuple[NameNode, ...]
    remarks: tuple[str, ...] = ()


def hurry(zones: AdZones, changes: Sequence[Change]) -> None:
    """Ask the other controllers to take the changed names at once; many come with the next replication, and a dead one is asked once."""
    if len(changes) > _HURRIED:
        return
    for change in changes:
        zone = zones.zone(change.subject.zone)
        if zone is None:
            continue
        try:
            refused = zones.directory.replicate(node_dn(zone, change.subject.name))
        except DirectoryError as error:
            log.info("%s", error)
            return
        if refused:
            log.info("%s did not take %s at once: %s", refused[0].controller, change.subject.name, refused[0].reason)
            return


def note_stamps(zones: AdZones, changes: Iterable[Change]) -> tuple[NameNode, ...]:
    """What the directory keeps of the names that will be changed, to be locked against nobody.

    Raises:
        DirectoryError: it cannot be read.
    """
    subjects = [one for one in _subjects(changes) if zones.zone(one.zone) is not None]
    nodes = (_node(zones, one.zone, one.name, "") for one in subjects)
    return tuple(node for node in nodes if node is not None)


def note(zones: AdZones, move: Move, changes: Iterable[Change]) -> Noted:
    """What the directory keeps of the names that will be changed, and the account to lock them against.

    Raises:
        DirectoryError: it cannot be read, or the account that was given does not exist.
    """
    subjects = [one for one in _subjects(changes) if zones.zone(one.zone) is not None]
    if not subjects:
        return Noted(())
    account, remarks = _account(zones, move)
    nodes = (_node(zones, one.zone, one.name, account) for one in subjects)
    return Noted(tuple(node for node in nodes if node is not None), remarks)


def merged(earlier: Iterable[NameNode], fresh: Iterable[NameNode]) -> tuple[NameNode, ...]:
    """What was noted first counts."""
    known = {node.dn.lower(): node for node in fresh}
    known.update({node.dn.lower(): node for node in earlier})
    return tuple(known.values())


def prove(zones: AdZones, move: Move, changes: Iterable[Change]) -> tuple[list[Outcome], tuple[str, ...]]:
    """Whether this account may do in the directory what the changes need, without doing it; with remarks.

    Raises:
        DirectoryError: the directory cannot be read, or the account that was given does not exist.
    """
    known = [change for change in changes if zones.zone(change.subject.zone) is not None]
    account, remarks = _account(zones, move) if known else ("", ())
    outcomes = []
    for change in known:
        zone = zones.zone(change.subject.zone)
        if zone is None:
            continue
        node = zones.node(zone, change.subject.name)
        if node is None:
            outcomes.append(_right(change, zones, "add names to the zone", given=zones.may_add(zone)))
            continue
        may_write, may_lock = zones.may_write(node.dn)
        outcomes.append(_right(change, zones, "write the name's records", given=may_write))
        if account:
            outcomes.append(_lock_right(change, zones, account, given=may_lock))
    return outcomes, remarks


def lock(zones: AdZones, nodes: Iterable[NameNode]) -> list[Outcome]:
    """Take the source's right."""
    return locking.lock(zones.directory, nodes)


def unlock(zones: AdZones, nodes: Iterable[NameNode]) -> list[Outcome]:
    """Give the source's right back."""
    return locking.unlock(zones.directory, nodes)


def make_static(zones: AdZones, changes: Iterable[Change], wait_s: float) -> list[Outcome]:
    """Have what the changes brought static, so that it is never scavenged."""
    return ageing.make_static(zones, [change.after for change in changes if change.after is not None], wait_s)


def put_stamps_back(
    zones: AdZones, nodes: Iterable[NameNode], changes: Iterable[Change], wait_s: float
) -> list[Outcome]:
    """Have each record that the changes left as static or as old as it was."""
    return ageing.put_back(zones, nodes, [change.after for change in changes if change.after is not None], wait_s)


def _subjects(changes: Iterable[Change]) -> list[RecordSet]:
    """One record set for each name that was there before: what is kept of a name counts for all its types."""
    before = [change.before for change in changes if change.before is not None]
    return list({(one.zone.lower(), one.name.lower()): one for one in before}.values())


def _node(zones: AdZones, zone_name: str, name: str, account: str) -> NameNode | None:
    zone = zones.zone(zone_name)
    node = None if zone is None else zones.node(zone, name)
    if node is None:
        return None
    descriptor = zones.directory.security(node.dn)
    descriptor = locking.unlocked_form(descriptor, account) if account else descriptor
    return NameNode(node.zone, node.name, node.dn, locking.security_text(descriptor), account, node.stamps())


def _account(zones: AdZones, move: Move) -> tuple[str, tuple[str, ...]]:
    """The SID whose right is taken: of the account that was given, else of the computer that has the source's name."""
    if move.account:
        return locking.account_sid(zones.directory, move.account), ()
    first = move.source_name.partition(".")[0]
    for name in (move.source_name, first):
        try:
            return locking.account_sid(zones.directory, name), ()
        except AccountMissing:
            continue
    return "", (f"the domain has no computer {first}: its names are locked against nobody (--account names one)",)


def _right(change: Change, zones: AdZones, what: str, *, given: bool) -> Outcome:
    server = zones.directory.server
    subject = change.subject
    if given:
        return outcome_of(change, change.server, State.PROVED, f"{server} lets us {what}: {subject.name}")
    error = UpdateRefused(
        server=server,
        what=f"{subject.name} {subject.type}",
        zone=subject.zone,
        reason=f"this account has no right to {what}",
        advice="DnsAdmins have it; or grant it for these names alone: dtam rights",
    )
    return outcome_of(change, change.server, State.FAILED, str(error), error)


def _lock_right(change: Change, zones: AdZones, account: str, *, given: bool) -> Outcome:
    subject = change.subject
    if given:
        says = f"{zones.directory.server} lets us lock {subject.name} against {account}"
        return outcome_of(change, change.server, State.PROVED, says)
    error = LockIncomplete(
        name=subject.name,
        zone=subject.zone,
        wanted="lockable",
        account=account,
        reason="this account may not change the name's access list and owner",
        advice="DnsAdmins may; or grant WRITE_DAC and WRITE_OWNER for these names alone: dtam rights",
    )
    return outcome_of(change, change.server, State.FAILED, str(error), error)
