"""The three ways to keep a replica as it is, and which of them a file system gives.

``btrfs``: the root is a subvolume, a snapshot of it costs nothing. ``reflink``: each file is cloned (FICLONE on xfs, btrfs), its
blocks are shared until one of both changes. ``copy``: everything is copied; space is looked at first. Names of a snapshot are never
hard links to files of the replica: apply writes into files in place, so the snapshot would change with them.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from orchestrator.engine.snapshot import btrfs, trees
from orchestrator.engine.snapshot.errors import SnapshotFailed
from orchestrator.engine.snapshot.record import Kind
from orchestrator.engine.snapshot.trees import Check

SPARE_BYTES = 64 << 20
SPARE_PART = 0.02
_libc = ctypes.CDLL(None, use_errno=True)


class Snapshots(Protocol):
    """One way. Each deed is durable when it returns; ``to`` does not exist before, and may be there in part after a failure."""

    kind: Kind
    why: str
    """Why no better way is taken; empty for the best."""

    def take(self, root: Path, to: Path, check: Check) -> int | None:
        """Keep the tree at ``root`` in ``to``; the bytes that were gone through, None when they need not be looked at."""

    def thaw(self, kept: Path, to: Path, check: Check) -> None:
        """Make ``to`` a tree of its own with the content of a snapshot, fit to be a replica's root."""


class Btrfs:
    """Snapshots of a subvolume."""

    kind = Kind.BTRFS
    why = ""

    def take(self, root: Path, to: Path, check: Check) -> None:
        """One call, read-only."""
        check()
        btrfs.snapshot(root, to, read_only=True)

    def thaw(self, kept: Path, to: Path, check: Check) -> None:
        """One call, writable."""
        check()
        btrfs.snapshot(kept, to, read_only=False)


class Trees:
    """Clones or copies, file by file."""

    def __init__(self, kind: Kind, why: str) -> None:
        self.kind = kind
        self.why = why

    def take(self, root: Path, to: Path, check: Check) -> int:
        """Copy all."""
        return self._copied(root, to, check)

    def thaw(self, kept: Path, to: Path, check: Check) -> None:
        """Copy all the other way."""
        self._copied(kept, to, check)

    def _copied(self, source: Path, to: Path, check: Check) -> int:
        if self.kind is Kind.COPY:
            refuse_without_space(source, to.parent, check)
        if btrfs.is_btrfs(to.parent) and not to.exists():
            btrfs.create(to)
        copying = trees.Copying(source, to, clone=self.kind is Kind.REFLINK, check=check)
        copying.run()
        sync(to)
        return copying.size_bytes


def way_for(root: Path, store: Path) -> Snapshots:
    """The best way for a root whose snapshots lie in ``store`` (which exists). Raises OSError."""
    on_btrfs = (
        btrfs.is_btrfs(root) and btrfs.is_btrfs(store) and btrfs.filesystem_id(root) == btrfs.filesystem_id(store)
    )
    if on_btrfs and btrfs.is_subvolume(root) and not mounted_below(root):
        return Btrfs()
    same = on_btrfs or root.stat().st_dev == store.stat().st_dev
    if not same:
        return Trees(Kind.COPY, f"{root} is a mount point, {store} lies on another file system")
    if _clones(store):
        return Trees(Kind.REFLINK, f"{root} is no subvolume of its own" if on_btrfs else "")
    return Trees(Kind.COPY, "the file system shares no blocks between files")


def refuse_without_space(source: Path, place: Path, check: Check) -> None:
    """Raises SnapshotFailed when a copy would fill the disk."""
    wanted = trees.allocated_bytes(source, check)
    spare = SPARE_BYTES + int(wanted * SPARE_PART)
    free = os.statvfs(place)
    if free.f_bavail * free.f_frsize < wanted + spare:
        why = f"a copy needs {wanted + spare} bytes, {place} has {free.f_bavail * free.f_frsize} free"
        raise SnapshotFailed(deed="cannot copy", root=source, why=why)


def discard(path: Path) -> None:
    """Remove a snapshot's content, or what is left of it; its absence is fine."""
    if btrfs.is_subvolume(path) and btrfs.destroy(path):
        return
    trees.remove(path)


def make_root(path: Path) -> None:
    """Make a replica's root where there is none: a subvolume where the file system is btrfs, so that snapshots cost nothing.

    An empty directory becomes one, too, and keeps its owner and mode. What holds something stays as it is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        if btrfs.is_btrfs(path.parent) and not path.is_symlink():
            _make_subvolume(path)
    path.mkdir(exist_ok=True)


def _make_subvolume(path: Path) -> None:
    if not path.exists():
        btrfs.create(path)
        return
    with os.scandir(path) as inside:
        if btrfs.is_subvolume(path) or is_mounted(path) or any(inside):
            return
    now, fresh = path.stat(), path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    btrfs.create(fresh)
    try:
        os.chown(fresh, now.st_uid, now.st_gid)
        fresh.chmod(now.st_mode & 0o7777)
        fresh.replace(path)
    except OSError:
        fresh.rmdir()
        raise


def sync(path: Path) -> None:
    """Put everything on the disk that a path lies on. Raises OSError when the disk refuses."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
    finally:
        os.close(fd)


def _clones(store: Path) -> bool:
    """Whether files in a directory can share blocks: tried."""
    first, second = (store / f".try-{secrets.token_hex(4)}" for _ in range(2))
    try:
        with first.open("x+b") as one, second.open("x+b") as other:
            one.write(bytes(4096))
            one.flush()
            fcntl.ioctl(other.fileno(), trees.FICLONE, one.fileno())
    except OSError:
        return False
    else:
        return True
    finally:
        first.unlink(missing_ok=True)
        second.unlink(missing_ok=True)


def is_mounted(path: Path) -> bool:
    """Whether something is mounted at a path; also a part of the same file system (a bind mount)."""
    return os.fsencode(path) in _mount_points()


def mounted_below(root: Path) -> bool:
    """Whether other file systems are mounted within: a snapshot of the subvolume would not hold them."""
    inside = os.fsencode(root).rstrip(b"/") + b"/"
    return any(at.startswith(inside) for at in _mount_points())


def _mount_points() -> Iterator[bytes]:
    with Path("/proc/self/mountinfo").open("rb") as lines:
        for line in lines:
            yield _unescaped(line.split()[4])


def _unescaped(path: bytes) -> bytes:
    for code, byte in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
        path = path.replace(code, byte)
    return path
