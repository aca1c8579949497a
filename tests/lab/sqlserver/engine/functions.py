"""The scalar functions of T-SQL as functions of SQLite. Those that ask about server, database or login are in ``metadata``."""

from __future__ import annotations

import math
import random
import re
import secrets
import sqlite3
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from tests.lab.sqlserver.engine import accounts
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import SqlFailure, SqlType
from tests.lab.sqlserver.engine.values import cast, parse_moment, parse_type, to_storage

NVARCHAR = SqlType("nvarchar", 4000)
INT = SqlType("int")
BIGINT = SqlType("bigint")
FLOAT = SqlType("float")
DATETIME = SqlType("datetime")
DATETIME2 = SqlType("datetime2", scale=7)
VARIANT = SqlType("sql_variant")
VARBINARY = SqlType("varbinary", 8000)
UUID = SqlType("uniqueidentifier")

Function = Callable[..., Any]
FUNCTIONS: dict[
    str, tuple[Function, SqlType | None]
] = {}  # name -> what it does, the type of what it gives (None: of its first value)


class Current(threading.local):
    """Which session runs on this thread, and what failed inside a function."""

    session: Any = None
    failure: SqlFailure | None = None


current = Current()


def function(name: str, gives: SqlType | None = NVARCHAR) -> Callable[[Function], Function]:
    """Registers a function under its name in T-SQL."""

    def register(what: Function) -> Function:
        FUNCTIONS[name.upper()] = (what, gives)
        return what

    return register


def _guarded(what: Function) -> Function:
    def call(*values: Any) -> Any:
        try:
            return what(*values)
        except SqlFailure as failure:
            current.failure = failure
            raise
        except TypeError as error:
            current.failure = SqlFailure(174, f"The function requires other arguments: {error}", severity=15)
            raise
        except (ValueError, OverflowError) as error:
            current.failure = SqlFailure(
                9810 if "date" in str(error) else 8115, f"Arithmetic overflow error converting expression: {error}"
            )
            raise

    return call


def register(connection: sqlite3.Connection) -> None:
    """All functions on a connection."""
    for name, what in _GUARDED.items() or _guard_all():
        connection.create_function(name, -1, what)
    connection.create_function("like", 2, _guarded(_like))
    connection.create_function("like", 3, _guarded(_like))
    connection.create_aggregate("a_string_agg", -1, StringAgg)


_GUARDED: dict[str, Function] = {}


def _guard_all() -> Any:
    for name, (what, _) in FUNCTIONS.items():
        _GUARDED["f_" + name.lower()] = _guarded(what)
    for name, what in INTERNAL.items():
        _GUARDED[name] = _guarded(what)
    return _GUARDED.items()


class StringAgg:
    """STRING_AGG."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.separator = ""

    def step(self, value: Any, separator: Any = "") -> None:
        """One row."""
        self.separator = str(separator)
        if value is not None:
            self.parts.append(str(value))

    def finalize(self) -> str | None:
        """The whole."""
        return self.separator.join(self.parts) if self.parts else None


# -- operators ---------------------------------------------------------------------------------------------------------------------


def _number(value: Any, other: Any = None) -> Any:
    if isinstance(value, str):
        return cast(value, FLOAT if isinstance(other, float) else INT)
    if isinstance(value, bytes):
        return int.from_bytes(value, "big")
    return value


def t_add(one: Any, other: Any) -> Any:
    """+ of what the compiler could not tell: texts are joined, numbers added."""
    if one is None or other is None:
        return None
    if (isinstance(one, str) and isinstance(other, str)) or (isinstance(one, bytes) and isinstance(other, bytes)):
        return one + other
    if isinstance(one, str) and isinstance(other, int | float) and len(one) >= 19 and "-" in one[4:5]:
        return to_storage(parse_moment(one) + timedelta(days=other))
    return _number(one, other) + _number(other, one)


def t_div(one: Any, other: Any) -> Any:
    """/ : whole numbers give whole ones."""
    one, other = _number(one, other), _number(other, one)
    if one is None or other is None:
        return None
    if other == 0:
        raise fail(8134)
    if isinstance(one, int) and isinstance(other, int):
        quotient = abs(one) // abs(other)
        return quotient if (one < 0) == (other < 0) else -quotient
    return one / other


def t_mod(one: Any, other: Any) -> Any:
    """%."""
    one, other = _number(one, other), _number(other, one)
    if one is None or other is None:
        return None
    if other == 0:
        raise fail(8134)
    return int(math.fmod(one, other)) if isinstance(one, int) and isinstance(other, int) else math.fmod(one, other)


_type = lru_cache(maxsize=500)(parse_type)


def t_cast(value: Any, to: str, source: str = "", style: int = 0) -> Any:
    """CAST and CONVERT."""
    return cast(value, _type(to), source, style or 0)


def t_try_cast(value: Any, to: str, source: str = "", style: int = 0) -> Any:
    """TRY_CAST and TRY_CONVERT."""
    try:
        return cast(value, _type(to), source, style or 0)
    except SqlFailure:
        return None


def t_store(value: Any, to: str, source: str, table: str, column: str) -> Any:
    """A value on its way into a column."""
    try:
        return cast(value, _type(to), source, strict=True)
    except SqlFailure as failure:
        if failure.number != 2628:
            raise
        raise fail(2628, table, column, failure.message[: max(_type(to).length, 0)]) from None


@lru_cache(maxsize=1000)
def _pattern(pattern: str, escape: str) -> re.Pattern[str]:
    made, at = "", 0
    while at < len(pattern):
        sign = pattern[at]
        if escape and sign == escape and at + 1 < len(pattern):
            at += 1
            made += re.escape(pattern[at])
        elif sign == "%":
            made += ".*"
        elif sign == "_":
            made += "."
        elif sign == "[" and "]" in pattern[at + 1 :]:
            end = pattern.index("]", at + 1)
            inner = pattern[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            made += f"[{inner}]"
            at = end
        else:
            made += re.escape(sign)
        at += 1
    return re.compile(made, re.IGNORECASE | re.DOTALL)


def _like(pattern: Any, value: Any, escape: str = "") -> Any:
    if pattern is None or value is None:
        return None
    return int(_pattern(str(pattern), escape).fullmatch(str(value)) is not None)


def t_variable(name: str) -> Any:
    """A global variable (@@...)."""
    return current.session.global_variable(name)


INTERNAL: dict[str, Function] = {
    "t_add": t_add, "t_div": t_div, "t_mod": t_mod, "t_cast": t_cast, "t_try_cast": t_try_cast, "t_store": t_store, "t_variable": t_variable,
}  # fmt: skip

# -- texts -------------------------------------------------------------------------------------------------------------------------


def _text(name: str, gives: SqlType | None, what: Function) -> None:
    def call(*values: Any) -> Any:
        if values and values[0] is None:
            return None
        return what(*values)

    FUNCTIONS[name] = (call, gives)


def _str(value: Any) -> str:
    return value if isinstance(value, str) else str(cast(value, NVARCHAR))


def _patindex(pattern: str, value: Any) -> int:
    core = pattern.removeprefix("%").removesuffix("%")
    match = _pattern(core, "").search(_str(value)) if core else None
    return match.start() + 1 if match else 0


def _replace(value: Any, old: Any, new: Any) -> Any:
    return (
        None
        if old is None or new is None
        else re.sub(re.escape(_str(old)), lambda _: _str(new), _str(value), flags=re.IGNORECASE)
    )


def _substring(value: Any, start: int, length: int) -> Any:
    if start is None or length is None:
        return None
    if length < 0:
        raise SqlFailure(537, "Invalid length parameter passed to the LEFT or SUBSTRING function.")
    whole = value if isinstance(value, bytes) else _str(value)
    end = max(start - 1 + length, 0)
    return whole[max(start - 1, 0) : end]


def _parsename(name: str, piece: int) -> Any:
    parts = [part.strip("[]") for part in re.findall(r"\[[^\]]*\]|[^.]+", name)][::-1]
    return parts[piece - 1] if 0 < piece <= len(parts) else None


def _quotename(name: Any, quote: str = "[") -> Any:
    left, right = {"[": "[]", "]": "[]", "'": "''", '"': '""', "(": "()"}.get(quote, "  ")
    text = _str(name)
    return None if left == " " or len(text) > 128 else left + text.replace(right, right * 2) + right


_text("LEN", INT, lambda value: len(_str(value).rstrip(" ")) if not isinstance(value, bytes) else len(value))
_text(
    "DATALENGTH",
    INT,
    lambda value: (
        len(value)
        if isinstance(value, bytes)
        else 4
        if isinstance(value, int)
        else len(_str(value).encode("utf-16-le"))
    ),
)
_text("UPPER", None, lambda value: _str(value).upper())
_text("LOWER", None, lambda value: _str(value).lower())
_text("LTRIM", None, lambda value: _str(value).lstrip(" "))
_text("RTRIM", None, lambda value: _str(value).rstrip(" "))
_text("TRIM", None, lambda value: _str(value).strip(" "))
_text("LEFT", None, lambda value, count: _str(value)[: max(count, 0)])
_text("RIGHT", None, lambda value, count: _str(value)[-count:] if count > 0 else "")
_text("SUBSTRING", None, _substring)
_text("REPLACE", None, _replace)
_text("REVERSE", None, lambda value: _str(value)[::-1])
_text("REPLICATE", NVARCHAR, lambda value, count: _str(value) * max(count, 0))
_text("SPACE", NVARCHAR, lambda count: " " * count)
_text("CHAR", SqlType("char", 1), lambda code: bytes([code]).decode("cp1252", "replace") if 0 <= code < 256 else None)
_text("NCHAR", SqlType("nchar", 1), lambda code: chr(code))
_text("ASCII", INT, lambda value: _str(value).encode("cp1252", "replace")[0] if value else None)
_text("UNICODE", INT, lambda value: ord(_str(value)[0]) if value else None)
_text(
    "STUFF",
    None,
    lambda value, start, length, new: _str(value)[: start - 1] + (new or "") + _str(value)[start - 1 + length :],
)
_text("PATINDEX", INT, lambda pattern, value: None if value is None else _patindex(pattern, value))
_text(
    "CHARINDEX",
    INT,
    lambda find, value, start=1: (
        None if value is None else _str(value).lower().find(_str(find).lower(), max((start or 1) - 1, 0)) + 1
    ),
)
_text("PARSENAME", SqlType("nvarchar", 128), _parsename)
_text("QUOTENAME", SqlType("nvarchar", 258), _quotename)
_text("STR", SqlType("varchar", 20), lambda value, length=10, decimals=0: f"{value:.{decimals}f}".rjust(length))
_text("HASHBYTES", VARBINARY, lambda kind, value: _hashbytes(kind, value))


@function("CONCAT")
def _concat(*values: Any) -> str:
    return "".join(_str(value) for value in values if value is not None)


@function("CONCAT_WS")
def _concat_ws(separator: Any, *values: Any) -> str:
    return _str(separator or "").join(_str(value) for value in values if value is not None)


def _hashbytes(kind: str, value: Any) -> Any:
    import hashlib

    if value is None:
        return None
    raw = value if isinstance(value, bytes) else _str(value).encode("utf-16-le")
    name = {"md5": "md5", "sha": "sha1", "sha1": "sha1", "sha2_256": "sha256", "sha2_512": "sha512"}.get(kind.lower())
    return hashlib.new(name, raw, usedforsecurity=False).digest() if name else None


@function("PWDENCRYPT", SqlType("varbinary", 128))
def _pwdencrypt(password: Any) -> Any:
    return (
        None
        if password is None
        else accounts.hash_password(_str(password), current.session.instance.personality.hash_version)
    )


@function("PWDCOMPARE", INT)
def _pwdcompare(password: Any, stored: Any, _old: Any = 0) -> Any:
    return None if stored is None else int(accounts.matches(_str(password or ""), bytes(stored)))


# -- numbers -----------------------------------------------------------------------------------------------------------------------

_text("ABS", None, lambda value: abs(_number(value)))
_text("CEILING", None, lambda value: math.ceil(value))
_text("FLOOR", None, lambda value: math.floor(value))
_text(
    "ROUND",
    None,
    lambda value, places=0, cut=0: (
        value
        if isinstance(value, int) and places >= 0
        else math.floor(abs(value) * 10**places + (0 if cut else 0.5)) / 10**places * (1 if value >= 0 else -1)
    ),
)
_text("SIGN", None, lambda value: (value > 0) - (value < 0))
_text("SQRT", FLOAT, lambda value: math.sqrt(value))
_text("SQUARE", FLOAT, lambda value: float(value) ** 2)
_text("POWER", None, lambda value, to: value**to)
_text("EXP", FLOAT, lambda value: math.exp(value))
_text("LOG", FLOAT, lambda value, base=math.e: math.log(value, base))
_text(
    "ISNUMERIC", INT, lambda value: int(re.fullmatch(r"\s*[-+$]?\d*\.?\d+([eE][-+]?\d+)?\s*", _str(value)) is not None)
)


@function("RAND", FLOAT)
def _rand(_seed: Any = None) -> float:
    return random.random()


@function("CHECKSUM", INT)
def _checksum(*values: Any) -> int:
    import zlib

    return zlib.crc32(repr(values).encode()) - 2**31


@function("NEWID", UUID)
def _newid() -> str:
    return str(uuid.uuid4()).upper()


FUNCTIONS["NEWSEQUENTIALID"] = FUNCTIONS["NEWID"]


@function("CRYPT_GEN_RANDOM", VARBINARY)
def _random(length: int) -> bytes:
    return secrets.token_bytes(length)


@function("ISNULL", None)
def _isnull(value: Any, other: Any) -> Any:
    return other if value is None else value


@function("CHOOSE", None)
def _choose(index: Any, *values: Any) -> Any:
    return values[index - 1] if index is not None and 0 < index <= len(values) else None


# -- moments -----------------------------------------------------------------------------------------------------------------------


def _now(kind: str) -> Function:
    def call() -> str:
        at = datetime.now(UTC)
        return str(cast(to_storage(at if kind == "datetimeoffset" else at.replace(tzinfo=None)), parse_type(kind)))

    return call


for _name, _kind in (
    ("GETDATE", "datetime"),
    ("GETUTCDATE", "datetime"),
    ("SYSDATETIME", "datetime2"),
    ("SYSUTCDATETIME", "datetime2"),
    ("CURRENT_TIMESTAMP", "datetime"),
    ("SYSDATETIMEOFFSET", "datetimeoffset"),
):
    FUNCTIONS[_name] = (_now(_kind), parse_type(_kind))

PARTS = {
    "dayofweek": "weekday",
    "doy": "dayofyear",
    "weekofyear": "week",
    "yy": "year", "yyyy": "year", "qq": "quarter", "q": "quarter", "mm": "month", "m": "month", "dy": "dayofyear", "y": "dayofyear", "dd": "day",
    "d": "day", "wk": "week", "ww": "week", "dw": "weekday", "w": "weekday", "hh": "hour", "mi": "minute", "n": "minute", "ss": "second",
    "s": "second", "ms": "millisecond", "mcs": "microsecond", "ns": "nanosecond",
}  # fmt: skip
STEPS = {
    "day": 86_400_000_000,
    "week": 604_800_000_000,
    "hour": 3_600_000_000,
    "minute": 60_000_000,
    "second": 1_000_000,
    "millisecond": 1000,
    "microsecond": 1,
    "dayofyear": 86_400_000_000,
    "weekday": 86_400_000_000,
}
DATE_FUNCTIONS = {"DATEADD", "DATEDIFF", "DATEDIFF_BIG", "DATEPART", "DATENAME", "DATETRUNC"}


def _part(name: str) -> str:
    part = PARTS.get(name.lower(), name.lower())
    if part not in {*STEPS, "year", "quarter", "month", "nanosecond"}:
        raise SqlFailure(155, f"'{name}' is not a recognized datepart option.", severity=15)
    return part


def _at(value: Any) -> datetime:
    return parse_moment(cast(value, DATETIME2)).replace(tzinfo=None)


@function("DATEADD", None)
def _dateadd(part: str, count: Any, value: Any) -> Any:
    if count is None or value is None:
        return None
    part, count, at = _part(part), int(count), _at(value)
    if part in STEPS:
        at += timedelta(microseconds=STEPS[part] * count)
    else:
        months = at.year * 12 + at.month - 1 + count * {"year": 12, "quarter": 3}.get(part, 1)
        year, month = divmod(months, 12)
        at = at.replace(year=year, month=month + 1, day=min(at.day, _days(year, month + 1)))
    text = str(to_storage(at))
    return text[:10] if isinstance(value, str) and len(value) == 10 and at.time().isoformat() == "00:00:00" else text


def _days(year: int, month: int) -> int:
    import calendar

    return calendar.monthrange(year, month)[1]


@function("DATEDIFF", INT)
def _datediff(part: str, start: Any, end: Any) -> Any:
    if start is None or end is None:
        return None
    part, one, other = _part(part), _at(start), _at(end)
    if part in {"year", "quarter", "month"}:
        size = {"year": 12, "quarter": 3, "month": 1}[part]
        return (other.year * 12 + other.month - 1) // size - (one.year * 12 + one.month - 1) // size
    step = STEPS[part]
    base = datetime(1, 1, 1)

    def count(at: datetime) -> int:
        return ((at - base) // timedelta(microseconds=1)) // step

    return count(other) - count(one)


FUNCTIONS["DATEDIFF_BIG"] = (_datediff, BIGINT)


@function("DATEPART", INT)
def _datepart(part: str, value: Any) -> Any:
    if value is None:
        return None
    part, at = _part(part), _at(value)
    if part == "quarter":
        return (at.month + 2) // 3
    if part == "week":
        return int(at.strftime("%U")) + 1
    if part == "weekday":
        return at.isoweekday() % 7 + 1
    if part == "dayofyear":
        return at.timetuple().tm_yday
    if part in {"millisecond", "nanosecond"}:
        return at.microsecond // 1000 if part == "millisecond" else at.microsecond * 1000
    return getattr(at, part)


@function("DATENAME")
def _datename(part: str, value: Any) -> Any:
    if value is None:
        return None
    name = _part(part)
    return (
        _at(value).strftime("%B")
        if name == "month"
        else _at(value).strftime("%A")
        if name == "weekday"
        else str(_datepart(part, value))
    )


_text("YEAR", INT, lambda value: _at(value).year)
_text("MONTH", INT, lambda value: _at(value).month)
_text("DAY", INT, lambda value: _at(value).day)
_text(
    "EOMONTH",
    SqlType("date"),
    lambda value, months=0: str(
        _dateadd("day", -1, _dateadd("month", 1 + (months or 0), _at(value).replace(day=1).date().isoformat()))
    )[:10],
)
_text("ISDATE", INT, lambda value: int(_is_date(value)))


def _is_date(value: Any) -> bool:
    try:
        parse_moment(_str(value))
    except ValueError:
        return False
    return True
