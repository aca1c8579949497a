"""The grant of the next epoch: what makes sure that the other side is out, and what does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.witness.errors import WitnessUnreachable
from orchestrator.engine.witness.rules import GrantAnswer
from orchestrator.leasing.grants import GrantSettings, LedgerGrants
from orchestrator.leasing.ledger import Ledger
from orchestrator.leasing.rules import HolderClock, Now
from orchestrator.model.host import Host, ProtectionView
from orchestrator.model.inventory import ServiceFacts
from orchestrator.model.outcomes import GiveUp, TryAgain


@dataclass
class Holder:
    """The host that had the epoch before."""

    name: str = "alpha"
    answers: bool = False
    fenced: bool = False
    state: str = "stopped"
    deeds: list[str] = field(default_factory=list)

    def act(self, protection: str, action: str, settings: Any) -> None:
        self.deeds.append(f"{action} {protection}: {settings['reason']}")
        self.fenced = True

    def protection(self, protection: str) -> ProtectionView:
        if not self.answers:
            raise TryAgain("silence")
        return ProtectionView(protection, "source", 1, self.fenced, False, boot="b", ticks_s=1.0)

    def services(self) -> tuple[ServiceFacts, ...]:
        other = ServiceFacts("print", "running", managed=True)
        return (ServiceFacts("files", self.state, managed=True), other)

    def protection_document(self, protection: str) -> dict[str, Any]:
        return {"id": protection, "services": [{"name": "files"}]}


class Witness:
    def __init__(self, answer: GrantAnswer | None) -> None:
        self._answer = answer

    def grant(self, protection: str, epoch: int, *, forced: bool, by: str) -> GrantAnswer:  # noqa: ARG002
        if self._answer is None:
            raise WitnessUnreachable(address="192.0.2.1", port=6322, why="silence")
        return self._answer


@dataclass
class Clock:
    seconds: float = 100.0

    def now(self) -> Now:
        return Now(self.seconds, "here")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Ledger:
    """Of a source with a lease of 60 s that it took."""
    made = Ledger.at(tmp_path, clock.now)
    renewal = made.give("p", HolderClock("b", 5.0, 100.0), 1, 60.0)
    assert renewal is not None
    made.taken("p", renewal)
    return made


def granted(ledger: Ledger, holder: Any, witness: Any = None, *, forced: bool = False, **given: Any) -> LedgerGrants:
    grants = LedgerGrants(ledger, GrantSettings(30.0, given.pop("fence_command", ())), witness, **given)
    grants.grant("p", 2, holder, forced=forced, by="ann")
    return grants


def test_it_waits_for_the_lease_and_the_grace_and_gives_none_meanwhile(ledger: Ledger, clock: Clock) -> None:
    with pytest.raises(TryAgain, match="lease of alpha"):
        granted(ledger, Holder())
    assert ledger.give("p", HolderClock("b", 5.0, 100.0), 1, 60.0) is None
    clock.seconds = 100.0 + 60.0 * 1.02 + 29.0
    with pytest.raises(TryAgain):
        granted(ledger, Holder())
    clock.seconds += 1.1
    assert granted(ledger, Holder()).granted("p") == 2


def test_a_fence_that_is_seen_is_enough_once_the_services_are_stopped(ledger: Ledger) -> None:
    with pytest.raises(TryAgain, match="files not stopped yet"):
        granted(ledger, Holder(answers=True, fenced=True, state="running"))
    assert granted(ledger, Holder(answers=True, fenced=True)).granted("p") == 2


def test_a_fence_command_counts_only_when_it_ends_with_0(ledger: Ledger) -> None:
    asked: list[tuple[str, ...]] = []

    def run(words: tuple[str, ...]) -> tuple[int, str]:
        asked.append(words)
        return (0, "") if len(asked) > 1 else (1, "no answer")

    with pytest.raises(TryAgain, match="no answer"):
        granted(ledger, Holder(), fence_command=("off", "{server}"), run=run)
    assert granted(ledger, Holder(), fence_command=("off", "{server}"), run=run).granted("p") == 2
    assert asked == [("off", "alpha")] * 2


def test_nobody_can_say_that_a_source_without_a_timed_lease_is_out(tmp_path: Path, clock: Clock) -> None:
    ledger = Ledger.at(tmp_path / "fresh", clock.now)
    with pytest.raises(GiveUp, match="without an end") as refusal:
        granted(ledger, Holder())
    assert "--force" in refusal.value.hint
    assert granted(ledger, Holder(), forced=True).granted("p") == 2


@pytest.mark.parametrize("forced", [False, True])
def test_silence_of_the_witness_is_never_a_yes(ledger: Ledger, clock: Clock, *, forced: bool) -> None:
    clock.seconds = 1000.0
    with pytest.raises(TryAgain):
        granted(ledger, Holder(), Witness(None), forced=forced)
    assert ledger.look("p").granted == 0


def test_a_clear_no_gives_leases_again(ledger: Ledger, clock: Clock) -> None:
    clock.seconds = 1000.0
    with pytest.raises(GiveUp, match="epoch 7"):
        granted(ledger, Holder(), Witness(GrantAnswer(False, 7, "somebody owns epoch 7")))
    assert not ledger.look("p").asking


@pytest.mark.covers("AM-27")
def test_a_source_that_lives_on_is_fenced_where_a_person_forces_the_epoch(ledger: Ledger) -> None:
    alive = Holder(answers=True, state="running")
    with pytest.raises(TryAgain, match="files not stopped yet"):
        granted(ledger, alive, forced=True)
    assert ledger.look("p").granted == 0
    alive.state = "stopped"
    assert granted(ledger, alive, forced=True).granted("p") == 2
    assert alive.deeds == ["fence p: ann forced epoch 2"]
    assert granted(ledger, Holder(), forced=True).granted("p") == 2


@pytest.mark.covers("AM-27")
@pytest.mark.parametrize("forced", [True, False])
def test_a_holder_that_may_be_dead_is_asked_by_the_way_that_does_not_wait(
    ledger: Ledger, clock: Clock, *, forced: bool
) -> None:
    """Waiting for what a black hole does not say would be added to every failover."""
    glances: list[str] = []

    @contextmanager
    def glance(holder: Host) -> Iterator[Host]:
        glances.append(holder.name)
        yield Holder()  # type: ignore[misc]

    patient = Holder(answers=True, state="running")
    grants = LedgerGrants(ledger, GrantSettings(10.0), None, glance=glance)
    if forced:
        grants.grant("p", 2, patient, forced=True, by="ann")  # type: ignore[arg-type]
        assert grants.granted("p") == 2
    else:
        with pytest.raises(TryAgain, match="the lease of alpha runs"):
            grants.grant("p", 2, patient, forced=False, by="")  # type: ignore[arg-type]
    assert (glances, patient.deeds) == (["alpha"], [])
