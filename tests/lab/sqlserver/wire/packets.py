"""Packets and messages: a header of eight bytes before at most ``size`` - 8 bytes of a message; [MS-TDS] 2.2.3."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from tests.lab.sqlserver.wire.reading import Malformed

HEADER = struct.Struct(">BBHHBB")
DEFAULT_SIZE = 4096
LARGEST_SIZE = 32767
LARGEST_ENCRYPTED_SIZE = 16383
SMALLEST_SIZE = 512
LARGEST_MESSAGE_BYTES = 64 << 20  # of the simulation: a request is kept in memory
END = 0x01
IGNORE = 0x02
RESET = 0x08
RESET_KEEPING_TRANSACTION = 0x10


class Kind(IntEnum):
    """The types of packets."""

    BATCH = 1
    OLD_LOGIN = 2
    RPC = 3
    ANSWER = 4
    ATTENTION = 6
    BULK = 7
    FEDERATION = 8
    TRANSACTION = 14
    LOGIN7 = 16
    SSPI = 17
    PRELOGIN = 18


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the caller. ``status``: the flags of its first packet and of its last."""

    kind: Kind
    body: bytes
    status: int = END

    @property
    def ignored(self) -> bool:
        """Whether the caller changed its mind while it sent it."""
        return bool(self.status & IGNORE)

    @property
    def resets(self) -> bool:
        """Whether the session is to be as new before it."""
        return bool(self.status & (RESET | RESET_KEEPING_TRANSACTION))


def negotiated(asked: int, encrypted: bool) -> int:
    """The size of packets that the server grants."""
    if asked < SMALLEST_SIZE:
        return DEFAULT_SIZE
    return min(asked, LARGEST_ENCRYPTED_SIZE if encrypted else LARGEST_SIZE)


def read_message(read: Callable[[int], bytes], limit_bytes: int = LARGEST_MESSAGE_BYTES) -> Message | None:
    """The next message; None when the caller hung up before it. ``read`` gives exactly so many bytes, or fewer at the end."""
    parts: list[bytes] = []
    kind = status = total = 0
    while True:
        header = read(HEADER.size)
        if not header and not parts:
            return None
        if len(header) < HEADER.size:
            raise Malformed("the connection ended within a packet's header")
        this, flags, length, _, _, _ = HEADER.unpack(header)
        _check(this, kind if parts else this, length)
        body = read(length - HEADER.size)
        if len(body) < length - HEADER.size:
            raise Malformed("the connection ended within a packet")
        total += len(body)
        if total > limit_bytes:
            raise Malformed(f"a message of more than {limit_bytes} bytes")
        status = (status & (RESET | RESET_KEEPING_TRANSACTION) if parts else flags) | (flags & (END | IGNORE))
        kind = this
        parts.append(body)
        if flags & END:
            return Message(Kind(kind), parts[0] if len(parts) == 1 else b"".join(parts), status)


def _check(kind: int, before: int, length: int) -> None:
    if kind not in Kind.__members__.values():
        raise Malformed(f"packet of type {kind}")
    if kind != before:
        raise Malformed(f"packet of type {kind} within a message of type {before}")
    if not HEADER.size <= length <= LARGEST_SIZE:
        raise Malformed(f"packet of {length} bytes")


class Writing:
    """One message of the server, sent packet by packet as it grows: no more than a packet of it is kept."""

    def __init__(self, send: Callable[[bytes], None], size: int, kind: Kind = Kind.ANSWER, spid: int = 0) -> None:
        self._send = send
        self._room = size - HEADER.size
        self._kind = kind
        self._spid = spid & 0xFFFF
        self._number = 1
        self._buffer = bytearray()

    def write(self, data: bytes) -> None:
        """Add to the message."""
        self._buffer += data
        if len(self._buffer) > self._room:
            self._flush_full()

    def _flush_full(self) -> None:
        view, at, out = bytes(self._buffer), 0, bytearray()
        while len(view) - at > self._room:
            out += self._header(self._room, 0)
            out += view[at : at + self._room]
            at += self._room
        self._send(bytes(out))
        del self._buffer[:at]

    def _header(self, room: int, status: int) -> bytes:
        number, self._number = self._number, (self._number + 1) & 0xFF
        return HEADER.pack(self._kind, status, room + HEADER.size, self._spid, number, 0)

    def end(self) -> None:
        """The message is whole."""
        self._send(self._header(len(self._buffer), END) + bytes(self._buffer))
        self._buffer.clear()


def packed(kind: Kind, body: bytes, size: int = DEFAULT_SIZE) -> bytes:
    """A whole message as bytes."""
    out: list[bytes] = []
    writing = Writing(out.append, size, kind)
    writing.write(body)
    writing.end()
    return b"".join(out)
