"""The watcher misses nothing: whoever looks again where it says ends with a true copy."""

from __future__ import annotations

import os
import random
import shutil
import threading
from pathlib import Path

import pytest

from orchestrator.engine.capture.dirty import Dirty, DirtySet
from orchestrator.engine.capture.watcher import Watcher


def look_again(source: Path, copy: Path, dirty: Dirty) -> None:
    """What a mirror does with a dirty path, in its simplest form."""
    relative = os.fsdecode(dirty.path)
    here, there = source / relative, copy / relative
    try:
        if here.is_dir():
            there.mkdir(parents=True, exist_ok=True)
            if dirty.subtree:
                for entry in list(here.iterdir()):
                    look_again(source, copy, Dirty(os.fsencode(entry.relative_to(source)), subtree=True))
                for gone in {e.name for e in there.iterdir()} - {e.name for e in here.iterdir()}:
                    look_again(source, copy, Dirty(os.fsencode((there / gone).relative_to(copy)), subtree=True))
        elif here.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            if there.is_dir():
                shutil.rmtree(there)
            there.write_bytes(here.read_bytes())
        elif there.is_dir():
            shutil.rmtree(there)
        else:
            there.unlink(missing_ok=True)
    except (FileNotFoundError, NotADirectoryError):
        pass  # changed while looked at: it will be reported again


def disturb(root: Path, rng: random.Random, count: int) -> None:
    """Random changes of files and directories."""
    for _ in range(count):
        everything = [root, *root.rglob("*")]
        directories = [path for path in everything if path.is_dir()]
        here = rng.choice(directories)
        name = here / rng.choice("abcdef")
        match rng.randrange(6):
            case 0 | 1 if not name.is_dir():
                name.write_bytes(rng.randbytes(rng.randrange(100)))
            case 2 if not name.exists():
                (name / "x" / "y").mkdir(parents=True)
                (name / "x" / "y" / "deep").write_bytes(rng.randbytes(10))
            case 3 if name.is_file():
                name.unlink()
            case 4 if name.is_dir():
                shutil.rmtree(name)
            case 5:
                moved = rng.choice(directories) / rng.choice("ghi")
                if name.exists() and not moved.exists() and name not in [moved, *moved.parents]:
                    name.rename(moved)


def listing(root: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(root)): p.read_bytes() if p.is_file() else None for p in root.rglob("*")}


def follow_until_equal(watcher: Watcher, source: Path, copy: Path, rounds: int = 100) -> None:
    for _ in range(rounds):
        seen = watcher.wait(0.2)
        for dirty in seen:
            look_again(source, copy, dirty)
        if not seen and listing(source) == listing(copy):
            return
    assert listing(copy) == listing(source)


@pytest.mark.parametrize("seed", range(5))
def test_a_follower_of_random_changes_ends_with_a_true_copy(tmp_path: Path, seed: int) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.mkdir()
    copy.mkdir()
    watcher = Watcher(os.fsencode(source), DirtySet(settle_s=0.002, latest_s=0.02))
    changes = threading.Thread(target=disturb, args=(source, random.Random(seed), 150))
    changes.start()
    while changes.is_alive():
        for dirty in watcher.wait(0.01):
            look_again(source, copy, dirty)
    changes.join()
    follow_until_equal(watcher, source, copy)
    watcher.close()


def test_an_overflow_of_the_kernels_queue_reports_everything_again(tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.mkdir()
    copy.mkdir()
    queue = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    watcher = Watcher(os.fsencode(source), DirtySet(settle_s=0.0))
    for number in range(queue // 2 + 1000):
        (source / str(number % 50)).write_bytes(b"%d" % number)
        (source / str((number + 25) % 50)).unlink(missing_ok=True)
    follow_until_equal(watcher, source, copy)
    assert watcher.overflows == 1
    watcher.close()


def test_a_path_ripens_when_quiet_or_after_its_longest_wait() -> None:
    dirty = DirtySet(settle_s=1.0, latest_s=3.0)
    for now in (0.0, 0.9, 1.8, 2.7):
        dirty.add(b"busy", now)
        assert dirty.take_ripe(now) == []
    dirty.add(b"quiet", 2.7)
    assert dirty.take_ripe(3.0) == [Dirty(b"busy", subtree=False)]
    assert dirty.ripens_in_s(3.0) == pytest.approx(0.7)
    assert dirty.take_ripe(3.7) == [Dirty(b"quiet", subtree=False)]
    assert dirty.ripens_in_s(3.7) is None


def test_past_its_limit_the_set_names_subtrees_instead_of_paths() -> None:
    dirty = DirtySet(settle_s=0.0, limit=100)
    for number in range(1000):
        dirty.add(b"top/d%d/f%d" % (number % 10, number), 0.0)
        assert len(dirty) <= 100
    covered = dirty.take_ripe(1.0)
    for number in range(1000):
        path = b"top/d%d/f%d" % (number % 10, number)
        assert any(path == one.path or (one.subtree and path.startswith(one.path)) for one in covered)
