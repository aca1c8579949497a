"""Collations on the wire: five bytes, and the code page of what is not Unicode; [MS-TDS] 2.2.5.1.2."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache

_LCIDS = {
    "latin1_general": 0x0409, "sql_latin1_general": 0x0409, "french": 0x040C, "finnish_swedish": 0x040B, "danish_norwegian": 0x0406,
    "modern_spanish": 0x0C0A, "polish": 0x0415, "czech": 0x0405, "hungarian": 0x040E, "romanian": 0x0418, "cyrillic_general": 0x0419,
    "greek": 0x0408, "turkish": 0x041F, "hebrew": 0x040D, "arabic": 0x0401, "thai": 0x041E, "vietnamese": 0x042A, "japanese": 0x0411,
    "chinese_prc": 0x0804, "chinese_taiwan_stroke": 0x0404, "korean_wansung": 0x0412, "german_phonebook": 0x010407,
}  # fmt: skip
_CODE_PAGES = {
    0x0415: "cp1250", 0x0405: "cp1250", 0x040E: "cp1250", 0x0418: "cp1250", 0x0419: "cp1251", 0x0408: "cp1253", 0x041F: "cp1254",
    0x040D: "cp1255", 0x0401: "cp1256", 0x041E: "cp874", 0x042A: "cp1258", 0x0411: "cp932", 0x0804: "cp936", 0x0404: "cp950",
    0x0412: "cp949",
}  # fmt: skip
_SORT_IDS = {"sql_latin1_general_cp1_cs_as": 51, "sql_latin1_general_cp1_ci_as": 52, "sql_latin1_general_cp1_ci_ai": 54,
             "sql_latin1_general_cp437_ci_as": 32, "sql_latin1_general_cp850_ci_as": 42}  # fmt: skip
_SORT_PAGES = {32: "cp437", 42: "cp850"}
_VERSIONS = {"90": 1, "100": 2, "140": 3}
IGNORE_CASE, IGNORE_ACCENT, IGNORE_WIDTH, IGNORE_KANA, BINARY, BINARY2, UTF8 = (1 << (20 + one) for one in range(7))


@dataclass(frozen=True, slots=True)
class Collation:
    """The bytes, and the codec of char and varchar."""

    raw: bytes
    codec: str

    def encode(self, text: str) -> bytes:
        """As char and varchar hold it: what the code page has not becomes a question mark."""
        return text.encode(self.codec, "replace")

    def decode(self, raw: bytes) -> str:
        """The text that char and varchar hold."""
        return raw.decode(self.codec, "replace")


@cache
def named(name: str) -> Collation:
    """That of a name such as SQL_Latin1_General_CP1_CI_AS; an unknown language is taken for Latin."""
    low = name.lower()
    words = low.split("_")
    lcid = next((lcid for prefix, lcid in sorted(_LCIDS.items(), reverse=True) if low.startswith(prefix)), 0x0409)
    sort = _SORT_IDS.get(low, 0)
    flags = (IGNORE_CASE if "ci" in words else 0) | (IGNORE_ACCENT if "ai" in words else 0)
    flags |= 0 if "ws" in words else IGNORE_WIDTH
    flags |= 0 if "ks" in words else IGNORE_KANA
    if "bin" in words or "bin2" in words:
        flags = BINARY2 if "bin2" in words else BINARY
    flags |= UTF8 if "utf8" in words else 0
    version = next((_VERSIONS[word] for word in words if word in _VERSIONS), 0)
    return of(struct.pack("<IB", lcid | flags | version << 28, sort))


@cache
def of(raw: bytes) -> Collation:
    """That of five bytes."""
    info, sort = struct.unpack("<IB", raw)
    page = "utf-8" if info & UTF8 else _SORT_PAGES.get(sort, _CODE_PAGES.get(info & 0xFFFF, "cp1252"))
    return Collation(raw, page)
