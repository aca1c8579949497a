"""How long a flush takes: a page written and fdatasync'ed, one after the other, bare, captured, and with a synchronous target."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.engines import Link, two_engines
from tests.benchmarks.measure import Comparison, Taken, compare, series
from tests.benchmarks.setting import PAGE_BYTES, Setting, settle_disk
from tests.e2e.conftest import wait_for

FLUSHES = 1000
FILE_PAGES = 2048
QUANTILES = {"median": 0.50, "p99": 0.99}


def flush_ms(path: Path, count: int) -> list[float]:
    """Milliseconds of each flush, sorted."""
    chance, taken = random.Random(1), []
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        for _ in range(count):
            os.pwrite(fd, chance.randbytes(PAGE_BYTES), chance.randrange(FILE_PAGES) * PAGE_BYTES)
            began_ns = time.perf_counter_ns()
            os.fdatasync(fd)
            taken.append((time.perf_counter_ns() - began_ns) / 1e6)
    finally:
        os.close(fd)
    return sorted(taken)


def be_synchronous(link: Link) -> None:
    """Until a flush is answered when the target holds it."""
    with link.alpha.local() as client:
        client.connection_action(link.key, "synchronous")

        def stands() -> bool:
            synchrony = client.connection(link.key).synchrony
            return synchrony is not None and synchrony.state == "synchronous"

        wait_for(stands, 60, "a synchronous connection")


def flushes(setting: Setting) -> list[Comparison]:
    """Latency of flushes."""
    names = ("bare directory", "captured", "replicated asynchronously", "replicated synchronously")
    with setting.room("flushes") as room, two_engines(room) as two:
        places = {name: room / name.replace(" ", "-") for name in names}
        for name, path in places.items():
            path.mkdir()
            (path / "file").write_bytes(bytes(PAGE_BYTES * FILE_PAGES))
            if name != names[0]:
                two.capture(path, setting.capture)
        settle_disk()
        two.connect(places[names[2]], room / "replica-asynchronous")
        be_synchronous(two.connect(places[names[3]], room / "replica-synchronous"))
        count = min(FLUSHES, setting.writes)
        kept: dict[str, list[list[float]]] = {name: [] for name in names}

        def turn(name: str) -> Callable[[], Taken]:
            def run() -> Taken:
                kept[name].append(flush_ms(places[name] / "file", count))
                return Taken(_at(kept[name][-1], QUANTILES["median"]))

            return run

        compare("", "ms", {name: turn(name) for name in names}, setting.rounds)
    return [_compared(quantile, share, kept) for quantile, share in QUANTILES.items()]


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _compared(quantile: str, share: float, kept: dict[str, list[list[float]]]) -> Comparison:
    rivals = (series(name, "ms", [Taken(_at(one, share)) for one in turns]) for name, turns in kept.items())
    return Comparison(f"fdatasync of a page, {quantile}", tuple(rivals))
