"""Values as parameters bring them; [MS-TDS] 2.2.5.5 read the other way round."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.lab.sqlserver.engine.port import SqlType
from tests.lab.sqlserver.wire import kinds, moments
from tests.lab.sqlserver.wire.collations import Collation, named
from tests.lab.sqlserver.wire.describing import Described
from tests.lab.sqlserver.wire.reading import Fields, Malformed

_DEFAULT = named("SQL_Latin1_General_CP1_CI_AS")
_MONEY = Decimal(10000)


def read_value(fields: Fields, described: Described) -> Any:
    """The value of a parameter, None for NULL. Raises Malformed."""
    raw = _raw(fields, described)
    if raw is None:
        return None
    try:
        if described.kind == kinds.VARIANT:
            return _variant(raw)
        return plain(described.type, raw, described.collation or _DEFAULT)
    except (ValueError, OverflowError, struct.error) as error:
        raise Malformed(f"{described.type.name}: {error}") from None


def _raw(fields: Fields, described: Described) -> bytes | None:
    kind = described.kind
    if kind == kinds.NULL:
        return None
    if kind in kinds.FIXED:
        return fields.take(kinds.FIXED[kind][1])
    if described.plp:
        return read_parts(fields)
    if kind in kinds.LONG or kind == kinds.VARIANT:
        size = fields.u32()
        return None if size == 0xFFFFFFFF or (kind == kinds.VARIANT and not size) else fields.take(size)
    if kind in kinds.COUNTED:
        size = fields.u16()
        return None if size == 0xFFFF else fields.take(size)
    size = fields.u8()
    if kind in kinds.COUNTED_OLD:
        return None if size == 0xFF else fields.take(size)
    return fields.take(size) if size else None


def read_parts(fields: Fields) -> bytes | None:
    """A PLP value: parts with their lengths until one of none. Raises Malformed where the whole was said otherwise."""
    total = fields.u64()
    if total == kinds.PLP_NULL:
        return None
    parts = []
    while size := fields.u32():
        parts.append(fields.take(size))
    whole = b"".join(parts)
    if total not in {kinds.PLP_UNKNOWN, len(whole)}:
        raise Malformed(f"{total} bytes were said, {len(whole)} came")
    return whole


def _number(layout: str) -> Callable[[bytes], Any]:
    return lambda raw: struct.unpack(layout, raw)[0]


def _decimal(raw: bytes, scale: int) -> Decimal:
    digits = Decimal(int.from_bytes(raw[1:], "little")).as_tuple().digits
    return Decimal((0 if raw[0] else 1, digits, -scale))


def _money(raw: bytes) -> Decimal:
    return Decimal(struct.unpack("<q", raw[4:] + raw[:4])[0] if len(raw) == 8 else struct.unpack("<i", raw)[0]) / _MONEY


_SIMPLE: dict[str, Callable[[bytes], Any]] = {
    "tinyint": _number("<B"),
    "smallint": _number("<h"),
    "int": _number("<i"),
    "bigint": _number("<q"),
    "real": _number("<f"),
    "float": _number("<d"),
    "bit": lambda raw: raw != b"\0",
    "money": _money,
    "smallmoney": _money,
    "datetime": moments.get_datetime,
    "smalldatetime": moments.get_smalldatetime,
    "date": moments.get_date,
    "uniqueidentifier": lambda raw: uuid.UUID(bytes_le=raw),
    "varbinary": bytes,
    "binary": bytes,
    "image": bytes,
}


def plain(type_: SqlType, raw: bytes, collation: Collation) -> Any:
    """The value that the bytes of a type mean. Raises ValueError, OverflowError or struct.error."""
    name = type_.name
    if name in _SIMPLE:
        return _SIMPLE[name](raw)
    if name in kinds.WIDE or name == "xml":
        if len(raw) % 2:
            raise ValueError("half a character")
        return raw.decode("utf-16-le", "surrogatepass").removeprefix("\ufeff" if name == "xml" else "")
    if name in kinds.TEXTS:
        return collation.decode(raw)
    if name == "decimal":
        return _decimal(raw, type_.scale)
    getters = {"time": moments.get_time, "datetime2": moments.get_datetime2}
    return getters.get(name, moments.get_datetimeoffset)(raw, type_.scale)


def _variant(raw: bytes) -> Any:
    fields = Fields(raw)
    kind, properties = fields.u8(), Fields(fields.take(fields.u8()))
    if kind in kinds.FIXED:
        return plain(SqlType(kinds.FIXED[kind][0]), fields.rest(), _DEFAULT)
    if kind in kinds.SCALED:
        return plain(SqlType(kinds.SCALED[kind], scale=properties.u8()), fields.rest(), _DEFAULT)
    if kind in {kinds.DECIMAL, kinds.NUMERIC}:
        _, scale = properties.take(2)
        return _decimal(fields.rest(), scale)
    if kind in kinds.COUNTED:
        from tests.lab.sqlserver.wire.collations import of

        name = kinds.COUNTED[kind]
        collation = of(properties.take(5)) if name in kinds.TEXTS else _DEFAULT
        return plain(SqlType(name, -1), fields.rest(), collation)
    simple = {kinds.DATE: "date", kinds.GUID: "uniqueidentifier"}
    if kind in simple:
        return plain(SqlType(simple[kind]), fields.rest(), _DEFAULT)
    raise Malformed(f"a sql_variant of type {kind:#x}")
