"""The executor's collaborators on the simulated target: each deed takes time, and may fail or kill."""

# ruff: noqa: ARG002 - the signatures are those of monitor/ports.py

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.engine.monitor.ports import Done, GrantAnswer, Outcome, Pending, ReplicaStatus, Settle
from orchestrator.engine.transfer.messages import MirrorItem
from orchestrator.engine.witness.book import Book
from orchestrator.engine.witness.errors import WitnessUnreachable
from orchestrator.engine.witness.wire import GrantRequest, ProtectionView, ReleaseRequest
from tests.simulation.witness_party import WitnessParty
from tests.simulation.world import Crashed, Violation

if TYPE_CHECKING:
    from tests.simulation.target_party import TargetParty

BUDGET_S = 0.8


class Deeds:
    """The executor's collaborators, as one object: each deed takes time, and may fail or kill."""

    def __init__(self, target: TargetParty, witness: WitnessParty, life: int) -> None:
        self._target, self._witness, self._life = target, witness, life

    # events
    def say(self, sentence: str, *, level: str = "info", **_: object) -> None:
        self._target.world.say(f"target {level}: {sentence}")

    def _takes(self, longest_s: float) -> None:
        self._target.world.pass_time(self._target.world.rng.uniform(0, longest_s))
        self._alive()
        self._target.disk.point()

    def _alive(self) -> None:
        if self._target.daemon_life != self._life:
            raise Crashed

    # replica
    def status(self) -> ReplicaStatus:
        return ReplicaStatus(self._target.replica.data_state.value)

    def refuse_older(self, epoch: int) -> Outcome:
        self._takes(0.05)
        if self._target.refuses_old:
            self._target.replica.epoch = epoch
            self._target._hang_up()
        return Done()

    def settle(self, how: Settle) -> Outcome:
        self._takes(0.2)
        replica = self._target.replica
        replica.tail = [] if self._target.refuses_old else replica.tail
        todo = self._target._todo
        while (
            todo
            and isinstance(todo[-1], MirrorItem | int)
            and (isinstance(todo[-1], MirrorItem) or todo[-1] > replica.durable)
        ):
            todo.pop()
        if not self._target._catch_up():
            return Pending("applying", 0.05)
        replica.base, replica.base_sequence = list(replica.files), replica.applied  # syncfs
        return Done()

    def promote(self, epoch: int) -> Outcome:
        self._takes(0.05)
        self._target.replica.promoted = True
        self._target.replica.epoch = epoch
        return Done()

    def demote(self, epoch: int) -> Outcome:
        self._takes(0.05)
        self._target.replica.promoted = False
        return Done()

    # mounts
    def mount(self, epoch: int) -> Outcome:
        self._takes(0.3)
        self._target.mounted = True
        return Done()

    def unmount(self, epoch: int) -> Outcome:
        self._takes(0.3)
        self._target.mounted = False
        return Done()

    # scripts
    def exists(self, name: str) -> bool:
        return False

    # services
    def start(self, epoch: int) -> Outcome:
        self._takes(0.5)
        if epoch <= 1 or self._witness.granted.get(epoch) != self._target.name:
            raise Violation(f"services start at epoch {epoch}, which the witness never granted")
        self._target.services = True
        self._target._check_nothing_lost()
        return Done()

    # source, for a graceful failover
    def _from_source(self, question: str) -> Outcome:
        source = self._target.source
        answer = self._target.world.blocking_request("beta", "alpha", getattr(source, question), BUDGET_S)
        self._alive()
        return Done() if answer else Pending("the source is not there yet", 0.2)

    def stop_services(self, run_id: str) -> Outcome:
        return self._from_source("stop_for_good")

    def settled(self, run_id: str) -> Outcome:
        return self._from_source("settled")

    def release_lease(self, run_id: str, epoch: int) -> Outcome:
        return self._from_source("give_back")

    def resume_services(self, run_id: str) -> Outcome:
        return self._from_source("resume")

    # witness
    def look(self, protection: str) -> ProtectionView | None:
        return self._ask(lambda book: book.look(protection))  # type: ignore[return-value]

    def grant(
        self,
        protection: str,
        from_epoch: int,
        candidate: str,
        *,
        lease_s: float | None = None,
        forced: bool = False,
        by: str = "",
    ) -> GrantAnswer:
        request = GrantRequest(from_epoch, candidate, lease_s, forced, by)
        return self._ask(lambda book: book.grant(protection, request))  # type: ignore[return-value]

    def release(self, protection: str, epoch: int, holder: str) -> bool:
        answer = self._ask(lambda book: book.release(protection, ReleaseRequest(epoch, holder)))
        return bool(getattr(answer, "granted", False))

    def _ask(self, question: Callable[[Book], object]) -> object:
        answer = self._target.world.blocking_request("beta", "witness", lambda: self._witness.ask(question), BUDGET_S)
        self._alive()
        if answer is None:
            raise WitnessUnreachable(address="witness", port=0, why="no answer within the budget")
        return answer
