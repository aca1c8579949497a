"""The sum of the lease, the core's orders, the boot fence's judgement."""

# ruff: noqa: ARG002 - the signatures are those of lease.py's protocols

from __future__ import annotations

import threading
import time

import pytest

from orchestrator.engine.witness.boot_fence import FenceMemory, Gate, Override, judge
from orchestrator.engine.witness.errors import WitnessUnreachable
from orchestrator.engine.witness.lease import (
    LONG_PAST_NS,
    SECOND_NS,
    Deed,
    LeaseCore,
    LeaseKeeper,
    LeaseSettings,
    LeaseView,
    Standing,
)
from orchestrator.engine.witness.rules import LeaseAnswer

SETTINGS = LeaseSettings(lease_s=10.0, drift=0.01)
YES = LeaseAnswer(True, 1, "alpha", 10.0)


def at(seconds: float) -> int:
    return int(seconds * SECOND_NS) + 100 * SECOND_NS


def serving() -> LeaseCore:
    core = LeaseCore(1, SETTINGS)
    core.on_answer(at(0), YES)
    order = core.decide(at(0.1))
    assert order is not None
    assert order.deed is Deed.OPEN
    core.done(order)
    return core


def test_it_begins_fenced_with_a_deadline_long_past_and_never_zero() -> None:
    core = LeaseCore(1, SETTINGS)
    assert (core.standing, core.deadline_ns) == (Standing.FENCED, LONG_PAST_NS)
    assert core.decide(at(0)) is None


def test_the_deadline_counts_from_before_the_question_less_the_drift_of_two_clocks() -> None:
    assert serving().deadline_ns == at(0) + int(9.8 * SECOND_NS)


def test_it_fences_a_margin_before_the_deadline() -> None:
    core = serving()
    assert core.decide(at(7.2)) is None
    order = core.decide(at(7.3))
    assert order is not None
    assert order.deed is Deed.FENCE
    assert "ends in 2.5 s" in order.why


def test_an_answer_that_comes_too_late_opens_nothing() -> None:
    core = LeaseCore(1, SETTINGS)
    core.on_answer(at(0), YES)
    assert core.decide(at(7.4)) is None


def test_any_arbiter_is_enough_and_a_shorter_lease_takes_nothing_away() -> None:
    core = serving()
    core.on_answer(at(1), LeaseAnswer(True, 1, "alpha", 2.0))
    core.on_answer(at(1), LeaseAnswer(False, 1, "", reason="a failover has begun here"))
    core.on_silence("the witness does not answer")
    assert core.deadline_ns == at(0) + int(9.8 * SECOND_NS)
    assert core.decide(at(7)) is None


def test_a_newer_epoch_is_the_end_whatever_lease_still_seems_to_run() -> None:
    core = serving()
    core.on_answer(at(1), LeaseAnswer(False, 2, "beta", reason="beta owns epoch 2"))
    order = core.decide(at(1))
    assert order is not None
    assert (order.deed, order.why, core.deadline_ns) == (Deed.FENCE, "beta owns epoch 2", LONG_PAST_NS)
    core.done(order)
    core.on_answer(at(2), YES)
    assert core.decide(at(2)) is None
    assert core.view().is_over


def test_fenced_by_silence_it_opens_again_when_confirmed() -> None:
    core = serving()
    order = core.decide(at(8))
    assert order is not None
    core.done(order)
    core.on_answer(at(20), YES)
    opened = core.decide(at(20.1))
    assert opened is not None
    assert opened.deed is Deed.OPEN


def test_a_restarted_daemon_inherits_the_deadline_and_is_bound_by_it() -> None:
    core = LeaseCore(1, SETTINGS, inherited_ns=at(5))
    assert core.standing is Standing.SERVING
    assert core.decide(at(1)) is None
    assert core.decide(at(2.6)) is not None


class Fence:
    """Remembers what was done; fails as often as it is told."""

    def __init__(self, failures: int = 0) -> None:
        self.done: list[str] = []
        self.deadlines: list[int] = []
        self.failures = failures
        self.changed = threading.Event()

    def set_deadline(self, deadline_ns: int) -> None:
        self.deadlines.append(deadline_ns)

    def fence(self, why: str, deadline_ns: int) -> None:
        self._do("fence")

    def open(self, epoch: int, why: str) -> None:
        self._do("open")

    def _do(self, what: str) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError(16, "busy")
        self.done.append(what)
        self.changed.set()


class Arbiter:
    def __init__(self, *, hangs: bool = False) -> None:
        self.away = False
        self._hangs = hangs

    def renew(self, protection: str, epoch: int, holder: str, lease_s: float) -> LeaseAnswer:
        if self._hangs:
            time.sleep(5)
        if self.away:
            raise WitnessUnreachable(address="w", port=1, why="no answer")
        return LeaseAnswer(True, epoch, holder, lease_s)


def keeper_over(fence: Fence, *arbiters: Arbiter) -> LeaseKeeper:
    return LeaseKeeper("shop", 1, "alpha", arbiters=arbiters, fence=fence, settings=LeaseSettings(0.6))


def test_the_keeper_opens_stays_open_and_fences_in_time_though_an_arbiter_hangs() -> None:
    fence, arbiter = Fence(), Arbiter()
    keeper = keeper_over(fence, Arbiter(hangs=True), arbiter)
    keeper.start()
    assert fence.changed.wait(5)
    assert fence.done == ["open"]
    assert fence.deadlines[0] == LONG_PAST_NS
    fence.changed.clear()
    arbiter.away = True
    assert fence.changed.wait(5)
    assert time.clock_gettime_ns(time.CLOCK_BOOTTIME) < fence.deadlines[-1]
    assert fence.done == ["open", "fence"]
    assert keeper.stop()


def test_a_callback_that_fails_is_tried_again() -> None:
    fence = Fence(failures=2)
    keeper = keeper_over(fence, Arbiter())
    keeper.start()
    assert fence.changed.wait(5)
    fence.failures = 1
    assert keeper.stop("graceful failover")
    assert fence.done == ["open", "fence"]
    assert keeper.view().why == "graceful failover"


def view(standing: Standing = Standing.FENCED, *, is_over: bool = False) -> LeaseView:
    return LeaseView(standing, 1, 1, "beta owns epoch 2" if is_over else "not confirmed", is_over=is_over)


def test_the_gate_opens_for_the_confirmed_the_promoted_and_the_overridden() -> None:
    override = Override("anna", "both sites are down", 7, "boot-1", 1)

    def gate(seen: LeaseView | None, **facts: object) -> Gate:
        given = {"boot_id": "boot-1", "epoch": 1, "promoted": False, "override": None, **facts}
        return judge(seen, given.pop("override"), **given).gate

    assert gate(view(Standing.SERVING)) is Gate.OPEN
    assert gate(None, promoted=True) is Gate.OPEN
    assert gate(view()) is Gate.CLOSED
    assert gate(None) is Gate.CLOSED
    assert gate(view(), override=override) is Gate.OPEN
    assert gate(view(), override=override, boot_id="boot-2") is Gate.CLOSED, "for one boot only"
    assert gate(view(), override=override, epoch=2) is Gate.CLOSED, "for one epoch only"
    assert gate(view(is_over=True), override=override) is Gate.CLOSED, "never against a known new master"


def test_overrides_are_kept_with_who_and_why() -> None:
    override = Override("anna", "both sites are down", 7, "boot-1", 1)
    memory = FenceMemory.from_record(FenceMemory().with_override(override).to_record())
    assert memory.newest() == override
    assert FenceMemory.from_record(None).newest() is None
    with pytest.raises(ValueError, match="a name and a reason"):
        memory.with_override(Override("anna", " ", 7, "boot-1", 1))
