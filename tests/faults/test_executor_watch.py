"""The target watches a real responder over UDP and fails over by itself; no client of ours runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.engine.monitor.decisions import DecisionLog
from orchestrator.engine.monitor.executor import Executor, ExecutorSettings, Trigger
from orchestrator.engine.monitor.loop import Watch
from orchestrator.engine.monitor.ports import Settle
from orchestrator.engine.monitor.probes import ProbeResponder, Rounds, asking
from orchestrator.engine.monitor.verdict import Colour, MonitorSettings, Observations, Pace
from orchestrator.engine.witness.wire import RegisterRequest
from tests.faults.executor_fakes import (
    PROTECTION,
    BookGranter,
    Host,
    RealClock,
    collaborators,
    journal,
    with_book,
)

ENGINE = b"alpha-alpha-alph"
LEASE_S = 0.5


@dataclass
class Target:
    """One target, its watch, and what is seen of it."""

    directory: Path
    settings: ExecutorSettings = ExecutorSettings(PROTECTION, "beta", manual_intervention=False)  # noqa: RUF009
    monitor: MonitorSettings = MonitorSettings(("127.0.0.1",), interval_s=0.1, missed=5)  # noqa: RUF009
    scripts: tuple[str, ...] = ()
    witness: bool = True
    port: int = 0
    seen: list[tuple[Colour, float, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rounds = Rounds()
        self.directory.mkdir(exist_ok=True)
        self.host = Host(self.directory, scripts=self.scripts)
        self.book = with_book(self.directory)
        granter = BookGranter(self.book) if self.witness else None
        self.executor = Executor(self.settings, collaborators(self.host, granter), journal(self.directory))
        self.resumed = self.executor.resume()
        self.decisions = DecisionLog(self.directory / "decisions.jsonl")
        self.watch = Watch(
            PROTECTION,
            self.monitor,
            self.executor,
            observe=self._observe,
            epoch=lambda: 1,
            clock=RealClock(),
            decisions=self.decisions,
        )

    async def _observe(self) -> Observations:
        if self.watch.verdict is not None:
            verdict = self.watch.verdict
            self.seen.append((verdict.colour, verdict.time_to_fail_s, verdict.sentence))
        return Observations(await self.rounds.ask(self.monitor, asking(self.port, ENGINE)))

    def ended(self) -> str:
        return self.executor.state.ended if self.executor.state is not None else ""


async def _watch_until(target: Target, condition: Callable[[], bool], within_s: float = 20.0) -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(target.watch.run(stop))
    end = time.monotonic() + within_s
    try:
        while not condition():
            assert time.monotonic() < end, f"it says: {target.watch.sentence}"
            assert not task.done(), task.exception()
            await asyncio.sleep(0.01)
    finally:
        stop.set()
        await task


def _register(target: Target, lease_s: float = LEASE_S) -> None:
    target.book.register(PROTECTION, RegisterRequest(1, "alpha", lease_s))


@pytest.mark.covers("ENG-FO-01", "ENG-FO-02", "AM-27", "AM-28")
def test_silence_counts_down_turns_yellow_then_red_and_fails_over(tmp_path: Path) -> None:
    async def story() -> Target:
        responder = ProbeResponder(ENGINE)
        target = Target(tmp_path, port=await responder.start("127.0.0.1", 0))
        _register(target)
        await _watch_until(target, lambda: len(target.seen) > 3)
        assert {colour for colour, _, _ in target.seen} == {Colour.GREEN}
        responder.close()
        await _watch_until(target, lambda: target.ended() == "done")
        return target

    target = asyncio.run(story())
    colours = list(dict.fromkeys(colour for colour, _, _ in target.seen))
    assert colours == [Colour.GREEN, Colour.YELLOW, Colour.RED]
    countdown = [round(left, 1) for colour, left, _ in target.seen if colour is not Colour.GREEN]
    assert countdown[:4] == [0.3, 0.2, 0.1, 0.0], "20 % missed is still green, 40 % is yellow"
    assert target.host.diary() == ["refuse_source", "settle", "promote", "mount", "start"]
    begun = next(decision for decision in target.decisions.recent() if decision.act == "begin")
    assert (begun.rule, begun.condition) == ("source-failed", "SourceSilent")
    assert any("5 of 5 missed" in vote for vote in begun.votes)
    calm = target.decisions.recent()[0]
    assert (calm.act, calm.rule, calm.looks_again_s) == ("nothing", "source-not-failed", 0.1)
    assert (tmp_path / "decisions.jsonl").read_bytes().count(b"\n") == len(target.decisions.recent())


@pytest.mark.covers("AM-27", "AM-28")
def test_while_the_lease_runs_it_waits_and_when_the_source_answers_again_it_lets_go(tmp_path: Path) -> None:
    async def story() -> Target:
        target = Target(tmp_path, port=9)
        _register(target, lease_s=60)
        await _watch_until(target, lambda: "lease of alpha" in target.watch.sentence)
        responder = ProbeResponder(ENGINE)
        target.port = await responder.start("127.0.0.1", 0)
        await _watch_until(target, lambda: target.ended() == "cancelled")
        responder.close()
        return target

    target = asyncio.run(story())
    assert target.host.diary() == []
    assert any(decision.rule == "source-answers-again" for decision in target.decisions.recent())


@pytest.mark.covers("ENG-FO-03")
def test_with_manual_intervention_it_waits_for_a_person_also_across_a_restart(tmp_path: Path) -> None:
    manual = ExecutorSettings(PROTECTION, "beta", manual_intervention=True)

    async def story() -> Target:
        first = Target(tmp_path, settings=manual, port=9)
        _register(first)
        await _watch_until(first, lambda: "waiting for a person" in first.watch.sentence)
        assert any(level == "error" and "condition met" in text for level, text in first.host.said)
        second = Target(tmp_path, settings=manual, port=9)
        assert "goes on" in second.resumed
        await _watch_until(second, lambda: "waiting for a person" in second.watch.sentence)
        assert second.host.diary() == []
        second.executor.approve("anna")
        await _watch_until(second, lambda: second.ended() == "done")
        return second

    target = asyncio.run(story())
    assert target.executor.state.by == "anna"


@pytest.mark.covers("ENG-FO-03")
def test_a_person_asks_and_nobody_is_waited_for(tmp_path: Path) -> None:
    async def story() -> Target:
        target = Target(tmp_path, settings=ExecutorSettings(PROTECTION, "beta"), port=9)
        _register(target)
        target.executor.begin(Trigger(1, "a test on Sunday", by="anna"))
        await _watch_until(target, lambda: target.ended() == "done")
        return target

    assert asyncio.run(story()).host.has("serving")


@pytest.mark.covers("AM-27")
@pytest.mark.parametrize("insists", [False, True])
def test_without_a_witness_it_asks_unless_a_person_insisted(tmp_path: Path, insists: bool) -> None:
    settings = ExecutorSettings(PROTECTION, "beta", manual_intervention=False, insist_without_witness=insists)

    async def story() -> Target:
        target = Target(tmp_path, settings=settings, witness=False, port=9)
        done = (lambda: target.ended() == "done") if insists else (lambda: "no witness" in target.watch.sentence)
        await _watch_until(target, done)
        return target

    target = asyncio.run(story())
    assert target.host.has("serving") is insists
    assert any("no witness" in text for _, text in target.host.said)


@pytest.mark.covers("ENG-FO-03")
def test_data_that_is_not_good_is_a_matter_for_a_person(tmp_path: Path) -> None:
    async def story() -> Target:
        target = Target(tmp_path, port=9)
        _register(target)
        target.host.data_state = "mirroring"
        await _watch_until(target, lambda: "mirroring, not good" in target.watch.sentence)
        return target

    assert asyncio.run(story()).host.diary() == []


@pytest.mark.covers("ENG-FO-05", "AM-30")
@pytest.mark.parametrize("waits", [True, False])
def test_scripts_are_waited_for_or_not(tmp_path: Path, waits: bool) -> None:
    settings = ExecutorSettings(
        PROTECTION, "beta", manual_intervention=False, wait_for_pre_script=waits, wait_for_post_script=waits
    )

    async def story() -> Target:
        target = Target(tmp_path, settings=settings, scripts=("pre_failover", "post_failover"), port=9)
        _register(target)
        target.host.script_takes = lambda: False
        if not waits:
            await _watch_until(target, lambda: target.ended() == "done")
            return target
        await _watch_until(target, lambda: "the script runs" in target.watch.sentence)
        assert target.host.diary() == ["refuse_source", "pre_script"], "nothing passes a script that is waited for"
        target.host.script_takes = lambda: not target.host.has("post_failover")
        await _watch_until(target, lambda: target.watch.sentence.startswith("start: the script runs"))
        assert target.ended() == "", "not done before the script said that the application answers"
        target.host.script_takes = lambda: True
        await _watch_until(target, lambda: target.ended() == "done")
        return target

    target = asyncio.run(story())
    assert target.host.diary() == ["refuse_source", "pre_script", "settle", "promote", "mount", "start"]


@pytest.mark.parametrize("how", list(Settle))
def test_the_queue_is_applied_or_discarded_as_set(tmp_path: Path, how: Settle) -> None:
    settings = ExecutorSettings(PROTECTION, "beta", manual_intervention=False, settle=how)

    async def story() -> Target:
        target = Target(tmp_path, settings=settings, port=9)
        _register(target)
        await _watch_until(target, lambda: target.ended() == "done")
        return target

    assert asyncio.run(story()).host.has(f"settled-{how}")


@pytest.mark.covers("ENG-FO-01", "ENG-FO-02")
@pytest.mark.parametrize(
    ("silent_pace", "fails"), [(Pace(0.1, 3), True), (Pace(600.0, 3), False)], ids=["quick", "patient"]
)
def test_each_address_has_its_own_interval_and_misses(tmp_path: Path, silent_pace: Pace, fails: bool) -> None:
    """One address answers; how soon the other one is silent is that address's own affair."""
    addresses, own = ("127.0.0.1", "127.0.0.2"), {"127.0.0.2": silent_pace, "127.0.0.1": Pace(0.05, 1000)}
    monitor = MonitorSettings(addresses, interval_s=3600, missed=1000, require="any", own=own)

    async def story() -> Target:
        responder = ProbeResponder(ENGINE)
        target = Target(tmp_path, monitor=monitor, port=await responder.start("127.0.0.1", 0))
        _register(target)
        seen = (lambda: target.ended() == "done") if fails else (lambda: len(target.seen) > 30)
        await _watch_until(target, seen)
        responder.close()
        return target

    target = asyncio.run(story())
    assert target.host.has("serving") is fails
    assert any("missed 1 of 3 replies; 0.2 s to fail" in says for _, _, says in target.seen) is fails


@pytest.mark.covers("ENG-FO-01")
@pytest.mark.parametrize(("require", "fails"), [("any", True), ("all", False)])
def test_any_or_all_addresses_must_be_silent(tmp_path: Path, require: str, fails: bool) -> None:
    addresses = ("127.0.0.1", "127.0.0.2")
    monitor = MonitorSettings(addresses, interval_s=0.1, missed=3, require=require)

    async def story() -> Target:
        responder = ProbeResponder(ENGINE)
        target = Target(tmp_path, monitor=monitor, port=await responder.start("127.0.0.1", 0))
        _register(target)
        seen = (lambda: target.ended() == "done") if fails else (lambda: "127.0.0.2 is silent" in target.watch.sentence)
        await _watch_until(target, seen)
        responder.close()
        return target

    assert asyncio.run(story()).host.has("serving") is fails
