"""How long a write takes to be applied at the target, at a steady rate.

Each write's clock starts when it was answered (monotonic, in the writing process, which also reads the end of the log then), and
stops when the target's position page, looked at every half millisecond, says that this operation was applied.
"""

from __future__ import annotations

import bisect
import mmap
import struct
import threading
import time
from pathlib import Path
from typing import Self

from tests.benchmarks.engines import Link, two_engines
from tests.benchmarks.measure import Comparison, Taken, series
from tests.benchmarks.setting import Setting
from tests.benchmarks.writes import run_load

LOOK_S = 0.0005
APPLIED_AT = 48
QUANTILES = {"p50": 0.50, "p90": 0.90, "p99": 0.99, "p99.9": 0.999, "worst": 1.0}


class Watch:
    """Looks at the target's position until told to stop."""

    def __init__(self, page: Path) -> None:
        with page.open("rb") as file:
            self._page = mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ)
        self.sequences: list[int] = []
        self.moments_ns: list[int] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _look(self) -> None:
        last = -1
        while not self._stopping.is_set():
            applied = struct.unpack_from("<Q", self._page, APPLIED_AT)[0]
            if applied != last:
                self.sequences.append(applied)
                self.moments_ns.append(time.monotonic_ns())
                last = applied
            time.sleep(LOOK_S)

    def lag_ms(self, sequence: int, answered_ns: int) -> float:
        """How long after ``answered_ns`` the operation was seen applied."""
        at = bisect.bisect_left(self.sequences, sequence)
        return max(0, self.moments_ns[at] - answered_ns) / 1e6


def measure(link: Link, setting: Setting) -> dict[str, float]:
    """One round: the quantiles in milliseconds."""
    count = int(setting.lag_s * setting.lag_rate)
    with Watch(link.position_page) as watch:
        said = run_load(link.source / "file", count, setting.lag_rate, link.source_page)
        link.settle()
        time.sleep(0.05)
    lags = sorted(watch.lag_ms(*one) for one in said["answered"])
    return {name: lags[min(len(lags) - 1, int(share * len(lags)))] for name, share in QUANTILES.items()}


def lag(setting: Setting) -> list[Comparison]:
    """Replication lag."""
    with setting.room("lag") as room, two_engines(room) as two:
        source = room / "source"
        two.capture(source, setting.capture)
        link = two.connect(source, room / "replica")
        rounds = [measure(link, setting) for _ in range(setting.rounds)]
    for number, one in enumerate(rounds):
        print(
            f"  round {number + 1}: " + ", ".join(f"{name} {value:.2f} ms" for name, value in one.items()), flush=True
        )
    name = f"replication lag at {setting.lag_rate} writes/s of 8 KiB"
    quantiles = tuple(series(name, "ms", [Taken(one[name]) for one in rounds]) for name in QUANTILES)
    return [Comparison(name, quantiles, compared=False)]
