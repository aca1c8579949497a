"""A mirror of a source that changes all the while ends identical: seeded schedules (see mirror_world).

TORTURE_MINUTES runs new seeds for that long.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import msgspec
import pytest

from orchestrator.engine.mirror.options import MirrorKind, MirrorOptions, OrphanAction, OrphanPolicy
from tests.properties import mirror_world
from tests.properties.mirror_world import Schedule

NO_ORPHANS = OrphanPolicy(OrphanAction.DELETE)
OPTIONS = {
    "full": MirrorOptions(orphans=NO_ORPHANS),
    "difference": MirrorOptions(MirrorKind.DIFFERENCE, orphans=NO_ORPHANS),
    "checksum": MirrorOptions(MirrorKind.DIFFERENCE, checksum=True, orphans=NO_ORPHANS),
    "checksum of all": MirrorOptions(MirrorKind.DIFFERENCE, checksum_all=True, orphans=NO_ORPHANS),
}
HOW = ["at once", "gated", "any"]
SEEDS_EACH = 12
OPTIONS_IGNORING = {kind: msgspec.structs.replace(options, orphans=OrphanPolicy()) for kind, options in OPTIONS.items()}
"""A name that the source removed must go also where orphans are left alone."""
SEEDS_ONCE_BAD = [51, 101, 151, 177, 181, 216, 334, 398, 500, 936, 1205, 1344, 1592, 1629, 1849, 2008, 4215, 5656]
LINKED_ONCE_BAD = [
    (3585442785, "difference", "any"),
    (2223645869, "checksum of all", "at once"),
    (988921350, "checksum", "at once"),
]
KEPT_ONCE_BAD = [
    (10877, "checksum of all", "gated"),
    (10993, "difference", "any"),
    (11255, "checksum of all", "at once"),
    (11484, "difference", "at once"),
    (11892, "full", "at once"),
    (13878, "full", "at once"),
    (15166, "checksum", "any"),
]


class Crowded(Schedule):
    """Few names, and many changes."""

    def _plant(self) -> None:
        super()._plant()
        self.source.left = self.rng.randrange(30, 160)


def differences(
    root: Path, seed: int, kind: str, how: str, *, ignoring: bool = False, links: bool = False, of: type = Schedule
) -> list[str]:
    options = (OPTIONS_IGNORING if ignoring else OPTIONS)[kind]
    schedule = of(root, seed, options, 40, how=how, many_links=links)
    try:
        schedule.run()
        return schedule.differences()
    finally:
        schedule.close()


@pytest.mark.covers("ENG-MIR-05")
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("kind", OPTIONS)
def test_source_and_target_end_identical(tmp_path, kind, how):
    for seed in range(SEEDS_EACH):
        assert differences(tmp_path / str(seed), seed, kind, how) == [], f"seed {seed}"


@pytest.mark.parametrize("seed", SEEDS_ONCE_BAD)
def test_schedules_that_once_went_wrong(tmp_path, seed):
    kind, how = list(OPTIONS)[seed % 4], HOW[seed // 4 % 3]
    assert differences(tmp_path, seed, kind, how) == []


@pytest.mark.parametrize(("seed", "kind", "how"), LINKED_ONCE_BAD)
def test_names_linked_while_they_are_sent_stay_one_file(tmp_path, seed, kind, how):
    assert differences(tmp_path, seed, kind, how) == []


@pytest.mark.covers("ENG-MIR-05")
@pytest.mark.parametrize(("seed", "kind", "how"), KEPT_ONCE_BAD)
def test_names_that_the_source_removed_go_also_where_orphans_stay(tmp_path, seed, kind, how):
    assert differences(tmp_path, seed, kind, how, ignoring=True) == []


@pytest.mark.parametrize(
    ("seed", "kind", "how", "ignoring"),
    [
        (948003511, "checksum", "gated", False),
        (184521504, "full", "any", True),
        (3169416055, "full", "gated", True),
        (57000380, "difference", "any", False),
    ],
)
def test_schedules_with_many_names_of_few_files_that_once_went_wrong(tmp_path, seed, kind, how, ignoring):
    assert differences(tmp_path, seed, kind, how, ignoring=ignoring, links=True) == []


@pytest.mark.covers("ENG-MIR-05")
@pytest.mark.parametrize("ignoring", [False, True])
@pytest.mark.parametrize("how", HOW)
def test_many_names_of_few_files_end_identical(tmp_path, how, ignoring):
    for seed in range(SEEDS_EACH):
        kind = list(OPTIONS)[seed % 4]
        assert differences(tmp_path / str(seed), seed, kind, how, ignoring=ignoring, links=True) == [], f"seed {seed}"


def test_a_name_that_is_asked_about_twice_does_not_keep_a_mirror_from_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(mirror_world, "NAMES", ["a", "b", "c", "d"])
    first, second = tmp_path / "first", tmp_path / "second"
    assert differences(first, 200003735, "checksum of all", "any", ignoring=True, of=Crowded) == []
    assert differences(second, 200002669, "difference", "at once", ignoring=True, links=True, of=Crowded) == []


def test_what_was_written_by_a_name_that_goes_as_an_orphan_is_kept(tmp_path):
    """The file was cut short by its other name before: without what was written by this one it ended cut short, too."""
    assert differences(tmp_path, 1200760, "difference", "at once") == []


def test_a_directory_that_is_renamed_while_it_is_walked_keeps_its_mode(tmp_path):
    assert differences(tmp_path, 766627937, "checksum", "any") == []


@pytest.mark.timeout(0)
@pytest.mark.skipif("TORTURE_MINUTES" not in os.environ, reason="only for as long as asked")
def test_new_seeds_for_as_long_as_asked(tmp_path):
    """``make torture`` sets TORTURE_MINUTES."""
    until = time.monotonic() + 60 * float(os.environ["TORTURE_MINUTES"])
    bad = []
    while time.monotonic() < until:
        seed, kind, how = random.getrandbits(32), random.choice(list(OPTIONS)), random.choice(HOW)
        ignoring, links = random.random() < 0.5, random.random() < 0.5
        found = differences(tmp_path / str(seed), seed, kind, how, ignoring=ignoring, links=links)
        bad += [f"seed {seed} {kind} {how} {ignoring=} {links=}: {found}"] if found else []
    assert bad == []
