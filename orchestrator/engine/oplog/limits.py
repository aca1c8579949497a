"""How much a queue may take, and what follows: pure decisions over sizes.

Source: the Linux guide, chapter 9, "Configuring queuing": memory first, then disk up to a limit (unlimited, or 0 for no disk
queue), never below a minimum of free space, and one alert when a percentage of the disk queue is in use.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

UNLIMITED = 2**64 - 1


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """The settings of one queue, in bytes; ``alert_percent`` of the disk queue in use calls for a warning."""

    memory_limit_bytes: int = 128 << 20
    disk_limit_bytes: int = UNLIMITED
    minimum_free_bytes: int = 50 << 20
    alert_percent: int = 50


@dataclass(frozen=True, slots=True)
class QueueUse:
    """What a queue holds now, and how much its disk has left."""

    memory_bytes: int
    disk_bytes: int
    free_bytes: int


class Place(StrEnum):
    """Where the next operation goes."""

    MEMORY = "memory"
    DISK = "disk"
    FULL = "full"


def disk_room_bytes(limits: QueueLimits, use: QueueUse) -> int:
    """How much more the disk queue may take: the smaller of its limit and of what keeps the minimum free."""
    room = min(limits.disk_limit_bytes - use.disk_bytes, use.free_bytes - limits.minimum_free_bytes)
    return max(0, room)


def place(limits: QueueLimits, use: QueueUse, wanted_bytes: int) -> Place:
    """Where ``wanted_bytes`` more go. Once the disk queue is in use, memory takes no more: it holds the oldest."""
    if use.disk_bytes == 0 and use.memory_bytes + wanted_bytes <= limits.memory_limit_bytes:
        return Place.MEMORY
    return Place.DISK if wanted_bytes <= disk_room_bytes(limits, use) else Place.FULL


def used_percent(limits: QueueLimits, use: QueueUse) -> int:
    """How much of the disk queue is in use; of an unlimited one, the share of what the disk could give it."""
    whole = min(limits.disk_limit_bytes, use.disk_bytes + max(0, use.free_bytes - limits.minimum_free_bytes))
    return 100 if whole <= 0 else min(100, use.disk_bytes * 100 // whole)


def alert_due(limits: QueueLimits, before_percent: int, now_percent: int) -> bool:
    """Whether the queue has just crossed the percentage that calls for a warning (once per crossing)."""
    return before_percent < limits.alert_percent <= now_percent
