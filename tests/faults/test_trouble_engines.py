"""Two engines under a writer: the target's disk is full, then read-only; clocks are set. Nothing is mirrored again, nothing is missing."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.engine.client import schema
from tests.conftest import require
from tests.e2e.conftest import Engines, wait_for
from tests.faults.fire.trees import differences
from tests.stepped_clock import SteppedClock

PATIENCE_S = 120.0
DAY_S = 86400
SMALL, LARGE = "4m", "64m"


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)


class Pair:
    """A captured directory, and its replica on a small disk of its own; each engine has a wall clock of its own."""

    def __init__(self, engines: Engines, directory: Path) -> None:
        self.source, self.disk = directory / "source", directory / "disk"
        self.target = self.disk / "target"
        self.clocks = []
        for name, address in (("alpha", "127.0.0.2"), ("beta", "127.0.0.3")):
            (directory / f"clock-{name}").mkdir()
            self.clocks.append(SteppedClock(directory / f"clock-{name}"))
            engine = engines.make(name, address, start=False)
            engine.enter = self.clocks[-1].enter
            engine.start()
            assert self.clocks[-1].is_seen_by(engine.process.pid)
        self.alpha, self.beta = engines.made
        engines.pair(self.alpha, self.beta)
        self.source.mkdir()
        (self.source / "first").write_text("1")
        with self.alpha.local() as client:
            client.mount(schema.MountRequest(path=str(self.source), capture="fuse"))
            client.create_replication_set(schema.ReplicationSet(name="data", root=str(self.source)))
            mapping = schema.Mapping(kind="custom", target_root=str(self.target))
            request = schema.ConnectionRequest(replication_set="data", target="beta", mapping=mapping)
            self.key = client.connect(request).key
        wait_for(self.is_good, PATIENCE_S, "a good replica")

    def is_good(self) -> bool:
        with self.alpha.local() as client:
            now = client.connection(self.key)
        return (now.state, now.target_data_state) == ("Started", "good")

    def complains(self, words: str) -> bool:
        with self.beta.local() as client:
            return words in (client.replica(self.key).last_error or "")

    def remirrors(self) -> list[str]:
        found = []
        for engine in (self.alpha, self.beta):
            with engine.local() as client:
                found += [event.sentence for event in client.events() if "mirror" in event.sentence]
        return [says for says in found if "is mirrored again" in says or "mirror required" in says]

    def prove_identical(self) -> None:
        with self.alpha.local() as client:
            client.connection_action(self.key, "settle", timeout_s=PATIENCE_S)
        assert self.is_good()
        assert not differences(self.source, self.target)
        assert self.remirrors() == []


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    require("root", "fuse", "compiler")
    directory = tmp_path_factory.mktemp("trouble")
    disk = directory / "disk"
    disk.mkdir()
    mount("-t", "tmpfs", "-o", f"size={LARGE}", "tmpfs", str(disk))
    engines = Engines(directory)
    try:
        yield Pair(engines, directory)
    finally:
        engines.clean()
        subprocess.run(["umount", "-l", disk], check=False)


def test_the_targets_disk_is_full_and_order_is_held_until_there_is_room(pair: Pair) -> None:
    mount("-o", f"remount,size={SMALL}", str(pair.disk))
    try:
        for number in range(6):
            (pair.source / f"large-{number}").write_bytes(bytes([number]) * (1 << 20))
        (pair.source / "after").write_text("the source never waits")
        wait_for(lambda: pair.complains("No space left"), PATIENCE_S, "the reason in the status")
        assert not (pair.target / "after").exists(), "order is held"
    finally:
        mount("-o", f"remount,size={LARGE}", str(pair.disk))
    pair.prove_identical()


@pytest.mark.covers("ENG-Q-06")
def test_the_targets_disk_is_read_only_after_a_restart_until_somebody_mends_it(pair: Pair) -> None:
    assert pair.beta.stop() == 0
    mount("-o", "remount,ro", str(pair.disk))
    try:
        pair.beta.start()
        (pair.source / "while read-only").write_text("1")
        (pair.source / "first").unlink()
        wait_for(lambda: pair.complains("Read-only"), PATIENCE_S, "the reason in the status")
        assert (pair.target / "first").exists()
    finally:
        mount("-o", "remount,rw", str(pair.disk))
    pair.prove_identical()


@pytest.mark.parametrize(("alpha_s", "beta_s"), [(3650 * DAY_S, 0), (-DAY_S, 3650 * DAY_S), (0, -3650 * DAY_S)])
def test_clocks_are_set_under_load(pair: Pair, alpha_s: int, beta_s: int) -> None:
    for number in range(40):
        if number == 10:
            pair.clocks[0].set(alpha_s)
        if number == 20:
            pair.clocks[1].set(beta_s)
        (pair.source / f"by the clock {number % 7}").write_text(f"{alpha_s} {number}" * 50)
    pair.prove_identical()
