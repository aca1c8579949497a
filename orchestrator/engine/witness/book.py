"""The witness's book: the rules with a memory that outlives the process, one request at a time.

Lock: ``_lock`` is held from reading the grip to having it on disk, so requests are in one order and a compare-and-set is one.
Invariant: nothing is answered that is not on disk, save the length of a lease that a restart assumes anyway.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from orchestrator.engine.witness import rules
from orchestrator.engine.witness.rules import GrantAnswer, Grip, LeaseAnswer, Ruling
from orchestrator.engine.witness.store import Store
from orchestrator.engine.witness.wire import (
    ForcedView,
    GrantRequest,
    LeaseRequest,
    ProtectionView,
    RegisterRequest,
    ReleaseRequest,
)

A = TypeVar("A")


def boottime_s() -> float:
    """Seconds of CLOCK_BOOTTIME: goes on while the machine sleeps, never steps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Book:
    """Answers requests by the rules.

    Args:
        store: where records are kept.
        now_s: the monotonic clock that leases run on.
        time_ns: the clock for people, put into forced grants only.
    """

    def __init__(
        self, store: Store, now_s: Callable[[], float] = boottime_s, time_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._store = store
        self._now_s = now_s
        self._time_ns = time_ns
        self._lock = threading.Lock()
        self._trusted = True
        self._renewed_s: dict[str, float] = {}
        self._grips = self._woken()

    def register(self, protection: str, request: RegisterRequest) -> LeaseAnswer:
        """See ``rules.register``. Raises OSError when it could not be stored, as all of these do."""

        def decide(grip: Grip | None, now_s: float) -> Ruling[LeaseAnswer]:
            return rules.register(
                grip,
                protection=protection,
                epoch=request.epoch,
                holder=request.holder,
                lease_s=request.lease_s,
                now_s=now_s,
                target=request.target,
            )

        return self._rule(protection, decide)

    def renew(self, protection: str, request: LeaseRequest) -> LeaseAnswer:
        """See ``rules.renew``."""

        def decide(grip: Grip | None, now_s: float) -> Ruling[LeaseAnswer]:
            return rules.renew(grip, epoch=request.epoch, holder=request.holder, lease_s=request.lease_s, now_s=now_s)

        answer = self._rule(protection, decide)
        if answer.granted:
            self._renewed_s[protection] = self._now_s()
        return answer

    def release(self, protection: str, request: ReleaseRequest) -> LeaseAnswer:
        """See ``rules.release``."""
        return self._rule(protection, lambda grip, _: rules.release(grip, epoch=request.epoch, holder=request.holder))

    def grant(self, protection: str, request: GrantRequest) -> GrantAnswer:
        """See ``rules.grant``."""

        def decide(grip: Grip | None, now_s: float) -> Ruling[GrantAnswer]:
            return rules.grant(
                grip,
                from_epoch=request.from_epoch,
                candidate=request.candidate,
                now_s=now_s,
                time_ns=self._time_ns(),
                lease_s=request.lease_s,
                forced=request.forced,
                by=request.by,
            )

        return self._rule(protection, decide)

    def look(self, protection: str) -> ProtectionView | None:
        """What is known about one protection."""
        with self._lock:
            self._regain_trust()
            grip = self._grips.get(protection)
            return None if grip is None else self._view(grip)

    def all(self) -> list[ProtectionView]:
        """What is known about every protection, by name."""
        with self._lock:
            self._regain_trust()
            return [self._view(self._grips[name]) for name in sorted(self._grips)]

    def _rule(self, protection: str, decide: Callable[[Grip | None, float], Ruling[A]]) -> A:
        with self._lock:
            self._regain_trust()
            ruling = decide(self._grips.get(protection), self._now_s())
            if ruling.grip is not None:
                self._keep(protection, ruling.grip, store=ruling.store)
            return ruling.answer

    def _keep(self, protection: str, grip: Grip, *, store: bool) -> None:
        if store:
            records = {name: known.record for name, known in self._grips.items()}
            self._trusted = False
            self._store.save({**records, protection: grip.record})
            self._trusted = True
        self._grips[protection] = grip

    def _regain_trust(self) -> None:
        """After a write that failed: what the disk says, made sure of, and every lease in full from now."""
        if not self._trusted:
            self._grips = self._woken()
            self._store.save({name: grip.record for name, grip in self._grips.items()})
            self._trusted = True

    def _woken(self) -> dict[str, Grip]:
        now_s = self._now_s()
        return {name: rules.wake(record, now_s) for name, record in self._store.load().items()}

    def _view(self, grip: Grip) -> ProtectionView:
        record, now_s = grip.record, self._now_s()
        remaining_s = grip.remaining_s(now_s)
        renewed_s = self._renewed_s.get(record.protection)
        return ProtectionView(
            protection=record.protection,
            epoch=record.epoch,
            holder=record.holder,
            lease=record.kind.value,
            expires_in_s=None if remaining_s == rules.HELD_S else round(remaining_s, 3),
            renewed_ago_s=None if renewed_s is None else round(now_s - renewed_s, 3),
            forced=tuple(ForcedView(f.by, f.time_ns, f.from_epoch, f.candidate) for f in record.forced),
        )
