"""Subvolumes of btrfs, by its own system calls: made, snapshotted, destroyed. Nothing of btrfs-progs is needed.

Source: linux/btrfs.h and linux/btrfs_tree.h (UAPI). The root of a subvolume always has inode 256.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from pathlib import Path

_MAGIC = 0x9123683E
_FIRST_INODE = 256
_SUBVOL_CREATE = 0x5000940E
_SNAP_CREATE_V2 = 0x50009417
_SNAP_DESTROY = 0x5000940F
_SUBVOL_SETFLAGS = 0x4008941A
_FS_INFO = 0x8400941F
_INO_LOOKUP = 0xD0009412
_READ_ONLY = 1 << 1
_ARGS = struct.Struct("<q4088s")
_ARGS_V2 = struct.Struct("<qQQ32x4040s")
_INFO_BYTES, _FSID = 1024, slice(16, 32)
_LOOKUP = struct.Struct("<QQ4080x")
_STATFS_BYTES = 120
_libc = ctypes.CDLL(None, use_errno=True)


def is_btrfs(path: Path) -> bool:
    """Whether a path lies on btrfs. Raises OSError when it is absent."""
    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    if _libc.statfs(os.fsencode(path), buffer) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(path))
    return int.from_bytes(buffer.raw[:8], "little", signed=True) & 0xFFFFFFFF == _MAGIC


def is_subvolume(path: Path) -> bool:
    """Whether a path is the root of a subvolume."""
    return not path.is_symlink() and path.is_dir() and path.stat().st_ino == _FIRST_INODE and is_btrfs(path)


def filesystem_id(path: Path) -> bytes:
    """What tells one btrfs from another; every subvolume has a device number of its own."""
    with _Opened(path) as fd:
        answer = bytearray(_INFO_BYTES)
        fcntl.ioctl(fd, _FS_INFO, answer)
        return bytes(answer[_FSID])


def subvolume_id(path: Path) -> int:
    """The number of the subvolume that a directory lies in; it is never given again on this file system."""
    with _Opened(path) as fd:
        answer = bytearray(_LOOKUP.pack(0, _FIRST_INODE))
        fcntl.ioctl(fd, _INO_LOOKUP, answer)
        return int(_LOOKUP.unpack(answer)[0])


def create(path: Path) -> None:
    """Make an empty subvolume."""
    with _Opened(path.parent) as above:
        fcntl.ioctl(above, _SUBVOL_CREATE, bytearray(_ARGS.pack(0, os.fsencode(path.name))))


def snapshot(subvolume: Path, to: Path, *, read_only: bool) -> None:
    """Make ``to`` a snapshot of a subvolume; it is on the disk when this returns (a transaction is committed)."""
    flags = _READ_ONLY if read_only else 0
    with _Opened(subvolume) as fd, _Opened(to.parent) as above:
        fcntl.ioctl(above, _SNAP_CREATE_V2, bytearray(_ARGS_V2.pack(fd, 0, flags, os.fsencode(to.name))))


def destroy(path: Path) -> bool:
    """Remove a subvolume with all in it; False where an ordinary user may not, who must empty it by hand (it is writable then)."""
    try:
        with _Opened(path.parent) as above:
            fcntl.ioctl(above, _SNAP_DESTROY, bytearray(_ARGS.pack(0, os.fsencode(path.name))))
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.EACCES}:
            raise
    else:
        return True
    with _Opened(path) as fd:
        fcntl.ioctl(fd, _SUBVOL_SETFLAGS, struct.pack("<Q", 0))
    return False


class _Opened:
    """A directory, open for the length of a ``with``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def __enter__(self) -> int:
        self._fd = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return self._fd

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
