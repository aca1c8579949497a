"""How things are compared: rivals take turns within one run, several rounds, and the noise is shown with the median.

A machine's speed drifts from minute to minute, so only figures of the same run are compared, as ratios of medians. Processor
seconds of everything that took part stand beside the wall clock: they hardly change when others use the machine.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

REAPED_S = 0.3
"""By then a daemon has seen its children end, and their processor seconds count as its own."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One turn of one rival: its figure, and the processor seconds of all who worked for it (0: not measured)."""

    figure: float
    cpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Series:
    """The rounds of one rival. ``unit`` is what the numbers are."""

    rival: str
    unit: str
    rounds: tuple[float, ...]
    cpu_s: tuple[float, ...] = ()

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return statistics.median(self.rounds)

    @property
    def cpu_median_s(self) -> float:
        """The middle of the processor seconds."""
        return statistics.median(self.cpu_s) if self.cpu_s else 0.0

    @property
    def noise_percent(self) -> float:
        """Half the spread between the best and the worst round, as a percentage of the median."""
        return 50 * (max(self.rounds) - min(self.rounds)) / self.median if self.median else 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rivals measured in turns: ``name`` says what, ``series`` the figures in the order the rivals were given."""

    name: str
    series: tuple[Series, ...]
    compared: bool = True
    """Whether a ratio to the first rival means anything."""

    def ratios(self) -> dict[str, float]:
        """Each rival's median over that of the first."""
        first = self.series[0].median
        return {one.rival: one.median / first if first else 0.0 for one in self.series}

    def table(self) -> str:
        """A Markdown table; the ratio is to the first rival."""
        ratios = self.ratios()
        head = f"**{self.name}**\n\n| | median | noise | ratio | CPU s |\n|---|---|---|---|---|\n"
        return head + "".join(
            f"| {one.rival} | {_figure(one.median)} {one.unit} | ±{one.noise_percent:.0f} % | "
            f"{f'{ratios[one.rival]:.2f}' if self.compared else ''} | {_figure(one.cpu_median_s) if any(one.cpu_s) else ''} |\n"
            for one in self.series
        )


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def compare(
    name: str, unit: str, rivals: Mapping[str, Callable[[], Taken]], rounds: int = 3, *, compared: bool = True
) -> Comparison:
    """Run every rival once a round, in turns; each gives its figure in ``unit``. Every second round goes backwards."""
    taken: dict[str, list[Taken]] = {rival: [] for rival in rivals}
    for number in range(rounds):
        order = list(rivals.items())
        for rival, run in reversed(order) if number % 2 else order:
            taken[rival].append(run())
            print(f"  round {number + 1} {rival}: {taken[rival][-1].figure:.4g} {unit}", flush=True)
    return Comparison(name, tuple(series(rival, unit, turns) for rival, turns in taken.items()), compared)


def series(rival: str, unit: str, turns: Iterable[Taken]) -> Series:
    """The rounds of a rival as one value."""
    kept = tuple(turns)
    return Series(rival, unit, tuple(turn.figure for turn in kept), tuple(turn.cpu_s for turn in kept))


def seconds(deed: Callable[[], object]) -> float:
    """How long the deed takes on the wall clock."""
    began = time.perf_counter()
    deed()
    return time.perf_counter() - began


def timed(deed: Callable[[], object], pids: Iterable[int] = ()) -> Taken:
    """Seconds of the deed, with the processor seconds of its own children and of the processes ``pids`` and theirs."""
    kept = tuple(pids)
    before = cpu_seconds(kept)
    took = seconds(deed)
    time.sleep(REAPED_S)
    return Taken(took, cpu_seconds(kept) - before)


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor seconds so far: of our ended children, and of these processes with their ended children."""
    own = os.times()
    total = own.children_user + own.children_system
    for pid in pids:
        times = psutil.Process(pid).cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
    return total


def save(comparisons: list[Comparison], path: Path, machine: dict[str, object]) -> None:
    """Keep the raw rounds beside the table, so that others may look at the noise themselves."""
    path.write_text(
        json.dumps({"machine": machine, "comparisons": [asdict(one) for one in comparisons]}, indent=1) + "\n"
    )
