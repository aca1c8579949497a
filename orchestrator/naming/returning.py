"""Which changes put names back. Pure: an undo and what is there now in, a change set out.

Untouched records become exactly what they were (type, data, TTL). Where somebody changed a record in the meantime, what we
took is given back and what we brought is taken away, and their part stays: never an overwrite of what we do not know.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.naming.request import Move
from orchestrator.naming.undo import Undo
from orchestrator.naming.values import Change, ChangeSet, RecordSet, same_data, same_set

SHARED = "PTR"
"""The type of records of which one address may have several, each of another protection: what is not ours in them stays."""
Present = Mapping[tuple[str, str, str, str], RecordSet | None]


def plan_return(undo: Undo, present: Present) -> ChangeSet:
    """The changes that put back what the undo remembers; what could not be read is left out."""
    changes: list[Change] = []
    remarks: list[str] = []
    for change in undo.changes:
        if change.key not in present:
            continue
        now = present[change.key]
        wanted = restored(change, now)
        if not (same_set(now, change.after) or same_set(now, change.before)):
            remarks.append(f"{_place(change)} was changed by somebody since; what they added was kept")
        if not same_set(now, wanted):
            changes.append(Change(change.server, now, wanted))
    return ChangeSet(tuple(changes), tuple(remarks))


def restored(change: Change, now: RecordSet | None) -> RecordSet | None:
    """What a record set becomes when a change is taken back, given what it holds now.

    What the change left in place is not its own to bring back: who took that away since, meant it.
    """
    if now is None or same_data(now, change.after) or change.subject.type == "CNAME":
        return change.before
    brought = _lower(change.after) - _lower(change.before)
    kept = tuple(data for data in now.data if data.lower() not in brought)
    stayed = _lower(change.after)
    back = kept + tuple(data for data in (change.before.data if change.before else ()) if data.lower() not in stayed)
    if not back:
        return None
    return (change.before or now).with_data(back)


def is_as_wanted(change: Change, now: RecordSet | None) -> bool:
    """Whether a set is what a change makes of it. Several servers may share a PTR's name: of those only the part that is ours counts."""
    if same_set(now, change.after):
        return True
    if change.subject.type != SHARED or same_data(change.before, change.after):
        return False
    held, before, after = _lower(now), _lower(change.before), _lower(change.after)
    return after - before <= held and not (before - after) & held


def pending(undo: Undo, present: Present) -> tuple[Change, ...]:
    """What an interrupted deed had still to do: sets that still hold their old value."""
    return tuple(
        change
        for change in undo.changes
        if change.key in present
        and same_set(present[change.key], change.before)
        and not same_set(change.before, change.after)
    )


def plan_refresh(undo: Undo, present: Present) -> tuple[ChangeSet, tuple[Change, ...]]:
    """What is gone and must come back, and what is to be registered again as it is; what others changed is left alone."""
    gone: list[Change] = []
    kept: list[Change] = []
    remarks: list[str] = []
    for change in undo.changes:
        if change.key not in present or change.after is None:
            continue
        now = present[change.key]
        if same_data(now, change.after) and now is not None:
            kept.append(Change(change.server, now, now))
        elif now is None:
            gone.append(Change(change.server, None, change.after))
        else:
            remarks.append(f"{_place(change)} was changed by somebody since; it was left alone")
    return ChangeSet(tuple(gone), tuple(remarks)), tuple(kept)


def plan_rest(undo: Undo | None, planned: ChangeSet, present: Present) -> ChangeSet:
    """A fresh plan with what an interrupted run had still to do; the interrupted run's intention goes first."""
    if undo is None:
        return planned
    rest = {change.key: change for change in planned.changes}
    rest.update({change.key: change for change in pending(undo, present)})
    return ChangeSet(tuple(rest.values()), planned.remarks)


def plan_ttl_return(undo: Undo, present: Present) -> ChangeSet:
    """The changes that give records their old TTL and leave their data as it is now."""
    changes = []
    remarks = []
    for change in undo.changes:
        now = present.get(change.key)
        if now is None or change.before is None or change.after is None or now.ttl_s == change.before.ttl_s:
            continue
        if now.ttl_s != change.after.ttl_s:
            remarks.append(
                f"{_place(change)} has a TTL of {now.ttl_s} s that is not ours; it was put back all the same"
            )
        changes.append(Change(change.server, now, now.with_ttl(change.before.ttl_s)))
    return ChangeSet(tuple(changes), tuple(remarks))


def same_move(undo: Undo, move: Move) -> bool:
    """Whether an undo belongs to this move: same source, same addresses."""
    same_name = undo.source_name.lower() == move.source_name.lower()
    return same_name and set(undo.addresses) == set(move.addresses)


def _lower(records: RecordSet | None) -> set[str]:
    return set() if records is None else {data.lower() for data in records.data}


def _place(change: Change) -> str:
    return f"{change.subject.name} {change.subject.type} on {change.server}"
