"""Room is used again, and never while somebody still looks at it."""

from __future__ import annotations

import ctypes
import mmap

from orchestrator.engine.transfer.rooms import MOST, ROOM_BYTES, SMALL_BYTES, Rooms


def test_room_that_is_looked_at_is_not_given_out_again():
    rooms = Rooms()
    first = rooms.take(1 << 20)
    part = first[8:16]
    base = first.obj
    del first
    assert rooms.take(1 << 20).obj is not base
    del part
    assert rooms.take(1 << 20).obj is base


def test_room_has_the_length_asked_for():
    rooms = Rooms()
    assert [len(rooms.take(length)) for length in (0, 5, 70_000, ROOM_BYTES, ROOM_BYTES + 1)] == [
        0,
        5,
        70_000,
        ROOM_BYTES,
        ROOM_BYTES + 1,
    ]


def test_more_than_is_kept_is_given_all_the_same():
    rooms = Rooms()
    held = [rooms.take(100_000) for _ in range(MOST + 5)]
    for number, view in enumerate(held):
        view[0] = number
    assert [view[0] for view in held] == list(range(MOST + 5))
    assert sum(len(view.obj) for view in held[MOST:]) == 5 * 100_000


def test_a_payload_ends_where_a_page_ends():
    rooms = Rooms()
    for length in (SMALL_BYTES + 1, 1 << 20, (1 << 20) + 37, ROOM_BYTES):
        view = rooms.take(length)
        end = ctypes.addressof(ctypes.c_char.from_buffer(view)) + length
        assert end % mmap.PAGESIZE == 0
