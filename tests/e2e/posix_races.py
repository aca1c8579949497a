"""Many threads at once: their end is not the same twice, and the log must say what it was."""

from __future__ import annotations

import contextlib
import os
import random
from pathlib import Path

from tests.e2e.posix_calls import RENAME_EXCHANGE, RENAME_NOREPLACE, in_threads, renameat2


def overlapping_writes_of_many_threads(d: Path) -> None:
    """Which write is the last where two overlap is for the log to say: afterwards replica and file must agree."""
    path = d / "shared"
    path.touch()

    def work(seed: int) -> None:
        chance = random.Random(seed)
        with path.open("r+b", buffering=0) as file:
            for _ in range(120):
                os.pwrite(file.fileno(), bytes([seed]) * chance.randrange(1, 9000), chance.randrange(20_000))
                if chance.random() < 0.05:
                    os.ftruncate(file.fileno(), chance.randrange(30_000))

    in_threads(work, 6)


def storm_of_renames(d: Path) -> None:
    """Renames, exchanges and removals by many threads, of directories and what is in them."""
    names = [d / name for name in "abcdef"]
    for place in names[:3]:
        place.mkdir()
        (place / "in").write_bytes(b"deep")

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(150):
            one, other = chance.sample(names, 2)
            with contextlib.suppress(OSError):
                renameat2(
                    one, chance.choice([other, other / "in"]), chance.choice([0, RENAME_NOREPLACE, RENAME_EXCHANGE])
                )
            with contextlib.suppress(OSError):
                (one / "new").write_bytes(bytes([seed]))

    in_threads(work, 5)


CASES = [overlapping_writes_of_many_threads, storm_of_renames]
