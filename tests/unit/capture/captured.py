"""A directory under capture for a test, and the two things every test asks of it: its log, and whether replaying that is the truth.

The replay here is written from the description of the format and of the operations alone; it shares nothing with the product's
applier, so that each checks the other.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from orchestrator.engine.capture.mount import CaptureLimits, Mount
from orchestrator.engine.capture.mounts import detach, is_captured
from orchestrator.engine.oplog.format import Kind, Operation, UtimensFlag
from orchestrator.engine.oplog.reader import LogReader

SHARED_MEMORY = Path("/dev/shm")
UNCHANGED = 2**64 - 1


@contextlib.contextmanager
def open_directory() -> Iterator[Path]:
    """A temporary directory that other users may enter; pytest's own are closed to them."""
    folder = Path(tempfile.mkdtemp(prefix="dtam-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Captured:
    """A protected directory with its mount, its log and a place to replay to. Use as a context manager."""

    def __init__(self, base: Path, limits: CaptureLimits | None = None) -> None:
        self.base = base
        self.path = base / "data"
        self.replica = base / "replica"
        self.log_dir = base / "log"
        self.disk_dir = base / "disk"
        self.mem_dir = SHARED_MEMORY / f"dtam-test-{uuid.uuid4().hex}"
        self.path.mkdir(exist_ok=True)
        self.replica.mkdir(exist_ok=True)
        self.limits = limits
        self.mount = self.start()

    def start(self) -> Mount:
        """Start (again)."""
        self.mount = Mount.start(self.path, self.log_dir, self.mem_dir, self.disk_dir, self.limits)
        return self.mount

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Take everything away, whatever state it is in."""
        with contextlib.suppress(OSError, ValueError):
            if self.mount.alive:
                self.mount.abandon()
        with contextlib.suppress(OSError):
            while is_captured(self.path):
                detach(self.path)
        shutil.rmtree(self.mem_dir, ignore_errors=True)

    def operations(self) -> list[Operation]:
        """All operations in the log now, in order, each checked; data copied out."""
        return list(self.reading())

    def reading(self) -> Iterator[Operation]:
        """The operations of the log, one by one."""
        state = self.mount.state
        reader = LogReader(self.mem_dir, self.disk_dir, state)
        while reader.position < state.committed_sequence:
            yield from reader.operations(1000)

    def settle(self) -> int:
        """Wait until every file is released and logged; the sequence of a mark behind it."""
        self.wait_released()
        return self.mount.mark("settled")

    def wait_released(self) -> None:
        """Wait until no file is open; the kernel releases files after their close has returned."""
        deadline = time.monotonic() + 10
        while self.mount.status().open_files and time.monotonic() < deadline:
            time.sleep(0.005)

    def lower(self) -> Path:
        """The lower directory."""
        return self.mount.lower_path


def replay(operations: Iterator[Operation] | list[Operation], root: Path) -> None:
    """Apply operations in order to the tree below ``root``."""
    before = os.umask(0)
    try:
        for operation in operations:
            apply_one(operation, os.fsencode(root))
    finally:
        os.umask(before)


def apply_one(op: Operation, root: bytes) -> None:
    """Apply one operation as its kind says."""
    path = os.path.join(root, op.path) if op.path else root
    DEEDS[op.kind](op, path, root)


def _write(op, path, root):
    fd = os.open(path, os.O_WRONLY)
    try:
        assert os.pwrite(fd, op.data, op.a) == len(op.data)
    finally:
        os.close(fd)


def _create(op, path, root):
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IMODE(op.a)))
    _own(path, op.b, op.a)


def _mkdir(op, path, root):
    os.mkdir(path, stat.S_IMODE(op.a))
    _own(path, op.b, op.a)


def _own(path, owner, mode):
    os.lchown(path, owner >> 32, owner & 0xFFFFFFFF)
    os.chmod(path, stat.S_IMODE(mode))


def _symlink(op, path, root):
    os.symlink(op.path2, path)
    os.lchown(path, op.b >> 32, op.b & 0xFFFFFFFF)


def _mknod(op, path, root):
    os.mknod(path, op.a, int.from_bytes(op.data, "little"))
    _own(path, op.b, op.a)


def _rename(op, path, root):
    other = os.path.join(root, op.path2)
    if op.a == 2:  # RENAME_EXCHANGE
        aside = path + b".aside"
        os.rename(path, aside)
        os.rename(other, path)
        os.rename(aside, other)
    else:
        os.rename(path, other)


def _chown(op, path, root):
    os.lchown(path, -1 if op.a == UNCHANGED else op.a, -1 if op.b == UNCHANGED else op.b)


def _utimens(op, path, root):
    now = os.lstat(path)
    atime = now.st_atime_ns if op.flags & UtimensFlag.ATIME_OMITTED else op.a
    mtime = now.st_mtime_ns if op.flags & UtimensFlag.MTIME_OMITTED else _signed(op.b)
    os.utime(path, ns=(_signed(atime), mtime), follow_symlinks=False)


def _signed(value):
    return value - 2**64 if value >= 2**63 else value


def _fallocate(op, path, root):
    import ctypes

    fd = os.open(path, os.O_WRONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        done = libc.fallocate(fd, op.flags, ctypes.c_int64(op.a), ctypes.c_int64(op.b))
        assert done == 0, os.strerror(ctypes.get_errno())
    finally:
        os.close(fd)


DEEDS = {
    Kind.WRITE: _write,
    Kind.TRUNCATE: lambda op, path, root: os.truncate(path, op.a),
    Kind.CREATE: _create,
    Kind.MKDIR: _mkdir,
    Kind.SYMLINK: _symlink,
    Kind.MKNOD: _mknod,
    Kind.LINK: lambda op, path, root: os.link(path, os.path.join(root, op.path2), follow_symlinks=False),
    Kind.RENAME: _rename,
    Kind.UNLINK: lambda op, path, root: os.unlink(path),
    Kind.RMDIR: lambda op, path, root: os.rmdir(path),
    Kind.CHMOD: lambda op, path, root: os.chmod(path, op.a),
    Kind.CHOWN: _chown,
    Kind.UTIMENS: _utimens,
    Kind.SETXATTR: lambda op, path, root: os.setxattr(path, op.path2, bytes(op.data), follow_symlinks=False),
    Kind.REMOVEXATTR: lambda op, path, root: os.removexattr(path, op.path2, follow_symlinks=False),
    Kind.FALLOCATE: _fallocate,
    Kind.MARK: lambda op, path, root: None,
}


def tree(root: Path, *, times: bool = True) -> dict[str, tuple]:
    """What a tree is: per path its type and mode, owner, size or content, target, device, extended attributes, and time.

    Hard links are told by the first path of their group. A directory's own time is left out: it moves with its entries.
    """
    facts: dict[str, tuple] = {}
    first: dict[tuple[int, int], str] = {}
    for folder, folders, files in os.walk(os.fsencode(root)):
        folders.sort()
        for name in [b"."] + sorted(files) + [item for item in folders if os.path.islink(os.path.join(folder, item))]:
            path = os.path.join(folder, name)  # "/." also follows the lower root, which is a link in /proc
            facts[os.fsdecode(os.path.relpath(path, os.fsencode(root)))] = _facts(path, os.fsencode(root), first, times)
    return facts


def _facts(path: bytes, root: bytes, first: dict, times: bool) -> tuple:
    seen = os.lstat(path)
    relative = os.path.relpath(path, root)
    group = first.setdefault((seen.st_dev, seen.st_ino), os.fsdecode(relative))
    xattrs = tuple(
        sorted(
            (name, os.getxattr(path, name, follow_symlinks=False)) for name in os.listxattr(path, follow_symlinks=False)
        )
    )
    content: object = None
    if stat.S_ISREG(seen.st_mode):
        content = Path(os.fsdecode(path)).read_bytes()
    elif stat.S_ISLNK(seen.st_mode):
        content = os.readlink(path)
    elif not stat.S_ISDIR(seen.st_mode):
        content = seen.st_rdev
    mtime = None if stat.S_ISDIR(seen.st_mode) or not times else seen.st_mtime_ns
    links = None if stat.S_ISDIR(seen.st_mode) else seen.st_nlink
    return (oct(seen.st_mode), seen.st_uid, seen.st_gid, links, group, xattrs, content, mtime)


def differences(left: dict[str, tuple], right: dict[str, tuple]) -> dict[str, tuple]:
    """Per path what differs, for a short message."""
    paths = left.keys() | right.keys()
    return {path: (left.get(path), right.get(path)) for path in sorted(paths) if left.get(path) != right.get(path)}


def assert_replay_is_true(captured: Captured, times: bool = True) -> None:
    """Replaying the whole log onto an empty tree gives the lower tree, byte by byte and attribute by attribute."""
    captured.settle()
    replay(captured.reading(), captured.replica)
    wrong = differences(tree(captured.lower(), times=times), tree(captured.replica, times=times))
    assert not wrong, {path: tuple(str(side)[:300] for side in sides) for path, sides in list(wrong.items())[:5]}
