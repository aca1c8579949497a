"""Where the time of a failover goes: each deed of the executor and each step of its script, as the target's own journals tell it.

Every figure is seconds since the source was lost; what stands behind it is how long that part took.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.engine.monitor.journal import Entry, Journal, RealAppendFile

NS = 1_000_000_000


@dataclass(frozen=True)
class Part:
    """One part of a failover; both in seconds since the source was lost."""

    name: str
    began_s: float
    ended_s: float

    def __str__(self) -> str:
        """Name, its end, and how long it took."""
        return f"{self.name} until {self.ended_s:.2f} ({self.ended_s - self.began_s:.2f})"


def parts(state: Path, protection: str, run_id: str, lost_s: float) -> list[Part]:
    """All of one failover, in order. ``state`` is the engine's state directory as seen from here."""
    journal = Journal(RealAppendFile(state / "protections" / protection / "failover.journal"))
    found = [*_deeds([one for one in journal.entries if one.run_id == run_id], lost_s)]
    for path in sorted((state / "runs").glob(f"{run_id}.*.run")):
        found.extend(_steps(path, lost_s))
    return sorted(found, key=lambda part: (part.ended_s, part.began_s))


def _deeds(entries: list[Entry], lost_s: float) -> Iterator[Part]:
    times = [one.time_ns / NS - lost_s for one in entries]
    before_s = 0.0
    for entry, at_s in zip(entries, times, strict=True):
        yield Part(f"{entry.event} {entry.phase}".strip(), before_s, at_s)
        before_s = at_s


def _steps(path: Path, lost_s: float) -> Iterator[Part]:
    before_s = None
    for line in path.read_text().splitlines():
        one = json.loads(line)
        at_s = float(one["t"]) - lost_s
        yield Part(f"  {one['step']} {one['event']}", at_s if before_s is None else before_s, at_s)
        before_s = at_s
