"""Types and conversions: what a value is called, its text, its truth, and what a cast makes of it, or refuses."""

from __future__ import annotations

import datetime as dt
import ipaddress
import math
import re
import uuid
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

from tests.lab.windows.powershell.dates import date_text, parse_date, parse_span, span_text
from tests.lab.windows.powershell.kinds import is_type, type_name
from tests.lab.windows.powershell.strings import number_of
from tests.lab.windows.powershell.type_names import (
    EXCEPTION_BASES,
    INTEGERS,
)
from tests.lab.windows.powershell.values import (
    INTEGER_RANGES,
    Char,
    EnumValue,
    ErrorRecord,
    NetException,
    OutsideSubset,
    PsObject,
    Table,
    Terminating,
    TypeValue,
    as_list,
)


def to_text(value: Any, joint: str = " ") -> str:
    """A value as text, as string expansion writes it (invariant culture)."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime):
        return date_text(value, "MM/dd/yyyy HH:mm:ss")
    if isinstance(value, dt.timedelta):
        return span_text(value)
    return _object_text(value, joint)


def _object_text(value: Any, joint: str) -> str:
    if isinstance(value, list):
        return joint.join(to_text(item) for item in value)
    if isinstance(value, PsObject):
        return object_text(value)
    if isinstance(value, TypeValue):
        return value.name
    if isinstance(value, ErrorRecord):
        return value.thrown().message
    if isinstance(value, NetException):
        return f"{value.type_name}: {value.message}"
    if isinstance(value, Table):
        return type_name(value)
    return str(value)


def object_text(value: PsObject) -> str:
    """The text of an object: its own, or the `@{a=1; b=2}` of custom ones."""
    if value.text is not None:
        return value.text
    if value.type_names[0] in ("System.Management.Automation.PSCustomObject", "Selected"):
        return "@{" + "; ".join(f"{name}={to_text(value.get(name))}" for name in value.properties) + "}"
    return value.type_names[0].split("#")[0]


def float_text(value: float) -> str:
    """A double as .NET Framework writes it: 15 digits."""
    if math.isnan(value):
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    text = f"{value:.15g}"
    if "e" in text:
        head, _, power = text.partition("e")
        number = int(power)
        return f"{head}E{'-' if number < 0 else '+'}{abs(number):02d}"
    return text


def to_bool(value: Any) -> bool:
    """The truth of a value."""
    if isinstance(value, list):
        return to_bool(value[0]) if len(value) == 1 and type(value) is list else bool(value)
    if value is None:
        return False
    if isinstance(value, bool | int | float | Decimal | str):
        return bool(value)
    if isinstance(value, EnumValue):
        return value.number != 0
    return True


def invalid_cast(value: Any, name: str, why: str = "", error_id: str = "") -> Terminating:
    """Cannot convert a value to a type."""
    shown = f'"{to_text(value)}"' if value is not None else "null"
    own = "" if isinstance(value, str) else f' of type "{type_name(value)}"' if value is not None else ""
    message = (
        f'Cannot convert {"the " if own else ""}{shown} value{own} to type "{name}".'
        if own
        else f'Cannot convert value {shown} to type "{name}".'
    )
    if why:
        message += f' Error: "{why}"'
    return Terminating(
        ErrorRecord(
            error_id or "ConvertToFinalInvalidCastException",
            message,
            "InvalidArgument",
            value,
            "System.Management.Automation.PSInvalidCastException",
        )
    )


def cast_integer(value: Any, name: str) -> int:
    """A cast to one of the integer types."""
    kind = INTEGERS[name]
    number = _numeric(value, name)
    if isinstance(number, float | Decimal):
        if isinstance(number, float) and (math.isnan(number) or abs(number) == float("inf")):
            raise invalid_cast(value, name, f"Value was either too large or too small for an {name.split('.')[1]}.")
        number = int(Decimal(number).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
    low, high = INTEGER_RANGES[kind]
    if not low <= number <= high:
        short = name.split(".")[1]
        article = "an unsigned byte" if short == "Byte" else f"{'an' if short[0] in 'IU' else 'a'} {short}"
        raise invalid_cast(
            value, name, f"Value was either too large or too small for {article}.", "InvalidCastIConvertible"
        )
    made = kind(number)
    assert isinstance(made, int)
    return made


def _numeric(value: Any, name: str) -> int | float | Decimal:
    if value is None:
        return 0
    if isinstance(value, EnumValue):
        return value.number
    if isinstance(value, Char):
        return ord(value)
    if isinstance(value, str):
        if not value.strip():
            return 0
        number = number_of(value.replace(",", "") if re.fullmatch(r"[\d,.+-]+", value.strip()) else value)
        if number is None:
            short = "InvalidCastFromStringToInteger" if name in INTEGERS else "InvalidCastFromStringToDoubleOrSingle"
            raise invalid_cast(value, name, "Input string was not in a correct format.", short)
        return number
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float | Decimal):
        return value
    if isinstance(value, list) and type(value) is list and len(value) == 1:
        return _numeric(value[0], name)
    raise invalid_cast(value, name)


def cast(value: Any, name: str) -> Any:
    """What `[name]value` is; `name` is a full name.

    Raises:
        Terminating: PowerShell's InvalidCast errors.
        OutsideSubset: a type that the subset does not convert to.
    """
    if isinstance(value, PsObject) and False:  # pragma: no cover
        return value
    if name.endswith("[]"):
        if value is None:
            return None
        return (
            value
            if name == "System.Object[]" and isinstance(value, list)
            else [cast(item, name[:-2]) for item in _items(value)]
        )
    if name in INTEGERS:
        return cast_integer(value, name)
    made = CASTS.get(name)
    if made is not None:
        return made(value)
    if is_type(value, name) or value is None:
        return value
    if name in EXCEPTION_BASES or name == "System.Exception":
        return NetException(name, to_text(value))
    if type_name(value).split("#")[0].split(".")[-1] == name.rsplit(".", maxsplit=1)[-1]:
        return value
    raise invalid_cast(value, name)


def _items(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _string(value: Any) -> Any:
    return to_text(value)


def _char(value: Any) -> Any:
    if isinstance(value, str) and len(value) == 1:
        return Char(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return Char(chr(value))
    raise invalid_cast(value, "System.Char", "String must be exactly one character long.")


def _double(value: Any) -> Any:
    return float(_numeric(value, "System.Double"))


def _decimal(value: Any) -> Any:
    number = _numeric(value, "System.Decimal")
    try:
        return Decimal(str(number))
    except InvalidOperation as error:
        raise invalid_cast(value, "System.Decimal") from error


def _date(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value
    if isinstance(value, int):
        return dt.datetime(1, 1, 1) + dt.timedelta(microseconds=int(value) // 10)
    made = parse_date(value) if isinstance(value, str) else None
    if made is None:
        raise invalid_cast(
            value,
            "System.DateTime",
            "String was not recognized as a valid DateTime.",
            "InvalidCastFromStringToDateTime",
        )
    return made


def _span(value: Any) -> Any:
    if isinstance(value, dt.timedelta):
        return value
    if isinstance(value, int):
        return dt.timedelta(microseconds=int(value) / 10)
    made = parse_span(value) if isinstance(value, str) else None
    if made is None:
        raise invalid_cast(value, "System.TimeSpan", "String was not recognized as a valid TimeSpan.")
    return made


def _guid(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return value
    try:
        return uuid.UUID(to_text(value).strip("{}()"))
    except ValueError as error:
        raise invalid_cast(
            value, "System.Guid", "Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx)."
        ) from error


def _address(value: Any) -> Any:
    if isinstance(value, ipaddress.IPv4Address | ipaddress.IPv6Address):
        return value
    try:
        return ipaddress.ip_address(to_text(value).strip())
    except ValueError as error:
        raise invalid_cast(value, "System.Net.IPAddress", "An invalid IP address was specified.") from error


def version(text: str) -> PsObject:
    """A `[version]`."""
    parts = text.split(".")
    if not 2 <= len(parts) <= 4 or not all(part.strip().isdigit() for part in parts):
        raise invalid_cast(text, "System.Version", "Version string portion was too short or too long.")
    numbers = [int(part) for part in parts] + [-1] * (4 - len(parts))
    names = ("Major", "Minor", "Build", "Revision")
    made = PsObject(
        type_names=("System.Version", "System.Object"), text=".".join(str(n) for n in numbers if n >= 0), read_only=True
    )
    for name, number in zip(names, numbers, strict=True):
        made.set(name, number)
    return made


def _version(value: Any) -> Any:
    return value if isinstance(value, PsObject) and value.type_names[0] == "System.Version" else version(to_text(value))


def _table(value: Any) -> Any:
    if isinstance(value, Table):
        return Table(value)
    if value is None:
        return None
    raise invalid_cast(value, "System.Collections.Hashtable")


def _custom(value: Any) -> Any:
    if isinstance(value, Table):
        return PsObject(type(PsObject().properties)([(to_text(key), item) for key, item in value.items()]))
    return value


def _array(value: Any) -> Any:
    return value if isinstance(value, list) else [] if value is None else [value]


def _switch(value: Any) -> Any:
    if isinstance(value, bool | int):
        return bool(value)
    if isinstance(value, list | PsObject | Table):
        raise invalid_cast(value, "System.Management.Automation.SwitchParameter")
    if isinstance(value, str):
        raise invalid_cast(value, "System.Management.Automation.SwitchParameter", "", "CannotConvertArgument")
    return to_bool(value)


def _secure(value: Any) -> Any:
    if isinstance(value, PsObject) or value is None:
        return value
    raise invalid_cast(value, "System.Security.SecureString")


def _xml(value: Any) -> Any:
    raise OutsideSubset("[xml] lies outside the subset")


CASTS: dict[str, Callable[[Any], Any]] = {
    "System.String": _string,
    "System.Char": _char,
    "System.Boolean": to_bool,
    "System.Double": _double,
    "System.Single": _double,
    "System.Decimal": _decimal,
    "System.DateTime": _date,
    "System.TimeSpan": _span,
    "System.Guid": _guid,
    "System.Net.IPAddress": _address,
    "System.Version": _version,
    "System.Object": lambda value: value,
    "System.Management.Automation.PSObject": lambda value: value,
    "System.Management.Automation.PSCustomObject": _custom,
    "System.Collections.Hashtable": _table,
    "System.Array": _array,
    "System.Void": lambda value: None,
    "System.Management.Automation.SwitchParameter": _switch,
    "System.Security.SecureString": _secure,
    "System.Xml.XmlDocument": _xml,
    "System.Collections.ArrayList": as_list,
}
