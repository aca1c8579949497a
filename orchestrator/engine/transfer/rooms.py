"""Room for large payloads, used again as soon as nobody looks at the last one any more.

A new ``bytearray`` is zeroed first, while all other threads wait for the interpreter: that was a sixth of what a target did during a
mirror. Invariant: room is given out only while no view of it exists, which a ``bytearray`` itself knows: it refuses to grow.
"""

from __future__ import annotations

SMALL_BYTES = 1 << 16
ROOM_BYTES = (1 << 20) + (1 << 16)
"""Enough for a run of operations or a piece of a file, with what stands before it."""
MOST = 20


class Rooms:
    """The rooms of one connection; one thread takes them."""

    def __init__(self) -> None:
        self._rooms: list[bytearray] = []

    def take(self, length: int) -> memoryview:
        """Room for so many bytes; what is in it is anything."""
        if length <= SMALL_BYTES or length > ROOM_BYTES:
            return memoryview(bytearray(length))
        for room in self._rooms:
            if _is_free(room):
                return memoryview(room)[:length]
        if len(self._rooms) == MOST:  # what waits in a queue is no larger than it is
            return memoryview(bytearray(length))
        self._rooms.append(bytearray(ROOM_BYTES))
        return memoryview(self._rooms[-1])[:length]


def _is_free(room: bytearray) -> bool:
    try:
        room.append(0)
    except BufferError:
        return False
    room.pop()
    return True
