"""TYPE_INFO: a type as it goes over the wire, both ways; [MS-TDS] 2.2.5.6."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tests.lab.sqlserver.engine.port import SqlType
from tests.lab.sqlserver.wire import kinds
from tests.lab.sqlserver.wire.collations import Collation, of
from tests.lab.sqlserver.wire.reading import Fields, Malformed

MOST_BYTES = 8000


@dataclass(frozen=True, slots=True)
class Described:
    """A type that the caller described. ``kind``: its number; ``plp``: its values come in parts."""

    kind: int
    type: SqlType
    plp: bool = False
    collation: Collation | None = None


def size_in_bytes(type_: SqlType) -> int:
    """The length of a counted type on the wire: at most 8,000 bytes, or PLP."""
    if type_.name == "sysname":
        return 256
    wide = 2 if type_.name in kinds.WIDE else 1
    if type_.length < 0 or type_.length * wide > MOST_BYTES:
        return kinds.PLP
    return max(type_.length * wide, wide)


def described(type_: SqlType, collation: Collation) -> bytes:
    """TYPE_INFO of a column or of an output parameter. Raises KeyError for a type that TDS does not have."""
    name = type_.name
    if name in kinds.FIXED_OF:
        if not type_.nullable:
            return bytes([kinds.FIXED_OF[name]])
        kind, size = kinds.SIZED_OF[name]
        return bytes([kind, size])
    if name in {"decimal", "numeric"}:
        precision = type_.precision or 18
        return bytes([kinds.NUMERIC, kinds.decimal_bytes(precision), precision, type_.scale])
    if name in kinds.SCALED_OF:
        return bytes([kinds.SCALED_OF[name], type_.scale])
    if name in kinds.LONG_OF:
        return _long(kinds.LONG_OF[name], collation)
    match name:
        case "date":
            return bytes([kinds.DATE])
        case "uniqueidentifier":
            return bytes([kinds.GUID, 16])
        case "xml":
            return bytes([kinds.XML, 0])
        case "sql_variant":
            return struct.pack("<BI", kinds.VARIANT, kinds.VARIANT_BYTES)
        case "timestamp" | "rowversion":
            return struct.pack("<BH", kinds.BIGBINARY, 8)
    kind = kinds.COUNTED_OF["nvarchar" if name == "sysname" else name]
    return struct.pack("<BH", kind, size_in_bytes(type_)) + (collation.raw if name in kinds.TEXTS else b"")


def _long(kind: int, collation: Collation) -> bytes:
    return struct.pack("<BI", kind, 0x7FFFFFFF) + (b"" if kind == kinds.IMAGE else collation.raw)


def read_type(fields: Fields) -> Described:
    """TYPE_INFO of a parameter. Raises Malformed for what is none."""
    kind = fields.u8()
    if kind in kinds.FIXED:
        return Described(kind, SqlType(kinds.FIXED[kind][0], nullable=False))
    if kind in kinds.BY_SIZE:
        return _sized(kind, fields.u8())
    if kind in kinds.SCALED:
        return Described(kind, SqlType(kinds.SCALED[kind], scale=_scale(fields.u8())))
    if kind in kinds.COUNTED or kind in kinds.COUNTED_OLD:
        return _counted(kind, fields)
    if kind in kinds.LONG:
        return _read_long(kind, fields)
    match kind:
        case kinds.NULL:
            return Described(kind, SqlType("nvarchar", 1))
        case kinds.DATE:
            return Described(kind, SqlType("date"))
        case kinds.GUID:
            fields.u8()
            return Described(kind, SqlType("uniqueidentifier"))
        case kinds.DECIMAL | kinds.NUMERIC | kinds.DECIMAL_OLD | kinds.NUMERIC_OLD:
            return _decimal(kind, fields)
        case kinds.VARIANT:
            fields.u32()
            return Described(kind, SqlType("sql_variant"))
        case kinds.XML:
            return _xml(fields)
    raise Malformed(f"a type of number {kind:#x}")


def _scale(scale: int) -> int:
    if scale > 7:
        raise Malformed(f"a time with {scale} digits of a second")
    return scale


def _sized(kind: int, size: int) -> Described:
    if size not in kinds.BY_SIZE[kind]:
        raise Malformed(f"{kinds.SIZED[kind]} of {size} bytes")
    return Described(kind, SqlType(kinds.BY_SIZE[kind][size]))


def _decimal(kind: int, fields: Fields) -> Described:
    _, precision, scale = fields.take(3)
    if not 1 <= precision <= 38 or scale > precision:
        raise Malformed(f"decimal({precision}, {scale})")
    return Described(kind, SqlType("decimal", precision=precision, scale=scale))


def _counted(kind: int, fields: Fields) -> Described:
    old = kind in kinds.COUNTED_OLD
    name = kinds.COUNTED_OLD[kind] if old else kinds.COUNTED[kind]
    size = fields.u8() if old else fields.u16()
    plp = size == kinds.PLP and not old
    if plp and kind not in {kinds.BIGVARBINARY, kinds.BIGVARCHAR, kinds.NVARCHAR}:
        raise Malformed(f"{name}(max)")
    collation = of(fields.take(5)) if name in kinds.TEXTS and not old else None
    length = -1 if plp else size // 2 if name in kinds.WIDE else size
    return Described(kind, SqlType(name, length), plp, collation)


def _read_long(kind: int, fields: Fields) -> Described:
    fields.u32()
    collation = of(fields.take(5)) if kind != kinds.IMAGE else None
    return Described(kind, SqlType(kinds.LONG[kind], -1), collation=collation)


def _xml(fields: Fields) -> Described:
    if fields.u8():
        fields.b_varchar()
        fields.b_varchar()
        fields.us_varchar()
    return Described(kinds.XML, SqlType("xml", -1), plp=True)
