"""Two engines and a witness as real processes: the witness dies, and the target's promise lets the source serve on, never longer.

The source writes through its capture all the time; what counts as serving is that a write succeeds.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import engines, until, wait_for  # noqa: F401  # fixtures
from tests.e2e.test_engine_failover import Scene, side, witness  # noqa: F401  # fixtures

LEASE_S = 4.0
SLACK_S = 0.5


@pytest.fixture
def scene(engines, witness, tmp_path, needs, until) -> Iterator[Scene]:  # noqa: F811
    needs("fuse")
    alpha, beta = engines.make("alpha"), engines.make("beta", "127.0.0.3")
    engines.pair(alpha, beta)
    (tmp_path / "source").mkdir()
    sides = (side(alpha), side(beta))
    for engine, own in zip((alpha, beta), sides, strict=True):
        witness.enrol(engine.state / "certificate.pem", own.engine_id)
    made = Scene(alpha, beta, witness, tmp_path / "source", tmp_path / "target", sides, until, "fuse", lease_s=LEASE_S)
    made.enable()
    yield made
    for engine in (alpha, beta):
        engine.process.send_signal(signal.SIGCONT)
        if engine.process.poll() is not None:
            engine.start()
        with engine.local() as client:
            for service in client.services():
                client.stop_service(service.name)
            client.delete_protection("files")


def kill_witness(scene: Scene) -> None:
    scene.witness.process.send_signal(signal.SIGKILL)
    scene.witness.process.wait(10)
    scene.witness.process.stdout.close()


def writes(directory: Path) -> bool:
    try:
        (directory / "beat").write_text(str(time.monotonic()))
    except OSError:
        return False
    return True


def serves_for(scene: Scene, seconds: float) -> None:
    """Every write of these seconds succeeds, and the service is the same process all along."""
    with scene.alpha.local() as client:
        pid, end_s = client.service("files-web").pid, time.monotonic() + seconds
        assert pid
        while time.monotonic() < end_s:
            assert writes(scene.source), client.protection_state("files").says
            time.sleep(0.05)
        assert client.service("files-web").pid == pid
        assert not client.protection_state("files").fence.held


def decisions(scene: Scene) -> str:
    return (scene.beta.state / "protections" / "files" / "decisions.jsonl").read_text()


@pytest.mark.covers("ENG-FO-09", "AM-27")
@pytest.mark.timeout(240)
def test_without_the_witness_the_source_serves_on_and_without_the_target_as_well_it_is_fenced_in_time(scene):
    kill_witness(scene)
    serves_for(scene, 3 * LEASE_S)
    scene.beta.process.send_signal(signal.SIGSTOP)  # takes connections, answers nothing: the worst that a link can do
    frozen_s = time.monotonic()
    while writes(scene.source):
        assert time.monotonic() - frozen_s < LEASE_S + SLACK_S, "a write past the last promise"
        time.sleep(0.02)
    with scene.alpha.local() as client:
        scene.until(lambda: client.protection_state("files").fence.held, 10, "the fence")
        scene.until(lambda: not client.service("files-web").pid, 10, "the end of the service")
        assert not writes(scene.source)
        scene.beta.process.send_signal(signal.SIGCONT)
        scene.until(lambda: not client.protection_state("files").fence.held, 30, "a new promise of the same epoch")
        scene.until(lambda: client.service("files-web").state == "running", 30, "the service")
    assert writes(scene.source)
    assert scene.state(scene.beta).epoch == 1


@pytest.mark.covers("ENG-FO-09", "AM-27")
@pytest.mark.timeout(240)
def test_without_the_witness_nobody_takes_over_a_dead_source_until_it_is_back(scene):
    kill_witness(scene)
    serves_for(scene, 1.5 * LEASE_S)
    scene.cut_power()
    with scene.beta.local() as client:
        scene.until(lambda: client.protection_state("files").monitor.colour == "red", 30, "the verdict")
        end_s = time.monotonic() + 1.5 * LEASE_S
        while time.monotonic() < end_s:
            state = client.protection_state("files")
            assert (state.epoch, state.phase != "done", state.fence.held) == (1, True, True)
            assert not client.service("files-web").pid
            time.sleep(0.1)
        scene.witness.start()
        back_s = time.monotonic()
        scene.until(lambda: client.protection_state("files").phase == "done", 60, "the failover")
        assert time.monotonic() - back_s > LEASE_S - SLACK_S, (
            "a witness that woke up waits for the lease it may have given"
        )
        assert client.protection_state("files").epoch == 2
        assert client.service("files-web").state == "running"


@pytest.mark.covers("ENG-FO-09", "AM-27")
@pytest.mark.timeout(240)
def test_a_source_that_only_the_target_hears_is_not_taken_over_before_the_last_promise_has_run_out(scene):
    document = scene.document("source", 1)
    nowhere = document.witness.model_copy(update={"port": 1})
    with scene.alpha.local() as client:
        client.put_protection(document.model_copy(update={"witness": nowhere}))
    serves_for(scene, 2 * LEASE_S)
    scene.beta.kill()
    scene.beta.start()  # what it promised before, it keeps
    serves_for(scene, LEASE_S / 2)
    promised_s = last_promise(scene)
    os.kill(scene.alpha.process.pid, signal.SIGSTOP)  # its capture goes on taking writes until its deadline
    written_s = promised_s
    with scene.beta.local() as client:
        while client.protection_state("files").epoch == 1:
            written_s = time.monotonic() if writes(scene.source) else written_s
            assert time.monotonic() - promised_s < 60, "no failover"
            time.sleep(0.02)
        granted_s = time.monotonic()
        assert not writes(scene.source)
        assert granted_s > written_s, "one wrote while the other was granted"
        assert granted_s - promised_s > LEASE_S * 0.6
        scene.until(lambda: client.protection_state("files").phase == "done", 60, "the failover")
    assert "promised the source its lease" in decisions(scene)
    scene.alpha.process.send_signal(signal.SIGCONT)
    scene.until(lambda: scene.state(scene.alpha).fence.held, 30, "the fence")
    assert not writes(scene.source)
    scene.alpha.kill()
    scene.alpha.start()
    scene.until(
        lambda: "epoch 2" in scene.state(scene.alpha).fence.reason, 30, "the target's word that the epoch is over"
    )
    assert not writes(scene.source)


def last_promise(scene: Scene) -> float:
    """Just after a renewal, so that nearly a whole promise is to run."""
    with scene.alpha.local() as client:
        wait_for(lambda: (client.protection_state("files").lease_remaining_s or 0) > LEASE_S * 0.9, 10, "a renewal")
    return time.monotonic()
