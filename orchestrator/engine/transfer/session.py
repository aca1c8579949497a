"""What both ends of a session share: the terms of a connection, limits, phases, signs of life."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Terms:
    """What a connection is, the same in all its sessions."""

    connection: str
    protection: str
    epoch: int
    source: str
    replication_set: str
    target_root: str
    mapping: tuple[tuple[str, str], ...] = ()
    purpose: str = "protect"
    backup_set: str = ""


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How much may be under way, and how long silence is borne."""

    operations_window_bytes: int = 16 << 20
    mirror_window_bytes: int = 32 << 20
    unsent_mirror_bytes: int = 8 << 20
    beat_s: float = 1.0
    silence_s: float = 10.0


class Phase(StrEnum):
    """Where a session is."""

    CLOSED = "closed"
    GREETING = "greeting"
    STREAMING = "streaming"
    REFUSED = "refused"


class Life:
    """Signs of life in both directions."""

    def __init__(self, limits: SessionLimits) -> None:
        self._limits = limits
        self._heard_s = 0.0
        self._spoke_s = 0.0

    def begin(self, now_s: float) -> None:
        """Both have just spoken."""
        self._heard_s = self._spoke_s = now_s

    def heard(self, now_s: float) -> None:
        """The peer spoke."""
        self._heard_s = now_s

    def is_silent(self, now_s: float) -> bool:
        """Whether the peer has been silent for too long."""
        return now_s - self._heard_s > self._limits.silence_s

    def silent_s(self, now_s: float) -> float:
        """How long the peer has been silent."""
        return now_s - self._heard_s

    def beat_due(self, now_s: float) -> bool:
        """Whether it is time to give a sign of life; asking counts as giving it."""
        due = now_s - self._spoke_s >= self._limits.beat_s
        if due:
            self._spoke_s = now_s
        return due
