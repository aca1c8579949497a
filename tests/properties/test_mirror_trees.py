"""Whatever a tree holds, and whatever the target had before: after a mirror it is the same tree."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from orchestrator.engine.mirror.options import MirrorKind, MirrorOptions, OrphanAction, OrphanPolicy
from tests.unit.mirror.loopback import mirror, picture

NAMES = some.sampled_from(["a", "b", "c", "D.d", "\udcff", "with space", "näme\n2"])
PATHS = some.lists(NAMES, min_size=1, max_size=3).map("/".join)
CONTENT = some.one_of(
    some.binary(max_size=50), some.sampled_from([b"", b"x" * 65_536, b"y" * 65_537, b"z" * 200_000, bytes(1 << 20)])
)
THINGS = some.one_of(
    some.tuples(some.just("file"), CONTENT, some.sampled_from([0o600, 0o644, 0o4755, 0o000])),
    some.tuples(some.just("sparse"), some.integers(1, 3_000_000), some.integers(1, 200_000)),
    some.tuples(some.just("directory"), some.sampled_from([0o700, 0o1777, 0o500]), some.none()),
    some.tuples(some.just("symlink"), NAMES, some.none()),
    some.tuples(some.just("hardlink"), PATHS, some.none()),
    some.tuples(some.just("pipe"), some.none(), some.none()),
)
TREES = some.dictionaries(PATHS, THINGS, max_size=8)
TIMES = some.integers(-1_000_000_000, 2_000_000_000_000_000_000)
OPTIONS = [
    MirrorOptions(orphans=OrphanPolicy(OrphanAction.DELETE)),
    MirrorOptions(MirrorKind.DIFFERENCE, checksum_all=True, orphans=OrphanPolicy(OrphanAction.DELETE)),
]


def plant(root: Path, tree: dict, times: list[int]) -> None:
    for number, (path, (kind, what, more)) in enumerate(tree.items()):
        place = root / path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            make(place, kind, what, more, root)
        except OSError:
            continue
        if times and place.exists():
            stamp = times[number % len(times)]
            os.utime(place, ns=(stamp, stamp), follow_symlinks=False)
        if kind == "file" and len(what) % 2:
            os.setxattr(place, "user.note", what[:20])


OWN_FILES, OWN_DIRECTORIES = (0, 0) if os.geteuid() == 0 else (0o600, 0o700)
"""Only root reads what its mode forbids; an engine of an ordinary user replicates what that user may read."""


def make(place: Path, kind: str, what, more, root: Path) -> None:
    match kind:
        case "file":
            place.write_bytes(what)
            place.chmod(more | OWN_FILES)
        case "sparse":
            with place.open("xb") as file:
                file.seek(what)
                file.write(b"end")
                file.truncate(what + more)
        case "directory":
            place.mkdir()
            place.chmod(what | OWN_DIRECTORIES)
        case "symlink":
            place.symlink_to(what)
        case "hardlink":
            os.link(root / what, place)
        case "pipe":
            os.mkfifo(place)


def _when_nothing_is_young() -> int:
    """A file with several names that was changed just now is sent by each: whether it changed once more, its time does not tell."""
    return time.time_ns() + 10_000_000_000


@pytest.mark.covers("ENG-MIR-03")
@settings(deadline=None, max_examples=60)
@given(TREES, TREES, some.lists(TIMES, max_size=3), some.sampled_from(OPTIONS))
def test_after_a_mirror_the_trees_are_equal(tree, before, times, options):
    with tempfile.TemporaryDirectory() as place:
        source, target = Path(place) / "source", Path(place) / "target"
        source.mkdir()
        target.mkdir()
        plant(source, tree, times)
        plant(target, before, [])
        mirror(source, target, options)
        assert picture(target) == picture(source)
        begin, _sent = mirror(source, target, MirrorOptions(MirrorKind.DIFFERENCE), now_ns=_when_nothing_is_young)
        assert begin.progress.sent_bytes == 0
        assert picture(target) == picture(source)
