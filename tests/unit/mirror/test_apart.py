"""Data of a big file travels without being copied behind its introduction, and reads the same."""

from __future__ import annotations

import pytest

from orchestrator.engine.mirror.messages import Abort, Data, decode_message, encode_apart


@pytest.mark.parametrize("size", [0, 1, 255, 256, 70_000, 1 << 20])
def test_the_pieces_together_are_the_message(size):
    content = bytes(size)
    head, data = encode_apart(Data(7, 3, 2**40, memoryview(content)))
    assert data is content
    message = decode_message(head + data)
    assert (message.serial, message.transfer, message.offset, bytes(message.data)) == (7, 3, 2**40, content)


def test_what_may_change_or_is_only_a_part_is_copied():
    assert encode_apart(Data(1, 1, 0, memoryview(bytearray(9)))) is None
    assert encode_apart(Data(1, 1, 0, memoryview(b"0123456789")[2:5])) is None
    assert encode_apart(Abort(1, 1)) is None
