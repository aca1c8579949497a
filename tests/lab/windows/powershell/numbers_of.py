"""Values as numbers, and the errors of the language itself."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.lab.windows.powershell.convert import invalid_cast, type_name
from tests.lab.windows.powershell.strings import number_of
from tests.lab.windows.powershell.values import (
    INTEGER_RANGES,
    Char,
    EnumValue,
    ErrorRecord,
    Int64,
    Terminating,
    UInt32,
    UInt64,
    integer_kind,
)


def runtime(error_id: str, message: str, category: str = "InvalidOperation", target: Any = None) -> Terminating:
    """A RuntimeException of the language."""
    return Terminating(ErrorRecord(error_id, message, category, target))


def no_operator(left: Any, operator: str) -> Terminating:
    """There is no such operator for this type."""
    return runtime(
        "MethodNotFound",
        f"Method invocation failed because [{type_name(left)}] does not contain a method named '{operator}'.",
    )


def number(value: Any) -> int | float | Decimal:
    """A value as a number, as arithmetic takes it."""
    if value is None:
        return 0
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Char):
        return ord(value)
    if isinstance(value, int | float | Decimal):
        return value
    if isinstance(value, EnumValue):
        return value.number
    if isinstance(value, str):
        if not value.strip():
            return 0
        made = number_of(value)
        if made is None:
            raise invalid_cast(
                value, "System.Int32", "Input string was not in a correct format.", "InvalidCastFromStringToInteger"
            )
        return made
    raise invalid_cast(value, "System.Int32")


def sized(value: int, left: Any, right: Any) -> int | float:
    """The result of an integer operation: int32, unless an operand is longer; what does not fit becomes a double."""
    kinds = {integer_kind(int(one) if isinstance(one, bool) else one) for one in (left, right) if isinstance(one, int)}
    kind: type = int
    if kinds & {Int64, UInt32} or float in kinds:
        kind = Int64
    if UInt64 in kinds:
        kind = UInt64
    low, high = INTEGER_RANGES[kind]
    if low <= value <= high:
        made = kind(value)
        assert isinstance(made, int)
        return made
    return float(value)
