"""Which seeds are played: a few always, those that once failed for ever, and fresh ones for as long as TORTURE_MINUTES says."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

ALWAYS = (1,)
KEPT = Path(__file__).parents[1] / "seeds.txt"
MINUTES = float(os.environ.get("TORTURE_MINUTES", "0"))


def seeds_of(scenario: str) -> list[int]:
    """The seeds of a scenario that every run plays."""
    lines = (line.split() for line in KEPT.read_text().splitlines() if line.strip() and not line.startswith("#"))
    return [*ALWAYS, *(int(words[1]) for words in lines if words[0] == scenario)]


def fresh() -> Iterator[int]:
    """New seeds until the time is over."""
    until = time.monotonic() + MINUTES * 60
    while time.monotonic() < until:
        yield secrets.randbelow(1 << 31)


def keep(scenario: str, seed: int, why: str) -> None:
    """Remember a seed that failed."""
    first = why.strip().splitlines()[0][:160] if why.strip() else "no words"
    with KEPT.open("a") as file:
        file.write(f"{scenario} {seed} {first}\n")
