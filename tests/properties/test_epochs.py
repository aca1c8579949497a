"""The witness's rules under any order of questions and restarts: epochs never fall, each has one owner, no lease is granted over."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestrator.engine.witness import rules
from orchestrator.engine.witness.rules import Grip, LeaseKind, Record

OWNER = ""
ENGINES = st.sampled_from([OWNER, OWNER, "alpha", "beta", "gamma"])
"""Who asks; mostly whoever has the epoch."""
OTHERS = st.sampled_from(["alpha", "beta", "gamma"])
NEAR = st.sampled_from([0, 0, 0, 0, 1, -1])
"""An epoch, counted from the present one."""
LEASES_S = st.sampled_from([1.0, 5.0, 20.0])


class Witness(RuleBasedStateMachine):
    """``disk`` is what a restart finds; ``owned`` who was ever told that an epoch is his; ``until_s`` what holders count upon."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.grip: Grip | None = None
        self.disk: Record | None = None
        self.owned: dict[int, str] = {}
        self.until_s: dict[int, float] = {}
        self.highest = 0

    def _asked(self, near: int, engine: str) -> tuple[int, str]:
        owner = self.grip.record.holder if self.grip is not None else "alpha"
        return max(1, self.highest + near), engine or owner

    @rule(seconds=st.sampled_from([0.1, 1.0, 4.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds

    @rule()
    def restarts(self) -> None:
        self.grip = rules.wake(self.disk, self.now_s) if self.disk is not None else None

    @rule(near=NEAR, engine=ENGINES, lease_s=LEASES_S, named=st.sampled_from(["beta", "gamma", ""]))
    def registers(self, near: int, engine: str, lease_s: float, named: str) -> None:
        epoch, holder = self._asked(near, engine)
        if self.grip is not None or epoch == 1:
            self._leased(
                rules.register(
                    self.grip,
                    protection="p",
                    epoch=epoch,
                    holder=holder,
                    lease_s=lease_s,
                    now_s=self.now_s,
                    target=named,
                )
            )

    @rule(near=NEAR, engine=ENGINES, lease_s=LEASES_S)
    def renews(self, near: int, engine: str, lease_s: float) -> None:
        epoch, holder = self._asked(near, engine)
        self._leased(rules.renew(self.grip, epoch=epoch, holder=holder, lease_s=lease_s, now_s=self.now_s))

    def _leased(self, ruling: rules.Ruling[rules.LeaseAnswer]) -> None:
        self._kept(ruling)
        answer = ruling.answer
        if answer.granted:
            assert self.owned.setdefault(answer.epoch, answer.holder) == answer.holder
            until_s = self.now_s + answer.expires_in_s
            self.until_s[answer.epoch] = max(until_s, self.until_s.get(answer.epoch, 0.0))

    @rule(near=NEAR, engine=ENGINES)
    def releases(self, near: int, engine: str) -> None:
        epoch, holder = self._asked(near, engine)
        ruling = rules.release(self.grip, epoch=epoch, holder=holder)
        self._kept(ruling)
        if ruling.answer.granted:
            self.until_s[epoch] = 0.0  # who gives an epoch back has fenced himself

    @rule(
        near=NEAR,
        candidate=OTHERS,
        lease_s=st.one_of(LEASES_S, st.none()),
        later_s=st.sampled_from([30.0, 0.0, 4.0]),
    )
    def grants(self, near: int, candidate: str, lease_s: float | None, later_s: float) -> None:
        self.now_s += later_s
        before, from_epoch = self.grip, max(1, self.highest + near)
        ruling = rules.grant(
            before, from_epoch=from_epoch, candidate=candidate, now_s=self.now_s, time_ns=0, lease_s=lease_s
        )
        self._kept(ruling)
        if not ruling.answer.granted:
            return
        assert ruling.answer.epoch == from_epoch + 1
        assert self.owned.setdefault(ruling.answer.epoch, candidate) == candidate, "an epoch has one owner"
        if ruling.store and before is not None:
            assert self.until_s.get(from_epoch, 0.0) <= self.now_s, "granted over a lease that was counted upon"
            named, timed = before.record.target, before.record.kind is LeaseKind.TIMED
            assert not (timed and named) or candidate in {named, before.record.holder}, "not to whom was named"
            if lease_s is not None:
                self.until_s[from_epoch + 1] = self.now_s + lease_s

    def _kept(self, ruling: rules.Ruling[rules.LeaseAnswer] | rules.Ruling[rules.GrantAnswer]) -> None:
        self.grip = ruling.grip
        if ruling.store and ruling.grip is not None:
            self.disk = ruling.grip.record

    @invariant()
    def epochs_never_fall(self) -> None:
        epoch = self.grip.record.epoch if self.grip is not None else 0
        assert epoch >= self.highest
        self.highest = epoch


TestEpochs = pytest.mark.covers("AM-27")(Witness.TestCase)
TestEpochs.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
