"""A tree whose names, attributes and bytes change; a copy of it must be the tree after some number of deeds."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.faults.fire.churn import LEDGER, Churn
from tests.faults.fire.churn_writer import GENERATION
from tests.faults.fire.program import Program
from tests.faults.fire.trees import tree

PACE_S = 0.004


@dataclass
class ChurnLoad(Program):
    """Directories ``churn-G`` below the captured one; each start begins another."""

    root: Path
    seed: int
    generation: int = 0
    name = "churn"

    def start(self) -> None:
        """A new generation."""
        self.generation += 1
        place = self.root / f"churn-{self.generation}"
        self.run("tests.faults.fire.churn_writer", place, self.diary, self.page, self.generation, self.seed, PACE_S)

    def numbers(self, copy: Path) -> int:
        """The number of the last deed in a copy of the tree; every generation is proved to be a prefix."""
        held = [self._prefix(place, int(place.name.partition("-")[2])) for place in copy.glob("churn-*")]
        return max(held, default=0)

    def _prefix(self, place: Path, generation: int) -> int:
        ledger = place / LEDGER
        text = ledger.read_text() if ledger.exists() else ""
        whole, _, _ = text.rpartition("\n")  # the kernel hands a line that crosses a page to the capture in two writes
        lines = whole.split()
        assert lines == [str(number) for number in range(1, len(lines) + 1)], f"{place.name}: its ledger has holes"
        churn = Churn(self.seed + generation)
        with tempfile.TemporaryDirectory() as made_again:
            again = Path(made_again)
            for _ in lines:
                churn.next().do(again)
            under_way = churn.next().touched | {LEDGER, "."}
            here, there = tree(place, times=False), tree(again, times=False)
        wrong = {path for path in {*here, *there} - under_way if here.get(path) != there.get(path)}
        assert not wrong, f"{place.name} after {len(lines)} deeds: " + "; ".join(
            f"{path}: {here.get(path)} / {there.get(path)}" for path in sorted(wrong)
        )
        return generation * GENERATION + len(lines)
