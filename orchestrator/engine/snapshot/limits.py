"""How many snapshots are kept, how old they may be, and when the next periodic one is due. Pure.

Invariant: the last good snapshot of a root is never chosen for deletion, whatever the limits say.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from orchestrator.engine.snapshot.record import Reason, SnapshotRecord

MIN_INTERVAL_S = 900.0
"""Application Manager User's Guide, Snapshot settings: the minimum interval is 15 minutes."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When periodic snapshots are taken: each ``interval_s`` (None: never), the first at ``start_ns`` (0: at once)."""

    interval_s: float | None = None
    start_ns: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """``keep``: the newest so many stay; ``max_age_s``: older ones go. Those taken by hand, or still needed, do not count."""

    keep: int = 8
    max_age_s: float | None = None


def due_ns(schedule: Schedule, last_ns: int | None, now_ns: int) -> int | None:
    """When the next periodic snapshot is due; one that is overdue is due now, and those missed before it are not made up for."""
    if schedule.interval_s is None:
        return None
    step_ns = int(max(schedule.interval_s, MIN_INTERVAL_S) * 1e9)
    if last_ns is None or last_ns > now_ns:  # none yet, or the clock was set back
        return max(schedule.start_ns, now_ns)
    if not schedule.start_ns:
        return max(last_ns + step_ns, now_ns)
    passed = max(0, last_ns - schedule.start_ns) // step_ns
    following = schedule.start_ns + (passed + (last_ns >= schedule.start_ns)) * step_ns
    return max(following, now_ns)


def too_many(
    snapshots: Sequence[SnapshotRecord], limits: Limits, now_ns: int, *, needed: Collection[str] = ()
) -> list[str]:
    """The periodic snapshots that go, oldest first."""
    periodic = sorted(
        (one for one in snapshots if one.reason is Reason.PERIODIC and one.id not in needed and not one.mounted_at),
        key=lambda one: one.time_ns,
    )
    over = len(periodic) - limits.keep
    oldest_ns = None if limits.max_age_s is None else now_ns - int(limits.max_age_s * 1e9)
    gone = [one for at, one in enumerate(periodic) if at < over or (oldest_ns is not None and one.time_ns < oldest_ns)]
    return [one.id for one in _but_the_last_good(gone, snapshots)]


def _but_the_last_good(gone: list[SnapshotRecord], snapshots: Sequence[SnapshotRecord]) -> list[SnapshotRecord]:
    good = [one for one in snapshots if one.is_good]
    leaving = {one.id for one in gone}
    if not good or any(one.id not in leaving for one in good):
        return gone
    newest = max(good, key=lambda one: one.time_ns)
    return [one for one in gone if one.id != newest.id]
