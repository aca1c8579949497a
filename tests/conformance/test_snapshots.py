"""The three ways to keep a replica, on the file systems that give them: each must keep all, share nothing, and come back whole."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.engine.snapshot import btrfs, ways
from orchestrator.engine.snapshot.errors import SnapshotCancelled, SnapshotFailed
from orchestrator.engine.snapshot.record import Kind, Reason, SnapshotRecord, new_id
from orchestrator.engine.snapshot.shelf import FRESH, JOURNAL, Shelf
from tests.conftest import require
from tests.volumes import volume

PLACES = ("btrfs", "btrfs in place", "xfs", "ext4", "here")
KINDS = {"btrfs": Kind.BTRFS, "btrfs in place": Kind.REFLINK, "xfs": Kind.REFLINK, "ext4": Kind.COPY}


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Each file system once for all tests of the module."""
    directory = tmp_path_factory.mktemp("volumes")
    with contextlib.ExitStack() as stack:
        found = {"here": directory}
        if os.geteuid() == 0:
            require("volumes")
            found |= {kind: stack.enter_context(volume(kind, directory)) for kind in ("btrfs", "xfs", "ext4")}
        yield found


@pytest.fixture(params=PLACES)
def shelf(request: pytest.FixtureRequest, volumes: dict[str, Path], tmp_path: Path) -> Shelf:
    """A shelf whose root lies on one of the file systems, with something in it."""
    if request.param != "here":
        require("volumes")
    place = volumes[request.param.split()[0]] / tmp_path.name
    root = place / "replica"
    if "in place" in request.param:
        root.mkdir(parents=True)
        (root / "first").touch()
    ways.make_root(root)
    fill(root)
    made = Shelf(root, tmp_path / "records")
    assert made.way().kind is KINDS.get(request.param, made.way().kind)
    return made


def fill(root: Path) -> None:
    (root / "d" / "deeper").mkdir(parents=True)
    (root / "d" / "text").write_text("one")
    os.link(root / "d" / "text", root / "another name")
    (root / "link").symlink_to("d/text")
    os.mkfifo(root / "pipe")
    (root / "d" / "deeper" / os.fsdecode(b"not utf-8 \xff")).write_bytes(b"x" * 5000)
    with (root / "sparse").open("wb") as file:
        file.write(b"head")
        file.seek(32 << 20)
        file.write(b"tail")
    os.setxattr(root / "d" / "text", "user.colour", b"green")
    (root / "d" / "deeper").chmod(0o2750)
    os.utime(root / "d", ns=(1, 1_000_000_001))
    if os.geteuid() == 0:
        os.chown(root / "d" / "text", 1234, 4321)
        subprocess.run(["setfacl", "-m", "u:1234:r", str(root / "sparse")], check=True)
        subprocess.run(["setfacl", "-d", "-m", "u:1234:rx", str(root / "d" / "deeper")], check=True)


def seen(root: Path) -> dict[str, tuple[object, ...]]:
    """All that must be the same; times of directories that a test writes in are its own affair."""
    found: dict[str, tuple[object, ...]] = {}
    first: dict[int, str] = {}
    for above, names, files in os.walk(root):
        for name in sorted([*names, *files]):
            path = Path(above, name)
            now, shown = path.lstat(), str(path.relative_to(root))
            content: object = None
            if stat.S_ISREG(now.st_mode):
                content = (path.read_bytes(), now.st_mtime_ns, first.setdefault(now.st_ino, shown), now.st_nlink)
            elif stat.S_ISLNK(now.st_mode):
                content = os.readlink(path)
            attributes = (
                ()
                if stat.S_ISLNK(now.st_mode)
                else tuple((key, os.getxattr(path, key)) for key in sorted(os.listxattr(path)))
            )
            found[shown] = (now.st_mode, now.st_uid, now.st_gid, content, attributes)
    return found


def wanted(shelf: Shelf, **more: object) -> SnapshotRecord:
    return SnapshotRecord(
        id=new_id(), root=str(shelf.root), kind=Kind.COPY, reason=Reason.BY_HAND, time_ns=1, data_state="good",
        position=7, **more,
    )  # fmt: skip


def nothing() -> None:
    """Never cancelled."""


@pytest.mark.covers("ENG-SNAP-01")
def test_kept_as_it_was_whatever_is_written_later(shelf: Shelf) -> None:
    before = seen(shelf.root)
    made = shelf.take(wanted(shelf), nothing)
    assert seen(shelf.place(made.id)) == before
    assert (shelf.place(made.id) / "sparse").stat().st_blocks * 512 < 1 << 20
    with (shelf.root / "d" / "text").open("r+") as file:
        file.write("two")
    (shelf.root / "sparse").unlink()
    (shelf.root / "new").touch()
    assert seen(shelf.place(made.id)) == before
    assert [one.id for one in shelf.listed()] == [made.id]
    assert shelf.listed()[0].position == 7


@pytest.mark.covers("ENG-SNAP-01")
def test_set_back_then_written_on_the_snapshot_stays(shelf: Shelf) -> None:
    before = seen(shelf.root)
    made = shelf.take(wanted(shelf), nothing)
    (shelf.root / "d" / "text").write_text("changed")
    (shelf.root / "d" / "deeper").rename(shelf.root / "elsewhere")
    shelf.set_back(made.id, "key", nothing)
    assert shelf.under_way is not None  # until whoever uses the root knows
    shelf.forget_set_back()
    assert seen(shelf.root) == before
    (shelf.root / "d" / "text").write_text("changed again")
    assert seen(shelf.place(made.id)) == before
    shelf.set_back(made.id, "key", nothing)
    shelf.forget_set_back()
    assert seen(shelf.root) == before


@pytest.mark.covers("ENG-SNAP-01")
def test_deleted_means_gone(shelf: Shelf) -> None:
    first, second = (shelf.take(wanted(shelf), nothing) for _ in range(2))
    shelf.delete(first.id)
    assert [one.id for one in shelf.listed()] == [second.id]
    assert not shelf.place(first.id).exists()
    shelf.delete(first.id)  # twice is harmless
    assert shelf.sweep() == []


@pytest.mark.covers("ENG-SNAP-01")
def test_copied_out(shelf: Shelf, tmp_path: Path) -> None:
    before = seen(shelf.root)
    made = shelf.take(wanted(shelf), nothing)
    shelf.copy_out(made.id, tmp_path / "out", nothing)
    assert seen(tmp_path / "out") == before
    with pytest.raises(SnapshotFailed, match="must be a new directory"):
        shelf.copy_out(made.id, tmp_path / "out", nothing)


@pytest.mark.covers("AM-20")
def test_only_a_copy_is_removed_again(shelf: Shelf, tmp_path: Path) -> None:
    made, to = shelf.take(wanted(shelf), nothing), tmp_path / "out"
    shelf.copy_out(made.id, to, nothing)
    for _ in range(2):  # twice is harmless
        shelf.drop_copy(to)
        assert not to.exists()
    to.mkdir()
    (to / "file").write_text("of somebody else")
    with pytest.raises(SnapshotFailed, match="no copy of a snapshot"):
        shelf.drop_copy(to)
    assert (to / "file").exists()
    assert [one.id for one in shelf.listed()] == [made.id]


@pytest.mark.covers("ENG-SNAP-01")
def test_mounted_read_only_and_kept_while_it_is(shelf: Shelf, tmp_path: Path, needs) -> None:
    needs("root")
    made = shelf.take(wanted(shelf), nothing)
    at = tmp_path / "shown"
    shelf.mount(made.id, at)
    try:
        assert (at / "another name").read_text() == "one"
        with pytest.raises(OSError, match="Read-only") as refused:
            (at / "d" / "text").write_text("two")
        assert refused.value.errno == errno.EROFS
        with pytest.raises(SnapshotFailed, match="mounted at"):
            shelf.delete(made.id)
    finally:
        shelf.unmount(made.id)
    shelf.delete(made.id)
    assert shelf.listed() == []


def test_a_cancelled_one_leaves_nothing(shelf: Shelf) -> None:
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls > 3 or shelf.way().kind is Kind.BTRFS:
            raise SnapshotCancelled(deed="cannot take a snapshot of", root=shelf.root, why="the target takes over")

    with pytest.raises(SnapshotCancelled):
        shelf.take(wanted(shelf), check)
    assert shelf.listed() == []
    assert shelf.sweep() == []


def test_what_a_kill_left_is_swept(shelf: Shelf) -> None:
    made = shelf.take(wanted(shelf), nothing)
    for name in ("20200101T000000Z-abcdef", FRESH):
        (shelf.place(name) / "half").mkdir(parents=True)
    assert sorted(shelf.sweep()) == sorted(["20200101T000000Z-abcdef", FRESH])
    assert [one.id for one in shelf.listed()] == [made.id]


def test_half_of_a_pair_that_cannot_change_places_is_refilled(volumes: dict[str, Path], tmp_path: Path, needs) -> None:
    """A root that is a mount point cannot be moved: it is emptied and filled; asked again after a kill it is filled again."""
    needs("volumes")
    root = tmp_path / "mounted"
    with volume("xfs", tmp_path) as at:
        root.mkdir()
        subprocess.run(["mount", "--bind", str(at), str(root)], check=True)
        try:
            fill(root)
            shelf = Shelf(root, tmp_path / "records")
            way = shelf.way()
            assert (way.kind, "mount point" in way.why) == (Kind.COPY, True)
            before = seen(root)
            made = shelf.take(wanted(shelf), nothing)
            (root / "d" / "text").unlink()
            shelf.set_back(made.id, "key", nothing)
            assert seen(root) == before
            (root / "d" / "text").unlink()
            assert shelf.recover() is not None  # killed before it was told: all over again
            shelf.forget_set_back()
            assert seen(root) == before
        finally:
            subprocess.run(["umount", str(root)], check=True)


def test_other_file_systems_inside_are_kept_and_never_set_back(tmp_path: Path, needs) -> None:
    """Their content would be cleared away with the old tree."""
    needs("volumes")
    shelf = Shelf(tmp_path / "replica", tmp_path / "records")
    shelf.root.mkdir()
    with volume("ext4", shelf.root, 64 << 20) as inside:
        (inside / "precious").touch()
        made = shelf.take(wanted(shelf), nothing)
        assert (shelf.place(made.id) / inside.name / "precious").exists()
        with pytest.raises(SnapshotFailed, match="mounted inside"):
            shelf.set_back(made.id, "key", nothing)
        assert (inside / "precious").exists()
    assert shelf.under_way is None


def test_no_space_no_copy(tmp_path: Path, needs) -> None:
    needs("volumes")
    with volume("ext4", tmp_path, 160 << 20) as at:
        root = at / "replica"
        root.mkdir()
        (root / "big").write_bytes(os.urandom(50 << 20))
        shelf = Shelf(root, tmp_path / "records")
        with pytest.raises(SnapshotFailed, match="a copy needs"):
            shelf.take(wanted(shelf), nothing)
        assert shelf.listed() == []
        (root / "big").write_bytes(os.urandom(25 << 20))
        before = seen(root)
        made = shelf.take(wanted(shelf), nothing)
        (root / "big").write_bytes(os.urandom(30 << 20))
        shelf.set_back(made.id, "key", nothing)  # no space for a second copy: the snapshot itself becomes the replica
        shelf.forget_set_back()
        assert seen(root) == before
        assert shelf.listed() == []
        assert not (tmp_path / "records" / JOURNAL).exists()


def test_a_root_on_btrfs_becomes_a_subvolume(volumes: dict[str, Path], tmp_path: Path, needs) -> None:
    needs("volumes")
    at = volumes["btrfs"] / tmp_path.name
    ways.make_root(at / "new")
    (at / "empty").mkdir(mode=0o750)
    os.chown(at / "empty", 12, 34)
    ways.make_root(at / "empty")
    (at / "full" / "something").mkdir(parents=True)
    ways.make_root(at / "full")
    assert [btrfs.is_subvolume(at / name) for name in ("new", "empty", "full")] == [True, True, False]
    now = (at / "empty").stat()
    assert (stat.S_IMODE(now.st_mode), now.st_uid, now.st_gid) == (0o750, 12, 34)


def test_deep_trees_need_few_descriptors(tmp_path: Path) -> None:
    root, at = tmp_path / "replica", tmp_path / "replica"
    root.mkdir()
    fd = os.open(root, os.O_RDONLY)
    for number in range(200):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
        with os.fdopen(os.open(f"f{number % 3}", os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=fd), "wb") as file:
            file.write(b"x")
    os.close(fd)
    shelf = Shelf(at, tmp_path / "records")
    made = shelf.take(wanted(shelf), nothing)
    ways.discard(root)
    root.mkdir()
    shelf.set_back(made.id, "key", nothing)
    shelf.delete(made.id)
    at_depth, fd = 0, os.open(root, os.O_RDONLY)
    while "d" in os.listdir(fd):
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd, at_depth = inner, at_depth + 1
    os.close(fd)
    assert at_depth == 200
    ways.discard(root)
