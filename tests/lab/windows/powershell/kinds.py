"""What a value is called, and whether it is of a type."""

from __future__ import annotations

import datetime as dt
import ipaddress
import uuid
from decimal import Decimal
from typing import Any

from tests.lab.windows.powershell.type_names import (
    INTEGER_NAMES,
    bases_of,
)
from tests.lab.windows.powershell.values import (
    Char,
    EnumValue,
    ErrorRecord,
    PsObject,
    Reference,
    Table,
    TypeValue,
    integer_kind,
)


def type_name(value: Any) -> str:
    """The full name of a value's .NET type."""
    for kind, name in _SIMPLE:
        if type(value) is kind:
            return name
    if isinstance(value, int):
        return INTEGER_NAMES.get(integer_kind(value), "System.Int64")
    named = getattr(value, "type_name", None)
    if isinstance(named, str):
        return named
    if isinstance(value, PsObject):
        return value.type_names[0].split("#")[0]
    if isinstance(value, Table):
        return "System.Collections.Specialized.OrderedDictionary" if value.ordered else "System.Collections.Hashtable"
    if isinstance(value, ErrorRecord):
        return "System.Management.Automation.ErrorRecord"
    if isinstance(value, ipaddress.IPv4Address | ipaddress.IPv6Address):
        return "System.Net.IPAddress"
    if isinstance(value, list):
        return "System.Object[]"
    return "System.Object"


_SIMPLE: list[tuple[type, str]] = [
    (bool, "System.Boolean"),
    (Char, "System.Char"),
    (str, "System.String"),
    (float, "System.Double"),
    (Decimal, "System.Decimal"),
    (dt.datetime, "System.DateTime"),
    (dt.timedelta, "System.TimeSpan"),
    (uuid.UUID, "System.Guid"),
    (TypeValue, "System.RuntimeType"),
    (Reference, "System.Management.Automation.PSReference"),
]


def is_type(value: Any, name: str) -> bool:
    """The `-is` operator."""
    if value is None:
        return False
    own = type_name(value)
    if name == "System.Object":
        return True
    if isinstance(value, PsObject):
        return name in value.type_names or name in (own, "System.Management.Automation.PSObject")
    if name == "System.Array":
        return type(value) is list
    if name == "System.Object[]":
        return type(value) is list
    if name == "System.Collections.IDictionary":
        return isinstance(value, Table)
    if name == "System.Collections.IEnumerable":
        return isinstance(value, list | Table | str)
    if name == "System.ValueType":
        return isinstance(value, int | float | Decimal | dt.datetime | dt.timedelta | EnumValue)
    if name == "System.Enum":
        return isinstance(value, EnumValue)
    return (
        own == name or own.split("[")[0] == name.split("[", maxsplit=1)[0] != "System.Object" or name in bases_of(own)
    )
