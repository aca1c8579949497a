"""Room for large payloads, used again as soon as nobody looks at the last one any more.

A new ``bytearray`` is zeroed first, while all other threads wait for the interpreter: that was a sixth of what a target did during a
mirror. Invariant: room is given out only while no view of it exists, which a mapping itself knows: it refuses to be resized.

A payload ends where a page ends, so that whole pages that stand last in it can be written past the page cache from where they lie.
"""

from __future__ import annotations

import mmap

SMALL_BYTES = 1 << 16
ROOM_BYTES = (1 << 20) + (1 << 16)
"""Enough for a run of operations or a piece of a file, with what stands before it."""
MOST = 20


class Rooms:
    """The rooms of one connection; one thread takes them."""

    def __init__(self) -> None:
        self._rooms: list[mmap.mmap] = []

    def take(self, length: int) -> memoryview:
        """Room for so many bytes; what is in it is anything."""
        if length <= SMALL_BYTES or length > ROOM_BYTES:
            return memoryview(bytearray(length))
        for room in self._rooms:
            if _is_free(room):
                return _last(room, length)
        if len(self._rooms) == MOST:  # what waits in a queue is no larger than it is
            return memoryview(bytearray(length))
        self._rooms.append(mmap.mmap(-1, ROOM_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        return _last(self._rooms[-1], length)


def _last(room: mmap.mmap, length: int) -> memoryview:
    end = len(room) - (len(room) - length) // mmap.PAGESIZE * mmap.PAGESIZE
    return memoryview(room)[end - length : end]


def _is_free(room: mmap.mmap) -> bool:
    try:
        room.resize(len(room))
    except BufferError:
        return False
    return True
