"""Properties and methods of the values that Python has a type of its own for."""

from __future__ import annotations

import datetime as dt
import ipaddress
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.lab.windows.powershell.convert import cast, to_text, type_name
from tests.lab.windows.powershell.format_operator import formatted
from tests.lab.windows.powershell.list_methods import LIST_METHODS, TABLE_METHODS, TABLE_PROPERTIES
from tests.lab.windows.powershell.netlists import NetDictionary, NetList
from tests.lab.windows.powershell.operators import compare, equal
from tests.lab.windows.powershell.text_methods import TEXT_METHODS, Raised
from tests.lab.windows.powershell.values import (
    Byte,
    Char,
    EnumValue,
    ErrorRecord,
    Int64,
    NetException,
    Position,
    PsObject,
    Reference,
    Table,
    TypeValue,
    UInt16,
    custom,
)

TICKS = 10_000_000
EPOCH = dt.datetime(1, 1, 1)


# Texts --------------------------------------------------------------------------


# Dates --------------------------------------------------------------------------


def ticks(value: dt.datetime) -> Int64:
    """Ticks of 100 ns since the year 1."""
    return Int64((value.replace(tzinfo=None) - EPOCH) // dt.timedelta(microseconds=1) * 10)


def _months(value: dt.datetime, count: Any) -> dt.datetime:
    months = value.year * 12 + value.month - 1 + int(count)
    year, month = divmod(months, 12)
    for day in range(value.day, 27, -1):
        try:
            return value.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    return value.replace(year=year, month=month + 1)


def utc(value: dt.datetime) -> dt.datetime:
    """ToUniversalTime."""
    return value.astimezone(dt.UTC) if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)


def to_string(value: Any, pattern: Any = "", *_: Any) -> str:
    """ToString(format)."""
    if isinstance(value, dt.datetime) and not pattern:
        return formatted(value, "G")
    return formatted(value, to_text(pattern) if isinstance(pattern, str) else "")


def _add(unit: str) -> Callable[[Any, Any], Any]:
    def work(value: Any, count: Any) -> Any:
        return value + dt.timedelta(**{unit: float(cast(count, "System.Double"))})

    return work


DATE_METHODS: dict[str, Callable[..., Any]] = {
    **{f"add{unit}": _add(unit) for unit in ("days", "hours", "minutes", "seconds", "milliseconds")},
    "addmonths": _months,
    "addyears": lambda d, count: _months(d, int(count) * 12),
    "addticks": lambda d, count: d + dt.timedelta(microseconds=int(count) / 10),
    "add": lambda d, span: d + cast(span, "System.TimeSpan"),
    "subtract": lambda d, other: (
        d.replace(tzinfo=None) - other.replace(tzinfo=None)
        if isinstance(other, dt.datetime)
        else d - cast(other, "System.TimeSpan")
    ),
    "touniversaltime": utc,
    "tolocaltime": lambda d: d.astimezone(dt.UTC).replace(tzinfo=None) if d.tzinfo is not None else d,
    "tostring": to_string,
    "toshortdatestring": lambda d: formatted(d, "d"),
    "tolongdatestring": lambda d: formatted(d, "D"),
    "tofiletime": lambda d: Int64(ticks(utc(d)) - 504911232000000000),
    "tofiletimeutc": lambda d: Int64(ticks(utc(d)) - 504911232000000000),
    "compareto": compare,
    "equals": equal,
    "isdaylightsavingtime": lambda d: False,
}
DATE_PROPERTIES: dict[str, Callable[[Any], Any]] = {
    "year": lambda d: d.year, "month": lambda d: d.month, "day": lambda d: d.day, "hour": lambda d: d.hour, "minute": lambda d: d.minute,
    "second": lambda d: d.second, "millisecond": lambda d: d.microsecond // 1000, "ticks": ticks, "dayofyear": lambda d: d.timetuple().tm_yday,
    "date": lambda d: d.replace(hour=0, minute=0, second=0, microsecond=0),
    "timeofday": lambda d: dt.timedelta(hours=d.hour, minutes=d.minute, seconds=d.second, microseconds=d.microsecond),
    "kind": lambda d: EnumValue("System.DateTimeKind", "Utc", 1) if d.tzinfo is not None else EnumValue("System.DateTimeKind", "Local", 2),
    "dayofweek": lambda d: EnumValue("System.DayOfWeek", ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")[d.weekday()], (d.weekday() + 1) % 7),
}  # fmt: skip


def _whole(span: dt.timedelta, unit_s: float, size: int) -> int:
    seconds = abs(span.total_seconds())
    return int(seconds / unit_s) % size * (-1 if span < dt.timedelta(0) else 1)


SPAN_PROPERTIES: dict[str, Callable[[Any], Any]] = {
    "days": lambda s: int(s.total_seconds() / 86400), "hours": lambda s: _whole(s, 3600, 24), "minutes": lambda s: _whole(s, 60, 60),
    "seconds": lambda s: _whole(s, 1, 60), "milliseconds": lambda s: _whole(s, 0.001, 1000), "ticks": lambda s: Int64(s // dt.timedelta(microseconds=1) * 10),
    "totaldays": lambda s: s.total_seconds() / 86400, "totalhours": lambda s: s.total_seconds() / 3600, "totalminutes": lambda s: s.total_seconds() / 60,
    "totalseconds": lambda s: s.total_seconds(), "totalmilliseconds": lambda s: s.total_seconds() * 1000,
}  # fmt: skip
SPAN_METHODS: dict[str, Callable[..., Any]] = {
    "tostring": to_string,
    "add": lambda s, other: s + cast(other, "System.TimeSpan"),
    "subtract": lambda s, other: s - cast(other, "System.TimeSpan"),
    "negate": lambda s: -s,
    "duration": abs,
    "compareto": compare,
    "equals": equal,
}

# Lists and tables ---------------------------------------------------------------


# Errors -------------------------------------------------------------------------


def category(record: ErrorRecord) -> PsObject:
    """ErrorRecord.CategoryInfo."""
    target = record.target
    made = custom(
        {
            "Category": EnumValue("System.Management.Automation.ErrorCategory", record.category, 0),
            "Activity": record.activity,
            "Reason": record.reason or record.thrown().type_name.split(".")[-1],
            "TargetName": to_text(target) if target is not None else "",
            "TargetType": short_type(target),
        }
    )
    made.type_names, made.text = (
        ("System.Management.Automation.ErrorCategoryInfo", "System.Object"),
        category_text(record),
    )
    return made


def short_type(target: Any) -> str:
    """The short name of a target's type."""
    if target is None:
        return ""
    if isinstance(target, PsObject) and "#" in target.type_names[0]:
        return "CimInstance"
    return type_name(target).split(".")[-1]


def category_text(record: ErrorRecord) -> str:
    """`ObjectNotFound: (C:\\x:String) [Get-Item], ItemNotFoundException`."""
    name = to_text(record.target) if record.target is not None else ""
    if len(name) > 40:
        name = name[:18] + "..." + name[-19:]
    target = f"{name}:{short_type(record.target)}" if record.target is not None else ":"
    return f"{record.category}: ({target}) [{record.activity}], {record.reason or record.thrown().type_name.split('.')[-1]}"


def invocation(record: ErrorRecord) -> PsObject | None:
    """ErrorRecord.InvocationInfo."""
    place = record.position
    if place is None:
        return None
    return custom(
        {
            "ScriptName": place.file,
            "ScriptLineNumber": place.line,
            "OffsetInLine": place.column,
            "Line": place.line_text,
            "PositionMessage": position_text(place),
            "InvocationName": record.activity,
            "MyCommand": record.activity or None,
            "PSCommandPath": place.file,
        }
    )


def position_text(place: Position) -> str:
    """The lines that show where an error is."""
    where = f"At {place.file or 'line'}:{place.line} char:{place.column}"
    length = max(1, min(len(place.text.split("\n")[0]) if place.text else 1, len(place.line_text) - place.column + 1))
    indent = len(place.line_text) - len(place.line_text.lstrip())
    return f"{where}\r\n+ {place.line_text.strip()}\r\n+ {' ' * max(0, place.column - 1 - indent)}{'~' * length}"


def base_exception(error: NetException) -> NetException:
    """GetBaseException."""
    while error.inner is not None:
        error = error.inner
    return error


EXCEPTION_PROPERTIES: dict[str, Callable[[Any], Any]] = {
    "message": lambda e: e.message,
    "innerexception": lambda e: e.inner,
    "hresult": lambda e: e.hresult,
    "stacktrace": lambda e: None,
    "source": lambda e: None,
    "data": lambda e: Table(),
}
RECORD_PROPERTIES: dict[str, Callable[[Any], Any]] = {
    "exception": lambda r: r.thrown(),
    "fullyqualifiederrorid": lambda r: r.whole_id(),
    "categoryinfo": category,
    "targetobject": lambda r: r.target,
    "invocationinfo": invocation,
    "scriptstacktrace": lambda r: "\r\n".join(r.stack),
    "errordetails": lambda r: custom({"Message": r.details, "RecommendedAction": ""}) if r.details else None,
    "pipelineiterationinfo": lambda r: [],
}


def _enum_equal(value: EnumValue, other: Any) -> bool:
    return equal(value, other)


ADDRESS_PROPERTIES: dict[str, Callable[[Any], Any]] = {
    "addressfamily": lambda a: EnumValue(
        "System.Net.Sockets.AddressFamily",
        "InterNetwork" if a.version == 4 else "InterNetworkV6",
        2 if a.version == 4 else 23,
    ),
    "ipaddresstostring": str,
    "address": lambda a: Int64(int.from_bytes(a.packed, "little")) if a.version == 4 else None,
    "isipv6linklocal": lambda a: a.version == 6 and a.is_link_local,
    "scopeid": lambda a: Int64(0),
}
ADDRESSES = (ipaddress.IPv4Address, ipaddress.IPv6Address)

METHODS: list[tuple[Any, dict[str, Callable[..., Any]]]] = [
    (str, TEXT_METHODS),
    (dt.datetime, DATE_METHODS),
    (dt.timedelta, SPAN_METHODS),
    (Table, TABLE_METHODS),
    (list, LIST_METHODS),
    (ErrorRecord, {"tostring": lambda r: r.message}),
    (NetException, {"tostring": lambda e: f"{e.type_name}: {e.message}", "getbaseexception": base_exception}),
    (
        EnumValue,
        {
            "tostring": to_string,
            "equals": _enum_equal,
            "hasflag": lambda e, other: e.number & int(getattr(other, "number", 0)) != 0,
        },
    ),
    (
        (int, float, Decimal),
        {
            "tostring": to_string,
            "compareto": compare,
            "equals": lambda a, b: type(a) is type(b) and a == b,
        },
    ),
    (uuid.UUID, {"tostring": to_string, "tobytearray": lambda g: [Byte(b) for b in g.bytes_le]}),
    (
        ADDRESSES,
        {"getaddressbytes": lambda a: [Byte(b) for b in a.packed], "tostring": str, "equals": lambda a, b: a == b},
    ),
    (TypeValue, {"tostring": lambda v: v.name}),
]
PROPERTIES: list[tuple[Any, dict[str, Callable[[Any], Any]]]] = [
    (str, {"length": len, "chars": lambda s: [Char(one) for one in s]}),
    (dt.datetime, DATE_PROPERTIES),
    (dt.timedelta, SPAN_PROPERTIES),
    (NetDictionary, TABLE_PROPERTIES),
    (Table, {**TABLE_PROPERTIES, "isfixedsize": lambda t: False, "syncroot": lambda t: t}),
    (NetList, {"count": len, "capacity": len}),
    (list, {"length": len, "count": len, "longlength": len, "rank": lambda a: 1, "isfixedsize": lambda a: True}),
    (NetException, EXCEPTION_PROPERTIES),
    (ErrorRecord, RECORD_PROPERTIES),
    (EnumValue, {"value__": lambda e: e.number}),
    (bool, {"ispresent": bool}),
    (uuid.UUID, {"guid": str}),
    (ADDRESSES, ADDRESS_PROPERTIES),
    (Reference, {"value": lambda r: r.read()}),
    (TypeValue, {"name": lambda v: v.name.split(".")[-1], "fullname": lambda v: v.name}),
]
SHOWN: list[tuple[Any, tuple[str, ...]]] = [
    (dt.datetime, ("Date", "Day", "DayOfWeek", "DayOfYear", "Hour", "Kind", "Millisecond", "Minute", "Month", "Second", "Ticks", "TimeOfDay", "Year")),
    (dt.timedelta, ("Ticks", "Days", "Hours", "Milliseconds", "Minutes", "Seconds", "TotalDays", "TotalHours", "TotalMilliseconds", "TotalMinutes", "TotalSeconds")),
    (str, ("Length",)),
    (NetException, ("Message", "Data", "InnerException", "StackTrace", "Source", "HResult")),
    (ErrorRecord, ("Exception", "TargetObject", "CategoryInfo", "FullyQualifiedErrorId", "ErrorDetails", "InvocationInfo", "ScriptStackTrace", "PipelineIterationInfo")),
]  # fmt: skip
__all__ = ["METHODS", "PROPERTIES", "SHOWN", "Raised", "UInt16"]
