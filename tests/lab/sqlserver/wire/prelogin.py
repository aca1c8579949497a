"""PRELOGIN: what both sides can, before anybody logs in; [MS-TDS] 2.2.6.5."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from tests.lab.sqlserver.wire.reading import Fields, Malformed

VERSION, ENCRYPTION, INSTANCE, THREAD, MARS = 0, 1, 2, 3, 4
END = 0xFF


class Encryption(IntEnum):
    """What is said of encryption."""

    OFF = 0  # the log-in only
    ON = 1
    NOT_SUPPORTED = 2
    REQUIRED = 3


@dataclass(frozen=True, slots=True)
class Prelogin:
    """What the caller says."""

    encryption: int
    instance: str
    mars: bool


def parse(body: bytes) -> Prelogin:
    """Raises Malformed."""
    options = _options(body)
    if VERSION not in options or next(iter(options)) != VERSION:
        raise Malformed("PRELOGIN does not begin with VERSION")
    encryption = options.get(ENCRYPTION, b"\0")
    if len(encryption) != 1:
        raise Malformed("PRELOGIN: ENCRYPTION is one byte")
    instance = options.get(INSTANCE, b"").partition(b"\0")[0].decode("ascii", "replace")
    return Prelogin(encryption[0], instance, options.get(MARS, b"\0")[:1] == b"\1")


def _options(body: bytes) -> dict[int, bytes]:
    fields, found = Fields(body), {}
    while (kind := fields.u8()) != END:
        offset, length = struct.unpack(">HH", fields.take(4))
        if offset + length > len(body):
            raise Malformed(f"PRELOGIN: option {kind} lies outside")
        found[kind] = body[offset : offset + length]
    return found


def version_bytes(version: str) -> bytes:
    """15.0.4322.2 as UL_VERSION and US_SUBBUILD."""
    major, minor, build, *rest = (int(one) for one in version.split("."))
    return struct.pack(">BBHH", major, minor, build, rest[0] if rest else 0)


def answer(version: str, encryption: Encryption, knows_instance: bool) -> bytes:
    """What the server says: its version, what of encryption, whether it is the instance that was named, and no MARS."""
    options = {
        VERSION: version_bytes(version),
        ENCRYPTION: bytes([encryption]),
        INSTANCE: b"\0" if knows_instance else b"\1",
        THREAD: b"",
        MARS: b"\0",
    }
    at, head, data = 5 * len(options) + 1, b"", b""
    for kind, value in options.items():
        head += struct.pack(">BHH", kind, at + len(data), len(value))
        data += value
    return head + bytes([END]) + data


def agreed(asked: int, forced: bool) -> Encryption | None:
    """What the server answers to what the caller says of encryption; None: they cannot come together."""
    match asked:
        case Encryption.OFF:
            return Encryption.REQUIRED if forced else Encryption.OFF
        case Encryption.ON | Encryption.REQUIRED:
            return Encryption.ON
        case Encryption.NOT_SUPPORTED:
            return Encryption.REQUIRED if forced else Encryption.NOT_SUPPORTED
        case _:
            return None
