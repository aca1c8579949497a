"""Functions of T-SQL for dates and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.lab.sqlserver.engine.functions import BIGINT, DATETIME2, FUNCTIONS, INT, Function, function
from tests.lab.sqlserver.engine.functions_text import _str, _text
from tests.lab.sqlserver.engine.port import SqlFailure, SqlType
from tests.lab.sqlserver.engine.values import cast, parse_moment, parse_type, to_storage

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
