"""Orphans are removed by hand from a target that is good, while the source changes: nothing of the source's is lost (see mirror_world)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from orchestrator.engine.control.feeds import orphan_options
from orchestrator.engine.control.schema_sets import Orphans
from tests.properties.changing_source import Source
from tests.properties.mirror_world import Schedule

HOW = ["at once", "gated", "any"]
SEEDS = 10


class Tidied(Schedule):
    """The target has all of the source, and orphans."""

    def _plant(self) -> None:
        for _ in range(self.rng.randrange(40)):
            self.source.left = 1
            self.source.change()
        self.source.log.clear()
        self.source.unsettled.clear()
        self.source.left = self.rng.randrange(10, 60)
        subprocess.run(["cp", "-a", f"{self.source.root}/.", str(self.target_root)], check=True)
        there = Source(self.target_root, self.rng, 0)
        for _ in range(self.rng.randrange(1, 12)):
            path = there.somewhere()
            if not os.path.lexists(path):
                path.mkdir() if self.rng.random() < 0.3 else path.write_bytes(b"orphan")


def differences(root: Path, seed: int, how: str) -> list[str]:
    schedule = Tidied(root, seed, orphan_options(Orphans(action="delete")), 40, how=how, many_links=bool(seed % 2))
    try:
        schedule.run()
        return schedule.differences()
    finally:
        schedule.close()


@pytest.mark.covers("ENG-MIR-04")
@pytest.mark.parametrize("how", HOW)
def test_orphans_go_and_nothing_else(tmp_path, how):
    left = 0
    for seed in range(SEEDS):
        found = differences(tmp_path / str(seed), seed, how)
        of_the_source = [one for one in found if ": - | " not in one]
        assert of_the_source == [], f"seed {seed}"
        left += bool(found)  # what moved with its directory while that was looked at
    assert left <= SEEDS // 4
