"""The watch over one protection: one cycle = one snapshot, guards in order, at most one act, one sentence.

``deciding.decide`` is pure and holds the order of the guards; here the snapshot is taken and the act is done. The loop waits for no host: renewals and runs go on in
threads of their own, and their ends are part of the next snapshot. Killed anywhere, the next process finds runs in their journals, promises in the ledger,
and what people said in ``kept``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from orchestrator.engine.monitor.application import Answered
from orchestrator.engine.monitor.decisions import Decision, DecisionLog
from orchestrator.engine.monitor.verdict import Condition, Observations, Verdict, judge
from orchestrator.errors import DtamError
from orchestrator.failover import kept as kept_files
from orchestrator.failover.guards import Wish
from orchestrator.leasing.giving import Renewed
from orchestrator.model.conditions import Stage
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.plan import PlanKind
from orchestrator.model.protections import Protection
from orchestrator.model.runs import Run
from orchestrator.pipeline import Pipeline
from orchestrator.running import Tell
from orchestrator.service import gathering, looking
from orchestrator.service.application import as_kept, ask_application, health_of
from orchestrator.service.deciding import Act, Choice, Watched, decide, may_give_leases
from orchestrator.service.hand import Hand, Opened
from orchestrator.service.looking import OVER, Standing
from orchestrator.service.probing import ask_round, settings_of

log = logging.getLogger("dtam.serve")
TROUBLE_S = 5.0
FENCE_AGAIN_S = 5.0
CALM_LEASE_S = 60.0
"""How often a lease without an end is given again: after a boot of its holder it is the first."""
STOPPING_BUDGET_S = 10.0
NOBODY_ASKS: dict[str, Any] = {"waiting": "", "approved": "", "forced": False, "graceful": False, "data": ""}
Value = TypeVar("Value")


@dataclass
class _Job:
    """One call under way in a thread, asked for again after ``next_s`` on the monotonic clock."""

    future: asyncio.Future[Any] | None = None
    next_s: float = 0.0

    @property
    def is_due(self) -> bool:
        return self.future is None and time.monotonic() >= self.next_s


@dataclass
class _Memory:
    """What lives between two cycles and need not outlive the process."""

    verdict: Verdict | None = None
    heard_s: float | None = None
    data_problem: str = ""
    lease: _Job = field(default_factory=_Job)
    life: _Job = field(default_factory=_Job)
    facts: _Job = field(default_factory=_Job)
    logins: _Job = field(default_factory=_Job)
    fence: _Job = field(default_factory=_Job)
    run: _Job = field(default_factory=_Job)
    application: _Job = field(default_factory=_Job)


class Watch:
    """Watches one protection until told to stop. ``tell`` hears the progress of its runs."""

    def __init__(self, home: Path, protection: str, opened: Opened, tell: Tell) -> None:
        self.protection = protection
        self._home = home
        self._tell = tell
        self._looks, self._leases, self._facts, self._runs, self._asks = (
            Hand(opened, f"{what}-{protection}") for what in ("look", "lease", "facts", "run", "ask")
        )
        self._memory = _Memory()
        self.kept = kept_files.read(home, protection)
        kept_files.place(home).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._decisions = DecisionLog(kept_files.place(home) / f"{protection}.decisions")
        self._sentence = ""
        self.woken = asyncio.Event()
        self.ended = asyncio.Event()
        self.last = ("", "")
        """What the newest run of this process came to, and its id (empty: none began); ``ended`` is set when there is news."""

    async def run(self, stop: asyncio.Event) -> None:
        """Cycle until told to stop; then the side that serves gets a lease without an end."""
        while not stop.is_set():
            began_s = time.monotonic()
            try:
                wait_s = await self._cycle()
            except (DtamError, TryAgain, OSError) as error:
                self._say(f"{self.protection}: {error}", logging.ERROR)
                wait_s = TROUBLE_S
            await self._rest(stop, wait_s - (time.monotonic() - began_s))
        await self._stop()

    def change(self, **changes: Any) -> None:
        """Keep what a person said; looked at in the next cycle, which begins at once."""
        self.kept = msgspec.structs.replace(self.kept, **changes)
        kept_files.write(self._home, self.protection, self.kept)
        self.woken.set()

    @property
    def is_at_work(self) -> bool:
        """Whether a run of this process is under way."""
        return self._memory.run.future is not None

    # -- one cycle

    async def _cycle(self) -> float:
        memory = self._memory
        now = await self._looks.submit(lambda pipeline: looking.standing(pipeline, self.protection))
        watched = settings_of(now.protection.settings.monitoring, now.protection.pair.source)
        winrm = now.protection.pair.source.own_winrm
        answers = await ask_round(watched, winrm.port)
        heard_s = None if memory.heard_s is None else time.monotonic() - memory.heard_s
        memory.verdict = judge(Observations(answers, data_heard_s=heard_s), memory.verdict, watched, time.monotonic())
        seen = self._seen(now, memory.verdict)
        self._side_jobs(now, seen)
        if seen.verdict.condition is Condition.SOURCE_ALIVE and self.kept.dealt_with:
            self.change(dealt_with="", detected_s=None)
            seen = self._seen(now, memory.verdict)
        choice = decide(seen)
        says = self._act(choice, now)
        self._record(seen, choice, says, now)
        return seen.verdict.looks_again_s

    def _seen(self, now: Standing, verdict: Verdict) -> Watched:
        watch, kept = now.protection.settings.monitoring, self.kept
        return Watched(
            enabled=kept.enabled(now.protection.settings.is_watched),
            stage=now.protection.stage,
            verdict=verdict,
            run=now.run,
            waiting=kept.waiting,
            approved=kept.approved,
            dealt_with=kept.dealt_with,
            sure_in_s=now.sure_in_s,
            can_fence=bool(watch.fence_command),
            manual=watch.manual_intervention,
            has_arbiter=watch.witness is not None or watch.without_witness,
            data_problem=self._memory.data_problem,
        )

    def _act(self, choice: Choice, now: Standing) -> str:
        match choice.act:
            case Act.ASK:
                self.change(waiting=choice.says.rpartition("person: ")[2], detected_s=time.time())
            case Act.CANCEL:
                self.change(**NOBODY_ASKS, detected_s=None)
            case Act.BEGIN | Act.RESUME:
                return self._begin(choice, now)
            case Act.NOTHING | Act.WAIT:
                pass
        return choice.says

    # -- runs

    def _begin(self, choice: Choice, now: Standing) -> str:
        """Let the run go in its thread; its end is taken up here when it comes."""
        job = self._memory.run
        if not job.is_due:
            return (
                f"{choice.says}; {self.kept.lease_says}"
                if job.future is None
                else f"failover is under way: {choice.says}"
            )
        if self.kept.detected_s is None:
            self.change(detected_s=time.time())
        kept, run = self.kept, now.run
        if choice.act is Act.RESUME and run is not None:
            job.future = self._runs.submit(lambda pipeline: self._resume(pipeline, run.id))
        else:
            wish = Wish("failover", graceful=kept.graceful, forced=kept.forced, data=kept.data)
            job.future = self._runs.submit(lambda pipeline: self._fail_over(pipeline, wish))
        job.future.add_done_callback(self._ended)
        return choice.says

    def _fail_over(self, pipeline: Pipeline, wish: Wish) -> Run:
        protection = pipeline.store.protection(self.protection)
        if wish.forced or self.kept.approved:
            pipeline.store.audit(self.kept.approved, self.protection, "failover", f"{self.kept.approved} asked for it")
        return pipeline.execute(pipeline.plan(PlanKind.FAILOVER, protection, wish), self._tell).run

    def _resume(self, pipeline: Pipeline, run: str) -> Run:
        protection = pipeline.store.protection(self.protection)
        open_run = next(one for one in pipeline.running.unfinished(self.protection) if one.id == run)
        return pipeline.go_on(open_run, protection, self._tell, undo=False).run

    def _ended(self, future: asyncio.Future[Run]) -> None:
        """In the loop: what became of a run, or why none began."""
        job = self._memory.run
        job.future = None
        error = future.exception()
        if error is None:
            run = future.result()
            self._say(f"{self.protection}: failover {run.id}: {run.says}", logging.WARNING)
            self._news(run.says, run.id)
            self.change(**NOBODY_ASKS, dealt_with=run.says)
            return
        job.next_s = time.monotonic() + TROUBLE_S
        if isinstance(error, (DtamError, TryAgain, OSError)):
            self._say(f"{self.protection}: no failover yet: {error}", logging.ERROR)
        else:
            log.error("%s: a failover met a mistake of the program", self.protection, exc_info=error)
        self._news(str(error), "")
        asked = NOBODY_ASKS if self.kept.approved else {}
        self.change(says=f"no failover yet: {error}", **asked)

    def _news(self, says: str, run: str) -> None:
        self.last = (says, run)
        self.ended.set()

    # -- what goes on beside

    def _side_jobs(self, now: Standing, seen: Watched) -> None:
        """Leases, signs of life, facts, and the fence of a source that came back: each at most once at a time."""
        protection, kept, memory = now.protection, self.kept, self._memory
        serves = protection.stage in {Stage.ENABLED, *OVER}
        if serves and may_give_leases(seen) and memory.run.future is None:
            timed_s = protection.settings.monitoring.timed_lease_s
            every_s = timed_s / 3 if timed_s and protection.stage not in OVER else CALM_LEASE_S
            taken = self._leased if protection.stage in OVER else self._leased_source
            job = lambda pipeline: looking.give_lease(pipeline, protection, kept)  # noqa: E731
            self._go(memory.lease, self._leases, job, every_s, taken)
        if not seen.verdict.failed and protection.stage is Stage.ENABLED and seen.run is None:
            if looking.facts_are_due(now):
                facts = lambda pipeline: pipeline.inventory(protection)  # noqa: E731
                self._go(memory.facts, self._facts, facts, 60.0, lambda _: None)
            if gathering.is_wanted(protection):
                logins = lambda pipeline: gathering.gather(pipeline, protection)  # noqa: E731
                self._go(memory.logins, self._facts, logins, gathering.LOOK_S, lambda _: None)
        if seen.verdict.colour != "green" and protection.stage is Stage.ENABLED:
            self._go(
                memory.life, self._leases, lambda pipeline: looking.sign_of_life(pipeline, protection), 1.0, self._lives
            )
            self._go(
                memory.facts,
                self._facts,
                lambda pipeline: looking.data_problem(pipeline, protection),
                2.0,
                self._judged,
            )
        if protection.stage in OVER and seen.run is None and seen.verdict.colour == "green":
            fence = lambda pipeline: looking.fence_old_source(pipeline, protection)  # noqa: E731
            self._go(memory.fence, self._leases, fence, FENCE_AGAIN_S, self._fenced)
        self._ask_application(protection, seen)

    def _ask_application(self, protection: Protection, seen: Watched) -> None:
        """While the source serves and is watched; what it answers fails nothing over."""
        tab = protection.settings.monitoring.application
        if tab is None or not (seen.enabled and protection.stage is Stage.ENABLED and seen.run is None):
            if self.kept.application is not None:
                self._keep_application(None)
            return

        def answered(answer: Answered) -> None:
            before = health_of(self.kept.application, protection)
            health = before.after(answer)
            self._keep_application(as_kept(health))
            if news := health.news_since(before):
                self._say(f"{self.protection}: {news}", logging.WARNING if health.alarmed else logging.INFO)

        job = lambda pipeline: ask_application(pipeline, protection)  # noqa: E731
        self._go(self._memory.application, self._asks, job, tab.interval_s, answered)

    def _keep_application(self, told: dict[str, Any] | None) -> None:
        self.kept = msgspec.structs.replace(self.kept, application=told)
        kept_files.write(self._home, self.protection, self.kept)

    def _go(
        self, job: _Job, hand: Hand, what: Callable[[Pipeline], Value], every_s: float, then: Callable[[Value], None]
    ) -> None:
        if not job.is_due:
            return
        job.next_s = time.monotonic() + every_s
        future = hand.submit(what)
        job.future = future

        def ended(done: asyncio.Future[Value]) -> None:
            job.future = None
            error = done.exception()
            if error is None:
                then(done.result())
                return
            job.next_s = min(job.next_s, time.monotonic() + TROUBLE_S)
            self._say(f"{self.protection}: {error}", logging.WARNING)

        future.add_done_callback(ended)

    def _leased_source(self, renewed: Renewed) -> None:
        """A renewal that the source answered is a sign of its life; one of the target is none."""
        if renewed.heard:
            self._memory.heard_s = time.monotonic()
        self._leased(renewed)

    def _leased(self, renewed: Renewed) -> None:
        if not renewed.taken:
            self._memory.lease.next_s = min(self._memory.lease.next_s, time.monotonic() + TROUBLE_S)
        if renewed.says != self.kept.lease_says:
            self._say(f"{self.protection}: {renewed.says}", logging.INFO if renewed.taken else logging.WARNING)
            self.kept = msgspec.structs.replace(self.kept, lease_says=renewed.says)

    def _lives(self, answered: bool) -> None:  # noqa: FBT001
        if answered:
            self._memory.heard_s = time.monotonic()

    def _judged(self, problem: str) -> None:
        self._memory.data_problem = problem

    def _fenced(self, says: str) -> None:
        if says:
            self._say(f"{self.protection}: {says}", logging.WARNING)

    # -- telling

    def _record(self, seen: Watched, choice: Choice, says: str, now: Standing) -> None:
        verdict = seen.verdict
        shown = msgspec.structs.replace(
            self.kept,
            colour=verdict.colour.value,
            missed=max(
                (health.missed(now.protection.settings.monitoring.method) for health in verdict.addresses), default=0
            ),
            allowed=now.protection.settings.monitoring.allowed()[1],
            time_to_fail_s=verdict.time_to_fail_s,
            says=says,
            at_s=time.time(),
        )
        if msgspec.structs.replace(shown, at_s=0.0) != msgspec.structs.replace(self.kept, at_s=0.0):
            self.kept = shown
            kept_files.write(self._home, self.protection, shown)
        decision = Decision(
            time_ns=time.time_ns(),
            protection=self.protection,
            epoch=now.protection.epoch,
            condition=verdict.condition.value,
            rule=choice.rule,
            act=choice.act.value,
            says=says,
            looks_again_s=verdict.looks_again_s,
            votes=(*verdict.votes, f"lease: {self.kept.lease_says or 'none given yet'}"),
            inputs={"time_to_fail_s": verdict.time_to_fail_s, "colour": verdict.colour.value, "stage": str(seen.stage)},
            run_id=seen.run.id if seen.run else "",
        )
        if self._decisions.note(decision):
            self._say(f"{self.protection}: {says}", logging.INFO)

    def _say(self, sentence: str, level: int) -> None:
        """Each new sentence once: waiting repeats itself."""
        if sentence != self._sentence:
            log.log(level, "%s", sentence)
            self._sentence = sentence

    # -- waiting and ending

    async def _rest(self, stop: asyncio.Event, seconds: float) -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in (stop, self.woken)]
        await asyncio.wait(waits, timeout=max(0.02, seconds), return_when=asyncio.FIRST_COMPLETED)
        for one in waits:
            one.cancel()
        self.woken.clear()

    async def _stop(self) -> None:
        """An order to stop is no reason to stop production: the last lease has no end. A run under way is waited for, a second signal kills."""
        memory = self._memory
        if memory.run.future is not None:
            self._say(f"{self.protection}: waits for the run under way", logging.WARNING)
            with contextlib.suppress(DtamError, TryAgain, OSError):
                await memory.run.future
        with contextlib.suppress(DtamError, TryAgain, OSError, TimeoutError):
            async with asyncio.timeout(STOPPING_BUDGET_S):
                now = await self._looks.submit(lambda pipeline: looking.standing(pipeline, self.protection))
                if now.run is None and now.protection.stage is Stage.ENABLED:
                    kept, protection = self.kept, now.protection
                    lease = self._leases.submit(
                        lambda pipeline: looking.give_lease(pipeline, protection, kept, endless=True)
                    )
                    self._say(f"{self.protection}: {(await lease).says}", logging.INFO)
        for hand in (self._looks, self._leases, self._facts, self._runs, self._asks):
            await hand.close()
