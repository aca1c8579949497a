"""A captured directory behaves as the bare one does, and replaying its log gives exactly what it has become.

Each case is a few operations. It is run on the mount and on a bare directory; both trees must be equal, and so must the tree that
the log spells when it is replayed elsewhere.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import random
import socket
import stat
import struct
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.engine.capture.state import Wish
from orchestrator.engine.oplog.format import Kind, UtimensFlag
from tests.unit.capture.captured import Captured, assert_replay_is_true, differences, open_directory, tree

LIBC = ctypes.CDLL(None, use_errno=True)
NOBODY = 65534
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2


def fallocate(fd: int, mode: int, offset: int, length: int) -> None:
    if LIBC.fallocate(fd, mode, ctypes.c_int64(offset), ctypes.c_int64(length)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def renameat2(old: Path, new: Path, flags: int) -> None:
    if LIBC.renameat2(-100, os.fsencode(old), -100, os.fsencode(new), flags) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def as_user(uid: int, gid: int, deed) -> None:
    """Run a deed in a child that is another user; its failure is ours."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
            deed()
            os._exit(0)
        except BaseException as failure:  # noqa: BLE001 -- whatever it was, the parent is told
            os.write(2, repr(failure).encode())
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def writes_anywhere(d: Path) -> None:
    with (d / "f").open("wb") as f:
        f.write(b"a" * 10000)
    with (d / "f").open("r+b") as f:
        f.seek(5000)
        f.write(b"b" * 100)
        f.seek(1 << 20)
        f.write(b"end")


def large_writes(d: Path) -> None:
    fd = os.open(d / "f", os.O_WRONLY | os.O_CREAT, 0o640)
    os.write(fd, b"12345" * (1 << 20))
    os.pwrite(fd, b"x" * (3 << 20), 123)
    os.close(fd)


def appends(d: Path) -> None:
    (d / "log").write_bytes(b"")
    fds = [os.open(d / "log", os.O_WRONLY | os.O_APPEND) for _ in range(2)]
    for i in range(20):
        os.write(fds[i % 2], b"%d\n" % i)
    for fd in fds:
        os.close(fd)


def appends_set_later(d: Path) -> None:
    fd = os.open(d / "f", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(fd, b"first")
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND)
    os.lseek(fd, 0, 0)
    os.write(fd, b"second")
    os.close(fd)


def appends_by_many_threads(d: Path) -> None:
    (d / "f").touch()

    def work() -> None:
        fd = os.open(d / "f", os.O_WRONLY | os.O_APPEND)
        for _ in range(50):
            os.write(fd, b"same line\n")
        os.close(fd)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def truncates(d: Path) -> None:
    (d / "f").write_bytes(b"x" * 9000)
    os.truncate(d / "f", 100)
    os.truncate(d / "f", 5000)
    with (d / "f").open("r+b") as f:
        f.truncate(4000)
        f.seek(3999)
        f.write(b"yz")
    (d / "f").open("wb").close()
    (d / "g").write_bytes(b"z" * 10)
    os.close(os.open(d / "g", os.O_RDWR | os.O_CREAT | os.O_TRUNC))


def allocates(d: Path) -> None:
    fd = os.open(d / "f", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(fd, b"x" * 65536)
    fallocate(fd, 0, 60000, 20000)
    fallocate(fd, KEEP_SIZE, 100000, 20000)
    fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 4096, 8192)
    fallocate(fd, ZERO_RANGE, 16384, 4096)
    os.close(fd)


def seeks_holes(d: Path) -> None:
    fd = os.open(d / "f", os.O_RDWR | os.O_CREAT, 0o600)
    os.pwrite(fd, b"x", 1 << 20)
    assert os.lseek(fd, 0, os.SEEK_DATA) == 1 << 20
    assert os.lseek(fd, 0, os.SEEK_HOLE) == 0
    os.close(fd)


def direct_io(d: Path) -> None:
    fd = os.open(d / "f", os.O_RDWR | os.O_CREAT | os.O_DIRECT, 0o600)
    page = mmap.mmap(-1, 8192)
    page.write(b"d" * 8192)
    os.write(fd, page)
    os.pwrite(fd, page, 16384)
    os.lseek(fd, 0, 0)
    back = mmap.mmap(-1, 8192)
    assert os.readv(fd, [back]) == 8192
    assert back[:] == page[:]
    os.close(fd)


def synchronous(d: Path) -> None:
    for flags in (os.O_SYNC, os.O_DSYNC):
        fd = os.open(d / f"f{flags}", os.O_WRONLY | os.O_CREAT | flags, 0o600)
        os.write(fd, b"durable")
        os.close(fd)


def shared_mapping(d: Path) -> None:
    (d / "f").write_bytes(b"\0" * 20000)
    fd = os.open(d / "f", os.O_RDWR)
    with mmap.mmap(fd, 20000) as view:
        view[5000:5005] = b"hello"
        view.flush()
        view[15000:15005] = b"later"
    os.close(fd)


def mapping_that_outlives_its_file(d: Path) -> None:
    (d / "f").write_bytes(b"\0" * 20000)
    fd = os.open(d / "f", os.O_RDWR)
    view = mmap.mmap(fd, 20000)
    os.close(fd)
    view[100:103] = b"abc"
    view.close()


def copies(d: Path) -> None:
    (d / "f").write_bytes(b"copy me" * 5000)
    source, target = os.open(d / "f", os.O_RDONLY), os.open(d / "g", os.O_WRONLY | os.O_CREAT, 0o600)
    done = 0
    while done < 35000:
        done += os.copy_file_range(source, target, 35000 - done)
    os.close(source)
    os.close(target)


def makes_and_removes(d: Path) -> None:
    for name in "abc":
        (d / name).mkdir()
        (d / name / "file").write_text(name)
    os.unlink(d / "a/file")
    os.rmdir(d / "a")
    with pytest.raises(OSError, match="not empty"):
        os.rmdir(d / "b")


def renames(d: Path) -> None:
    (d / "dir").mkdir()
    (d / "dir/f").write_text("f")
    (d / "other").mkdir()
    held = os.open(d / "dir/f", os.O_WRONLY | os.O_APPEND)
    os.rename(d / "dir", d / "moved")
    os.write(held, b" written after its directory moved")
    os.rename(d / "moved/f", d / "other/g")
    os.write(held, b" and after it moved")
    (d / "h").write_text("replaced")
    os.rename(d / "other/g", d / "h")
    os.write(held, b" and after it replaced another")
    os.close(held)


def exchanges(d: Path) -> None:
    (d / "a").write_text("a")
    (d / "dir").mkdir()
    (d / "dir/in").write_text("in")
    held = os.open(d / "a", os.O_WRONLY | os.O_APPEND)
    renameat2(d / "a", d / "dir", 2)
    os.write(held, b"+")
    os.close(held)
    (d / "a/in2").write_text("in2")


def does_not_replace(d: Path) -> None:
    (d / "a").write_text("a")
    (d / "b").write_text("b")
    with pytest.raises(OSError, match="exists"):
        renameat2(d / "a", d / "b", 1)
    renameat2(d / "a", d / "c", 1)


def hard_links(d: Path) -> None:
    (d / "sub").mkdir()
    (d / "a").write_text("one")
    os.link(d / "a", d / "sub/b")
    with (d / "sub/b").open("a") as f:
        f.write(" written by the second name")
    os.unlink(d / "a")
    with (d / "sub/b").open("a") as f:
        f.write(" and after the first was removed")
    os.link(d / "sub/b", d / "c")
    os.rename(d / "c", d / "sub/b")  # two names of one file: nothing happens


def hard_link_removed_while_open(d: Path) -> None:
    (d / "a").write_text("one")
    os.link(d / "a", d / "b")
    fd = os.open(d / "a", os.O_WRONLY | os.O_APPEND)
    os.unlink(d / "a")
    os.write(fd, b" two")
    os.close(fd)


def unlinked_while_open(d: Path) -> None:
    fd = os.open(d / "gone", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(fd, b"before")
    os.unlink(d / "gone")
    os.write(fd, b" after")
    os.ftruncate(fd, 8)
    os.fchmod(fd, 0o400)
    os.utime(fd, (1, 1))
    assert os.fstat(fd).st_size == 8
    assert os.pread(fd, 20, 0) == b"before a"
    (d / "gone").write_text("another of that name")
    os.write(fd, b"!")
    os.close(fd)


def replaced_while_open(d: Path) -> None:
    (d / "f").write_text("old")
    fd = os.open(d / "f", os.O_RDWR)
    (d / "new").write_text("new")
    os.rename(d / "new", d / "f")
    os.write(fd, b"lost")
    os.close(fd)


def numbers_used_again(d: Path) -> None:
    for i in range(50):
        (d / "f").write_text(f"round {i}")
        assert (d / "f").read_text() == f"round {i}"
        os.unlink(d / "f")
        (d / "dir").mkdir()
        os.rmdir(d / "dir")
    (d / "f").write_text("last")


def symlinks(d: Path) -> None:
    os.symlink("target that is not there", d / "l")
    os.lchown(d / "l", 12, 34)
    os.utime(d / "l", ns=(10**18, 10**18 + 7), follow_symlinks=False)
    (d / "f").write_text("x")
    os.symlink("f", d / "to-f")
    (d / "to-f").write_text("through the link")
    os.symlink("/etc/hostname", d / "outside")
    os.unlink(d / "to-f")


def special_files(d: Path) -> None:
    os.mkfifo(d / "fifo", 0o620)
    os.mknod(d / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(d / "socket"))
    os.mknod(d / "plain", stat.S_IFREG | 0o644)


def modes_owners_times(d: Path) -> None:
    (d / "f").write_text("x")
    (d / "dir").mkdir()
    for path in (d / "f", d / "dir"):
        os.chmod(path, 0o751)
        os.chown(path, 1000, 2000)
        os.chown(path, -1, 3000)
        os.utime(path, ns=(1234567890123456789, 987654321098765432))
    os.utime(d / "f", ns=(-1500000000, -500000001))
    os.chmod(d / "f", 0o6755)
    os.chown(d / "f", 7, 7)
    os.chmod(d, 0o1777)


def set_user_id_is_cleared_by_writes_of_others(d: Path) -> None:
    (d / "f").write_text("x" * 100)
    os.chmod(d / "f", 0o6777)

    def write() -> None:
        with open(d / "f", "r+b") as f:
            f.write(b"y")

    os.chmod(d, 0o777)
    as_user(NOBODY, NOBODY, write)
    assert stat.S_IMODE(os.stat(d / "f").st_mode) == 0o777
    (d / "g").write_text("x" * 100)
    os.chmod(d / "g", 0o4777)
    as_user(NOBODY, NOBODY, lambda: os.truncate(d / "g", 3))
    assert stat.S_IMODE(os.stat(d / "g").st_mode) == 0o777


def capability_is_dropped_by_writes(d: Path) -> None:
    (d / "f").write_text("x" * 100)
    os.setxattr(d / "f", "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0))
    with open(d / "f", "r+b") as f:
        f.write(b"y")
    assert os.listxattr(d / "f") == []


def belongs_to_the_caller(d: Path) -> None:
    os.chmod(d, 0o777)
    (d / "shared").mkdir()
    os.chown(d / "shared", 0, 4242)
    os.chmod(d / "shared", 0o2777)

    def make() -> None:
        os.umask(0o027)
        (d / "f").write_text("mine")
        (d / "dir").mkdir()
        os.symlink("x", d / "l")
        os.mkfifo(d / "p")
        (d / "shared/f").write_text("the group's")
        (d / "shared/dir").mkdir()
        os.close(os.open(d / "s", os.O_CREAT | os.O_WRONLY, 0o4755))

    as_user(1234, 1235, make)
    seen = os.stat(d / "f")
    assert (seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode)) == (1234, 1235, 0o640)
    assert os.stat(d / "shared/f").st_gid == 4242


def permissions_hold(d: Path) -> None:
    (d / "secret").write_text("x")
    os.chmod(d / "secret", 0o600)

    def read() -> None:
        with pytest.raises(PermissionError):
            (d / "secret").read_text()
        with pytest.raises(PermissionError):
            (d / "new").write_text("x")
        with pytest.raises(PermissionError):
            os.chmod(d / "secret", 0o666)

    as_user(NOBODY, NOBODY, read)


ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", *e)
    for e in ((1, 6, 2**32 - 1), (2, 4, NOBODY), (4, 0, 2**32 - 1), (16, 6, 2**32 - 1), (32, 0, 2**32 - 1))
)


def access_lists(d: Path) -> None:
    (d / "f").write_text("listed")
    os.chmod(d / "f", 0o640)
    os.setxattr(d / "f", "system.posix_acl_access", ACL)
    as_user(NOBODY, NOBODY, (d / "f").read_text)
    os.chmod(d / "f", 0o600)  # narrows the mask

    def denied() -> None:
        with pytest.raises(PermissionError):
            (d / "f").read_text()

    as_user(NOBODY, NOBODY, denied)
    (d / "dir").mkdir()
    os.setxattr(d / "dir", "system.posix_acl_default", ACL)
    os.umask(0o077)
    (d / "dir/inherits").write_text("x")
    (d / "dir/sub").mkdir()
    os.umask(0o022)
    assert "system.posix_acl_access" in os.listxattr(d / "dir/inherits")
    os.removexattr(d / "f", "system.posix_acl_access")


def extended_attributes(d: Path) -> None:
    (d / "f").write_text("x")
    os.setxattr(d / "f", "user.a", b"1")
    os.setxattr(d / "f", "user.a", b"2" * 1000, os.XATTR_REPLACE)
    os.setxattr(d / "f", "user.empty", b"")
    os.setxattr(d, "user.root", b"root")
    os.symlink("f", d / "l")
    os.setxattr(d / "l", "trusted.t", b"t", follow_symlinks=False)
    with pytest.raises(FileExistsError):
        os.setxattr(d / "f", "user.a", b"3", os.XATTR_CREATE)
    os.setxattr(d / "f", "user.b", b"gone")
    os.removexattr(d / "f", "user.b")
    with pytest.raises(OSError):
        os.getxattr(d / "f", "user.b")


def locks(d: Path) -> None:
    (d / "f").write_text("x")
    first, second = os.open(d / "f", os.O_RDWR), os.open(d / "f", os.O_RDWR)
    fcntl.flock(first, fcntl.LOCK_EX)
    with pytest.raises(BlockingIOError):
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(first, fcntl.LOCK_UN)
    fcntl.lockf(first, fcntl.LOCK_EX)
    child = os.fork()
    if child == 0:
        try:
            fcntl.lockf(os.open(d / "f", os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)
            os._exit(1)
        except BlockingIOError:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    os.close(first)
    os.close(second)


def descend(d: Path, levels: int) -> int:
    """Make directories of 250 bytes below each other; a descriptor of the last."""
    here, name = os.open(d, os.O_RDONLY), "n" * 250
    for _ in range(levels):
        above = here
        try:
            os.mkdir(name, dir_fd=above)
            here = os.open(name, os.O_RDONLY, dir_fd=above)
        finally:
            os.close(above)
    return here


def long_names(d: Path) -> None:
    here = descend(d, 15)  # 15 * 251 + 200 < 4,096
    fd = os.open("f" * 200, os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=here)
    os.write(fd, b"deep")
    os.close(fd)
    os.close(here)


def names_of_any_bytes(d: Path) -> None:
    for name in (b"\xff\xfe", b"new\nline", "größe".encode(), b" ", b"\\"):
        with open(os.path.join(os.fsencode(d), name), "wb") as f:
            f.write(name)


def full_listing(d: Path) -> None:
    for i in range(1500):
        os.close(os.open(d / f"file-{i:05}", os.O_CREAT | os.O_WRONLY))
    assert len(os.listdir(d)) == 1500
    with os.scandir(d) as entries:
        for entry in entries:
            os.unlink(entry.path)
    (d / "kept").touch()


def syncs(d: Path) -> None:
    fd = os.open(d / "f", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(fd, b"x")
    os.fsync(fd)
    os.fdatasync(fd)
    os.close(fd)
    folder = os.open(d, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    assert os.statvfs(d).f_blocks > 0


def overlapping_writes_of_many_threads(d: Path) -> None:
    """Which write is the last where two overlap is for the log to say: afterwards replica and file must agree."""
    path = d / "shared"
    path.touch()

    def work(seed: int) -> None:
        chance = random.Random(seed)
        with path.open("r+b", buffering=0) as file:
            for _ in range(120):
                os.pwrite(file.fileno(), bytes([seed]) * chance.randrange(1, 9000), chance.randrange(20_000))
                if chance.random() < 0.05:
                    os.ftruncate(file.fileno(), chance.randrange(30_000))

    in_threads(work, 6)


def storm_of_renames(d: Path) -> None:
    """Renames, exchanges and removals by many threads, of directories and what is in them."""
    names = [d / name for name in "abcdef"]
    for place in names[:3]:
        place.mkdir()
        (place / "in").write_bytes(b"deep")

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(150):
            one, other = chance.sample(names, 2)
            with contextlib.suppress(OSError):
                renameat2(
                    one, chance.choice([other, other / "in"]), chance.choice([0, RENAME_NOREPLACE, RENAME_EXCHANGE])
                )
            with contextlib.suppress(OSError):
                (one / "new").write_bytes(bytes([seed]))

    in_threads(work, 5)


def in_threads(work: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


RACES = [overlapping_writes_of_many_threads, storm_of_renames]
"""Their end is not the same twice: the log must say what it was."""

CASES = [
    writes_anywhere, large_writes, appends, appends_set_later, appends_by_many_threads, truncates, allocates, seeks_holes, direct_io,
    synchronous, shared_mapping, mapping_that_outlives_its_file, copies, makes_and_removes, renames, exchanges, does_not_replace,
    hard_links, hard_link_removed_while_open, unlinked_while_open, replaced_while_open, numbers_used_again, symlinks, special_files,
    modes_owners_times, set_user_id_is_cleared_by_writes_of_others, capability_is_dropped_by_writes, belongs_to_the_caller,
    permissions_hold, access_lists, extended_attributes, locks, long_names, names_of_any_bytes, full_listing, syncs,
]  # fmt: skip


@pytest.fixture(autouse=True)
def usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def captured(needs):
    needs("fuse")
    with open_directory() as base, Captured(base) as captured:
        yield captured


@pytest.mark.covers("ENG-CAP-01")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_behaves_as_the_bare_directory_and_the_log_says_so(captured: Captured, case) -> None:
    bare = captured.base / "bare"
    bare.mkdir()
    case(bare)
    case(captured.path)
    assert not differences(tree(bare, times=False), tree(captured.path, times=False))
    assert_replay_is_true(captured)
    captured.mount.stop()


@pytest.mark.covers("ENG-CAP-01")
@pytest.mark.parametrize("race", RACES, ids=lambda race: race.__name__)
def test_whatever_many_threads_do_the_log_says(captured: Captured, race) -> None:
    race(captured.path)
    assert_replay_is_true(captured)


@pytest.mark.covers("ENG-CAP-01")
def test_times_of_directories_are_logged_once_they_have_come_to_rest(captured: Captured) -> None:
    (captured.path / "one").mkdir()
    for number in range(300):
        (captured.path / "one" / str(number)).touch()
    os.rename(captured.path / "one" / "7", captured.path / "seven")
    captured.settle()
    logged = {op.path: op.b for op in captured.operations() if op.kind is Kind.UTIMENS}
    for path in (b"", b"one"):
        assert logged[path] == os.stat(os.path.join(os.fsencode(captured.path), path)).st_mtime_ns
    assert sum(op.kind is Kind.UTIMENS and op.path == b"one" for op in captured.operations()) < 100
    captured.mount.stop()


@pytest.mark.covers("ENG-CAP-06")
def test_when_files_are_read_is_logged_by_wish_only(captured: Captured) -> None:
    (captured.lower() / "f").write_bytes(b"x" * 5000)
    os.utime(captured.lower() / "f", (1, 1))
    logged = []
    for wish in (0, Wish.ACCESS_TIMES):
        captured.mount.state.wishes = wish
        with (captured.path / "f").open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            file.read()
        captured.settle()
        os.utime(captured.lower() / "f", (1, 1))
        logged.append([op.flags for op in captured.operations() if op.path == b"f"])
    assert logged == [[], [UtimensFlag.MTIME_OMITTED]]


def test_nameless_temporary_files_are_refused_as_a_file_system_without_them_does(captured: Captured) -> None:
    """Programs fall back to a name; kernels that offer them ask libfuse, which does not know them yet."""
    with pytest.raises(OSError) as refusal:
        os.open(captured.path, os.O_TMPFILE | os.O_RDWR, 0o600)
    assert refusal.value.errno == errno.EOPNOTSUPP
    with tempfile.TemporaryFile(dir=captured.path) as file:
        file.write(b"falls back")


def test_paths_over_4095_bytes_are_refused_not_lost(captured: Captured) -> None:
    with pytest.raises(OSError) as refusal:
        descend(captured.path, 20)
    assert refusal.value.errno == errno.ENAMETOOLONG
    assert not captured.mount.state.out_of_step
