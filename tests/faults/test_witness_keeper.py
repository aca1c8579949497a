"""The source's lease keeper as a real process: frozen, or cut off from its witness, it never serves past its lease."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.witness_process import WitnessProcess, eventually

LEASE_S = 1.5
ROOT = Path(__file__).parents[2]


class Keeper:
    """The process, its diary and its page."""

    def __init__(self, witness: WitnessProcess, directory: Path) -> None:
        self._directory = directory
        certificate, key = witness.key("alpha")
        program = Path(__file__).with_name("keeper_process.py")
        facts = [directory, witness.port, witness.fingerprint, certificate, key, LEASE_S]
        self.process = subprocess.Popen(
            [sys.executable, program, *map(str, facts)], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}
        )

    def diary(self) -> list[tuple[int, str]]:
        try:
            lines = (self._directory / "diary").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [(int(line.split()[0]), line.split(maxsplit=1)[1]) for line in lines]

    def says(self, word: str) -> bool:
        return bool(self.diary()) and self.diary()[-1][1].startswith(word)

    def deadline_ns(self) -> int:
        return int((self._directory / "deadline").read_text())

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[WitnessProcess]:
    process = WitnessProcess(tmp_path)
    yield process
    process.end()


@pytest.fixture
def keeper(witness: WitnessProcess, tmp_path: Path) -> Iterator[Keeper]:
    witness.client("alpha").register("shop", 1, "alpha", LEASE_S)
    process = Keeper(witness, tmp_path)
    yield process
    process.end()


def boottime_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@pytest.mark.covers("AM-27", "ENG-FO-09")
def test_frozen_past_its_lease_it_finds_its_deadline_gone_and_fences(witness: WitnessProcess, keeper: Keeper) -> None:
    eventually(lambda: keeper.says("open"), "the epoch is confirmed")
    keeper.process.send_signal(signal.SIGSTOP)
    beta = witness.client("beta")
    eventually(lambda: beta.grant("shop", 1, "beta").granted, "the lease of the frozen source runs out")
    assert boottime_ns() > keeper.deadline_ns(), "the capture had stopped taking writes before the grant"
    assert keeper.says("open"), "frozen: it could not do anything itself"
    keeper.process.send_signal(signal.SIGCONT)
    eventually(lambda: keeper.says("fence"), "it fences on waking up")
    time.sleep(LEASE_S)
    assert [text.split()[0] for _, text in keeper.diary()] == ["open", "fence"], "and it never opens again"
    assert keeper.deadline_ns() == 1


@pytest.mark.covers("AM-27", "ENG-FO-09")
def test_cut_off_from_the_witness_it_fences_before_its_lease_ends(witness: WitnessProcess, keeper: Keeper) -> None:
    eventually(lambda: keeper.says("open"), "the epoch is confirmed")
    witness.kill()
    eventually(lambda: keeper.says("fence"), "it fences by itself")
    fenced_ns, why = keeper.diary()[-1]
    assert fenced_ns < keeper.deadline_ns()
    assert "was not renewed" in why
    witness.start()
    eventually(lambda: keeper.says("open"), "the same epoch is confirmed again, so it goes on")


@pytest.mark.covers("ENG-FO-09")
def test_after_a_start_nothing_opens_until_the_epoch_is_confirmed(witness: WitnessProcess, tmp_path: Path) -> None:
    witness.client("alpha").register("shop", 1, "alpha", LEASE_S)
    witness.kill()
    keeper = Keeper(witness, tmp_path)
    try:
        eventually((tmp_path / "deadline").exists, "the page is written")
        assert keeper.deadline_ns() == 1
        time.sleep(1.0)
        assert keeper.diary() == []
        witness.start()
        eventually(lambda: keeper.says("open"), "the witness confirms")
    finally:
        keeper.end()


@pytest.mark.covers("ENG-FO-09")
def test_an_old_master_that_boots_after_a_failover_stays_fenced(witness: WitnessProcess, tmp_path: Path) -> None:
    alpha = witness.client("alpha")
    alpha.register("shop", 1, "alpha", LEASE_S)
    alpha.release("shop", 1, "alpha")
    assert witness.client("beta").grant("shop", 1, "beta").granted
    keeper = Keeper(witness, tmp_path)
    try:
        eventually((tmp_path / "deadline").exists, "the page is written")
        time.sleep(LEASE_S)
        assert keeper.diary() == []
        assert keeper.deadline_ns() == 1
    finally:
        keeper.end()
