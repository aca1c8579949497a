"""Properties and methods of the values that Python has a type of its own for."""

from __future__ import annotations

import datetime as dt
import functools
import ipaddress
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.lab.windows.powershell.convert import cast, to_text, type_name
from tests.lab.windows.powershell.netlists import NetDictionary, NetList
from tests.lab.windows.powershell.operators import compare, equal, formatted
from tests.lab.windows.powershell.values import (
    Byte,
    Char,
    EnumValue,
    ErrorRecord,
    Int64,
    NetException,
    OutsideSubset,
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


class Raised(Exception):
    """What a .NET method throws."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.cause = NetException(kind, message)


def os_error(error: OSError) -> NetException:
    """An error of the file system as .NET has it."""
    names = {
        FileNotFoundError: "System.IO.FileNotFoundException",
        NotADirectoryError: "System.IO.DirectoryNotFoundException",
        PermissionError: "System.UnauthorizedAccessException",
    }
    return NetException(names.get(type(error), "System.IO.IOException"), error.strerror or str(error))


# Texts --------------------------------------------------------------------------


def _case(arguments: tuple[Any, ...]) -> bool:
    """Whether the comparison asked for heeds case (texts of .NET do unless told otherwise)."""
    for one in arguments:
        if isinstance(one, EnumValue) or (
            isinstance(one, str) and one.casefold().startswith(("ordinal", "currentculture", "invariantculture"))
        ):
            return "ignorecase" not in to_text(one).casefold()
        if isinstance(one, bool):
            return not one
    return True


def _cased(text: str, arguments: tuple[Any, ...]) -> str:
    return text if _case(arguments) else text.casefold()


def _chars(arguments: tuple[Any, ...]) -> str | None:
    joined = "".join(to_text(one) for group in arguments for one in (group if isinstance(group, list) else [group]))
    return joined or None


def text_split(text: str, *arguments: Any) -> list[Any]:
    """String.Split: the characters of a text each separate, as in .NET Framework."""
    marks: list[str] = []
    whole: list[str] = []
    limit, drop = 0, False
    for one in arguments:
        if isinstance(one, EnumValue) or (isinstance(one, str) and one.casefold() == "removeemptyentries"):
            drop = to_text(one).casefold() == "removeemptyentries"
        elif isinstance(one, int) and not isinstance(one, bool):
            limit = int(one)
        elif isinstance(one, list) and any(len(to_text(item)) > 1 for item in one):
            whole.extend(to_text(item) for item in one)
        else:
            marks.extend(to_text(one) if not isinstance(one, list) else "".join(to_text(item) for item in one))
    if limit:
        raise OutsideSubset("String.Split with a count lies outside the subset; use -split")
    parts, rest = [""], text
    while rest:
        found = next((mark for mark in whole or marks or list(" \t\r\n") if rest.startswith(mark)), None)
        if found is None:
            parts[-1] += rest[0]
            rest = rest[1:]
        else:
            parts.append("")
            rest = rest[len(found) :]
    return [part for part in parts if part or not drop]


def substring(text: str, start: Any, length: Any = None) -> str:
    """String.Substring."""
    first = cast(start, "System.Int32")
    size = len(text) - first if length is None else cast(length, "System.Int32")
    if first < 0 or first > len(text):
        raise Raised(
            "System.ArgumentOutOfRangeException",
            "startIndex cannot be larger than length of string.\r\nParameter name: startIndex",
        )
    if size < 0 or first + size > len(text):
        raise Raised(
            "System.ArgumentOutOfRangeException",
            "Index and length must refer to a location within the string.\r\nParameter name: length",
        )
    return text[first : first + size]


def text_replace(text: str, old: Any, new: Any) -> str:
    """String.Replace: with case."""
    if to_text(old) == "":
        raise Raised("System.ArgumentException", "String cannot be of zero length.\r\nParameter name: oldValue")
    return text.replace(to_text(old), to_text(new))


def _find(text: str, what: Any, *arguments: Any) -> int:
    start = next((int(one) for one in arguments if isinstance(one, int) and not isinstance(one, bool)), 0)
    return _cased(text, arguments).find(_cased(to_text(what), arguments), start)


TEXT_METHODS: dict[str, Callable[..., Any]] = {
    "trim": lambda s, *a: s.strip(_chars(a)),
    "trimstart": lambda s, *a: s.lstrip(_chars(a)),
    "trimend": lambda s, *a: s.rstrip(_chars(a)),
    "split": text_split,
    "replace": text_replace,
    "substring": substring,
    "indexof": _find,
    "lastindexof": lambda s, what, *a: _cased(s, a).rfind(_cased(to_text(what), a)),
    "indexofany": lambda s, chars: min((s.find(c) for c in _chars((chars,)) or "" if c in s), default=-1),
    "contains": lambda s, what: to_text(what) in s,
    "startswith": lambda s, what, *a: _cased(s, a).startswith(_cased(to_text(what), a)),
    "endswith": lambda s, what, *a: _cased(s, a).endswith(_cased(to_text(what), a)),
    "toupper": lambda s: s.upper(),
    "tolower": lambda s: s.lower(),
    "toupperinvariant": lambda s: s.upper(),
    "tolowerinvariant": lambda s: s.lower(),
    "padleft": lambda s, width, fill=" ": s.rjust(cast(width, "System.Int32"), to_text(fill)),
    "padright": lambda s, width, fill=" ": s.ljust(cast(width, "System.Int32"), to_text(fill)),
    "insert": lambda s, place, what: s[: int(place)] + to_text(what) + s[int(place) :],
    "remove": lambda s, place, count=None: s[: int(place)] + ("" if count is None else s[int(place) + int(count) :]),
    "tochararray": lambda s: [Char(one) for one in s],
    "equals": lambda s, other, *a: isinstance(other, str) and _cased(s, a) == _cased(str(other), a),
    "compareto": compare,
    "tostring": lambda s, *a: str(s),
    "normalize": lambda s: s,
    "gettypecode": lambda s: EnumValue("System.TypeCode", "String", 18),
}

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


def _list_add(target: list[Any], value: Any) -> Any:
    if not isinstance(target, NetList):
        raise Raised("System.NotSupportedException", "Collection was of a fixed size.")
    kind = target.type_name
    value = target.converted(value)
    if "HashSet" in kind:
        if any(item is value or (type(item) is type(value) and item == value) for item in target):
            return False
        list.append(target, value)
        return True
    list.append(target, value)
    return len(target) - 1 if kind == "System.Collections.ArrayList" else None


def fixed(work: Callable[..., Any]) -> Callable[..., Any]:
    """A method that arrays refuse."""

    @functools.wraps(work)
    def guard(target: Any, *given: Any) -> Any:
        if not isinstance(target, NetList):
            raise Raised("System.NotSupportedException", "Collection was of a fixed size.")
        return work(target, *given)

    return guard


def _place(target: list[Any], value: Any) -> int:
    return next(
        (n for n, item in enumerate(target) if type(item) is type(value) and (item is value or item == value)), -1
    )


def _list_remove(target: NetList, value: Any) -> Any:
    place = _place(target, value)
    if place >= 0:
        del target[place]
    return place >= 0 if "Generic" in target.type_name else None


def _range(target: NetList, values: Any) -> None:
    for value in values if isinstance(values, list) else [values]:
        list.append(target, target.converted(value))


def _remove_at(target: NetList, place: Any) -> None:
    if not 0 <= int(place) < len(target):
        raise Raised(
            "System.ArgumentOutOfRangeException",
            "Index was out of range. Must be non-negative and less than the size of the collection.\r\nParameter name: index",
        )
    del target[int(place)]


def _take(place: int) -> Callable[[NetList], Any]:
    def work(target: NetList) -> Any:
        if not target:
            raise Raised("System.InvalidOperationException", "Queue empty." if place == 0 else "Stack empty.")
        return target.pop(place)

    return work


def _sort(target: list[Any]) -> None:
    target.sort(key=functools.cmp_to_key(lambda a, b: compare(a, b, cased=True)))


LIST_METHODS: dict[str, Callable[..., Any]] = {
    "add": _list_add,
    "addrange": fixed(_range),
    "insert": fixed(lambda t, place, value: list.insert(t, int(place), t.converted(value))),
    "remove": fixed(_list_remove),
    "removeat": fixed(_remove_at),
    "clear": fixed(lambda t: t.clear()),
    "contains": lambda t, value: _place(t, value) >= 0,
    "indexof": _place,
    "toarray": list,
    "sort": fixed(_sort),
    "reverse": fixed(lambda t: t.reverse()),
    "enqueue": fixed(lambda t, value: list.append(t, t.converted(value))),
    "dequeue": fixed(_take(0)),
    "push": fixed(lambda t, value: list.append(t, t.converted(value))),
    "pop": fixed(_take(-1)),
    "peek": fixed(lambda t: t[0] if "Queue" in t.type_name else t[-1]),
    "setequals": fixed(lambda t, other: {to_text(x) for x in t} == {to_text(x) for x in other}),
    "getenumerator": list,
    "clone": list,
    "getlength": lambda t, dimension: len(t),
    "getupperbound": lambda t, dimension: len(t) - 1,
    "copyto": lambda t, other, start: other.__setitem__(slice(int(start), int(start) + len(t)), list(t)),
}


def _table_add(target: Table, key: Any, value: Any) -> None:
    if key in target:
        shown = to_text(key)
        raise Raised(
            "System.ArgumentException",
            f"Item has already been added. Key in dictionary: '{shown}'  Key being added: '{shown}'",
        )
    target[key] = value


def _table_remove(target: Table, key: Any) -> Any:
    there = key in target
    if there:
        del target[key]
    return there if isinstance(target, NetDictionary) else None


def _try_value(target: Table, key: Any, into: Reference) -> bool:
    if key in target:
        into.write(target[key])
    return key in target


def entry(key: Any, value: Any) -> PsObject:
    """A DictionaryEntry."""
    made = custom({"Name": key, "Key": key, "Value": value})
    made.type_names = ("System.Collections.DictionaryEntry", "System.Object")
    return made


TABLE_METHODS: dict[str, Callable[..., Any]] = {
    "add": _table_add,
    "remove": _table_remove,
    "contains": lambda t, key: key in t,
    "containskey": lambda t, key: key in t,
    "containsvalue": lambda t, value: any(equal(value, one) for one in t.values()),
    "clear": lambda t: t.clear(),
    "clone": lambda t: Table(t, ordered=t.ordered),
    "getenumerator": lambda t: [entry(key, value) for key, value in t.items()],
    "trygetvalue": _try_value,
    "get_item": lambda t, key: t.get(key),
    "set_item": lambda t, key, value: t.__setitem__(key, value),
    "item": lambda t, key: t.get(key),
}
TABLE_PROPERTIES: dict[str, Callable[[Any], Any]] = {
    "count": len,
    "keys": lambda t: list(t.keys()),
    "values": lambda t: list(t.values()),
    "isreadonly": lambda t: False,
}

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
