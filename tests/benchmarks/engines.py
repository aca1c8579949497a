"""Two real engines on loopback addresses, paired as a person pairs them, with a captured source and its connections.

The figures of a mirror are taken from the daemon's own event "the mirror is complete": it is told when the target has everything
on its disk, so a mirror's time contains a syncfs that neither rsync nor cp does.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.engine.client import schema
from tests.benchmarks.measure import Taken, cpu_seconds
from tests.e2e.conftest import EngineProcess, Engines, wait_for

POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Link:
    """One connection from alpha to beta."""

    alpha: EngineProcess
    beta: EngineProcess
    source: Path
    target: Path
    key: str

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that work for it: both daemons and the capture."""
        return tuple(pid for pid in (self.alpha.process.pid, self.beta.process.pid, self.capture_pid) if pid)

    @property
    def capture_pid(self) -> int | None:
        """The process that captures the source."""
        with self.alpha.local() as client:
            return next((mount.pid for mount in client.mounts() if mount.path == str(self.source)), None)

    @property
    def source_page(self) -> Path:
        """The state page of the source's log."""
        return next(page for page in self.alpha.state.glob("logs/*/state") if _log_of(page) == self._log_id())

    def _log_id(self) -> str:
        with self.alpha.local() as client:
            return next(mount.log_id for mount in client.mounts() if mount.path == str(self.source))

    @property
    def position_page(self) -> Path:
        """The page in which the target notes what it has applied."""
        return self.beta.state / "replicas" / self.key / "position"

    def mirror(self, **options: object) -> Taken:
        """Seconds of one mirror, from the command to everything being durable at the target."""
        pids = self.pids
        with self.alpha.local() as client:
            last = max((event.n for event in client.events()), default=0)
            before_s, began_ns = cpu_seconds(pids), time.time_ns()
            client.connection_action(self.key, "start_mirror", options=schema.MirrorOptions(**options))
            while not (ended := [event for event in client.events(last) if event.kind == "mirror"]):
                time.sleep(POLL_S)
        assert ended[0].facts["complete"], ended[0].sentence
        return Taken((ended[0].time_ns - began_ns) / 1e9, cpu_seconds(pids) - before_s)

    def wait_good(self, budget_s: float = 3600.0) -> None:
        """Until the target's data is a state of the source."""
        with self.alpha.local() as client:
            wait_for(lambda: client.connection(self.key).target_data_state == "good", budget_s, "a good replica")

    def settle(self, timeout_s: float = 3600.0) -> None:
        """Until the target has applied everything."""
        with self.alpha.local(timeout_s) as client:
            client.connection_action(self.key, "settle", timeout_s=timeout_s)


@dataclass(frozen=True, slots=True)
class Two:
    """The two engines."""

    alpha: EngineProcess
    beta: EngineProcess

    def capture(self, path: Path, capture: str, **limits: int) -> None:
        """Capture a directory."""
        path.mkdir(parents=True, exist_ok=True)
        with self.alpha.local() as client:
            client.mount(schema.MountRequest(path=str(path), capture=capture, **limits))

    def connect(self, source: Path, target: Path, *, mirror: bool = True) -> Link:
        """Replicate a captured directory; with a first mirror it is good when this returns."""
        name = source.name
        with self.alpha.local() as client:
            client.create_replication_set(schema.ReplicationSet(name=name, root=str(source)))
            pairs = [schema.PathPair(source=str(source), target=str(target))]
            request = schema.ConnectionRequest(
                replication_set=name,
                target="beta",
                mapping=schema.Mapping(kind="custom", pairs=pairs),
                start_mirror=mirror,
            )
            key = client.connect(request).key
            wait_for(lambda: client.connection(key).state == "Started", 30, "a session")
        link = Link(self.alpha, self.beta, source, target, key)
        if mirror:
            link.wait_good()
        return link


@contextlib.contextmanager
def two_engines(work: Path) -> Iterator[Two]:
    """Alpha and beta, for as long as the block lasts."""
    made = Engines(work / "engines")
    made.directory.mkdir(parents=True)
    try:
        two = Two(made.make("alpha"), made.make("beta", "127.0.0.3"))
        made.pair(two.alpha, two.beta)
        yield two
    finally:
        made.clean()


def _log_of(page: Path) -> str:
    return page.read_bytes()[16:32].hex()
