"""Queues at their limits between two real engines: the guide's rows about automatic reconnections, alerts, and a long queue at a start."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from orchestrator.engine.capture.state import StatePage
from orchestrator.engine.oplog.segments import segment_numbers
from tests.e2e.conftest import EngineProcess, wait_for
from tests.e2e.test_engine_pair import tree
from tests.e2e.way import MIB, Joined, Way

CASES = yaml.safe_load((Path(__file__).parents[1] / "cases/queues/reconnecting.yaml").read_text())
LIMITS = {"memory_limit_bytes": 5 * MIB, "disk_limit_bytes": 20 * MIB, "minimum_free_bytes": 0}
TARGET_LIMITS = """
[queue]
memory_limit_bytes = 1048576
disk_limit_bytes = 10485760
minimum_free_bytes = 0
alert_percent = 40
"""


class SystemLog:
    """A system log that keeps what it is told."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(path))
        self.told: list[str] = []

    def close(self) -> None:
        self._socket.close()

    def heard(self, what: str) -> bool:
        """Take what came; whether ``what`` was ever among it."""
        while True:
            try:
                self.told.append(self._socket.recv(65536).decode())
            except BlockingIOError:
                return any(what in line for line in self.told)


@dataclass
class Stage:
    """Two engines, the target with a small queue, and a system log that both use."""

    alpha: EngineProcess
    beta: EngineProcess
    system_log: SystemLog
    directory: Path


@pytest.fixture(scope="module")
def stage(module_engines, tmp_path_factory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("queues")
    where = f'system_log = "{directory}/log"\n'
    log = SystemLog(directory / "log")
    alpha = module_engines.make("alpha", settings=where)
    beta = module_engines.make("beta", "127.0.0.3", settings=where + TARGET_LIMITS)
    module_engines.pair(alpha, beta)
    yield Stage(alpha, beta, log, directory)
    log.close()


@pytest.fixture
def joined(stage, needs, tmp_path) -> Iterator[Joined]:
    needs("fuse")
    made = Joined(stage.alpha, stage.beta, tmp_path / "source", tmp_path / "target", Way(stage.beta))
    made.capture(**LIMITS)
    (made.source / "before").write_bytes(random.Random(1).randbytes(100_000))
    yield made
    for engine in (stage.alpha, stage.beta):
        if engine.process.poll() is not None:
            engine.start()
    made.end()


class Scenario:
    """The verbs of the cases."""

    def __init__(self, joined: Joined) -> None:
        self.joined = joined
        self.mirrors = 0
        self._chance = random.Random(2)
        self._written = 0

    def begin(self, options: dict[str, object]) -> None:
        self.joined.connect(**options)
        self.joined.settled()
        wait_for(self.joined.mirrors, 10, "the end of the first mirror in the events")
        self.mirrors = len(self.joined.mirrors())

    def do(self, step: str) -> None:
        verbs: list[str] = [name for name in dir(self) if step.startswith(name.replace("_", " "))]
        name = max(verbs, key=len)
        rest = step[len(name) :].strip()
        verb: Callable[..., None] = getattr(self, name)
        verb(rest) if rest else verb()

    # -- what happens

    def _fill(self, size: int) -> None:
        self._written += 1
        with (self.joined.source / f"file-{self._written}").open("wb", buffering=0) as file:
            for _ in range(size // (128 << 10)):
                file.write(self._chance.randbytes(128 << 10))

    def write(self) -> None:
        self._fill(256 << 10)

    def flood_a_little(self) -> None:
        self._fill(14 * MIB)

    def flood(self) -> None:
        self._fill(40 * MIB)

    def pause(self) -> None:
        self.joined.act("pause")

    def resume(self) -> None:
        self.joined.act("resume")

    def _replica(self, action: str) -> None:
        with self.joined.beta.local() as beta:
            beta.replica_action(self.joined.key, action)

    def pause_target(self) -> None:
        self._replica("pause")

    def resume_target(self) -> None:
        self._replica("resume")

    def cut(self) -> None:
        self.joined.way.shut()

    def mend(self) -> None:
        self.joined.way.mend()

    def stop_target(self) -> None:
        assert self.joined.beta.stop() == 0

    def kill_target(self) -> None:
        self.joined.beta.kill()

    def start_target(self) -> None:
        self.joined.beta.start()

    def kill_source(self) -> None:
        self.joined.alpha.kill()

    def start_source(self) -> None:
        self.joined.alpha.start()

    def damage_source_queue(self) -> None:
        with self.joined.alpha.local() as alpha:
            (mount,) = [one for one in alpha.mounts() if one.path == str(self.joined.source)]
        for log in (self.joined.alpha.state / "logs").iterdir():
            if StatePage(log / "state").log_id.hex == mount.log_id:
                damage(log)

    def damage_target_queue(self) -> None:
        damage(self.joined.beta.state / "replicas" / self.joined.key / "queue", early=True)

    def change_target(self) -> None:
        (self.joined.target / "before").write_bytes(b"changed while nobody looked")

    def mirror_by_hand(self) -> None:
        self.joined.act("start_mirror")
        wait_for(lambda: len(self.joined.mirrors()) > self.mirrors, 90, "the mirror by hand")

    # -- what must be so

    def out_of_memory(self) -> None:
        wait_for(lambda: self.joined.status().replication_state == "Out of Memory", 30)

    def target_full(self) -> None:
        wait_for(lambda: self.joined.status().target_queue_full, 60)
        assert self.joined.status().state == "Started"

    def acknowledged(self) -> None:
        wait_for(
            lambda: (
                (now := self.joined.status()).acknowledged_sequence == now.committed_sequence or now.target_queue_full
            ),
            30,
            f"everything acknowledged ({self.joined.status()})",
        )

    def broken(self) -> None:
        wait_for(lambda: self.joined.status().state == "Error", 30)

    def pending(self) -> None:
        wait_for(lambda: (now := self.joined.status()).replication_state == "Pending" and now.last_error, 60)
        assert len(self.joined.mirrors()) == self.mirrors

    def mirrored_again_by(self, kind: str) -> None:
        wait_for(lambda: self.joined.mirrors()[self.mirrors :], 90, f"a mirror ({self.joined.status()})")
        assert set(self.joined.mirrors()[self.mirrors :]) == {kind}

    def not_mirrored_again(self) -> None:
        assert len(self.joined.mirrors()) == self.mirrors

    def settled(self) -> None:
        self.joined.settled()

    def different(self) -> None:
        assert tree(self.joined.target) != tree(self.joined.source)

    def identical(self) -> None:
        self.joined.assert_identical()


def damage(log: Path, *, early: bool = False) -> None:
    """Flip a byte in the last segment on disk, or in the oldest."""
    number = segment_numbers(log)[0 if early else -2]
    with (log / f"{number:016x}.seg").open("r+b") as segment:
        segment.seek(100_000)
        byte = segment.read(1)
        segment.seek(100_000)
        segment.write(bytes([byte[0] ^ 1]))
        os.fsync(segment.fileno())


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.covers(*case["covers"]), id=case["name"]) for case in CASES]
)
def test_row_of_automatic_reconnections(joined, case) -> None:
    scenario = Scenario(joined)
    scenario.begin(case.get("connect", {}))
    for step in case["steps"]:
        scenario.do(step)


@pytest.mark.covers("ENG-Q-02")
def test_queues_that_fill_are_told_in_the_events_and_the_system_log(stage, joined) -> None:
    stage.system_log.heard("")  # what was said before would leave no room
    joined.connect()
    joined.settled()
    scenario = Scenario(joined)
    scenario.pause_target()
    scenario.flood_a_little()
    scenario.flood_a_little()
    wait_for(lambda: stage.system_log.heard(f"% of the queue of {joined.source} are in use"), 30)
    wait_for(lambda: stage.system_log.heard(f"replica {joined.key}: "), 30)
    for engine in (stage.alpha, stage.beta):
        with engine.local() as client:
            assert any(event.kind == "queue" for event in client.events())
    scenario.resume_target()


@pytest.mark.covers("ENG-Q-07")
def test_without_automatic_reconnection_a_person_starts_the_connection_again(stage, joined) -> None:
    joined.connect()
    joined.settled()
    assert stage.alpha.stop() == 0
    settings, stage.alpha.settings = stage.alpha.settings, "auto_reconnect = false\n" + stage.alpha.settings
    try:
        stage.alpha.start()
        Scenario(joined).write()
        assert joined.status().state == "Stopped"
        joined.act("resume")
        joined.assert_identical()
    finally:
        stage.alpha.settings = settings
