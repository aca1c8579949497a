"""What the application of tests/lab/sqlclient.py was promised, and what of it is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Acknowledged:
    """A row that the server acknowledged, in which life of its writer, and when."""

    writer: int
    number: int
    life: int
    at_ns: int


@dataclass(frozen=True)
class Promised:
    """A journal: the acknowledged rows in order, and when writers lost their connection."""

    rows: tuple[Acknowledged, ...]
    lost_ns: tuple[int, ...]

    @classmethod
    def read(cls, path: Path) -> Promised:
        """As far as whole lines were written."""
        rows, lost = [], []
        for line in path.read_text().splitlines():
            words = line.split()
            if words[:2] == ["#", "lost"]:
                lost.append(int(words[3]))
            elif len(words) == 4:
                rows.append(Acknowledged(*map(int, words)))
        return cls(tuple(rows), tuple(lost))

    def until(self, at_ns: int) -> tuple[Acknowledged, ...]:
        """Those acknowledged not later than this."""
        return tuple(one for one in self.rows if one.at_ns <= at_ns)

    def after(self, at_ns: int) -> tuple[Acknowledged, ...]:
        """Those acknowledged later."""
        return tuple(one for one in self.rows if one.at_ns > at_ns)


Row = tuple[int, int, int]
"""Writer, number, life."""


def missing(promised: Iterable[Acknowledged], there: Iterable[Row]) -> list[Acknowledged]:
    """Those that are not there, or were written anew in a later life."""
    known = set(there)
    return [one for one in promised if (one.writer, one.number, one.life) not in known]


def wrong(there: Sequence[Row], totals: Sequence[tuple[int, int]]) -> list[str]:
    """What no order of whole transactions can have left: holes, lives that go back, totals that do not fit."""
    found = []
    count = Counter(writer for writer, _, _ in there)
    for writer, total in totals:
        own = sorted((number, life) for one, number, life in there if one == writer)
        if [number for number, _ in own] != list(range(1, len(own) + 1)):
            found.append(f"writer {writer} has holes among {len(own)} rows")
        if [life for _, life in own] != sorted(life for _, life in own):
            found.append(f"writer {writer}: an earlier life wrote after a later one")
        if total != count.pop(writer, 0):
            found.append(f"writer {writer}: its total is {total}, its rows are {len(own)}")
    return found + [f"writer {writer} has rows and no total" for writer in count]
