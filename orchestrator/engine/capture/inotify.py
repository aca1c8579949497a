"""The kernel's inotify, by ctypes: a descriptor, watches, and events as values. Source: inotify(7).

Nothing well kept does this while showing the queue's overflow, on which the watcher's promise rests.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

IN_MODIFY = 0x2
IN_ATTRIB = 0x4
IN_CLOSE_WRITE = 0x8
IN_MOVED_FROM = 0x40
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_Q_OVERFLOW = 0x4000
IN_IGNORED = 0x8000
IN_ONLYDIR = 0x1000000
IN_DONT_FOLLOW = 0x2000000
IN_EXCL_UNLINK = 0x4000000
IN_ISDIR = 0x40000000

_HEADER = struct.Struct("=iIII")
_BUFFER_BYTES = 256 * 1024
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class InotifyEvent:
    """One event: the watch it came from, what happened (IN_ bits), and the name inside the watched directory."""

    watch: int
    mask: int
    name: bytes


class Inotify:
    """One inotify descriptor, non-blocking."""

    def __init__(self) -> None:
        self._fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            _raise_errno(b"inotify")

    def fileno(self) -> int:
        """The descriptor, for poll."""
        return int(self._fd)

    def watch(self, path: bytes, mask: int) -> int:
        """Watch a directory; gives the watch's number. Raises OSError (ENOSPC: no watches left, ENOENT, ENOTDIR)."""
        number = _libc.inotify_add_watch(self._fd, ctypes.c_char_p(path), ctypes.c_uint32(mask))
        if number < 0:
            _raise_errno(path)
        return int(number)

    def forget(self, watch: int) -> None:
        """Remove a watch; one that is gone already is fine."""
        _libc.inotify_rm_watch(self._fd, watch)

    def read(self) -> Iterator[InotifyEvent]:
        """What has happened, oldest first; nothing when nothing has."""
        try:
            buffer = os.read(self._fd, _BUFFER_BYTES)
        except BlockingIOError:
            return
        offset = 0
        while offset < len(buffer):
            watch, mask, _cookie, length = _HEADER.unpack_from(buffer, offset)
            offset += _HEADER.size
            yield InotifyEvent(watch, mask, buffer[offset : offset + length].rstrip(b"\0"))
            offset += length

    def close(self) -> None:
        """Give the descriptor and all watches back."""
        os.close(self._fd)


def _raise_errno(path: bytes) -> None:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), path)
