"""Frames: how a message becomes bytes on the wire, and how a damaged or oversized one ends the session.

A frame is 8 bytes of header (payload length u32, type u8, three zero bytes) and the payload. Control messages are MessagePack;
operations and mirror items are a small fixed head and raw bytes, so that megabytes pass without being copied.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum

import msgspec

from orchestrator.engine.oplog.format import LARGEST_RECORD_BYTES
from orchestrator.engine.transfer.errors import BadFrame
from orchestrator.engine.transfer.messages import Apart, Control, ItemKind, Message, MirrorItem, Operations, Reply

HEADER = struct.Struct("<IB3s")
_OPERATIONS = struct.Struct("<QQQ")
_ITEM = struct.Struct("<QQQ")
_REPLY = struct.Struct("<QQ")
LARGEST_CONTROL_BYTES = 1 << 20
LARGEST_PAYLOAD_BYTES = LARGEST_RECORD_BYTES + (1 << 20)


class FrameType(IntEnum):
    """What the payload of a frame is."""

    CONTROL = 1
    OPERATIONS = 2
    MIRROR = 3
    REPLY = 4
    COMPRESSED = 5
    """Another frame, made smaller; see ``compression``."""


_TYPES = {int(kind): kind for kind in FrameType}
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Control)
Part = bytes | memoryview


def encode_frame(message: Message) -> tuple[Part, ...]:
    """The parts of a frame, to be sent one after the other; large payloads are passed on, not copied."""
    match message:
        case Operations(first=first, last=last, count=count, data=data):
            return (_head(FrameType.OPERATIONS, _OPERATIONS.pack(first, last, count), len(data)), data)
        case MirrorItem(index=index, after=after, kind=kind, payload=payload):
            head = _head(FrameType.MIRROR, _ITEM.pack(index, after, kind), len(payload))
            return (head + payload.head, payload.data) if isinstance(payload, Apart) else (head, payload)
        case Reply(index=index, item=item, payload=payload):
            return (_head(FrameType.REPLY, _REPLY.pack(index, item), len(payload)), payload)
        case _:
            return (_head(FrameType.CONTROL, _encoder.encode(message), 0),)


def _head(kind: FrameType, fixed: bytes, rest: int) -> bytes:
    return HEADER.pack(len(fixed) + rest, kind, b"\0\0\0") + fixed


def parse_header(data: bytes | memoryview, *, control_only: bool, peer: str) -> tuple[FrameType, int]:
    """The type and the payload's length, checked before a byte of it is taken.

    Raises:
        BadFrame: no such frame, or larger than allowed (``control_only``: before the session is welcome).
    """
    length, number, zeros = HEADER.unpack(data)
    kind = _TYPES.get(number)
    if kind is None or zeros != b"\0\0\0":
        raise BadFrame(peer=peer, why="it sent bytes that are no frame")
    limit = LARGEST_CONTROL_BYTES if kind is FrameType.CONTROL else LARGEST_PAYLOAD_BYTES
    if length > limit or (control_only and kind is not FrameType.CONTROL):
        raise BadFrame(peer=peer, why=f"a frame of type {kind.name} with {length} bytes is not allowed here")
    return kind, length


def parse_payload(kind: FrameType, payload: memoryview, *, peer: str) -> Message:
    """The message of a frame.

    Raises:
        BadFrame: the payload is not what the type promises.
    """
    try:
        if kind is FrameType.CONTROL:
            control: Control = _decoder.decode(payload)
            return control
        return _parse_raw(kind, payload)
    except (msgspec.MsgspecError, struct.error, ValueError) as error:
        raise BadFrame(peer=peer, why=f"a damaged frame of type {kind.name}: {error}") from error


def _parse_raw(kind: FrameType, payload: memoryview) -> Message:
    if kind is FrameType.OPERATIONS:
        first, last, count = _OPERATIONS.unpack_from(payload)
        return Operations(first, last, count, payload[_OPERATIONS.size :])
    if kind is FrameType.MIRROR:
        index, after, item = _ITEM.unpack_from(payload)
        return MirrorItem(index, after, ItemKind(item), payload[_ITEM.size :])
    index, item = _REPLY.unpack_from(payload)
    return Reply(index, item, payload[_REPLY.size :])


def frame_bytes(parts: Sequence[Part]) -> int:
    """How many bytes a frame has on the wire (before encryption)."""
    return sum(len(part) for part in parts)
