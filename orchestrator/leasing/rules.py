"""The rules of the Windows lease, without clock, disk or network: what may be given, and when it has surely run out. Pure.

Words: the *executor* (`dtam serve`, or a command that plays it) gives leases; the *holder* is the host that may serve. A lease is told in
the holder's own clock (seconds since its boot), so that a message which arrives late cannot lengthen it: ``until = ticks + lease``, where
``ticks`` is what the holder said before. The executor counts from when that word arrived here, which is later than when it was said, and adds
twice the drift of two clocks. So the holder's end is always first.

Invariants:
- what is sent stands in ``Promised`` on the disk before: after a crash at any point the executor believes at least what the holder may;
- numbers rise with every lease ever sent: a holder takes only a higher one, so an endless lease that is late cannot replace a timed one;
- a holder whose leases somebody else gives has none of ours that runs out: until it takes one again it may serve for ever;
- while ``asking`` nothing is given; ``granted`` rises only when nothing may be held any more, unless a person forces it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec

DRIFT = 0.01


class Promised(msgspec.Struct, frozen=True):
    """What the executor must never forget about one protection. Seconds.

    ``ends_s`` is on this machine's clock of its boot ``boot``; ``longest_s`` is the longest timed lease that may be held. ``endless_n`` is the number of
    an endless lease that may be held, 0 = none; ``timed``: the holder said once that it took a timed one, before that it may serve for ever. ``granted`` is the newest epoch that was granted here.
    ``giver`` names this ledger: a holder takes the leases of one giver.
    """

    granted: int = 0
    n: int = 0
    ends_s: float = 0.0
    boot: str = ""
    longest_s: float = 0.0
    endless_n: int = 0
    timed: bool = False
    asking: bool = False
    giver: str = ""


@dataclass(frozen=True, slots=True)
class Now:
    """This machine's clock: seconds since its boot, and which boot it is."""

    seconds: float
    boot: str


@dataclass(frozen=True, slots=True)
class HolderClock:
    """What the holder said of its own clock and its newest lease, and when that was heard here (seconds of this machine's clock)."""

    boot: str
    ticks_s: float
    heard_s: float
    n: int = 0


class Renewal(msgspec.Struct, frozen=True):
    """A lease as it is sent; ``until_s`` on the holder's clock of ``boot``, None = no end while that boot lasts."""

    epoch: int
    n: int
    boot: str
    until_s: float | None
    giver: str = ""


def give(
    promised: Promised, clock: HolderClock, now: Now, *, epoch: int, lease_s: float | None
) -> tuple[Promised, Renewal]:
    """The next lease, and what must be on the disk before it is sent. ``lease_s`` None is an endless one. Only while not ``asking``."""
    known, n = on_this_boot(promised, now), max(promised.n, clock.n) + 1
    if lease_s is None:
        return msgspec.structs.replace(known, n=n, endless_n=n), Renewal(epoch, n, clock.boot, None, known.giver)
    after = msgspec.structs.replace(
        known,
        n=n,
        ends_s=max(known.ends_s, clock.heard_s + lease_s * (1 + 2 * DRIFT)),
        longest_s=max(known.longest_s, lease_s),
    )
    return after, Renewal(epoch, n, clock.boot, clock.ticks_s + lease_s, known.giver)


def taken(promised: Promised, renewal: Renewal) -> Promised:
    """The holder said that it took this lease: an endless one with a lower number is over. Not of one of an epoch that is past."""
    if renewal.until_s is not None and promised.endless_n < renewal.n and promised.granted <= renewal.epoch:
        return msgspec.structs.replace(promised, endless_n=0, timed=True)
    return promised


def on_this_boot(promised: Promised, now: Now) -> Promised:
    """After a boot of this machine nobody knows how long ago the last lease was given: the longest runs in full from now."""
    if promised.boot == now.boot:
        return promised
    ends_s = now.seconds + promised.longest_s * (1 + 2 * DRIFT) if promised.longest_s else 0.0
    return msgspec.structs.replace(promised, boot=now.boot, ends_s=ends_s)


def remaining_s(promised: Promised, now: Now) -> float:
    """For how long the holder may still believe that it may serve; infinite while it may hold an endless lease, or took no timed one yet."""
    if not _is_timed(promised):
        return math.inf
    return max(0.0, on_this_boot(promised, now).ends_s - now.seconds)


def sure_in_s(promised: Promised, now: Now, grace_s: float) -> float:
    """When the holder has surely stopped: its last lease has run out, and the time that its guard may take has passed; 0 = it has."""
    if not _is_timed(promised):
        return math.inf
    return max(0.0, on_this_boot(promised, now).ends_s + grace_s - now.seconds)


def _is_timed(promised: Promised) -> bool:
    """Whoever never said that he took a timed lease may serve for ever, as far as anybody knows here."""
    return promised.timed and not promised.endless_n


def granted(promised: Promised, epoch: int) -> Promised:
    """The epoch was granted and whoever held the one before is out: nothing is promised about the new one yet."""
    if epoch <= promised.granted:
        return msgspec.structs.replace(promised, asking=False)
    return Promised(granted=epoch, n=promised.n, boot=promised.boot, giver=promised.giver)
