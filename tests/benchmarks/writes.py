"""What capture costs those who write: random pages, and PostgreSQL under pgbench, on the captured directory against the bare one."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks import load
from tests.benchmarks.engines import two_engines
from tests.benchmarks.measure import Comparison, Taken, compare
from tests.benchmarks.setting import Setting, settle_disk
from tests.e2e.test_capture_databases import Postgres

FILE_BYTES = 256 << 20
BARE, CAPTURED, REPLICATED = "bare directory", "captured", "captured and replicated"


def run_load(path: Path, writes: int, *more: object) -> dict:
    """The writing process; what it says."""
    command = [sys.executable, load.__file__, str(path), str(FILE_BYTES), str(writes), *map(str, more)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@contextlib.contextmanager
def _three(setting: Setting, fill: Callable[[Path], None]) -> Iterator[tuple[dict[str, Path], Callable[[], None]]]:
    """The same directory three times: bare, captured, and captured with a target; and how to let replication finish."""
    with setting.room("writes") as room, two_engines(room) as two:
        places = {BARE: room / "bare", CAPTURED: room / "captured", REPLICATED: room / "replicated"}
        for path in places.values():
            path.mkdir()
            fill(path)
        settle_disk()
        two.capture(places[CAPTURED], setting.capture)
        two.capture(places[REPLICATED], setting.capture)
        link = two.connect(places[REPLICATED], room / "replica")
        yield places, link.settle


def random_writes(setting: Setting) -> list[Comparison]:
    """Random pages of one file through the page cache, one writer."""

    def fill(path: Path) -> None:
        with (path / "file").open("wb") as file:
            for _ in range(FILE_BYTES >> 20):
                file.write(b"\1" * (1 << 20))

    with _three(setting, fill) as (places, settle):

        def turn(path: Path) -> Callable[[], Taken]:
            def run() -> Taken:
                said = run_load(path / "file", setting.writes)
                settle()
                settle_disk()
                return Taken(said["writes"] / said["seconds"])

            return run

        turns = {name: turn(path) for name, path in places.items()}
        return [compare(f"random 8 KiB writes, {setting.writes} of them", "writes/s", turns, setting.rounds)]


def pgbench(setting: Setting) -> list[Comparison]:
    """Transactions a second of pgbench -c 4 (TPC-B like, PostgreSQL's own defaults, fsync on)."""
    with contextlib.ExitStack() as stack:
        model = setting.place / "pg-model"
        stack.callback(shutil.rmtree, model, ignore_errors=True)
        _make_model(model, setting.pgbench_scale)

        def fill(path: Path) -> None:
            subprocess.run(["cp", "-a", str(model / "data"), str(path / "data")], check=True)
            shutil.chown(path, "postgres")

        places, settle = stack.enter_context(_three(setting, fill))
        sockets = {name: model / f"s{number}" for number, name in enumerate(places)}
        servers = {name: _started(stack, path, sockets[name]) for name, path in places.items()}

        def turn(name: str) -> Callable[[], Taken]:
            def run() -> Taken:
                settle()
                servers[name].ask("checkpoint")
                settle_disk()
                return Taken(_transactions(servers[name], setting.pgbench_s))

            return run

        name = f"pgbench -c 4, scale {setting.pgbench_scale}, {setting.pgbench_s} s"
        return [compare(name, "tps", {name: turn(name) for name in places}, setting.rounds)]


def _make_model(model: Path, scale: int) -> None:
    """A cluster with pgbench's tables, to be copied."""
    shutil.rmtree(model, ignore_errors=True)
    model.mkdir()
    shutil.chown(model, "postgres")
    (model / "s").mkdir()
    shutil.chown(model / "s", "postgres")
    server = Postgres(model / "data", model / "s", 5999)
    server.create()
    server.start()
    try:
        server.client("pgbench", "-i", "-s", scale, "-q", "postgres")
    finally:
        server.stop()


def _started(stack: contextlib.ExitStack, path: Path, sockets: Path) -> Postgres:
    sockets.mkdir()
    shutil.chown(sockets, "postgres")
    server = Postgres(path / "data", sockets, 5999)
    server.start()
    stack.callback(server.stop)
    server.ask("alter system set autovacuum = off")
    server.ask("select pg_reload_conf()")
    return server


def _transactions(server: Postgres, seconds: int) -> float:
    said = server.client("pgbench", "-c", "4", "-j", "2", "-n", "-T", seconds, "postgres")
    found = re.search(r"tps = ([0-9.]+)", said)
    assert found is not None, said
    return float(found[1])
