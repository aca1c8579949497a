"""Where the next operation goes: memory, then disk, then nowhere."""

from __future__ import annotations

import pytest

from orchestrator.engine.oplog.limits import (
    UNLIMITED,
    Place,
    QueueLimits,
    QueueUse,
    alert_due,
    disk_room_bytes,
    place,
    used_percent,
)

LIMITS = QueueLimits(memory_limit_bytes=100, disk_limit_bytes=1000, minimum_free_bytes=50)


@pytest.mark.parametrize(
    ("use", "wanted", "where"),
    [
        (QueueUse(0, 0, 5000), 100, Place.MEMORY),
        (QueueUse(60, 0, 5000), 41, Place.DISK),
        (QueueUse(0, 1, 5000), 10, Place.DISK),  # memory holds the oldest: nothing overtakes the disk queue
        (QueueUse(100, 995, 5000), 6, Place.FULL),
        (QueueUse(100, 0, 55), 6, Place.FULL),  # the minimum of free space is kept
    ],
)
def test_place(use: QueueUse, wanted: int, where: Place) -> None:
    assert place(LIMITS, use, wanted) is where


def test_zero_disk_limit_means_no_disk_queue() -> None:
    limits = QueueLimits(memory_limit_bytes=100, disk_limit_bytes=0)
    assert place(limits, QueueUse(100, 0, 1 << 40), 1) is Place.FULL


def test_an_unlimited_queue_and_a_minimum_of_free_space_work_together() -> None:
    """The guide's example: 10 GB disk, 5 GB taken by others, 500 MB kept free: 4.5 GB for the queue."""
    limits = QueueLimits(disk_limit_bytes=10_000, minimum_free_bytes=500)
    assert disk_room_bytes(limits, QueueUse(0, 0, 5_000)) == 4_500
    assert (
        used_percent(QueueLimits(disk_limit_bytes=UNLIMITED, minimum_free_bytes=500), QueueUse(0, 2_250, 2_750)) == 50
    )


def test_the_alert_comes_once_a_crossing() -> None:
    assert [
        alert_due(QueueLimits(), before, now) for before, now in ((0, 49), (49, 50), (50, 80), (80, 40), (40, 51))
    ] == [
        False,
        True,
        False,
        False,
        True,
    ]
