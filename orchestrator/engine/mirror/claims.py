"""Whose an inode of the target is, for files that have several names on the source.

An inode number alone does not say which file it is: operations that travel beside the mirror remove files and make others, and a file
system gives the number of one to the next. So an inode is known by its file handle, which has its generation in it, wherever the file
system tells one (name_to_handle_at(2)).
"""

from __future__ import annotations

import ctypes
import os

_LIBC = ctypes.CDLL(None, use_errno=True)
_LONGEST_HANDLE = 128
_AT_EMPTY_PATH = 0x1000


class _Handle(ctypes.Structure):
    _fields_ = (("size", ctypes.c_uint), ("kind", ctypes.c_int), ("bytes", ctypes.c_ubyte * _LONGEST_HANDLE))


def inode_of(fd: int, name: bytes = b"") -> bytes:
    """What tells a file from all others of its file system, also from earlier ones with the same inode number, if that can be had.

    Args:
        fd: of the file, or of the directory that has it.
        name: in that directory; not followed.

    Raises:
        OSError: there is no such name.
    """
    handle, mount = _Handle(size=_LONGEST_HANDLE), ctypes.c_int()
    flags = 0 if name else _AT_EMPTY_PATH
    if _LIBC.name_to_handle_at(fd, name, ctypes.byref(handle), ctypes.byref(mount), flags) == 0:
        return bytes(handle.bytes[: handle.size])
    info = os.stat(name, dir_fd=fd, follow_symlinks=False) if name else os.fstat(fd)
    return b"%d" % info.st_ino


class Claims:
    """Which group of names an inode was given to in this mirror; only files with several names are remembered."""

    def __init__(self) -> None:
        self._groups: dict[bytes, int] = {}

    def belongs(self, now: os.stat_result, group: int, fd: int, name: bytes = b"") -> bool:
        """Whether writing into this file changes no other that must stay: it has one name, or those of its own group.

        One that nobody claimed is taken for the group's: a name of it that must stay was not sent yet, or will be sent again.
        """
        if now.st_nlink == 1:
            return True
        return bool(group) and self._groups.get(inode_of(fd, name), group) == group

    def claimed(self, group: int, fd: int, name: bytes) -> bool:
        """Whether this file was given to the group in this mirror: then, and only then, another name may become a link to it."""
        return bool(group) and self._groups.get(inode_of(fd, name)) == group

    def claim(self, group: int, fd: int, name: bytes = b"") -> None:
        """This file is one of a group now (0: of none, whosever it was)."""
        if group:
            self._groups[inode_of(fd, name)] = group
        elif self._groups:
            self._groups.pop(inode_of(fd, name), None)

    def clear(self) -> None:
        """A new mirror begins."""
        self._groups.clear()
