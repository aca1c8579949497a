"""Values as rows and output parameters have them; one function a column, made once a result. [MS-TDS] 2.2.5.5."""

from __future__ import annotations

import datetime as dt
import struct
import uuid
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import partial
from typing import Any

from tests.lab.sqlserver.engine.port import SqlType
from tests.lab.sqlserver.wire import kinds, moments
from tests.lab.sqlserver.wire.collations import Collation
from tests.lab.sqlserver.wire.describing import size_in_bytes
from tests.lab.sqlserver.wire.reading import utf16

Encoder = Callable[[Any], bytes]
_EXACT = Context(prec=60)
_PLP_PART = 0x8000
_NUMBERS = {"tinyint": "<B", "smallint": "<h", "int": "<i", "bigint": "<q", "real": "<f", "float": "<d"}


def encoder(type_: SqlType, collation: Collation) -> Encoder:
    """What makes bytes of a value of this type, NULL among them. Raises KeyError for a type that TDS does not have."""
    plain = _plain(type_, collation)
    if type_.name in kinds.FIXED_OF and not type_.nullable:
        return plain
    if type_.name == "xml" or (type_.name in kinds.COUNTED_OF and size_in_bytes(type_) == kinds.PLP):
        return partial(_in_parts, plain)
    if type_.name in kinds.LONG_OF:
        return partial(_with_pointer, plain)
    if type_.name == "sql_variant":
        return partial(_counted, plain, "<I", b"\0\0\0\0")
    if type_.name in kinds.TEXTS or type_.name in kinds.COUNTED_OF or type_.name in {"timestamp", "rowversion"}:
        return partial(_counted, plain, "<H", b"\xff\xff")
    return partial(_counted, plain, "<B", b"\0")


def _counted(plain: Encoder, length: str, null: bytes, value: Any) -> bytes:
    if value is None:
        return null
    raw = plain(value)
    return struct.pack(length, len(raw)) + raw


def _in_parts(plain: Encoder, value: Any) -> bytes:
    if value is None:
        return struct.pack("<Q", kinds.PLP_NULL)
    raw = plain(value)
    out = bytearray(struct.pack("<Q", len(raw)))
    for at in range(0, len(raw), _PLP_PART):
        part = raw[at : at + _PLP_PART]
        out += struct.pack("<I", len(part))
        out += part
    return bytes(out) + b"\0\0\0\0"


def _with_pointer(plain: Encoder, value: Any) -> bytes:
    if value is None:
        return b"\0"
    raw = plain(value)
    return b"\x10" + b"dummy textptr".ljust(16, b"\0") + b"dummyTS\0" + struct.pack("<i", len(raw)) + raw


def _plain(type_: SqlType, collation: Collation) -> Encoder:
    name = type_.name
    if name in _NUMBERS:
        number = float if name in {"real", "float"} else int
        packs = struct.Struct(_NUMBERS[name]).pack
        return lambda value: packs(number(value))
    if name in kinds.WIDE or name == "xml":
        return lambda value: utf16(_text(value))
    if name in kinds.TEXTS:
        return lambda value: collation.encode(_text(value))
    if name in {"decimal", "numeric"}:
        return partial(decimal_bytes, type_.precision or 18, type_.scale)
    if name in kinds.SCALED_OF:
        return _MOMENTS[name](type_.scale)
    return _OTHERS[name] if name != "sql_variant" else partial(variant_bytes, collation)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def decimal_bytes(precision: int, scale: int, value: Any) -> bytes:
    """A sign and an integer of the type's size. Raises OverflowError for one that is too large."""
    exact = value if isinstance(value, Decimal) else Decimal(str(value))
    scaled = int(exact.scaleb(scale, _EXACT).to_integral_value(ROUND_HALF_UP, _EXACT))
    return bytes([scaled >= 0]) + abs(scaled).to_bytes(kinds.decimal_bytes(precision) - 1, "little")


def _money(value: Any) -> bytes:
    raw = struct.pack("<q", int(Decimal(str(value)).scaleb(4, _EXACT).to_integral_value(ROUND_HALF_UP, _EXACT)))
    return raw[4:] + raw[:4]


def _small_money(value: Any) -> bytes:
    return struct.pack("<i", int(Decimal(str(value)).scaleb(4, _EXACT).to_integral_value(ROUND_HALF_UP, _EXACT)))


def _guid(value: Any) -> bytes:
    return (value if isinstance(value, uuid.UUID) else uuid.UUID(str(value))).bytes_le


_MOMENTS: dict[str, Callable[[int], Encoder]] = {
    "time": lambda scale: lambda value: moments.put_time(moments.as_time(value), scale),
    "datetime2": lambda scale: lambda value: moments.put_datetime2(moments.as_datetime(value), scale),
    "datetimeoffset": lambda scale: lambda value: moments.put_datetimeoffset(moments.as_datetime(value), scale),
}
_OTHERS: dict[str, Encoder] = {
    "bit": lambda value: b"\1" if int(value) else b"\0",
    "money": _money,
    "smallmoney": _small_money,
    "datetime": lambda value: moments.put_datetime(moments.as_datetime(value)),
    "smalldatetime": lambda value: moments.put_smalldatetime(moments.as_datetime(value)),
    "date": lambda value: moments.put_date(moments.as_date(value)),
    "uniqueidentifier": _guid,
    "varbinary": bytes,
    "binary": bytes,
    "image": bytes,
    "timestamp": bytes,
    "rowversion": bytes,
}


def variant_bytes(collation: Collation, value: Any) -> bytes:
    """A sql_variant: the type of the value, what that type needs, the value."""
    match value:
        case bool():
            return bytes([kinds.BIT, 0, value])
        case int() if -(1 << 31) <= value < 1 << 31:
            return struct.pack("<BBi", kinds.INT4, 0, value)
        case int():
            return struct.pack("<BBq", kinds.INT8, 0, value)
        case float():
            return struct.pack("<BBd", kinds.FLOAT8, 0, value)
        case Decimal():
            scale = max(0, -int(value.as_tuple().exponent))
            return bytes([kinds.NUMERIC, 2, 38, scale]) + decimal_bytes(38, scale, value)
        case bytes():
            return struct.pack("<BBH", kinds.BIGVARBINARY, 2, 8000) + value[:8000]
        case uuid.UUID():
            return bytes([kinds.GUID, 0]) + value.bytes_le
        case dt.datetime() if value.tzinfo is not None:
            return bytes([kinds.DATETIMEOFFSET, 1, 7]) + moments.put_datetimeoffset(value, 7)
        case dt.datetime():
            return bytes([kinds.DATETIME, 0]) + moments.put_datetime(value)
        case dt.date():
            return bytes([kinds.DATE, 0]) + moments.put_date(value)
        case dt.time():
            return bytes([kinds.TIME, 1, 7]) + moments.put_time(value, 7)
    return struct.pack("<BB", kinds.NVARCHAR, 7) + collation.raw + struct.pack("<H", 8000) + utf16(str(value))[:8000]
