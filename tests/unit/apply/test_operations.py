"""Each kind of operation, on real files; and the paths that must not work."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from orchestrator.engine.apply.operations import FileOperations
from orchestrator.engine.apply.root import Root
from orchestrator.engine.oplog.format import UNCHANGED, Kind, Operation


class Target:
    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.files = FileOperations(Root(path))

    def do(self, kind: Kind, path: bytes, path2: bytes = b"", *, tolerant: bool = False, **fields: object) -> None:
        self.files.perform(Operation(kind, 1, 1, path, path2, **fields), tolerant=tolerant)  # type: ignore[arg-type]

    def do_mirrored(self, kind: Kind, path: bytes, path2: bytes, **fields: object) -> None:
        self.files.perform(Operation(kind, 1, 1, path, path2, **fields), tolerant=True, mirrored=True)  # type: ignore[arg-type]


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(tmp_path / "root")


OWNER = os.getuid() << 32 | os.getgid()


def make(target: Target, name: bytes, data: bytes = b"") -> None:
    target.do(Kind.CREATE, name, a=0o100644, b=OWNER)
    target.do(Kind.WRITE, name, data=data)


def test_content(target: Target) -> None:
    make(target, b"f", b"hello")
    target.do(Kind.WRITE, b"f", a=8, data=memoryview(b"world"))
    assert (target.path / "f").read_bytes() == b"hello\0\0\0world"
    target.do(Kind.TRUNCATE, b"f", a=3)
    assert (target.path / "f").read_bytes() == b"hel"
    target.do(Kind.FALLOCATE, b"f", a=0, b=100)
    assert (target.path / "f").stat().st_size == 100
    target.do(Kind.FALLOCATE, b"f", a=1, b=2, flags=3)
    assert (target.path / "f").read_bytes()[:4] == b"h\0\0\0"


def test_names(target: Target) -> None:
    target.do(Kind.MKDIR, b"d", a=0o40750, b=OWNER)
    make(target, b"d/f", b"1")
    target.do(Kind.LINK, b"d/f", b"d/g")
    target.do(Kind.SYMLINK, b"d/s", b"../anywhere", b=OWNER)
    target.do(Kind.RENAME, b"d", b"e")
    target.do(Kind.WRITE, b"e/f", data=b"2")
    assert (target.path / "e/g").read_bytes() == b"2"
    assert (target.path / "e/s").readlink() == Path("../anywhere")
    assert stat.S_IMODE((target.path / "e").stat().st_mode) == 0o750
    for name in (b"e/f", b"e/g", b"e/s"):
        target.do(Kind.UNLINK, name)
    target.do(Kind.RMDIR, b"e")
    assert list(target.path.iterdir()) == []


def test_exchange(target: Target) -> None:
    make(target, b"a", b"A")
    make(target, b"b", b"B")
    target.do(Kind.RENAME, b"a", b"b", a=2)
    assert (target.path / "a").read_bytes() == b"B"
    target.do(Kind.WRITE, b"a", data=b"C")
    assert (target.path / "b").read_bytes() == b"A"


def test_a_fifo_is_made_and_never_waited_for(target: Target) -> None:
    target.do(Kind.MKNOD, b"p", a=stat.S_IFIFO | 0o600, b=OWNER)
    with pytest.raises(OSError, match="No such device or address"):
        target.do(Kind.WRITE, b"p", data=b"x")


def test_attributes(target: Target) -> None:
    make(target, b"f")
    target.do(Kind.CHMOD, b"f", a=0o100600)
    target.do(Kind.CHOWN, b"f", a=UNCHANGED, b=os.getgid())
    target.do(Kind.UTIMENS, b"f", a=5, b=2**64 - 1_000_000_000, flags=0)
    target.do(Kind.UTIMENS, b"f", a=7, b=0, flags=2)
    now = (target.path / "f").stat()
    assert (stat.S_IMODE(now.st_mode), now.st_atime_ns, now.st_mtime_ns) == (0o600, 7, -1_000_000_000)
    target.do(Kind.SETXATTR, b"f", b"user.x", data=b"v")
    assert os.getxattr(target.path / "f", "user.x") == b"v"
    target.do(Kind.REMOVEXATTR, b"f", b"user.x")
    assert os.listxattr(target.path / "f") == []
    target.do(Kind.CHMOD, b"", a=0o40700)
    assert stat.S_IMODE(target.path.stat().st_mode) == 0o700


def test_a_read_only_file_is_written(target: Target) -> None:
    make(target, b"f")
    target.do(Kind.CHMOD, b"f", a=0o444)
    target.files.root.forget_tree()
    target.do(Kind.WRITE, b"f", data=b"x")
    assert (target.path / "f").read_bytes() == b"x"
    assert stat.S_IMODE((target.path / "f").stat().st_mode) == 0o444


@pytest.mark.parametrize("path", [b"../out", b"a/../../out", b"link/out", b"/etc/x", b"a//b", b"."])
def test_nothing_leaves_the_root(target: Target, tmp_path: Path, path: bytes) -> None:
    (tmp_path / "outside").mkdir()
    (target.path / "link").symlink_to(tmp_path / "outside")
    (target.path / "a").mkdir()
    with pytest.raises(OSError, match=r".") as caught:
        target.do(Kind.CREATE, path, a=0o100644)
    assert caught.value.errno in {errno.EINVAL, errno.ENOTDIR, errno.ELOOP}
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize("kind", [Kind.WRITE, Kind.TRUNCATE, Kind.CHMOD])
def test_a_link_is_not_followed_to_what_it_points_to(target: Target, tmp_path: Path, kind: Kind) -> None:
    outside = tmp_path / "secret"
    outside.write_bytes(b"s")
    outside.chmod(0o600)
    (target.path / "f").symlink_to(outside)
    with pytest.raises(OSError, match="symbolic"):
        target.do(kind, b"f", data=b"x")
    assert outside.read_bytes() == b"s"
    assert stat.S_IMODE(outside.stat().st_mode) == 0o600


def test_what_is_in_the_way_is_replaced_only_where_the_files_may_differ(target: Target) -> None:
    (target.path / "d").mkdir()
    (target.path / "d/stale").write_bytes(b"")
    make(target, b"f", b"new")
    with pytest.raises(FileExistsError):
        target.do(Kind.CREATE, b"d", a=0o100644)
    with pytest.raises(OSError, match="directory"):
        target.do(Kind.RENAME, b"f", b"d")
    target.do(Kind.RENAME, b"f", b"d", tolerant=True)
    assert (target.path / "d").read_bytes() == b"new"
    target.do(Kind.CREATE, b"d", tolerant=True, a=0o100600, b=OWNER)
    assert (target.path / "d").read_bytes() == b""


@pytest.mark.parametrize("obstacle", [None, "file", "link"])
def test_in_a_mirror_a_rename_takes_the_old_name_away_though_its_new_directory_is_missing(
    target: Target, obstacle: str | None
) -> None:
    make(target, b"f", b"1")
    if obstacle == "file":
        make(target, b"not")
    if obstacle == "link":
        target.do(Kind.SYMLINK, b"not", b"..", b=OWNER)
    target.do_mirrored(Kind.RENAME, b"f", b"not/sent/yet")
    assert not (target.path / "f").exists()
    assert (target.path / "not/sent/yet").read_bytes() == b"1"


def test_in_a_mirror_an_exchange_moves_the_one_side_that_is_there(target: Target) -> None:
    make(target, b"f", b"1")
    target.do_mirrored(Kind.RENAME, b"f", b"g", a=2)
    assert [path.name for path in target.path.iterdir()] == ["g"]
    target.do_mirrored(Kind.RENAME, b"f", b"g", a=2)
    assert [path.name for path in target.path.iterdir()] == ["f"]


def test_in_a_mirror_a_rename_between_names_of_one_file_leaves_the_new_one(target: Target) -> None:
    """The kernel would leave both."""
    make(target, b"f", b"1")
    target.do(Kind.LINK, b"f", b"g")
    target.do_mirrored(Kind.RENAME, b"f", b"g")
    assert [path.name for path in target.path.iterdir()] == ["g"]


def test_a_replayed_rename_makes_no_directory(target: Target) -> None:
    """What it moved may have gone on from there, and the old name be another file."""
    make(target, b"f", b"1")
    with pytest.raises(FileNotFoundError):
        target.do(Kind.RENAME, b"f", b"not/there", tolerant=True)
    assert (target.path / "f").exists()


def test_a_tree_is_removed_and_nothing_there_is_fine(target: Target) -> None:
    (target.path / "d/e").mkdir(parents=True)
    (target.path / "d/e/f").write_bytes(b"")
    target.do(Kind.UNLINK, b"d", flags=1)
    target.do(Kind.UNLINK, b"d", flags=1)
    assert list(target.path.iterdir()) == []


def test_the_hook_sees_what_will_change(target: Target) -> None:
    make(target, b"f", b"old")
    seen: list[tuple[bytes, Kind, bytes]] = []
    target.files.before_change = lambda path, kind: seen.append((path, kind, (target.path / "f").read_bytes()))
    target.do(Kind.WRITE, b"f", data=b"new")
    assert seen == [(b"f", Kind.WRITE, b"old")]


def test_more_files_than_descriptors(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    before = len(os.listdir("/proc/self/fd"))
    files = FileOperations(Root(tmp_path / "r", directories=4, files=4))
    for n in range(20):
        files.perform(Operation(Kind.MKDIR, 1, 1, b"d%d" % n, a=0o40755, b=OWNER), tolerant=False)
        files.perform(Operation(Kind.CREATE, 1, 1, b"d%d/f" % n, a=0o100644, b=OWNER), tolerant=False)
    for n in range(20):
        files.perform(Operation(Kind.WRITE, 1, 1, b"d%d/f" % n, data=b"%d" % n), tolerant=False)
    assert [(tmp_path / f"r/d{n}/f").read_bytes() for n in range(20)] == [b"%d" % n for n in range(20)]
    assert len(os.listdir("/proc/self/fd")) < before + 20
