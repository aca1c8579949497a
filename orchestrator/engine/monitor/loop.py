"""The target's watch over its source: one cycle = one snapshot, guards in order, at most one act, one sentence.

``decide`` is pure and holds the order of the guards; ``Watch`` takes the snapshot and acts. Nothing here needs a client alive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.engine.monitor.decisions import Decision, DecisionLog
from orchestrator.engine.monitor.executor import Advance, Executor, Trigger
from orchestrator.engine.monitor.ports import Clock
from orchestrator.engine.monitor.run import RunState
from orchestrator.engine.monitor.verdict import Condition, MonitorSettings, Observations, Verdict, judge
from orchestrator.errors import DtamError

NS = 1_000_000_000


class Act(StrEnum):
    """What a cycle may do."""

    NOTHING = "nothing"
    BEGIN = "begin"
    ADVANCE = "advance"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a cycle knows. ``answered_since``: the source answered after the newest run ended or was cancelled."""

    enabled: bool
    epoch: int
    verdict: Verdict
    run: RunState | None
    answered_since: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """The act, the rule that chose it, and why."""

    act: Act
    rule: str
    says: str


def decide(seen: Snapshot) -> Choice:
    """Answer the guards in order; the first that speaks decides."""
    run, verdict = seen.run, seen.verdict
    if run is not None and run.is_open:
        return _about_open_run(run, verdict)
    if not seen.enabled:
        return Choice(Act.NOTHING, "monitoring-disabled", "monitoring is disabled")
    if run is not None and run.ended == "done" and run.epoch >= seen.epoch:
        return Choice(Act.NOTHING, "failed-over", f"failed over at epoch {run.epoch}; {verdict.sentence}")
    if not verdict.failed:
        return Choice(Act.NOTHING, "source-not-failed", verdict.sentence)
    if run is not None and run.ended in {"refused", "undone", "cancelled"} and not seen.answered_since:
        says = f"this failure was dealt with: {run.last_says}; a person may ask for a failover"
        return Choice(Act.NOTHING, "dealt-with", says)
    return Choice(Act.BEGIN, "source-failed", verdict.sentence)


def _about_open_run(run: RunState, verdict: Verdict) -> Choice:
    may_cancel = run.automatic and not run.may_have_asked and not run.undoing and not run.forced
    if may_cancel and verdict.condition is Condition.SOURCE_ALIVE:
        return Choice(Act.CANCEL, "source-answers-again", "the source answers again")
    return Choice(Act.ADVANCE, "failover-under-way", verdict.sentence)


class Watch:
    """Watches one source.

    Args:
        protection: its id.
        settings: addresses, interval, missed replies.
        executor: of this protection; only this watch calls it while it runs.
        observe: one round of probes and the other signs of life.
        epoch: the epoch that the target knows to be current.
        clock: both clocks.
        decisions: where decisions are recorded.
    """

    def __init__(
        self,
        protection: str,
        settings: MonitorSettings,
        executor: Executor,
        *,
        observe: Callable[[], Awaitable[Observations]],
        epoch: Callable[[], int],
        clock: Clock,
        decisions: DecisionLog,
    ) -> None:
        self._protection = protection
        self.settings = settings
        self._executor = executor
        self._observe = observe
        self._epoch = epoch
        self._clock = clock
        self._decisions = decisions
        self.enabled = True
        self.verdict: Verdict | None = None
        self.sentence = "not looked yet"
        self._answered_since = True
        self._just_begun = False

    async def cycle(self) -> float:
        """Look once, act at most once; gives the seconds until the next look."""
        seen = await self._snapshot()
        choice = decide(seen)
        advance = await asyncio.to_thread(self._act_or_say, choice, seen)
        self.sentence = advance.says
        self._record(seen, choice, advance)
        return min(advance.after_s, self.settings.round_s)

    async def run(self, stop: asyncio.Event) -> None:
        """Cycle until told to stop. A round of probes that is silent takes an interval by itself."""
        while not stop.is_set():
            began_s = self._now_s()
            wait_s = await self.cycle()
            rest_s = wait_s - (self._now_s() - began_s) if wait_s else 0.0
            try:
                await asyncio.wait_for(stop.wait(), max(0.0, rest_s))
            except TimeoutError:
                await asyncio.sleep(0)

    async def _snapshot(self) -> Snapshot:
        """A run under way is not held up by probes: while it acts, and at its beginning, the last verdict stands."""
        run = self._executor.state
        acting = self._just_begun or (run is not None and run.is_open and run.may_have_asked)
        self._just_begun = False
        if self.verdict is None or not acting:
            self.verdict = judge(await self._observe(), self.verdict, self.settings, self._now_s())
        if self.verdict.condition is Condition.SOURCE_ALIVE:
            self._answered_since = True
        return Snapshot(self.enabled, self._epoch(), self.verdict, run, self._answered_since)

    def _act_or_say(self, choice: Choice, seen: Snapshot) -> Advance:
        """A person may have been quicker, or the journal's disk be full: say so, look again."""
        try:
            return self._act(choice, seen)
        except (DtamError, OSError) as error:
            return Advance(str(error), seen.verdict.looks_again_s)

    def _act(self, choice: Choice, seen: Snapshot) -> Advance:
        match choice.act:
            case Act.NOTHING:
                return Advance(choice.says, seen.verdict.looks_again_s)
            case Act.CANCEL:
                return Advance(self._executor.cancel(choice.says), seen.verdict.looks_again_s)
            case Act.ADVANCE:
                return self._executor.advance()
            case Act.BEGIN:
                self._answered_since = False
                run = self._executor.begin(Trigger(seen.epoch, choice.says, inputs=seen.verdict.votes))
                self._just_begun = True
                return Advance(f"failover {run.run_id} begins: {choice.says}", 0)

    def _record(self, seen: Snapshot, choice: Choice, advance: Advance) -> None:
        run = self._executor.state
        self._decisions.note(
            Decision(
                time_ns=self._clock.realtime_ns(),
                protection=self._protection,
                epoch=seen.epoch,
                condition=seen.verdict.condition.value,
                rule=choice.rule,
                act=choice.act.value,
                says=advance.says,
                looks_again_s=advance.after_s,
                votes=seen.verdict.votes,
                inputs={"time_to_fail_s": seen.verdict.time_to_fail_s, "colour": seen.verdict.colour.value},
                run_id=run.run_id if run is not None and run.is_open else "",
            )
        )

    def _now_s(self) -> float:
        return self._clock.boottime_ns() / NS
