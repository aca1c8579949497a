"""A replica's root is replaced by another tree, in a way that a kill at any instant leaves to be finished.

Where both lie on one file system the two change places in one call (renameat2), so that at each instant the root is the one or the
other. A mount point cannot be moved: it is emptied and filled again, and until that is done the journal says so.
"""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

import msgspec

from orchestrator.engine.mirror.durable import write_durably
from orchestrator.engine.snapshot import btrfs, trees, ways
from orchestrator.engine.snapshot.trees import Check

_AT_FDCWD = -100
_EXCHANGE = 2
_IN_PLACE = frozenset({errno.EXDEV, errno.EBUSY, errno.EINVAL, errno.ENOSYS})
_libc = ctypes.CDLL(None, use_errno=True)


class SetBack(msgspec.Struct, frozen=True, kw_only=True):
    """The journal of a replacement under way. ``fresh``: what tells the new tree from the old one; empty until it is whole.

    ``used_up``: the new tree is the snapshot's own content, for which the record goes when it is over.
    """

    id: str
    replica: str
    good: bool = False
    fresh: str = ""
    in_place: bool = False
    used_up: bool = False


def load(path: Path) -> SetBack | None:
    """The journal, None when nothing is under way. Raises OSError or msgspec.MsgspecError when it cannot be read."""
    return msgspec.json.decode(path.read_bytes(), type=SetBack) if path.exists() else None


def save(path: Path, journal: SetBack) -> None:
    """Write the journal durably."""
    write_durably(path, msgspec.json.encode(journal))


def forget(path: Path) -> None:
    """The replacement is over, durably."""
    path.unlink(missing_ok=True)
    sync_names(path.parent)


def swap(one: Path, other: Path) -> bool:
    """Let two names change places; durable. False when they cannot: a mount point, or two file systems."""
    names = os.fsencode(one), os.fsencode(other)
    if _libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _EXCHANGE) != 0:
        code = ctypes.get_errno()
        if code in _IN_PLACE:
            return False
        raise OSError(code, os.strerror(code), str(one))
    sync_names(one.parent)
    sync_names(other.parent)
    return True


def refill(root: Path, kept: Path, check: Check) -> None:
    """Empty the root and copy the snapshot into it."""
    trees.clear(root)
    trees.Copying(kept, root, clone=True, check=check).run()
    ways.sync(root)


def mark_of(path: Path) -> str:
    """What tells one directory from all others, also after a restart of the machine."""
    if btrfs.is_subvolume(path):
        return f"subvolume {btrfs.subvolume_id(path)}"
    return f"inode {path.stat().st_ino}"


def sync_names(directory: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
