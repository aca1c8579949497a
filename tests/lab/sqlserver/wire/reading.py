"""A message read field by field: little-endian numbers and counted texts, as [MS-TDS] 2.2.5 names them."""

from __future__ import annotations

import struct


class Malformed(Exception):
    """The caller sent what is no TDS: the connection is closed, as SQL Server closes it."""


class Fields:
    """A cursor over the bytes of a message."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self._at = at

    @property
    def left(self) -> int:
        """How many bytes are not read yet."""
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        """The next bytes. Raises Malformed where they are not there."""
        end = self._at + count
        if count < 0 or end > len(self._data):
            raise Malformed(f"{count} bytes wanted, {self.left} are left")
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self.left)

    def peek(self) -> int:
        """The next byte, without reading it."""
        if not self.left:
            raise Malformed("one byte wanted, none is left")
        return self._data[self._at]

    def u8(self) -> int:
        """BYTE."""
        return self.take(1)[0]

    def u16(self) -> int:
        """USHORT."""
        return int.from_bytes(self.take(2), "little")

    def u32(self) -> int:
        """DWORD."""
        return int.from_bytes(self.take(4), "little")

    def i32(self) -> int:
        """LONG."""
        return int.from_bytes(self.take(4), "little", signed=True)

    def u64(self) -> int:
        """ULONGLONG."""
        return int.from_bytes(self.take(8), "little")

    def text(self, characters: int) -> str:
        """Characters of UTF-16, lone surrogates kept as they are."""
        return self.take(2 * characters).decode("utf-16-le", "surrogatepass")

    def b_varchar(self) -> str:
        """B_VARCHAR: a text with its count of characters in a byte."""
        return self.text(self.u8())

    def us_varchar(self) -> str:
        """US_VARCHAR: a text with its count of characters in two bytes."""
        return self.text(self.u16())


def utf16(text: str) -> bytes:
    """A text as it goes over the wire."""
    return text.encode("utf-16-le", "surrogatepass")


def b_varchar(text: str) -> bytes:
    """B_VARCHAR, cut at 255 characters of UTF-16."""
    raw = utf16(text)[:510]
    return bytes([len(raw) // 2]) + raw


def us_varchar(text: str) -> bytes:
    """US_VARCHAR, cut at 65,535 characters of UTF-16."""
    raw = utf16(text)[:131070]
    return struct.pack("<H", len(raw) // 2) + raw
