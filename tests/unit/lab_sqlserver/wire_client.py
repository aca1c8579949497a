"""A caller that speaks TDS byte by byte: for what no driver would do."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from typing import Self

from tests.lab.sqlserver.wire.login7 import EXTENDED, FIXED_BYTES, INTEGRATED, TDS_74, TERMINATOR, hidden
from tests.lab.sqlserver.wire.packets import Kind, Message, packed, read_message
from tests.lab.sqlserver.wire.prelogin import Encryption
from tests.lab.sqlserver.wire.reading import utf16

WAIT_S = 60


def prelogin_message(encryption: int = Encryption.NOT_SUPPORTED, instance: str = "", mars: bool = False) -> bytes:
    """The body of a PRELOGIN."""
    options = {0: bytes([18, 0, 0, 1, 0, 0]), 1: bytes([encryption]), 2: instance.encode() + b"\0", 4: bytes([mars])}
    at, head, data = 5 * len(options) + 1, b"", b""
    for kind, value in options.items():
        head += struct.pack(">BHH", kind, at + len(data), len(value))
        data += value
    return head + b"\xff" + data


def login_message(
    user: str = "",
    password: str = "",
    database: str = "",
    *,
    sspi: bytes | None = None,
    features: Mapping[int, bytes] | None = None,
    tds: int = TDS_74,
    packet_size: int = 4096,
) -> bytes:
    """The body of a LOGIN7."""
    texts = [utf16("client"), utf16(user), hidden(password), utf16("test"), utf16("server")]
    late = [utf16("raw"), b"", utf16(database)]
    data, pairs = b"", b""

    def put(raw: bytes, count: int) -> bytes:
        nonlocal data
        at = FIXED_BYTES + len(data)
        data += raw
        return struct.pack("<HH", at, count)

    for one in texts:
        pairs += put(one, len(one) // 2)
    extension_at = len(pairs), len(data)
    pairs += put(b"\0\0\0\0" if features is not None else b"", 4 if features is not None else 0)
    for one in late:
        pairs += put(one, len(one) // 2)
    pairs += b"\0" * 6 + put(sspi or b"", len(sspi or b"")) + put(b"", 0) + put(b"", 0) + b"\0" * 4
    if features is not None:
        where = struct.pack("<I", FIXED_BYTES + len(data))
        data = data[: extension_at[1]] + where + data[extension_at[1] + 4 :]
        data += b"".join(struct.pack("<BI", kind, len(block)) + block for kind, block in features.items())
        data += bytes([TERMINATOR])
    flags = bytes([0, INTEGRATED if sspi is not None else 0, 0, EXTENDED if features is not None else 0])
    head = struct.pack("<IIIIII", FIXED_BYTES + len(data), tds, packet_size, 7, 4711, 0) + flags + b"\0" * 8
    return head + pairs + data


def with_headers(body: bytes, transaction: int = 0) -> bytes:
    """ALL_HEADERS with the descriptor of a transaction before it."""
    return struct.pack("<IIHQI", 22, 18, 2, transaction, 1) + body


class RawCaller:
    """A connection without TLS."""

    def __init__(self, address: str, port: int) -> None:
        self.socket = socket.create_connection((address, port), timeout=WAIT_S)
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.socket.close()

    def say(self, kind: Kind, body: bytes, status: int = 1) -> None:
        """Send one message; with a status, one of one packet."""
        raw = packed(kind, body)
        self.socket.sendall(raw[:1] + bytes([status]) + raw[2:] if status != 1 else raw)

    def hear(self) -> Message | None:
        """The next message of the server; None when it hung up."""
        try:
            return read_message(self._file.read)
        except ConnectionError:
            return None

    def ask(self, kind: Kind, body: bytes) -> bytes:
        """Say and hear."""
        self.say(kind, body)
        message = self.hear()
        assert message is not None, "the server hung up"
        return message.body

    def log_in(self, user: str, password: str, **more: int) -> bytes:
        """PRELOGIN and LOGIN7 without encryption."""
        self.ask(Kind.PRELOGIN, prelogin_message())
        return self.ask(Kind.LOGIN7, login_message(user, password, **more))  # type: ignore[arg-type]
