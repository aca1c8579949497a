"""Synchronous connections between two real engines: the target stops, the source's daemon dies, the mode is changed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from orchestrator.engine.client import AnswerRefused, ConnectionStatus, schema
from tests.conftest import require
from tests.e2e.conftest import Engines, wait_for

PATIENCE_S = 120.0
WAIT_S = 1.0


class Pair:
    """Two engines, and a directory that the first replicates to the second."""

    def __init__(self, engines: Engines, directory: Path) -> None:
        self.source, self.target, self.watched = directory / "source", directory / "target", directory / "watched"
        self.alpha, self.beta = engines.make("alpha"), engines.make("beta", "127.0.0.3")
        engines.pair(self.alpha, self.beta)
        with self.alpha.local() as client:
            for name, path, capture in (("data", self.source, "fuse"), ("seen", self.watched, "watcher")):
                path.mkdir()
                client.mount(schema.MountRequest.model_validate({"path": str(path), "capture": capture}))
                client.create_replication_set(schema.ReplicationSet(name=name, root=str(path)))

    def target_is_sent(self, number: signal.Signals) -> None:
        assert self.beta.process is not None
        self.beta.process.send_signal(number)

    def connect(self, when_late: Literal["continue", "wait"] = "continue", replication_set: str = "data") -> None:
        mapping = schema.Mapping(kind="custom", target_root=str(self.target / replication_set))
        request = schema.ConnectionRequest(
            replication_set=replication_set,
            target="beta",
            mapping=mapping,
            mode="synchronous",
            synchronous_wait_s=WAIT_S,
            when_late=when_late,
        )
        with self.alpha.local() as client:
            client.connect(request)

    def disconnect(self) -> None:
        with self.alpha.local() as client:
            client.disconnect(self.status().key)

    def status(self) -> ConnectionStatus:
        with self.alpha.local() as client:
            return client.connections()[0]

    def until(self, state: str) -> None:
        def stands() -> bool:
            synchrony = self.status().synchrony
            return synchrony is not None and synchrony.state == state

        wait_for(stands, PATIENCE_S, f"flushes {state}")

    def told(self) -> list[str]:
        with self.alpha.local() as client:
            return [event.sentence for event in client.events() if event.kind == "synchrony"]

    def flush(self, name: str) -> float:
        """Write and flush; how long that took, in seconds."""
        began_s = time.monotonic()
        with (self.source / name).open("wb") as file:
            file.write(b"of worth")
            file.flush()
            os.fsync(file.fileno())
        return time.monotonic() - began_s


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    require("fuse")
    directory = tmp_path_factory.mktemp("synchronous")
    engines = Engines(directory)
    try:
        yield Pair(engines, directory)
    finally:
        engines.clean()


@pytest.mark.covers("ENG-SYNC-01")
def test_a_stopped_target_turns_it_asynchronous_and_back(pair: Pair) -> None:
    pair.connect()
    pair.until("synchronous")
    pair.flush("held")
    pair.target_is_sent(signal.SIGSTOP)
    try:
        assert pair.flush("late") >= WAIT_S
        pair.until("asynchronous")
    finally:
        pair.target_is_sent(signal.SIGCONT)
    pair.until("synchronous")
    pair.alpha.kill()
    pair.alpha.start()
    pair.until("synchronous")
    pair.flush("after")
    told = pair.told()
    assert any("is asynchronous" in one and "did not answer in time" in one for one in told), told
    assert any(one.startswith("data to beta is synchronous") for one in told), told
    with pair.alpha.local() as client:
        assert client.connection_action(pair.status().key, "asynchronous").synchrony is None
    pair.disconnect()


@pytest.mark.covers("ENG-SYNC-01")
def test_by_the_other_policy_the_application_stands_still_until_the_target_answers(pair: Pair) -> None:
    pair.connect("wait")
    pair.until("synchronous")
    pair.target_is_sent(signal.SIGSTOP)
    flush = threading.Thread(target=pair.flush, args=("kept",))
    try:
        flush.start()
        pair.until("waiting")
        flush.join(WAIT_S)
        assert flush.is_alive()
    finally:
        pair.target_is_sent(signal.SIGCONT)
    flush.join(PATIENCE_S)
    assert not flush.is_alive()
    pair.until("synchronous")
    wait_for((pair.target / "data" / "kept").exists, PATIENCE_S)
    pair.disconnect()


@pytest.mark.covers("ENG-SYNC-01")
def test_what_is_only_watched_cannot_be_synchronous(pair: Pair) -> None:
    with pytest.raises(AnswerRefused, match="only watched"):
        pair.connect(replication_set="seen")
