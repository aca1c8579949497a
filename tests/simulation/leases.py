"""A Windows source under leases, its executor, and a witness: forty seconds of bad luck from one seed.

Real: the ledger and its rules, the renewal, the grant with its fence command, the verdict, the cycle's decision, the witness's book. Played: the host's guard
(as docs/decisions/0009 has it), the network, disks, clocks, and who is killed when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.engine.monitor.verdict import Answer, MonitorSettings, Observations, Verdict, judge
from orchestrator.engine.witness.errors import WitnessUnreachable
from orchestrator.engine.witness.rules import GrantAnswer
from orchestrator.engine.witness.wire import GrantRequest, ReleaseRequest
from orchestrator.leasing.errors import LedgerUnusable
from orchestrator.leasing.giving import renew
from orchestrator.leasing.grants import GrantSettings, LedgerGrants
from orchestrator.leasing.ledger import Ledger
from orchestrator.leasing.rules import Now
from orchestrator.model.conditions import Stage
from orchestrator.model.host import ProtectionView
from orchestrator.model.outcomes import GiveUp, TryAgain
from orchestrator.model.plan import PlanKind
from orchestrator.model.runs import RunState
from orchestrator.service.deciding import Act, OpenRun, Watched, decide, may_give_leases
from tests.simulation.disk import FaultyDisk
from tests.simulation.leased_source import GRACE_S, LEASE_S, Scene, SlowWorld, Source
from tests.simulation.witness_party import PROTECTION, WitnessParty
from tests.simulation.world import Crashed, HostClock, Violation, World

LASTS_S = 60.0
HOLDER = "dtam"
USUAL = Scene()


class RemoteSource:
    """The ``Host`` port as the executor has it, as far as leases need it: over the network, in time or not at all."""

    name = "alpha"

    def __init__(self, executor: Executor, source: Source) -> None:
        self._executor, self._source = executor, source

    def protection(self, _protection: str) -> ProtectionView | None:
        answer = self._executor.ask("alpha", self._source.view)
        if not isinstance(answer, ProtectionView):
            raise TryAgain("no answer")
        return answer

    def act(self, _protection: str, action: str, settings: Mapping[str, Any]) -> None:
        assert action == "renew_lease"
        if self._executor.ask("alpha", lambda: self._source.take(settings)) != "taken":
            raise TryAgain("no answer, or refused")


class RemoteWitness:
    """The ``Arbiter`` over the played witness."""

    def __init__(self, executor: Executor, witness: WitnessParty) -> None:
        self._executor, self._witness = executor, witness

    def grant(self, protection: str, epoch: int, *, forced: bool, by: str) -> GrantAnswer:
        def question(book: Any) -> object:
            view = book.look(protection)
            if view is not None and (view.epoch, view.holder) == (epoch - 1, HOLDER):
                book.release(protection, ReleaseRequest(epoch - 1, HOLDER))
            return book.grant(protection, GrantRequest(epoch - 1, HOLDER, None, forced, by))

        answer = self._executor.ask("witness", lambda: self._witness.ask(question, HOLDER))
        if not isinstance(answer, GrantAnswer):
            raise WitnessUnreachable(address="192.0.2.1", port=6322, why="no answer")
        return answer


class Executor:
    """`dtam serve` of one protection: killed anywhere, its disk stays. ``run`` is its journal: begun, granted, done."""

    name = "beta"

    def __init__(self, world: World, scene: Scene, source: Source, witness: WitnessParty, disk: FaultyDisk) -> None:
        self._world, self._scene, self._source = world, scene, source
        self.clock = HostClock(world)
        self.boot, self.life, self.up = 1, 1, True
        self.run: str = ""
        self.target_serves = False
        self.approved = ""
        self._disk = disk
        self._host = RemoteSource(self, source)
        self._arbiter = RemoteWitness(self, witness)
        self._monitor = MonitorSettings(
            ("alpha",), "udp", interval_s=0.4, missed=world.rng.choice((2, 4)), manual_intervention=False
        )
        self._verdict: Verdict | None = None
        self._waiting = ""
        self._start()

    def now(self) -> Now:
        return Now(self.clock.seconds(), str(self.boot))

    def ask(self, whom: str, question: Callable[[], object]) -> object:
        """Ask over the network and wait for a moment; unwinds when this process was killed meanwhile."""
        life = self.life
        answer = self._world.blocking_request(self.name, whom, question, 0.6)
        if life != self.life:
            raise Crashed
        return answer

    def kill(self, back_after_s: float, *, reboot: bool = False) -> None:
        if self.up:
            self._world.say(f"dtam serve is killed{', its machine restarts' if reboot else ''}")
            self.up, self.life = False, self.life + 1
            if reboot:
                self.boot += 1
                self.clock.reboot()
            self._world.after(back_after_s, self._start)

    def stop_in_order(self, back_after_s: float) -> None:
        """SIGTERM: the source gets a lease without an end."""
        self._stopping = back_after_s

    def _start(self) -> None:
        self.up, self._verdict, self._waiting, self._stopping = True, None, "", 0.0
        self.ledger = Ledger(self._disk, lambda _: nullcontext(), self.now)
        command = ("off",) if self._scene.fence_command else ()
        self.grants = LedgerGrants(self.ledger, GrantSettings(GRACE_S, command), self._arbiter, self._fence)
        self._cycle_soon(0.0)

    def _fence(self, _words: tuple[str, ...]) -> tuple[int, str]:
        if self._world.rng.random() < 0.3:
            return 1, "the hypervisor does not answer"
        self._source.turn_off()
        return 0, ""

    def _cycle_soon(self, after_s: float) -> None:
        life = self.life
        self._world.after(after_s, lambda: self._cycle(life))

    def _cycle(self, life: int) -> None:
        if life != self.life or not self.up:
            return
        try:
            self._once()
        except Crashed:
            return
        except (LedgerUnusable, OSError) as error:
            self._world.say(f"dtam serve: {error}")
        if self._stopping and self.up:
            self.kill(self._stopping)
        elif life == self.life:
            self._cycle_soon(self._monitor.interval_s)

    def _once(self) -> None:
        answered = self.ask("alpha", self._source.view) is not None
        heard = Observations((Answer("alpha", "udp", answered=answered),))
        self._verdict = judge(heard, self._verdict, self._monitor, self._world.now)
        seen = self._seen(self._verdict)
        if self._stopping:
            if seen.run is None:
                renew(self.ledger, self._host, PROTECTION, 1, None)  # type: ignore[arg-type]
            return
        if may_give_leases(seen) and not self.target_serves:
            renew(self.ledger, self._host, PROTECTION, 1, None if self._scene.fence_command else LEASE_S)  # type: ignore[arg-type]
            seen = replace(seen, sure_in_s=self.ledger.sure_in_s(PROTECTION, GRACE_S))
        choice = decide(seen)
        if choice.act is Act.BEGIN:
            self._disk.point()
            self.run = "begun"
            self._world.say(f"failover begins: {choice.says}")
        if choice.act in {Act.BEGIN, Act.RESUME}:
            self._go_on()

    def _seen(self, verdict: Verdict) -> Watched:
        over = self.run == "done"
        run = OpenRun("f", PlanKind.FAILOVER, RunState.INTERRUPTED, "") if self.run and not over else None
        return Watched(
            enabled=True,
            stage=Stage.FAILED_OVER if over else Stage.ENABLED,
            verdict=verdict,
            run=run,
            sure_in_s=self.ledger.sure_in_s(PROTECTION, GRACE_S),
            can_fence=self._scene.fence_command,
            manual=False,
            has_arbiter=True,
        )

    def _go_on(self) -> None:
        """The plan: the grant, then the target's services."""
        try:
            self.grants.grant(PROTECTION, 2, self._host, forced=False, by="")  # type: ignore[arg-type]
        except TryAgain as why:
            self._world.say(f"failover waits: {why.reason}")
            return
        except GiveUp as why:
            self._world.say(f"failover stops: {why}")
            return
        self._disk.point()
        self.run, self.target_serves = "done", True
        self._world.say("the target serves")


@dataclass(frozen=True)
class Result:
    """What became of one schedule. ``both_s``: how long both sides served."""

    seed: int
    violation: str
    failed_over: bool
    source_served_s: float
    both_s: float
    trace: tuple[str, ...]


class Parties:
    """All of them, and the invariant."""

    def __init__(self, seed: int, scene: Scene) -> None:
        self.world = world = SlowWorld(seed, scene.slowest_s)
        world.loss = world.rng.choice((0.0, 0.0, 0.02, 0.2))
        failing = world.rng.choice((0.0, 0.0, 0.05))
        self.source = Source(world, scene)
        self.witness = WitnessParty(world, failing=failing, crashing=0.0)
        self.disk = FaultyDisk(
            world,
            lambda: self.executor.kill(world.rng.uniform(0.5, 3)),
            failing=failing,
            crashing=world.rng.choice((0.0, 0.01)),
        )
        self.executor = Executor(world, scene, self.source, self.witness, self.disk)
        self.both_s = self.served_s = 0.0
        self._last = 0.0
        self._both = False
        world.check = self.check

    def check(self) -> None:
        span_s, self._last = self.world.now - self._last, self.world.now
        self.both_s += span_s if self._both else 0.0
        self.served_s += span_s if self.source.serves() else 0.0
        self._both = self.source.serves() and self.executor.target_serves


def bad_luck(parties: Parties, scene: Scene) -> None:
    """Everything, at random instants."""
    world, rng, source, executor = parties.world, parties.world.rng, parties.source, parties.executor
    names = ("alpha", "beta", "witness")

    def cut() -> None:
        one, other = rng.sample(names, 2)
        until = world.now + rng.choice((0.5, 3, 10, 20))
        world.say(f"cut {one} -> {other} until {until:.1f}")
        world.cut(one, other, until)
        if rng.random() < 0.5:
            world.cut(other, one, until)

    def step_clocks() -> None:
        for party in (source, executor, parties.witness):
            party.clock.step(rng.choice((-1e6, -3600.0, 3600.0, 1e7)))

    deeds: tuple[Callable[[], None], ...] = (
        cut, cut, cut, step_clocks, source.cut_power, parties.witness.crash,
        lambda: source.freeze(rng.choice(scene.freezes_s)),
        lambda: source.freeze(rng.choice(scene.freezes_s)),
        lambda: executor.kill(rng.choice((0.3, 2.0, 15.0))),
        lambda: executor.kill(rng.choice((1.0, 8.0)), reboot=True),
        lambda: executor.stop_in_order(rng.choice((0.5, 6.0))),
    )  # fmt: skip
    for _ in range(rng.choice((1, 3, 6, 10))):
        world.after(rng.uniform(1, LASTS_S - 10), rng.choice(deeds))


def run(seed: int, scene: Scene = USUAL) -> Result:
    """Play one schedule; deterministic in its seed."""
    violation = ""
    with scene.patch():
        parties = Parties(seed, scene)
        bad_luck(parties, scene)
        try:
            parties.world.run_until(LASTS_S)
        except Violation as found:
            violation = str(found)
    return Result(
        seed,
        violation or (f"both sides served for {parties.both_s:.2f} s" if parties.both_s > 0 else ""),
        parties.executor.target_serves,
        parties.served_s,
        parties.both_s,
        tuple(parties.world.trace),
    )


@contextmanager
def patched(owner: Any, name: str, value: Any) -> Iterator[None]:
    """One attribute is another for a while."""
    right = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, right)
