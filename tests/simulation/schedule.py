"""One seed = one schedule: a source, its targets and a witness, forty seconds of bad luck, every invariant after every event."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from orchestrator.engine.monitor.executor import ExecutorSettings
from orchestrator.engine.monitor.verdict import MonitorSettings
from orchestrator.engine.transfer.messages import DataState
from orchestrator.engine.witness.lease import LeaseSettings
from tests.simulation import luck
from tests.simulation.history import History
from tests.simulation.luck import LASTS_S, LEASE_S
from tests.simulation.source_party import Habits, SourceParty
from tests.simulation.target_party import TargetParty
from tests.simulation.witness_party import PROTECTION, WitnessParty
from tests.simulation.world import Violation, World

LEASE = LeaseSettings(LEASE_S)


@dataclass(frozen=True)
class Bug:
    """A planted bug: settings of the parties, and a patch that holds during the schedule."""

    target: dict[str, object] = field(default_factory=dict)
    source: dict[str, bool] = field(default_factory=dict)
    lease: LeaseSettings = LEASE
    patch: Callable[[], AbstractContextManager[object]] = nullcontext
    happens: Callable[[Parties], None] = luck.bad


@dataclass(frozen=True)
class Result:
    """What became of one schedule."""

    seed: int
    violation: str
    events: int
    failed_over: bool
    went_back: int
    writes: int
    acknowledged: int
    flushes: int
    remirrors: int
    behind: int
    trace: tuple[str, ...]


class Parties:
    """All of them, and the invariants over them."""

    def __init__(self, seed: int, bug: Bug) -> None:
        world = self.world = World(seed)
        rng = world.rng
        world.loss = rng.choice((0.0, 0.0, 0.02, 0.2))
        failing, crashing = rng.choice((0.0, 0.02, 0.2)), rng.choice((0.0, 0.0, 0.01, 0.05))
        self.history = History()
        self.witness = WitnessParty(world, failing=failing, crashing=crashing)
        names = rng.choice((("beta",), ("beta",), ("beta", "gamma")))
        self.targets = [self._target(name, bug, failing=failing, crashing=crashing) for name in names]
        self.names = ("alpha", *names, self.witness.name)
        self.source = SourceParty(
            world, self.witness, self.targets, self.history, bug.lease, habits=_habits(rng, len(names)), **bug.source
        )
        for target in self.targets:
            target.source = self.source
            target.answers = lambda target=target: self._answers(target)  # type: ignore[misc]
            target.start()
        world.check = self.check

    def _target(self, name: str, bug: Bug, *, failing: float, crashing: float) -> TargetParty:
        missed = self.world.rng.choice((2, 3, 5))
        monitor = MonitorSettings(("alpha",), interval_s=0.4, missed=missed, manual_intervention=False)
        return TargetParty(
            self.world,
            self.witness,
            self.history,
            ExecutorSettings(PROTECTION, name, manual_intervention=False),
            monitor,
            failing=failing,
            crashing=crashing,
            name=name,
            **bug.target,  # type: ignore[arg-type]
        )

    def _answers(self, target: TargetParty) -> bool:
        source, world = self.source, self.world
        alive = source.daemon_up and world.now >= source.thaws_at
        return alive and world.passes(target.name, "alpha") and world.passes("alpha", target.name)

    def check(self) -> None:
        """After every event."""
        history = self.history
        masters = [party.name for party in (self.source, *self.targets) if party.can_write()]
        if len(masters) > 1:
            raise Violation(f"two masters: {masters}")
        for target in self.targets:
            replica = target.replica
            acknowledged = history.acknowledged_sequence.get((target.name, replica.log_id), 0)
            if replica.durable < acknowledged:
                what = f"operation {acknowledged} was acknowledged"
                raise Violation(f"{what}, the disk of {target.name} has {replica.durable}")
            good = replica.data_state is DataState.GOOD or replica.intact
            if good and not history.was_a_state(replica.files):
                raise Violation(f"{target.name} calls a state good in which the source never was")
            if replica.kept is not None and not history.was_a_state(replica.kept):
                raise Violation(f"{target.name} keeps a state in which the source never was")


def _habits(rng: random.Random, links: int) -> Habits:
    synchronous = rng.choice(((), (0,), tuple(range(links))))
    limit = rng.choice((0, 0, 0, 12, 40))
    return Habits(limit, synchronous, rng.choice((0.1, 0.5, 2.0)), rng.random() < 0.3, rng.choice((0.1, 0.5)))


def run(seed: int, bug: Bug = Bug(), happens: Callable[[Parties], None] | None = None) -> Result:
    """Play one schedule; deterministic in its seed."""
    violation = ""
    with bug.patch():
        parties = Parties(seed, bug)
        (happens or bug.happens)(parties)
        try:
            parties.world.run_until(LASTS_S)
        except Violation as found:
            violation = str(found)
            parties.world.say(f"VIOLATION: {found}")
    history = parties.history
    behind = [parties.source.committed - link.target.replica.applied for link in parties.source.links]
    return Result(
        seed,
        violation,
        parties.world.events,
        any(target.replica.promoted for target in parties.targets),
        history.went_back,
        history.writes,
        sum(history.acknowledged_sequence.values()),
        history.flushes,
        history.remirrors,
        max(behind),
        tuple(parties.world.trace),
    )
