"""Types and values: as T-SQL writes them, as SQLite keeps them, as the wire wants them.

Kept: integers and bits as INTEGER, decimals and money with NUMERIC affinity (15 digits hold), dates and times as text that sorts,
uniqueidentifier as upper-case text, binary as BLOB.
"""

from __future__ import annotations

import re
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from tests.lab.sqlserver.engine.port import SqlFailure, SqlType

INTEGERS = {"bigint": 63, "int": 31, "smallint": 15, "tinyint": 8}
TEXTS = {"nvarchar", "varchar", "nchar", "char", "ntext", "text", "sysname", "xml"}
BINARIES = {"varbinary", "binary", "image", "timestamp", "rowversion"}
MOMENTS = {"datetime", "datetime2", "smalldatetime", "date", "time", "datetimeoffset"}
DECIMALS = {"decimal", "numeric", "money", "smallmoney"}
FLOATS = {"float", "real"}
NAMES = {*INTEGERS, *TEXTS, *BINARIES, *MOMENTS, *DECIMALS, *FLOATS, "bit", "uniqueidentifier", "sql_variant"}
ALIASES = {
    "integer": "int", "dec": "decimal", "double": "float", "character": "char", "uuid": "uniqueidentifier", "rowversion": "timestamp",
    "national character varying": "nvarchar", "boolean": "bit", "utinyint": "tinyint",
}  # fmt: skip
BASE = datetime(1900, 1, 1)

_TYPE = re.compile(r"\s*\[?([A-Za-z_][A-Za-z_0-9 ]*?)\]?\s*(?:\(\s*(\w+)\s*(?:,\s*(\d+)\s*)?\))?\s*$")


def parse_type(text: str) -> SqlType:
    """``nvarchar(50)`` as a type. Raises SqlFailure 243 for a name that is no type."""
    match = _TYPE.match(text.replace("sys.", ""))
    if match is None:
        raise SqlFailure(102, f"Incorrect syntax near '{text}'.", severity=15)
    name = match[1].lower()
    return make_type(ALIASES.get(name, name), match[2], match[3])


def make_type(name: str, first: str | None = None, second: str | None = None) -> SqlType:
    """A type from its name and what stood in its parentheses."""
    if name not in NAMES:
        raise SqlFailure(243, f"Type {name} is not a defined system type.")
    size = -1 if first is not None and first.lower() == "max" else int(first) if first else 0
    if name == "sysname":
        return SqlType("nvarchar", 128, nullable=False)
    if name == "xml":
        return SqlType("nvarchar", -1)
    if name in {"ntext", "text"}:
        return SqlType("nvarchar" if name == "ntext" else "varchar", -1)
    if name == "image":
        return SqlType("varbinary", -1)
    if name in TEXTS or name in BINARIES:
        if name == "timestamp":
            return SqlType("binary", 8)
        return SqlType(name, size or 1)
    if name in {"decimal", "numeric"}:
        return SqlType("decimal", 0, size or 18, int(second or 0))
    if name in {"datetime2", "time", "datetimeoffset"}:
        return SqlType(name, 0, 0, 7 if first is None else size)
    if name == "float" and 0 < size <= 24:
        return SqlType("real")
    return SqlType(name)


def type_text(of: SqlType) -> str:
    """A type as T-SQL writes it."""
    if of.name in TEXTS or of.name in BINARIES:
        return f"{of.name}({'max' if of.length == -1 else of.length})"
    if of.name == "decimal":
        return f"decimal({of.precision},{of.scale})"
    if of.name in {"datetime2", "time", "datetimeoffset"}:
        return f"{of.name}({of.scale})"
    return of.name


def affinity(of: SqlType) -> str:
    """The column declaration for SQLite."""
    if of.name in INTEGERS or of.name == "bit":
        return "INTEGER"
    if of.name in DECIMALS:
        return "NUMERIC"
    if of.name in FLOATS:
        return "REAL"
    if of.name in BINARIES:
        return "BLOB"
    if of.name == "sql_variant":
        return "BLOB"  # no affinity: whatever it is
    return "TEXT COLLATE NOCASE"


def to_storage(value: Any) -> Any:
    """A Python value as SQLite keeps it."""
    if value is None or isinstance(value, str | bytes | float):
        return value
    if isinstance(value, bool | int):
        return int(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and abs(value) < 2**63 else float(value)
    if isinstance(value, datetime):
        text = value.replace(tzinfo=None).isoformat(" ", "microseconds")
        return text if value.tzinfo is None else text + " " + _offset(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return value.isoformat("microseconds")
    if isinstance(value, uuid.UUID):
        return str(value).upper()
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    return str(value)


def _offset(value: datetime) -> str:
    minutes = int((value.utcoffset() or timedelta()).total_seconds() // 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def from_storage(value: Any, of: SqlType) -> Any:
    """What the wire sends for a kept value of a type."""
    if value is None or of.name == "sql_variant":
        return value
    if of.name == "bit":
        return bool(value)
    if of.name in TEXTS:
        return value if isinstance(value, str) else _plain(value)
    value = cast(value, of)
    if of.name in MOMENTS:
        return moment(value, of)
    if of.name == "uniqueidentifier":
        return uuid.UUID(value)
    if of.name in DECIMALS:
        return Decimal(str(value)).quantize(Decimal(1).scaleb(-(4 if "money" in of.name else of.scale)), ROUND_HALF_UP)
    return value


def moment(text: str, of: SqlType) -> Any:
    """Kept text as Python's date, time or datetime."""
    if of.name == "date":
        return date.fromisoformat(text[:10])
    if of.name == "time":
        return time.fromisoformat(text)
    return parse_moment(text)


_MOMENT = re.compile(
    r"\s*(?:(\d{4})-?(\d{2})-?(\d{2}))?(?:(?:^|\s+|T)(\d{1,2}):(\d{2})(?::(\d{2})(?:[.:](\d{1,9}))?)?\s*(AM|PM)?)?\s*(Z|[+-]\d{2}:\d{2})?\s*$", re.IGNORECASE
)  # fmt: skip


def parse_moment(text: str) -> datetime:
    """ISO and ODBC forms, with or without time and offset. ValueError otherwise."""
    match = _MOMENT.match(text)
    if match is None:
        for form in ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y", "%b %d %Y %I:%M%p", "%b %d %Y"):
            try:
                return datetime.strptime(" ".join(text.split()), form)
            except ValueError:
                continue
        raise ValueError(text)
    year, month, day, hour, minute, second, fraction, half, zone = match.groups()
    hours = int(hour or 0)
    if half:
        hours = hours % 12 + (12 if half.upper() == "PM" else 0)
    micro = int((fraction or "0").ljust(6, "0")[:6])
    value = datetime(
        int(year or 1900), int(month or 1), int(day or 1), hours, int(minute or 0), int(second or 0), micro
    )
    if zone is None:
        return value
    if zone.upper() == "Z":
        return value.replace(tzinfo=UTC)
    minutes = int(zone[1:3]) * 60 + int(zone[4:6])
    return value.replace(tzinfo=timezone(timedelta(minutes=minutes if zone[0] == "+" else -minutes)))


def cast(value: Any, to: SqlType, source: str = "", style: int = 0, *, strict: bool = False) -> Any:
    """A kept value as a kept value of another type. ``strict``: a text that is too long is refused (2628), not cut. Raises SqlFailure."""
    if value is None or to.name == "sql_variant":
        return value
    if to.name in INTEGERS:
        return _to_integer(value, to)
    if to.name == "bit":
        return _to_bit(value)
    if to.name in FLOATS or to.name in DECIMALS:
        return _to_number(value, to)
    if to.name in MOMENTS:
        return _to_moment(value, to)
    if to.name == "uniqueidentifier":
        return _to_uuid(value)
    if to.name in BINARIES:
        return _to_binary(value, to, source, style)
    return _fit(_to_text(value, source, style), to, strict=strict)


def _to_integer(value: Any, to: SqlType) -> int:
    if isinstance(value, bytes):
        value = int.from_bytes(value[-8:], "big", signed=len(value) >= 8)
    elif isinstance(value, str):
        try:
            value = int(value.strip() or "0")
        except ValueError:
            raise SqlFailure(
                245, f"Conversion failed when converting the nvarchar value '{value}' to data type {to.name}."
            ) from None
    value = int(value)
    low, high = (0, 255) if to.name == "tinyint" else (-(2 ** INTEGERS[to.name]), 2 ** INTEGERS[to.name] - 1)
    if not low <= value <= high:
        if to.name in {"tinyint", "smallint"}:
            raise SqlFailure(220, f"Arithmetic overflow error for data type {to.name}, value = {value}.")
        raise SqlFailure(8115, f"Arithmetic overflow error converting expression to data type {to.name}.")
    return value


def _to_bit(value: Any) -> int:
    if isinstance(value, str):
        word = value.strip().lower()
        if word in {"true", "false"}:
            return int(word == "true")
        try:
            return int(int(word) != 0)
        except ValueError:
            raise SqlFailure(
                245, f"Conversion failed when converting the nvarchar value '{value}' to data type bit."
            ) from None
    if isinstance(value, bytes):
        return int(any(value))
    return int(value != 0)


def _to_number(value: Any, to: SqlType) -> Any:
    if isinstance(value, bytes):
        value = int.from_bytes(value, "big")
    try:
        if to.name in FLOATS:
            return float(value)
        scale = 4 if "money" in to.name else to.scale
        number = Decimal(str(value).strip()).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)
    except (ValueError, InvalidOperation):
        raise SqlFailure(
            8114, f"Error converting data type nvarchar to {'numeric' if to.name == 'decimal' else to.name}."
        ) from None
    if to.precision and abs(number) >= 10 ** (to.precision - to.scale):
        raise SqlFailure(8115, "Arithmetic overflow error converting expression to data type numeric.", state=8)
    return to_storage(number)


def _to_moment(value: Any, to: SqlType) -> str:
    if isinstance(value, int | float):
        value = to_storage(BASE + timedelta(days=value))
    try:
        at = parse_moment(value if isinstance(value, str) else value.decode("ascii", "replace"))
    except ValueError:
        raise SqlFailure(241, "Conversion failed when converting date and/or time from character string.") from None
    if to.name == "date":
        return at.date().isoformat()
    if to.name == "datetime":  # steps of 1/300 s
        at = at.replace(tzinfo=None)
        ticks = round(at.microsecond * 300 / 1_000_000)
        at = at.replace(microsecond=0) + timedelta(microseconds=round(ticks * 1000 / 300) * 1000)
        if at.year < 1753:
            raise SqlFailure(
                242,
                "The conversion of a nvarchar data type to a datetime data type resulted in an out-of-range value.",
                state=3,
            )
    elif to.name == "smalldatetime":
        at = (at + timedelta(seconds=30)).replace(second=0, microsecond=0, tzinfo=None)
    elif to.scale < 6:
        step = 10 ** (6 - to.scale)
        at = at.replace(microsecond=0) + timedelta(microseconds=(at.microsecond + step // 2) // step * step)
    if to.name == "time":
        return at.time().isoformat("microseconds")
    if to.name == "datetimeoffset":
        return str(to_storage(at if at.tzinfo else at.replace(tzinfo=UTC)))
    return str(to_storage(at.replace(tzinfo=None)))


def _to_uuid(value: Any) -> str:
    try:
        if isinstance(value, bytes):
            return str(uuid.UUID(bytes_le=value[:16].ljust(16, b"\0"))).upper()
        return str(uuid.UUID(value.strip())).upper()
    except (ValueError, AttributeError):
        raise SqlFailure(
            8169, "Conversion failed when converting from a character string to uniqueidentifier.", state=2
        ) from None


def _to_binary(value: Any, to: SqlType, source: str, style: int) -> bytes:
    if isinstance(value, str) and source == "uniqueidentifier":
        value = uuid.UUID(value).bytes_le
    elif isinstance(value, str) and style in {1, 2}:
        try:
            value = bytes.fromhex(value[2:] if style == 1 else value)
        except ValueError:
            raise SqlFailure(8114, f"Error converting data type varchar to {to.name}.") from None
    elif isinstance(value, str):
        value = value.encode("utf-16-le") if source.startswith("n") else value.encode("cp1252", "replace")
    elif isinstance(value, int):
        width = {"bigint": 8, "smallint": 2, "tinyint": 1, "bit": 1}.get(source, 4 if -(2**31) <= value < 2**31 else 8)
        value = value.to_bytes(width, "big", signed=value < 0)
        if 0 < to.length < width:
            value = value[-to.length :]
    elif isinstance(value, float):
        raise SqlFailure(529, f"Explicit conversion from data type float to {to.name} is not allowed.")
    if to.length > 0:
        value = value[: to.length].ljust(to.length if to.name == "binary" else 0, b"\0")
    return bytes(value)


STYLES = {
    0: "%b %d %Y %I:%M%p", 100: "%b %d %Y %I:%M%p", 101: "%m/%d/%Y", 102: "%Y.%m.%d", 103: "%d/%m/%Y", 104: "%d.%m.%Y", 105: "%d-%m-%Y",
    108: "%H:%M:%S", 110: "%m-%d-%Y", 111: "%Y/%m/%d", 112: "%Y%m%d", 120: "%Y-%m-%d %H:%M:%S", 20: "%Y-%m-%d %H:%M:%S",
    121: "%Y-%m-%d %H:%M:%S.%f", 126: "%Y-%m-%dT%H:%M:%S.%f",
}  # fmt: skip


def _to_text(value: Any, source: str, style: int) -> str:
    if isinstance(value, str):
        if source in {"datetime", "datetime2", "smalldatetime", "date"} and (
            style or source in {"datetime", "smalldatetime"}
        ):
            text = parse_moment(value).strftime(STYLES.get(style, STYLES[121]))
            return text[:-3] if "%f" in STYLES.get(style, "%f") else text
        return value
    if isinstance(value, bytes):
        if style in {1, 2}:
            return ("0x" if style == 1 else "") + value.hex().upper()
        return value.decode("utf-16-le" if source.startswith("n") else "cp1252", "replace")
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return (
            str(int(value))
            if value == int(value) and abs(value) < 1e6
            else format(value, ".6g" if abs(value) >= 1e6 else "g")
        )
    if isinstance(value, bytes):
        return value.decode("cp1252", "replace")
    return str(value)


def _fit(text: str, to: SqlType, *, strict: bool) -> str:
    if to.length > 0 and len(text) > to.length:
        if strict and text[to.length :].strip(" "):
            raise SqlFailure(2628, text)  # the caller knows table and column
        text = text[: to.length]
    return text.ljust(to.length) if to.name in {"char", "nchar"} and to.length > 0 else text


def guess(values: list[Any]) -> SqlType:
    """The type of a column that no declaration names."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {bool, int}:
        return SqlType(
            "bigint" if any(value is not None and not -(2**31) <= value < 2**31 for value in values) else "int"
        )
    if kinds <= {bool, int, float}:
        return SqlType("float")
    if kinds == {bytes}:
        longest = max(len(value) for value in values if value is not None)
        return SqlType("varbinary", 8000 if longest <= 8000 else -1)
    longest = max(len(str(value)) for value in values if value is not None)
    return SqlType("nvarchar", 4000 if longest <= 4000 else -1)
