"""Pieces of big files past the page cache.

What is mirrored has to be on the disk in the end: taking it there from where it arrived saves filling the page cache first (half of what a
target did), fills no memory with what nobody reads, and lets the disk work while the rest still arrives. Only large pieces of large files go
this way, and only where the file system wants it; every other write stays as it was. The kernel keeps both ways of writing one file coherent.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os

FROM_BYTES = 64 << 20
"""Files from this size on."""
PIECE_BYTES = 1 << 20
"""Smaller pieces would wait for the disk too often."""
_NOT_HERE = frozenset({errno.EINVAL, errno.EOPNOTSUPP})


class Direct:
    """A second way into an open file; ``fd`` stays its owner's."""

    __slots__ = ("_direct", "_fd", "_refused")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._direct = -1
        self._refused = False

    def write(self, data: memoryview, offset: int) -> int:
        """Write the piece; how many of its bytes were written, 0 if it has to go the common way.

        Raises:
            OSError: the file system has no room, or the disk is broken.
        """
        if self._refused or len(data) < PIECE_BYTES or not _aligned(data, offset) or not self._is_open():
            return 0
        try:
            return os.pwrite(self._direct, data, offset)
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
            self._refused = True
            return 0

    def _is_open(self) -> bool:
        if self._direct < 0:
            try:
                self._direct = os.open(f"/proc/self/fd/{self._fd}", os.O_WRONLY | os.O_DIRECT | os.O_CLOEXEC)
            except OSError:
                self._refused = True
        return not self._refused

    def close(self) -> None:
        """Give the second descriptor back."""
        if self._direct >= 0:
            os.close(self._direct)
            self._direct = -1


def _aligned(data: memoryview, offset: int) -> bool:
    if data.readonly or (len(data) | offset) % mmap.PAGESIZE:
        return False
    return ctypes.addressof(ctypes.c_char.from_buffer(data)) % mmap.PAGESIZE == 0
