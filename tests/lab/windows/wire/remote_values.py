"""Objects of the evaluator as PowerShell remoting carries them, and back: [MS-PSRP] 2.2.5, written by psrpcore."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from psrpcore import types as ps

from tests.lab.windows.powershell import values as v

INTEGERS = {
    v.Byte: ps.PSByte,
    v.SByte: ps.PSSByte,
    v.Int16: ps.PSInt16,
    v.UInt16: ps.PSUInt16,
    v.UInt32: ps.PSUInt,
    v.Int64: ps.PSInt64,
    v.UInt64: ps.PSUInt64,
    int: ps.PSInt,
}


def to_wire(value: Any, depth: int = 2) -> Any:
    """A value for the wire; below ``depth`` an object is its text, as the depth of a session's serializer has it."""
    if value is None or isinstance(value, bool | float):
        return value
    for kind, convert in PLAIN:
        if isinstance(value, kind):
            return convert(value)
    for kind, convert in NESTED if depth > 0 else ():
        if isinstance(value, kind):
            return convert(value, depth - 1)
    return str(value)


def _time(value: dt.datetime) -> ps.PSDateTime:
    date = (value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond)
    return ps.PSDateTime(*date, tzinfo=value.tzinfo)


PLAIN: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (v.Char, lambda one: ps.PSChar(str(one))),
    (int, lambda one: INTEGERS[v.integer_kind(one)](one)),
    (str, str),
    (dt.datetime, _time),
    (dt.timedelta, lambda one: ps.PSDuration(days=one.days, seconds=one.seconds, microseconds=one.microseconds)),
    (v.EnumValue, lambda one: _object((one.type_name, "System.Enum"), {"value": ps.PSInt(one.number)}, one.name)),
)
NESTED: tuple[tuple[type, Callable[[Any, int], Any]], ...] = (
    (list, lambda one, depth: [to_wire(item, depth) for item in one]),
    (v.Table, lambda one, depth: {to_wire(key, 0): to_wire(item, depth) for key, item in one.items()}),
    (
        v.PsObject,
        lambda one, depth: _object(
            one.type_names, {name: to_wire(one.get(name), depth) for name in one.properties}, one.text
        ),
    ),
)


def _object(type_names: tuple[str, ...], named: dict[str, Any], text: str | None) -> ps.PSObject:
    made = ps.PSCustomObject(**{name: one for name, one in named.items() if name.isidentifier()})
    for name, one in named.items():
        if not name.isidentifier():
            made.PSObject.extended_properties.append(ps.PSNoteProperty(name, one))
    made.PSObject.type_names = list(type_names)
    if text is not None:
        made.PSObject.to_string = text
    return made


def from_wire(value: Any) -> Any:
    """A value that came over the wire, for the evaluator."""
    if value is None or isinstance(value, bool):
        return value
    for kind, convert in BACK:
        if isinstance(value, kind):
            return convert(value)
    return str(value)


def _properties(value: ps.PSObject) -> v.PsObject:
    return v.custom([(one.name, from_wire(one.get_value(value))) for one in value.PSObject.extended_properties])


BACK: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (int, int),
    (str, str),
    (float, float),
    (dict, lambda one: v.Table({from_wire(key): from_wire(item) for key, item in one.items()})),
    (list | tuple, lambda one: [from_wire(item) for item in one]),
    (ps.PSObject, _properties),
)


def error_record(record: v.ErrorRecord) -> ps.ErrorRecord:
    """An error as the remote side is told of it."""
    thrown = record.thrown()
    exception = ps.NETException(Message=thrown.message, HResult=thrown.hresult)
    exception.PSObject.type_names = [thrown.type_name, *exception.PSObject.type_names]
    info = ps.ErrorCategoryInfo(
        Category=ps.ErrorCategory[record.category],
        Activity=record.activity,
        Reason=record.reason or thrown.type_name.rpartition(".")[2],
        TargetName="" if record.target is None else str(record.target),
        TargetType="" if record.target is None else type(record.target).__name__,
    )
    made = ps.ErrorRecord(
        Exception=exception,
        CategoryInfo=info,
        TargetObject=to_wire(record.target, 0),
        FullyQualifiedErrorId=record.whole_id(),
        ErrorDetails=ps.ErrorDetails(Message=record.details) if record.details else None,
        ScriptStackTrace="\r\n".join(record.stack) or None,
    )
    made.serialize_extended_info = False
    return made


def quoted(value: Any) -> str:
    """A value written as PowerShell text. Raises ValueError for what cannot be written so."""
    if value is None:
        return "$null"
    if isinstance(value, bool):
        return "$true" if value else "$false"
    if isinstance(value, int | float):
        return repr(value + 0)
    if isinstance(value, str):
        return "'" + str(value).replace("'", "''") + "'"
    if isinstance(value, list | tuple):
        return "@(" + ", ".join(quoted(one) for one in value) + ")"
    if isinstance(value, dict):
        return "@{" + "; ".join(f"{quoted(key)} = {quoted(one)}" for key, one in value.items()) + "}"
    raise ValueError(type(value).__name__)
