"""The executor's collaborators on the simulated target: each deed takes time, and may fail or kill."""

# ruff: noqa: ARG002 - the signatures are those of monitor/ports.py

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.engine.monitor.ports import Done, GiveUp, GrantAnswer, Outcome, Pending, ReplicaStatus, Settle
from orchestrator.engine.transfer.messages import DataState
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
        self._target.world.say(f"{self._target.name} {level}: {sentence}")

    def _takes(self, longest_s: float) -> None:
        self._target.world.pass_time(self._target.world.rng.uniform(0, longest_s))
        self._alive()
        self._target.disk.point()

    def _alive(self) -> None:
        if self._target.daemon_life != self._life:
            raise Crashed

    # replica
    def status(self) -> ReplicaStatus:
        replica = self._target.replica
        return ReplicaStatus(replica.data_state.value, falls_back=replica.falls_back)

    def refuse_older(self, epoch: int) -> Outcome:
        self._takes(0.05)
        if self._target.refuses_old:
            self._target.replica.epoch = epoch
            self._target.hang_up()
            self._target.applying.hurry = self._target.hurries
        return Done()

    def settle(self, how: Settle) -> Outcome:
        self._takes(0.2)
        replica, applying = self._target.replica, self._target.applying
        self._target.settled_unsure |= replica.data_state is not DataState.GOOD
        applying.commit()
        if not applying.catch_up():
            return Pending("applying", 0.05)
        replica.sync()
        return Done()

    def fall_back(self, snapshot: str) -> Outcome:
        self._takes(0.05)
        replica, applying = self._target.replica, self._target.applying
        if replica.intact:
            applying.discard()
            return Done()
        if replica.data_state is DataState.GOOD:
            return self.settle(Settle.APPLY)
        if replica.kept is None:
            return GiveUp("none was kept")
        self._takes(0.3)
        if replica.kept is None:
            return Pending("the mirror was completed meanwhile", 0)
        replica.files = list(replica.kept)
        applying.discard()
        replica.intact = True
        self._target.history.went_back += 1
        return Done()

    def promote(self, epoch: int) -> Outcome:
        self._takes(0.05)
        self._target.replica.promoted = True
        self._target.replica.epoch = epoch
        return Done()

    def demote(self, epoch: int) -> Outcome:
        self._takes(0.05)
        replica = self._target.replica
        if replica.promoted:
            replica.promoted = False
            replica.worsen(intact=False)
            replica.leave_log()
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
        self._target.check_nothing_lost()
        return Done()

    # source, for a graceful failover
    def _from_source(self, question: str) -> Outcome:
        source, target = self._target.source, self._target
        ask = getattr(source, question)
        if question == "settled":
            ask = functools.partial(ask, target)
        answer = self._target.world.blocking_request(target.name, "alpha", ask, BUDGET_S)
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
        return self._ask(lambda book: book.grant(protection, request), candidate)  # type: ignore[return-value]

    def release(self, protection: str, epoch: int, holder: str) -> bool:
        answer = self._ask(lambda book: book.release(protection, ReleaseRequest(epoch, holder)))
        return bool(getattr(answer, "granted", False))

    def _ask(self, question: Callable[[Book], object], candidate: str = "") -> object:
        witness, name = self._witness, self._target.name
        answer = self._target.world.blocking_request(
            name, witness.name, lambda: witness.ask(question, candidate), BUDGET_S
        )
        self._alive()
        if answer is None:
            raise WitnessUnreachable(address="witness", port=0, why="no answer within the budget")
        return answer
