"""Compressed frames: the same messages come out, nothing grows, a lying peer gets nothing."""

from __future__ import annotations

import random

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.transfer.compression import Level, Packer, unpack
from orchestrator.engine.transfer.errors import BadFrame
from orchestrator.engine.transfer.framing import HEADER, FrameType, encode_frame, parse_header, parse_payload
from orchestrator.engine.transfer.messages import Apart, Beat, ItemKind, Message, MirrorItem, Operations

LEVELS = [level for level in Level if level is not Level.OFF]


def read(frame: bytes) -> Message:
    kind, length = parse_header(frame[: HEADER.size], control_only=False, peer="x")
    payload = memoryview(frame)[HEADER.size :]
    assert len(payload) == length
    if kind is FrameType.COMPRESSED:
        kind, payload = unpack(payload, peer="x")
    return parse_payload(kind, payload, peer="x")


@pytest.mark.covers("ENG-Q-08")
@given(st.sampled_from(LEVELS), st.binary(max_size=3000), st.integers(0, 200), st.booleans())
def test_what_comes_out_is_what_went_in(level: Level, data: bytes, times: int, apart: bool) -> None:
    payload: bytes | Apart = Apart(b"head", data * times) if apart else data * times
    for message in (Operations(1, 9, 9, data * times), MirrorItem(3, 9, ItemKind.MESSAGE, payload), Beat(7)):
        plain = encode_frame(message)
        packed = b"".join(Packer().pack(plain, level))
        assert len(packed) <= sum(map(len, plain))
        assert b"".join(encode_frame(read(packed))) == b"".join(plain)


@pytest.mark.covers("ENG-Q-08")
def test_a_higher_level_makes_text_smaller_and_off_leaves_it() -> None:
    chance = random.Random(1)
    words = [chance.randbytes(chance.randrange(2, 9)).hex().encode() for _ in range(3000)]
    frame = encode_frame(Operations(1, 2, 2, b" ".join(chance.choices(words, k=60_000))))
    sizes = [sum(map(len, Packer().pack(frame, level))) for level in (Level.OFF, Level.MINIMUM, Level.MAXIMUM)]
    assert sizes[0] == sum(map(len, frame))
    assert sizes[0] * 0.75 > sizes[1] > sizes[2]


@pytest.mark.covers("ENG-Q-08")
@pytest.mark.parametrize("size", [200, 40_000, 1 << 20])
def test_what_cannot_be_compressed_is_sent_as_it_is(size: int) -> None:
    frame = encode_frame(Operations(1, 2, 2, random.Random(2).randbytes(size)))
    assert Packer().pack(frame, Level.MEDIUM) is frame


def bomb(says: int, inner: bytes) -> memoryview:
    return memoryview(HEADER.pack(says, FrameType.OPERATIONS, b"\0\0\0") + inner)


@pytest.mark.parametrize(
    "payload",
    [
        bomb(10, zstandard.ZstdCompressor().compress(bytes(1 << 24))),
        bomb(1 << 30, zstandard.ZstdCompressor().compress(bytes(100))),
        bomb(100, b"no zstd at all"),
        bomb(100, zstandard.ZstdCompressor().compress(bytes(100))[:-3]),
        memoryview(HEADER.pack(100, FrameType.COMPRESSED, b"\0\0\0") + zstandard.ZstdCompressor().compress(bytes(100))),
        memoryview(b"abc"),
    ],
    ids=["larger than it says", "larger than allowed", "no zstd", "cut off", "twice", "too short"],
)
def test_a_lying_peer_is_left(payload: memoryview) -> None:
    with pytest.raises(BadFrame):
        unpack(payload, peer="mallory")
