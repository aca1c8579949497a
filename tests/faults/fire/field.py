"""The field: two engines on loopback, a captured directory with loads on it, a network that can be cut.

Below the captured directory: an SQLite database with a write-ahead log, one with a rollback journal, a PostgreSQL cluster, a tree
of files. All go through one log, so one frozen copy of the target must be a prefix for all of them at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from orchestrator.engine.capture.mounts import detach, is_captured
from orchestrator.engine.client import ConnectionStatus, MountStatus, ReplicaStatus, schema
from orchestrator.errors import DtamError
from tests.e2e.conftest import EngineProcess, Engines
from tests.faults.fire import diary
from tests.faults.fire.churn_load import ChurnLoad
from tests.faults.fire.postgres_load import PostgresLoad, lay_out
from tests.faults.fire.proxy import Proxy
from tests.faults.fire.sqlite_load import SqliteLoad
from tests.faults.fire.trees import differences
from tests.faults.witness_process import eventually

log = logging.getLogger(__name__)
PATIENCE_S = 120.0
LOOK_S = 0.1
MEMORY_BYTES = 8 << 20
"""So little that a source which cannot send soon keeps its log on the disk."""
UNCOVER_TRIES = 5
SOURCE_ADDRESS, TARGET_ADDRESS, PROXY_ADDRESS = "127.0.0.2", "127.0.0.3", "127.0.0.4"
REMIRRORED = "is mirrored again"


class Load(Protocol):
    """Something that writes, and can be asked what it knows to be durable."""

    @property
    def name(self) -> str: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def alive(self) -> bool: ...
    def said(self) -> str: ...
    def commits(self) -> list[diary.Commit]: ...
    def numbers(self, tree: Path) -> int: ...


class Field:
    """One source, one target, and what is thrown at them. ``close`` leaves nothing behind."""

    def __init__(self, directory: Path, template: Path, seed: int) -> None:
        self.work = directory
        self.work.chmod(0o755)
        self.source, self.target = directory / "source", directory / "target"
        self.engines = Engines(directory)
        self.sound = False
        self.key = ""
        self._acknowledged: dict[str, int] = {}
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._watch_acknowledged)
        self.source.mkdir()
        lay_out(template, self.source / "pg")
        self.alpha, self.beta = self.engines.make("alpha", SOURCE_ADDRESS), self.engines.make("beta", TARGET_ADDRESS)
        self.engines.pair(self.alpha, self.beta)
        self.proxy = Proxy(PROXY_ADDRESS, (TARGET_ADDRESS, self.beta.ports["data_port"]))
        with self.alpha.local() as client:
            wanted = schema.MountRequest(path=str(self.source), capture="fuse", memory_limit_bytes=MEMORY_BYTES)
            client.mount(wanted)
            client.create_replication_set(schema.ReplicationSet(name="data", root=str(self.source)))
        self.loads = self._make_loads(seed)

    def _make_loads(self, seed: int) -> list[Load]:
        work, page = self.work, self.page
        return [
            SqliteLoad(work / "wal.diary", page, self.source / "wal.db", "wal", seed),
            SqliteLoad(work / "rollback.diary", page, self.source / "rollback.db", "delete", seed + 1),
            PostgresLoad(self.source / "pg", work, page, seed + 2),
            ChurnLoad(work / "churn.diary", page, self.source, seed + 3),
        ]

    @property
    def page(self) -> Path:
        """The state page of the source's log."""
        return self.alpha.state / "logs" / hashlib.sha256(str(self.source).encode()).hexdigest()[:16] / "state"

    # -- under way

    def connect(self, **options: object) -> None:
        """Replicate, by way of the network that can be cut."""
        mapping = schema.Mapping(
            kind="custom", pairs=[schema.PathPair(source=str(self.source), target=str(self.target))]
        )
        route = schema.Route(address=self.proxy.address, port=self.proxy.port)
        request = schema.ConnectionRequest(
            replication_set="data", target="beta", mapping=mapping, route=route, **options
        )
        with self.alpha.local() as client:
            self.key = client.connect(request).key
        self._watch.start()

    def fire(self) -> None:
        """Every load that does not write begins to."""
        for load in self.loads:
            if not load.alive():
                load.kill()
                load.start()

    def cease(self) -> None:
        """Every load ends in order."""
        for load in self.loads:
            assert load.alive(), f"{load.name} died: {load.said()}"
            load.stop()

    def more_commits(self, count: int) -> None:
        """Wait until every load has committed so many times more."""
        wanted = [len(load.commits()) + count for load in self.loads]

        def reached() -> bool:
            for load in self.loads:
                assert load.alive(), f"{load.name} died: {load.said()}"
            return all(len(load.commits()) >= number for load, number in zip(self.loads, wanted, strict=True))

        eventually(reached, f"{count} more commits of every load", PATIENCE_S)

    # -- what is so

    def status(self) -> ConnectionStatus:
        with self.alpha.local() as client:
            return client.connection(self.key)

    def mount(self) -> MountStatus:
        with self.alpha.local() as client:
            return client.mounts()[0]

    def replica(self) -> ReplicaStatus:
        with self.beta.local() as client:
            return client.replica(self.key)

    def happened(self, engine: EngineProcess, words: str) -> list[str]:
        """The events of an engine that contain some words."""
        with engine.local() as client:
            return [event.sentence for event in client.events() if words in event.sentence]

    def wait_good(self) -> None:
        """Wait until both ends call the replica good."""

        def good() -> bool:
            with contextlib.suppress(DtamError):
                here, there = self.status(), self.replica()
                return (here.state, here.target_data_state, there.data_state) == ("Started", "good", "good")
            return False

        eventually(good, "a good replica", PATIENCE_S)

    def _watch_acknowledged(self) -> None:
        """The highest sequence of each log that the source was told to be acknowledged.

        Just after a log was begun anew the status still tells of the last session, and thus of the log before.
        """
        while not self._ended.wait(LOOK_S):
            with contextlib.suppress(DtamError, OSError):
                before = diary.log_end(self.page)[0]
                status = self.status()
                log_id, committed = diary.log_end(self.page)
                of_this_log = before == log_id and status.acknowledged_sequence <= committed
                if status.target_data_state == "good" and of_this_log:
                    known = self._acknowledged.get(before, 0)
                    self._acknowledged[before] = max(known, status.acknowledged_sequence)

    def acknowledged(self) -> tuple[str, int]:
        """The present log, and how far the source knows it to be acknowledged."""
        log_id = diary.log_end(self.page)[0]
        return log_id, self._acknowledged.get(log_id, 0)

    # -- what must be so

    def prove_prefix(self, tree: Path, log_id: str, sequence: int) -> None:
        """Every load's part of a copy of the target opens, is whole, and holds all that was durable up to ``sequence``."""
        for load in self.loads:
            commits = load.commits()
            owed = diary.owed(commits, log_id, sequence)
            held = load.numbers(tree)
            assert held >= owed, f"{load.name}: the target has {held}, but {owed} was durable at or before {sequence}"

    @property
    def copy(self) -> Path:
        """Where copies of the target are made."""
        return self.work / "copy"

    @contextlib.contextmanager
    def _copy_gone(self) -> Iterator[None]:
        try:
            yield
        finally:
            shutil.rmtree(self.copy)

    @contextlib.contextmanager
    def copied(self) -> Iterator[Path]:
        """A copy of the target as it lies there; whoever writes to it must have been stopped."""
        subprocess.run(["cp", "-a", self.target, self.copy], check=True)
        with self._copy_gone():
            yield self.copy

    def prove_frozen_prefix(self, *, unless_bad: bool = False) -> bool:
        """Hold the replica, copy it, let it go on: while it calls itself good the copy is a prefix, and holds what was applied.

        Args:
            unless_bad: nothing is to be proved (and the answer is false) when it does not call itself good.
        """
        log_id = diary.log_end(self.page)[0]
        with self.beta.local() as client:
            now = client.replica_action(self.key, "pause")
            try:
                if unless_bad and now.data_state != "good":
                    return False
                subprocess.run(["cp", "-a", self.target, self.copy], check=True)
                after = client.replica(self.key)
            finally:
                client.replica_action(self.key, "resume")
        assert after.applied_sequence == now.applied_sequence, "a paused replica applies nothing"
        assert now.data_state == "good"
        with self._copy_gone():
            self.prove_prefix(self.copy, log_id, now.applied_sequence if after.data_state == "good" else 0)
        return True

    def prove_identical(self) -> None:
        """End the loads, settle: both trees are the same, and the databases hold everything."""
        self.cease()
        self.wait_good()
        with self.alpha.local() as client:
            client.connection_action(self.key, "settle", timeout_s=PATIENCE_S)
        found = differences(self.source, self.target)
        assert not found, "; ".join(map(str, found))
        with self.copied() as tree:
            self.prove_prefix(tree, *diary.log_end(self.page))

    # -- deaths

    def kill_capture(self) -> int:
        """SIGKILL for the program that captures the source; its pid."""
        pid = self.mount().pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        return pid

    def cut_power(self, chance: random.Random | None = None) -> None:
        """Everything of the source dies: its engine, its capture, its applications; ``chance`` gives the order."""
        pid = self.mount().pid
        assert pid is not None
        deaths = [self.alpha.kill, lambda: os.kill(pid, signal.SIGKILL), *(load.kill for load in self.loads)]
        for death in chance.sample(deaths, len(deaths)) if chance else deaths:
            death()

    def tell(self) -> None:
        """Log what a person needs to find out why: events, the logs' ends, the loads' last words."""
        for engine in (self.alpha, self.beta):
            log.error("%s: %s", engine.name, engine.log.read_text()[-4000:])
            with contextlib.suppress(DtamError), engine.local() as client:
                for event in client.events()[-60:]:
                    log.error("%s %.3f %s", engine.name, event.time_ns / 1e9, event.sentence)
        for load in self.loads:
            log.error("%s, %s: %s", load.name, "alive" if load.alive() else "dead", load.said()[-1500:])
        for look in (self.status, self.replica):
            with contextlib.suppress(DtamError):
                log.error("%s", look())

    def close(self) -> None:
        """End everything; unmount; remove."""
        self._ended.set()
        if self._watch.is_alive():
            self._watch.join()
        for load in self.loads:
            with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                load.kill()
        self.engines.clean()
        self.proxy.close()
        for place in (self.source, self.target):
            uncover(place)
        shutil.rmtree(self.work, ignore_errors=True)


def uncover(place: Path) -> None:
    """Take away whatever capture still lies over a directory; its program ends with it."""
    for _ in range(UNCOVER_TRIES):
        if not is_captured(place):
            return
        detach(place)


def unless(condition: Callable[[], bool], within_s: float) -> bool:
    """Whether a condition stayed false for so long."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if condition():
            return False
        time.sleep(0.01)
    return True
