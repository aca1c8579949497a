"""Frames made smaller with zstd, where the target said that it can read that.

A compressed frame's payload is the header of the frame that it stands for, then that frame's payload compressed. Each frame stands for
itself, so the level may change at any time, and what does not get smaller is sent as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import zstandard

from orchestrator.engine.transfer.errors import BadFrame
from orchestrator.engine.transfer.framing import HEADER, FrameType, Part, parse_header

SMALLEST_BYTES = 128
"""Smaller frames are sent as they are."""
SAMPLE_BYTES = 1 << 14
WORTH_IT = 0.95


class Level(StrEnum):
    """How hard to try, from least to most work."""

    OFF = "off"
    MINIMUM = "minimum"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    MAXIMUM = "maximum"

    @property
    def number(self) -> int:
        """The level of zstd; 0: none."""
        return {"off": 0, "minimum": 1, "low": 3, "medium": 6, "high": 12, "maximum": 19}[self.value]


class Packer:
    """Compresses the frames of one connection; one thread uses it."""

    def __init__(self) -> None:
        self._level = Level.OFF
        self._compressor = zstandard.ZstdCompressor(level=1)
        self._probe = zstandard.ZstdCompressor(level=1)

    def pack(self, parts: Sequence[Part], level: Level) -> Sequence[Part]:
        """The frame as it is to be sent: compressed if that makes it smaller."""
        total = sum(map(len, parts))
        if level is Level.OFF or total < SMALLEST_BYTES or not self._promises(parts[-1]):
            return parts
        if level is not self._level:
            self._level, self._compressor = level, zstandard.ZstdCompressor(level=level.number)
        header, first = parts[0][: HEADER.size], parts[0][HEADER.size :]
        stream = self._compressor.compressobj(size=total - HEADER.size)
        packed = [stream.compress(part) for part in (first, *parts[1:])]
        packed.append(stream.flush())
        size = HEADER.size + sum(map(len, packed))
        if size > total * WORTH_IT:
            return parts
        return (b"".join([HEADER.pack(size, FrameType.COMPRESSED, b"\0\0\0"), header, *packed]),)

    def _promises(self, part: Part) -> bool:
        """Whether a look at the beginning of what is large lets expect that it gets smaller."""
        if len(part) <= SAMPLE_BYTES * 4:
            return True
        sample = memoryview(part)[SAMPLE_BYTES : 2 * SAMPLE_BYTES]
        return len(self._probe.compress(sample)) < SAMPLE_BYTES * WORTH_IT


def unpack(payload: memoryview, *, peer: str) -> tuple[FrameType, memoryview]:
    """The frame in a compressed one: its type and payload.

    Raises:
        BadFrame: it is damaged, larger than it says, or compressed once more.
    """
    if len(payload) < HEADER.size:
        raise BadFrame(peer=peer, why="a compressed frame without a header")
    kind, length = parse_header(payload[: HEADER.size], control_only=False, peer=peer)
    body = payload[HEADER.size :]
    try:
        if kind is FrameType.COMPRESSED or zstandard.frame_content_size(body) != length:
            raise BadFrame(peer=peer, why="a compressed frame that holds something else than it says")
        plain = zstandard.ZstdDecompressor().decompress(body)
    except zstandard.ZstdError as error:
        raise BadFrame(peer=peer, why=f"a damaged compressed frame: {error}") from error
    return kind, memoryview(plain)
