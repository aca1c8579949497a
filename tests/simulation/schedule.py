"""One seed = one schedule: two engines and a witness, forty seconds of bad luck, every invariant after every event."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from orchestrator.engine.monitor.executor import ExecutorSettings
from orchestrator.engine.monitor.verdict import MonitorSettings
from orchestrator.engine.transfer.messages import DataState
from orchestrator.engine.witness.lease import LeaseSettings
from tests.simulation.history import History
from tests.simulation.source_party import SourceParty
from tests.simulation.target_party import TargetParty
from tests.simulation.witness_party import PROTECTION, WitnessParty
from tests.simulation.world import Violation, World

LASTS_S = 40.0
LEASE_S = 3.0
LEASE = LeaseSettings(LEASE_S)


@dataclass(frozen=True)
class Bug:
    """A planted bug: settings of the parties, and a patch that holds during the schedule."""

    target: dict[str, object] = field(default_factory=dict)
    lease: LeaseSettings = LEASE
    patch: Callable[[], AbstractContextManager[object]] = nullcontext


@dataclass(frozen=True)
class Result:
    """What became of one schedule."""

    seed: int
    violation: str
    events: int
    failed_over: bool
    writes: int
    acknowledged: int
    trace: tuple[str, ...]


class Parties:
    """The three, and the invariants over them."""

    def __init__(self, seed: int, bug: Bug) -> None:
        world = self.world = World(seed)
        rng = world.rng
        world.loss = rng.choice((0.0, 0.0, 0.02, 0.2))
        failing, crashing = rng.choice((0.0, 0.02, 0.2)), rng.choice((0.0, 0.0, 0.01, 0.05))
        self.history = History()
        self.witness = WitnessParty(world, failing=failing, crashing=crashing)
        monitor = MonitorSettings(("alpha",), interval_s=0.4, missed=rng.choice((2, 3, 5)), manual_intervention=False)
        settings = ExecutorSettings(PROTECTION, TargetParty.name, manual_intervention=False)
        self.target = TargetParty(
            world,
            self.witness,
            self.history,
            settings,
            monitor,
            failing=failing,
            crashing=crashing,
            **bug.target,  # type: ignore[arg-type]
        )
        self.source = SourceParty(world, self.witness, self.target, self.history, bug.lease)
        self.target.source = self.source
        self.target.answers = self._answers
        self.target.start()
        world.check = self.check

    def _answers(self) -> bool:
        source, world = self.source, self.world
        alive = source.daemon_up and world.now >= source.thaws_at
        return alive and world.passes("beta", "alpha") and world.passes("alpha", "beta")

    def check(self) -> None:
        """After every event."""
        replica, history = self.target.replica, self.history
        if self.target.can_write() and self.source.can_write():
            raise Violation("two masters")
        acknowledged = history.acknowledged_sequence.get(replica.log_id, 0)
        if replica.durable < acknowledged:
            raise Violation(f"operation {acknowledged} was acknowledged, the target's disk has {replica.durable}")
        if replica.data_state is DataState.GOOD and not history.was_a_state(replica.files):
            raise Violation("the target calls a state good in which the source never was")


def _bad_luck(parties: Parties) -> None:
    """Cuts, crashes, freezes and people, at random instants."""
    world, rng = parties.world, parties.world.rng
    names = ("alpha", "beta", "witness")

    def cut() -> None:
        one, other = rng.sample(names, 2)
        until = world.now + rng.choice((0.5, 3, 10))
        world.say(f"cut {one} -> {other} until {until:.1f}")
        world.cut(one, other, until)
        if rng.random() < 0.6:
            world.cut(other, one, until)

    def isolate() -> None:
        lonely, until = rng.choice(names), world.now + rng.choice((3, 10))
        world.say(f"{lonely} is alone until {until:.1f}")
        for name in names:
            world.cut(lonely, name, until)
            world.cut(name, lonely, until)

    def split() -> None:
        """The engines do not see each other; the witness dies in the middle of it."""
        until = world.now + rng.choice((3, 6, 10))
        world.say(f"alpha and beta are split until {until:.1f}")
        world.cut("alpha", "beta", until)
        world.cut("beta", "alpha", until)
        world.after(rng.uniform(0.5, until - world.now), parties.witness.crash)

    def hiccup() -> None:
        """The source is alone for a little longer than its lease; then the witness dies."""
        until = world.now + rng.uniform(LEASE_S, LEASE_S + 3)
        world.say(f"alpha is alone until {until:.1f}")
        for name in names:
            world.cut("alpha", name, until)
            world.cut(name, "alpha", until)
        world.after(until - world.now + rng.uniform(0, 2), parties.witness.crash)

    deeds: list[Callable[[], None]] = [
        cut,
        cut,
        isolate,
        isolate,
        split,
        hiccup,
        parties.source.cut_power,
        parties.source.kill_daemon,
        lambda: parties.source.freeze(world.now + rng.choice((0.5, 3, 8))),
        parties.target.crash,
        parties.witness.crash,
        lambda: parties.target.ask_for_failover(graceful=rng.random() < 0.7),
        parties.target.ask_for_undo,
    ]
    for _ in range(rng.choice((1, 3, 6, 10))):
        world.after(rng.uniform(2, LASTS_S - 8), rng.choice(deeds))


def run(seed: int, bug: Bug = Bug()) -> Result:
    """Play one schedule; deterministic in its seed."""
    violation = ""
    with bug.patch():
        parties = Parties(seed, bug)
        _bad_luck(parties)
        try:
            parties.world.run_until(LASTS_S)
        except Violation as found:
            violation = str(found)
            parties.world.say(f"VIOLATION: {found}")
    history = parties.history
    acknowledged = sum(history.acknowledged_sequence.values())
    return Result(
        seed,
        violation,
        parties.world.events,
        parties.target.replica.promoted,
        history._writes,
        acknowledged,
        tuple(parties.world.trace),
    )
