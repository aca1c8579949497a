"""dtwitness as a real process: killed, frozen, asked by two at once. Whatever happens, an epoch is granted once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.engine.witness.errors import WitnessRefusesClient, WitnessUnreachable, WrongWitness
from orchestrator.engine.witness.identity import Clients
from orchestrator.engine.witness.rules import GrantAnswer
from tests.faults.witness_process import WitnessProcess, eventually


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[WitnessProcess]:
    process = WitnessProcess(tmp_path)
    yield process
    process.end()


@pytest.mark.covers("AM-27")
def test_killed_between_renewal_and_grant_it_still_waits_for_the_lease(witness: WitnessProcess) -> None:
    lease_s = 1.5
    alpha, beta = witness.client("alpha"), witness.client("beta")
    assert alpha.register("shop", 1, "alpha", lease_s).granted
    assert alpha.renew("shop", 1, "alpha", lease_s).granted
    witness.kill()
    restarted_s = time.monotonic()
    witness.start()
    first = beta.grant("shop", 1, "beta")
    assert not first.granted
    assert "lease of alpha" in first.reason
    eventually(lambda: beta.grant("shop", 1, "beta").granted, "the lease runs out")
    assert time.monotonic() - restarted_s >= lease_s
    refused = alpha.renew("shop", 1, "alpha", lease_s)
    assert (refused.granted, refused.epoch, refused.holder) == (False, 2, "beta")


@pytest.mark.covers("AM-27")
def test_a_grant_outlives_the_witness(witness: WitnessProcess) -> None:
    alpha, beta = witness.client("alpha"), witness.client("beta")
    alpha.register("shop", 1, "alpha", 30)
    assert alpha.release("shop", 1, "alpha")
    assert beta.grant("shop", 1, "beta").epoch == 2
    witness.kill()
    witness.start()
    assert beta.grant("shop", 1, "beta") == GrantAnswer(True, 2, "granted before")
    assert not alpha.renew("shop", 1, "alpha", 30).granted


@pytest.mark.covers("AM-27")
def test_of_two_candidates_one_is_granted(witness: WitnessProcess) -> None:
    witness.client("alpha").register("shop", 1, "alpha", 30)
    witness.client("alpha").release("shop", 1, "alpha")
    answers: dict[str, list[GrantAnswer]] = {"beta": [], "gamma": []}
    clients = {name: witness.client(name) for name in answers}
    together = threading.Barrier(len(answers))

    def ask(name: str) -> None:
        together.wait()
        answers[name] = [clients[name].grant("shop", 1, name) for _ in range(5)]

    threads = [threading.Thread(target=ask, args=(name,)) for name in answers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = {name for name, given in answers.items() if any(answer.granted for answer in given)}
    assert len(winners) == 1
    winner = winners.pop()
    assert all(answer.granted for answer in answers[winner])


def test_many_enrol_at_once_and_none_is_forgotten(witness: WitnessProcess) -> None:
    names = [f"engine{number}" for number in range(6)]
    threads = [threading.Thread(target=witness.key, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {client.name for client in Clients(witness.state).all().values()} == set(names)


@pytest.mark.covers("AM-27")
def test_killed_again_and_again_while_two_race_no_epoch_has_two_owners(witness: WitnessProcess) -> None:
    witness.client("alpha").register("shop", 1, "alpha", 30)
    witness.client("alpha").release("shop", 1, "alpha")
    owners: dict[int, set[str]] = {}
    stop = threading.Event()

    def ask(name: str) -> None:
        client, epoch = witness.client(name, budget_s=5), 1
        while not stop.is_set():
            try:
                answer = client.grant("shop", epoch, name)
                if answer.granted:
                    owners.setdefault(answer.epoch, set()).add(name)
                    client.release("shop", answer.epoch, name)
                epoch = max(epoch, answer.epoch)
            except WitnessUnreachable:
                stop.wait(0.05)

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("beta", "gamma")]
    for thread in threads:
        thread.start()
    try:
        for wanted in (10, 20, 30):
            eventually(lambda wanted=wanted: len(owners) > wanted, f"{wanted} epochs")
            witness.kill()
            witness.start()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert all(len(names) == 1 for names in owners.values())
    assert sorted(owners) == list(range(min(owners), max(owners) + 1))


def test_unreachable_and_frozen_are_the_same_clear_word(witness: WitnessProcess) -> None:
    alpha = witness.client("alpha", budget_s=0.5)
    alpha.register("shop", 1, "alpha", 30)
    witness.freeze()
    asked_s = time.monotonic()
    with pytest.raises(WitnessUnreachable, match="no answer within the budget"):
        alpha.renew("shop", 1, "alpha", 30)
    assert time.monotonic() - asked_s < 2
    witness.thaw()
    witness.kill()
    with pytest.raises(WitnessUnreachable, match=f"127.0.0.1:{witness.port}"):
        alpha.renew("shop", 1, "alpha", 30)
    witness.start()
    assert alpha.renew("shop", 1, "alpha", 30).granted


def test_strangers_get_nothing_and_impostors_are_not_believed(witness: WitnessProcess) -> None:
    with pytest.raises(WitnessRefusesClient, match="not enrolled"):
        witness.client("stranger", enrolled=False).look("shop")
    with pytest.raises(WitnessRefusesClient, match="may not speak for alpha"):
        witness.client("beta").renew("shop", 1, "alpha", 30)
    witness.fingerprint = "ab" * 32
    with pytest.raises(WrongWitness, match="abab"):
        witness.client("alpha").look("shop")
