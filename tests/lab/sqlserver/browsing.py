"""What SQL Browser answers: requests and answers of [MC-SQLR] 2.2, without a socket."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BROADCAST, UNICAST, ONE_INSTANCE, ADMINISTRATION = 0x02, 0x03, 0x04, 0x0F
ANSWER = 0x05
LONGEST_NAME_BYTES = 32
LONGEST_OF_ONE = 1024
LONGEST_OF_ALL = 65535


@dataclass(frozen=True)
class Entry:
    """One instance as it is told of: ServerName, InstanceName, IsClustered, Version, tcp, in this order. ``dac``: the port of the administrators' connection."""

    said: Mapping[str, str]
    hidden: bool = False
    dac: int = 0

    @property
    def name(self) -> str:
        """The instance."""
        return self.said.get("InstanceName", "")

    @property
    def text(self) -> bytes:
        """As it goes over the wire."""
        return "".join(f"{key};{value};" for key, value in self.said.items()).encode("cp1252", "replace") + b";"


def answer(request: bytes, entries: Sequence[Entry]) -> bytes | None:
    """What is said to a datagram; None for nothing, which is also what is said to what is not understood."""
    told = [one for one in entries if not one.hidden]
    if request in {bytes([BROADCAST]), bytes([UNICAST])}:
        return _packed(b"".join(one.text for one in told)[:LONGEST_OF_ALL]) if told else None
    if request[:1] == bytes([ONE_INSTANCE]):
        found = _named(request[1:], told)
        return _packed(found.text[:LONGEST_OF_ONE]) if found else None
    if request[:2] == bytes([ADMINISTRATION, 1]):
        found = _named(request[2:], told)
        return struct.pack("<BHBH", ANSWER, 6, 1, found.dac) if found and found.dac else None
    return None


def _named(name: bytes, entries: Sequence[Entry]) -> Entry | None:
    text, end, rest = name.partition(b"\0")
    if not text or rest or (not end and len(name) > LONGEST_NAME_BYTES) or len(text) > LONGEST_NAME_BYTES:
        return None
    wanted = text.decode("cp1252", "replace").lower()
    return next((one for one in entries if one.name.lower() == wanted), None)


def _packed(text: bytes) -> bytes:
    return struct.pack("<BH", ANSWER, len(text)) + text
