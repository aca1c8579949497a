"""The arbiter's rules: a pure state machine per protection, without clock, disk or socket.

Words: *timed* lease: runs out by itself on the witness's own monotonic clock unless renewed (the source's). *Held*: owned until
released or taken by a person (a promoted target's: fencing itself would serve nobody). *Released*: given back.

Invariants:
- an epoch is granted once; only ``grant`` raises it, by one, by compare-and-set;
- while a timed lease that was ever answered for may still run, nobody else is granted the next epoch, unless a person forces it;
- a timed epoch goes on to the target that its holder named last, whose promises the holder may be serving on, and to no other,
  unless a person forces it;
- after a restart the witness assumes that the longest lease it ever gave in this epoch was given at the instant before it woke
  (``wake``). So a renewal need not be written down, unless it is longer than any before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Generic, TypeVar

LEASE_MIN_S = 0.5
LEASE_MAX_S = 3600.0
FORCED_KEPT = 50
HELD_S = float("inf")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}")

A = TypeVar("A")


class LeaseKind(StrEnum):
    """How the current epoch is owned."""

    TIMED = "timed"
    HELD = "held"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Forced:
    """A grant that a person forced over a lease: who, when (CLOCK_REALTIME, for people), from which epoch, for whom."""

    by: str
    time_ns: int
    from_epoch: int
    candidate: str


@dataclass(frozen=True, slots=True)
class Record:
    """What the witness must never forget about a protection. ``longest_lease_s``: of all leases given in this epoch.

    ``target``: the engine whose promises the source counts upon; empty where it never named one.
    """

    protection: str
    epoch: int
    holder: str
    kind: LeaseKind
    longest_lease_s: float
    forced: tuple[Forced, ...] = ()
    target: str = ""


@dataclass(frozen=True, slots=True)
class Grip:
    """A record, and until when (seconds on the witness's monotonic clock) a timed lease runs."""

    record: Record
    until_s: float = 0.0

    def remaining_s(self, now_s: float) -> float:
        """Seconds for which nobody else may be granted; infinite while held."""
        match self.record.kind:
            case LeaseKind.HELD:
                return HELD_S
            case LeaseKind.RELEASED:
                return 0.0
            case LeaseKind.TIMED:
                return max(0.0, self.until_s - now_s)


@dataclass(frozen=True, slots=True)
class LeaseAnswer:
    """The word on a registration, a renewal or a release. ``expires_in_s`` counts from the witness's answer."""

    granted: bool
    epoch: int
    holder: str
    expires_in_s: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GrantAnswer:
    """The word on a request for the next epoch. ``retry_after_s``: when asking again may help; 0 = asking will not help."""

    granted: bool
    epoch: int
    reason: str = ""
    retry_after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Ruling(Generic[A]):
    """What becomes of the grip, what is answered, and whether the record must be on disk before the answer leaves."""

    grip: Grip | None
    answer: A
    store: bool = False


def is_valid_id(text: str) -> bool:
    """Say whether ``text`` may name a protection or an engine at the witness."""
    return _ID.fullmatch(text) is not None


def is_valid_lease(lease_s: float) -> bool:
    """Say whether the witness gives leases of this length (seconds)."""
    return LEASE_MIN_S <= lease_s <= LEASE_MAX_S


def wake(record: Record, now_s: float) -> Grip:
    """The grip on a record after a restart: every lease that may have been given runs in full from now."""
    return Grip(record, now_s + record.longest_lease_s)


def register(
    grip: Grip | None, *, protection: str, epoch: int, holder: str, lease_s: float, now_s: float, target: str = ""
) -> Ruling[LeaseAnswer]:
    """Make a protection known, or take a released epoch up again, or name another target; the lease runs from now."""
    if grip is None:
        record = Record(protection, epoch, holder, LeaseKind.TIMED, lease_s, target=target)
        return Ruling(Grip(record, now_s + lease_s), LeaseAnswer(True, epoch, holder, lease_s), store=True)
    refusal = _not_yours(grip, epoch, holder)
    if refusal:
        return Ruling(grip, refusal)
    return _extend(grip, lease_s, now_s, target)


def renew(grip: Grip | None, *, epoch: int, holder: str, lease_s: float, now_s: float) -> Ruling[LeaseAnswer]:
    """Let the holder's lease run from now; a held epoch becomes a timed one."""
    if grip is None:
        return Ruling(None, LeaseAnswer(False, 0, "", reason="the witness does not know this protection"))
    refusal = _not_yours(grip, epoch, holder)
    if refusal:
        return Ruling(grip, refusal)
    if grip.record.kind is LeaseKind.RELEASED:
        reason = f"{holder} gave epoch {epoch} back; it must register again"
        return Ruling(grip, LeaseAnswer(False, epoch, holder, reason=reason))
    return _extend(grip, lease_s, now_s)


def release(grip: Grip | None, *, epoch: int, holder: str) -> Ruling[LeaseAnswer]:
    """Give the epoch back: the next may be granted at once."""
    if grip is None:
        return Ruling(None, LeaseAnswer(False, 0, "", reason="the witness does not know this protection"))
    refusal = _not_yours(grip, epoch, holder)
    if refusal:
        return Ruling(grip, refusal)
    given_back = Grip(replace(grip.record, kind=LeaseKind.RELEASED))
    return Ruling(given_back, LeaseAnswer(True, epoch, holder), store=True)


def grant(
    grip: Grip | None,
    *,
    from_epoch: int,
    candidate: str,
    now_s: float,
    time_ns: int,
    lease_s: float | None = None,
    forced: bool = False,
    by: str = "",
) -> Ruling[GrantAnswer]:
    """Grant the epoch after ``from_epoch`` to ``candidate``, once.

    With ``lease_s`` the new epoch is timed (a source that is failed back to), without it is held (a promoted target).
    Asked again by the winner, it says yes again: the first answer may have been lost.
    """
    if grip is None:
        return Ruling(None, GrantAnswer(False, 0, "the witness does not know this protection"))
    record = grip.record
    if record.epoch == from_epoch + 1 and record.holder == candidate and record.kind is not LeaseKind.RELEASED:
        return Ruling(grip, GrantAnswer(True, record.epoch, "granted before"))
    if record.epoch != from_epoch:
        reason = f"epoch {from_epoch} is not current: {record.holder} owns epoch {record.epoch}"
        return Ruling(grip, GrantAnswer(False, record.epoch, reason))
    remaining_s = grip.remaining_s(now_s)
    if remaining_s > 0 and not forced:
        return Ruling(grip, _still_leased(grip, remaining_s))
    if record.kind is LeaseKind.TIMED and candidate not in (record.holder, record.target or candidate) and not forced:
        reason = f"{record.holder} counts upon the promises of {record.target}: no other target is granted its epoch"
        return Ruling(grip, GrantAnswer(False, record.epoch, reason))
    kind = LeaseKind.HELD if lease_s is None else LeaseKind.TIMED
    history = _recorded(record, by, time_ns, candidate) if forced else record.forced
    won = Record(record.protection, from_epoch + 1, candidate, kind, lease_s or 0.0, history, record.target)
    return Ruling(Grip(won, now_s + (lease_s or 0.0)), GrantAnswer(True, won.epoch), store=True)


def _not_yours(grip: Grip, epoch: int, holder: str) -> LeaseAnswer | None:
    record = grip.record
    if (record.epoch, record.holder) == (epoch, holder):
        return None
    reason = f"{record.holder} owns epoch {record.epoch}; {holder} asked for epoch {epoch}"
    return LeaseAnswer(False, record.epoch, record.holder, reason=reason)


def _extend(grip: Grip, lease_s: float, now_s: float, target: str = "") -> Ruling[LeaseAnswer]:
    """Never shortens: what was promised before may still be relied upon."""
    longest_s, named = max(grip.record.longest_lease_s, lease_s), target or grip.record.target
    record = replace(grip.record, kind=LeaseKind.TIMED, longest_lease_s=longest_s, target=named)
    extended = Grip(record, max(grip.until_s, now_s + lease_s))
    answer = LeaseAnswer(True, record.epoch, record.holder, lease_s)
    return Ruling(extended, answer, store=record != grip.record)


def _still_leased(grip: Grip, remaining_s: float) -> GrantAnswer:
    record = grip.record
    if remaining_s == HELD_S:
        reason = f"{record.holder} holds epoch {record.epoch} until it gives it back, or a person forces it"
        return GrantAnswer(False, record.epoch, reason)
    reason = f"the lease of {record.holder} for epoch {record.epoch} runs for {remaining_s:.1f} s more"
    return GrantAnswer(False, record.epoch, reason, retry_after_s=remaining_s)


def _recorded(record: Record, by: str, time_ns: int, candidate: str) -> tuple[Forced, ...]:
    return (*record.forced, Forced(by, time_ns, record.epoch, candidate))[-FORCED_KEPT:]
