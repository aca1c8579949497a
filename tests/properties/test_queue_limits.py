"""Queue limits, for any settings and any use: never over a limit, oldest in memory, one alert a crossing."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.oplog.limits import UNLIMITED, Place, QueueLimits, QueueUse, alert_due, place, used_percent

SIZES = st.integers(0, 1 << 40)
LIMITS = st.builds(QueueLimits, SIZES, st.one_of(SIZES, st.just(UNLIMITED)), SIZES, st.integers(1, 100))
USES = st.builds(QueueUse, SIZES, SIZES, SIZES)
pytestmark = pytest.mark.covers("ENG-Q-02")


@given(LIMITS, USES, st.integers(1, 1 << 30))
def test_nothing_goes_where_it_would_pass_a_limit(limits: QueueLimits, use: QueueUse, wanted: int) -> None:
    where = place(limits, use, wanted)
    fits_memory = use.memory_bytes + wanted <= limits.memory_limit_bytes
    fits_disk = use.disk_bytes + wanted <= limits.disk_limit_bytes
    leaves_free = use.free_bytes - wanted >= limits.minimum_free_bytes
    assert (where is Place.MEMORY) == (fits_memory and use.disk_bytes == 0), "memory holds the oldest"
    assert (where is Place.DISK) == (where is not Place.MEMORY and fits_disk and leaves_free)


@given(LIMITS, st.lists(st.integers(1, 1 << 28), max_size=40), SIZES)
def test_a_queue_that_fills_goes_from_memory_to_disk_to_full_and_never_back(
    limits: QueueLimits, operations: list[int], disk: int
) -> None:
    use, places = QueueUse(0, 0, disk), []
    for size in operations:
        places.append(place(limits, use, size))
        match places[-1]:
            case Place.MEMORY:
                use = replace(use, memory_bytes=use.memory_bytes + size)
            case Place.DISK:
                use = replace(use, disk_bytes=use.disk_bytes + size, free_bytes=use.free_bytes - size)
            case Place.FULL:
                break
    assert places == sorted(places, key=[Place.MEMORY, Place.DISK, Place.FULL].index)
    assert use.memory_bytes <= limits.memory_limit_bytes
    assert use.disk_bytes == 0 or (
        use.disk_bytes <= limits.disk_limit_bytes and use.free_bytes >= limits.minimum_free_bytes
    )


@given(LIMITS, st.lists(USES, min_size=1, max_size=20))
def test_an_alert_is_due_once_a_crossing(limits: QueueLimits, uses: list[QueueUse]) -> None:
    percents = [0, *(used_percent(limits, use) for use in uses)]
    assert all(0 <= percent <= 100 for percent in percents)
    alerts = sum(alert_due(limits, before, now) for before, now in pairwise(percents))
    above = [percent >= limits.alert_percent for percent in percents]
    assert alerts == sum(now and not before for before, now in pairwise(above))
