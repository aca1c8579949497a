"""Read the source's files: small ones whole, big ones in pieces into buffers that are used again."""

from __future__ import annotations

import errno
import os
import stat as st
from collections.abc import Iterator

from xxhash import xxh3_128_digest

from orchestrator.engine.mirror.options import BLOCK_BYTES, SMALL_FILE_BYTES

_QUIET = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class NotARegularFile(OSError):
    """Something else took the file's place."""


def open_file(dir_fd: int, name: bytes) -> int:
    """Open a regular file to be read, without leaving a trace in its access time where that is allowed.

    Raises:
        OSError: it is gone, or may not be read.
    """
    try:
        return os.open(name, _QUIET | os.O_NOATIME, dir_fd=dir_fd)
    except PermissionError:
        return os.open(name, _QUIET, dir_fd=dir_fd)


def is_small(info: os.stat_result) -> bool:
    """Whether a file travels whole in a message with others: not big, and without holes."""
    return info.st_size <= SMALL_FILE_BYTES and (info.st_blocks * 512 >= info.st_size or info.st_size <= 4096)


def regular(fd: int) -> os.stat_result:
    """What an open file is.

    Raises:
        NotARegularFile: it is something else.
    """
    info = os.fstat(fd)
    if not st.S_ISREG(info.st_mode):
        raise NotARegularFile(errno.EINVAL, "not a regular file any more")
    return info


class Buffers:
    """Room for what one batch of messages reads; given out again for the next batch."""

    def __init__(self) -> None:
        self._all: list[bytearray] = []
        self._given = 0

    def recycle(self) -> None:
        """The messages of the last batch have been encoded: their room is free."""
        self._given = 0

    def take(self, length: int) -> memoryview:
        """Room for so many bytes."""
        for index in range(self._given, len(self._all)):
            if len(self._all[index]) >= length:
                self._all[self._given], self._all[index] = self._all[index], self._all[self._given]
                break
        else:
            self._all.insert(self._given, bytearray(length))
        self._given += 1
        return memoryview(self._all[self._given - 1])[:length]


def read_into(fd: int, room: memoryview, offset: int) -> int:
    """Fill the room from ``offset`` on, as far as the file goes; how many bytes were read."""
    have = 0
    while have < len(room):
        got = os.preadv(fd, [room[have:]], offset + have)
        if got == 0:
            break
        have += got
    return have


def room(fd: int, offset: int, length: int, buffer: bytearray) -> memoryview:
    """A range of a file, as far as the file and the buffer go; the buffer is used again by the next call."""
    view = memoryview(buffer)[:length]
    return view[: read_into(fd, view, offset)]


def block_sums(data: memoryview) -> bytes:
    """xxh3_128 of each block, one after the other."""
    return b"".join(xxh3_128_digest(data[at : at + BLOCK_BYTES]) for at in range(0, len(data), BLOCK_BYTES))


def data_extents(fd: int, offset: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts of a range that hold data; where the file system knows no holes, the whole range."""
    at = offset
    while at < end:
        try:
            begin = os.lseek(fd, at, os.SEEK_DATA)
            stop = os.lseek(fd, begin, os.SEEK_HOLE)
        except OSError as error:
            if error.errno != errno.ENXIO:
                yield at, end
            return
        if begin >= end:
            return
        yield max(begin, at), min(stop, end)
        at = stop


def differing(mine: bytes, theirs: bytes, length: int) -> Iterator[tuple[int, int]]:
    """Ranges of blocks, relative to a region of ``length`` bytes, whose checksums differ; neighbours as one, up to 1 MiB."""
    begin = end = -1
    for index in range(len(mine) // 16):
        if mine[index * 16 : index * 16 + 16] == theirs[index * 16 : index * 16 + 16]:
            continue
        at = index * BLOCK_BYTES
        if at != end or end - begin >= 16 * BLOCK_BYTES:
            if end > begin:
                yield begin, min(end, length)
            begin = at
        end = at + BLOCK_BYTES
    if end > begin:
        yield begin, min(end, length)
