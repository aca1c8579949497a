"""When periodic snapshots are due, and which of them go."""

from __future__ import annotations

import pytest

from orchestrator.engine.snapshot.limits import Limits, Schedule, due_ns, too_many
from orchestrator.engine.snapshot.record import Kind, Reason, SnapshotRecord, is_id, new_id

MINUTE_NS = 60 * 10**9


def taken(minute: int, *, good: bool = True, reason: Reason = Reason.PERIODIC, mounted_at: str = "") -> SnapshotRecord:
    return SnapshotRecord(
        id=f"at-{minute}", root="/r", kind=Kind.COPY, reason=reason, time_ns=minute * MINUTE_NS, mounted_at=mounted_at,
        data_state="good" if good else "mirroring", position=0,
    )  # fmt: skip


@pytest.mark.covers("ENG-SNAP-01")
@pytest.mark.parametrize(
    ("schedule", "last", "now", "due"),
    [
        (Schedule(), None, 5, None),
        (Schedule(900), None, 5, 5),  # now
        (Schedule(900, 100 * MINUTE_NS), None, 5, 100),  # from a start time
        (Schedule(900, 100 * MINUTE_NS), 100, 101, 115),
        (Schedule(900, 100 * MINUTE_NS), 107, 108, 115),  # one by hand in between moves nothing
        (Schedule(900, 100 * MINUTE_NS), 100, 500, 500),  # the engine was away: one now, not many
        (Schedule(900), 100, 101, 115),
        (Schedule(60), 100, 101, 115),  # never more often than every 15 minutes
        (Schedule(900), 500, 100, 100),  # the clock was set back
    ],
)
def test_due(schedule: Schedule, last: int | None, now: int, due: int | None) -> None:
    found = due_ns(schedule, None if last is None else last * MINUTE_NS, now * MINUTE_NS)
    assert found == (None if due is None else due * MINUTE_NS)


@pytest.mark.covers("ENG-SNAP-01")
def test_only_periodic_ones_beyond_the_limits_go() -> None:
    found = [taken(1, reason=Reason.BY_HAND), *(taken(minute) for minute in range(2, 8))]
    assert too_many(found, Limits(keep=4), 8 * MINUTE_NS) == ["at-2", "at-3"]
    assert too_many(found, Limits(keep=4), 8 * MINUTE_NS, needed={"at-2"}) == ["at-3"]
    assert too_many(found, Limits(keep=9, max_age_s=150), 8 * MINUTE_NS) == ["at-2", "at-3", "at-4", "at-5"]
    assert too_many([taken(1, mounted_at="/mnt"), taken(2)], Limits(keep=0), 8 * MINUTE_NS) == ["at-2"]


@pytest.mark.covers("ENG-SNAP-01")
def test_the_only_good_one_never_goes() -> None:
    found = [taken(1), taken(2), taken(3, good=False), taken(4, good=False)]
    assert too_many(found, Limits(keep=1), 9 * MINUTE_NS) == ["at-1", "at-3"]
    assert too_many(found, Limits(keep=8, max_age_s=1), 9 * MINUTE_NS) == ["at-1", "at-3", "at-4"]
    by_hand = [*found, taken(5, reason=Reason.BY_HAND)]
    assert too_many(by_hand, Limits(keep=1), 9 * MINUTE_NS) == ["at-1", "at-2", "at-3"]


def test_names() -> None:
    assert new_id(0).startswith("19700101T000000Z-")
    assert is_id(new_id())
    assert not is_id("../" + new_id())
