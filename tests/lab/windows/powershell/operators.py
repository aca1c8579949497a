"""The operators on values."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.lab.windows.powershell.comparing import compare, equal
from tests.lab.windows.powershell.convert import cast, is_type, to_bool, to_text
from tests.lab.windows.powershell.format_operator import format_text
from tests.lab.windows.powershell.numbers_of import no_operator, number, runtime, sized
from tests.lab.windows.powershell.patterns import compile_pattern, like, net_replacement
from tests.lab.windows.powershell.type_names import resolve_type, type_not_found
from tests.lab.windows.powershell.values import (
    Char,
    ErrorRecord,
    Int64,
    NetException,
    OutsideSubset,
    PsObject,
    Table,
    Terminating,
    TypeValue,
    UInt64,
    integer_kind,
)

WIDTH = {"System.Int32": 32}


def add(left: Any, right: Any) -> Any:
    """`+`."""
    if isinstance(left, list):
        return [*left, *(right if isinstance(right, list) else [right])]
    if isinstance(left, str):
        return str(left) + to_text(right)
    if isinstance(left, Table):
        return add_tables(left, right)
    if left is None:
        return right
    if isinstance(left, dt.datetime | dt.timedelta):
        return left + cast(right, "System.TimeSpan")
    if isinstance(left, PsObject):
        raise no_operator(left, "op_Addition")
    return arithmetic(left, right, lambda a, b: a + b)


def add_tables(left: Table, right: Any) -> Table:
    """Two hashtables together; a key that is in both is an error."""
    if not isinstance(right, Table):
        raise runtime("AddHashTableToNonHashTable", "A hash table can only be added to another hash table.")
    for key in right:
        if key in left:
            message = (
                f"Item has already been added. Key in dictionary: '{to_text(key)}'  Key being added: '{to_text(key)}'"
            )
            raise Terminating(
                ErrorRecord("System.ArgumentException", message, "OperationStopped", None, "System.ArgumentException")
            )
    return Table([*left.items(), *right.items()], ordered=left.ordered)


def arithmetic(left: Any, right: Any, work: Callable[[Any, Any], Any]) -> Any:
    """An operation on two numbers."""
    a, b = number(left), number(right)
    if isinstance(a, Decimal) or isinstance(b, Decimal):
        return work(Decimal(str(a)), Decimal(str(b)))
    if isinstance(a, float) or isinstance(b, float):
        return float(work(float(a), float(b)))
    return sized(work(int(a), int(b)), a, b)


def subtract(left: Any, right: Any) -> Any:
    """`-`."""
    if isinstance(left, dt.datetime):
        if isinstance(right, dt.datetime):
            return left.replace(tzinfo=None) - right.replace(tzinfo=None)
        return left - cast(right, "System.TimeSpan")
    if isinstance(left, dt.timedelta):
        return left - cast(right, "System.TimeSpan")
    if isinstance(left, list | Table | PsObject):
        raise no_operator(left, "op_Subtraction")
    return arithmetic(left, right, lambda a, b: a - b)


def multiply(left: Any, right: Any) -> Any:
    """`*`."""
    if isinstance(left, str) and not isinstance(left, Char):
        return left * int(number(right))
    if isinstance(left, list):
        return list(left) * int(number(right))
    if isinstance(left, Table | PsObject):
        raise no_operator(left, "op_Multiply")
    return arithmetic(left, right, lambda a, b: a * b)


def divide(left: Any, right: Any) -> Any:
    """`/`: an int when it comes out even, else a double."""
    a, b = number(left), number(right)
    if b == 0 and not isinstance(a, float) and not isinstance(b, float):
        raise divided_by_zero()
    if isinstance(a, Decimal) or isinstance(b, Decimal):
        return Decimal(str(a)) / Decimal(str(b))
    if isinstance(a, float) or isinstance(b, float):
        return a / float(b) if b else math.copysign(math.inf, a) if a else math.nan
    return sized(a // b, a, b) if a % b == 0 else a / b


def divided_by_zero() -> Terminating:
    """Attempted to divide by zero."""
    inner = NetException("System.DivideByZeroException", "Attempted to divide by zero.")
    outer = NetException("System.Management.Automation.RuntimeException", "Attempted to divide by zero.", inner)
    return Terminating(ErrorRecord("RuntimeException", "Attempted to divide by zero.", "NotSpecified", None, outer))


def remainder(left: Any, right: Any) -> Any:
    """`%`: the sign is the left one's."""
    a, b = number(left), number(right)
    if b == 0 and not isinstance(a, float) and not isinstance(b, float):
        raise divided_by_zero()
    return arithmetic(
        a, b, lambda x, y: x - y * int(x / y) if isinstance(x, int) and abs(x) < 2**52 else math.fmod(x, y)
    )


def bits(work: Callable[[int, int], int]) -> Callable[[Any, Any], Any]:
    """A bitwise operator."""

    def operate(left: Any, right: Any) -> Any:
        made = work(int(number(left)), int(number(right)))
        return sized(made, left if isinstance(left, int) else 0, right if isinstance(right, int) else 0)

    return operate


def shift_left(left: Any, right: Any) -> Any:
    """`-shl`: bits that leave on the left are lost."""
    a = number(left)
    width = 64 if integer_kind(int(a)) in (Int64, UInt64) else 32
    made = int(a) << (int(number(right)) % width) & ((1 << width) - 1)
    made -= (1 << width) if made >> (width - 1) else 0
    return Int64(made) if width == 64 else made


def sequence(left: Any, right: Any) -> list[Any]:
    """`..`."""
    first, last = cast(left, "System.Int32"), cast(right, "System.Int32")
    return list(range(first, last + 1)) if first <= last else list(range(first, last - 1, -1))


# Comparison ---------------------------------------------------------------------


def filtering(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    """A comparing operator: filters when the left side is a list."""

    def operate(left: Any, right: Any) -> Any:
        if isinstance(left, list):
            return [item for item in left if test(item, right)]
        return test(left, right)

    return operate


def contains(left: Any, right: Any, *, cased: bool = False) -> bool:
    """`-contains`."""
    return any(equal(item, right, cased=cased) for item in (left if isinstance(left, list) else [left]))


def _like(cased: bool, wanted: bool) -> Callable[[Any, Any], Any]:
    return filtering(lambda a, b: like(to_text(a), to_text(b), cased=cased) is wanted)


def _equality(cased: bool, wanted: bool) -> Callable[[Any, Any], Any]:
    return filtering(lambda a, b: equal(a, b, cased=cased) is wanted)


def _order(test: Callable[[int], bool], cased: bool) -> Callable[[Any, Any], Any]:
    return filtering(lambda a, b: test(compare(a, b, cased=cased)))


def replace(left: Any, right: Any, *, cased: bool = False) -> Any:
    """`-replace`."""
    parts = right if isinstance(right, list) else [right]
    if len(parts) > 2:
        raise runtime(
            "BadReplaceArgument",
            "The -ireplace operator allows only two elements to follow it, not " + f"{len(parts)}.",
        )
    pattern = compile_pattern(to_text(parts[0]), cased=cased)
    put = net_replacement(to_text(parts[1]) if len(parts) > 1 else "", pattern)
    if isinstance(left, list):
        return [pattern.sub(put, to_text(item)) for item in left]
    return pattern.sub(put, to_text(left))


def split(left: Any, right: Any, *, cased: bool = False) -> list[Any]:
    """`-split`."""
    parts = right if isinstance(right, list) else [right]
    limit = int(number(parts[1])) if len(parts) > 1 else 0
    simple = any(to_text(one).casefold() == "simplematch" for one in parts[2:])
    if not isinstance(parts[0], str):
        raise OutsideSubset("-split by something other than a text lies outside the subset")
    pattern = compile_pattern(re.escape(parts[0]) if simple else parts[0], cased=cased)
    if limit < 0:
        raise OutsideSubset("-split with a negative limit lies outside the subset")
    found: list[Any] = []
    for item in left if isinstance(left, list) else [left]:
        found.extend(
            part or "" for part in pattern.split(to_text(item), maxsplit=max(limit - 1, 0) if limit else 0)
        ) if limit != 1 else found.append(to_text(item))
    return found


def join(left: Any, right: Any) -> str:
    """`-join`."""
    return to_text(right).join(to_text(item) for item in (left if isinstance(left, list) else [left]))


def is_of(left: Any, right: Any) -> bool:
    """`-is`."""
    return is_type(left, type_of(right))


def as_type(left: Any, right: Any) -> Any:
    """`-as`: None when it cannot be."""
    name = type_of(right)
    try:
        return cast(left, name)
    except Terminating:
        return None


def type_of(right: Any) -> str:
    """The full name of a type given as a type or its name."""
    if isinstance(right, TypeValue):
        return right.name
    name = resolve_type(to_text(right))
    if name is None:
        raise type_not_found(to_text(right))
    return name


# Format -------------------------------------------------------------------------


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": remainder,
    "..": sequence,
    "-band": bits(lambda a, b: a & b),
    "-bor": bits(lambda a, b: a | b),
    "-bxor": bits(lambda a, b: a ^ b),
    "-shl": shift_left,
    "-shr": bits(lambda a, b: a >> b),
    "-join": join,
    "-is": is_of,
    "-isnot": lambda a, b: not is_of(a, b),
    "-as": as_type,
    "-f": format_text,
    "-xor": lambda a, b: to_bool(a) != to_bool(b),
}
for _prefix, _cased in (("", False), ("i", False), ("c", True)):
    BINARY |= {
        f"-{_prefix}eq": _equality(_cased, True),
        f"-{_prefix}ne": _equality(_cased, False),
        f"-{_prefix}gt": _order(lambda n: n > 0, _cased),
        f"-{_prefix}ge": _order(lambda n: n >= 0, _cased),
        f"-{_prefix}lt": _order(lambda n: n < 0, _cased),
        f"-{_prefix}le": _order(lambda n: n <= 0, _cased),
        f"-{_prefix}like": _like(_cased, True),
        f"-{_prefix}notlike": _like(_cased, False),
        f"-{_prefix}contains": lambda a, b, cased=_cased: contains(a, b, cased=cased),
        f"-{_prefix}notcontains": lambda a, b, cased=_cased: not contains(a, b, cased=cased),
        f"-{_prefix}in": lambda a, b, cased=_cased: contains(b, a, cased=cased),
        f"-{_prefix}notin": lambda a, b, cased=_cased: not contains(b, a, cased=cased),
        f"-{_prefix}replace": lambda a, b, cased=_cased: replace(a, b, cased=cased),
        f"-{_prefix}split": lambda a, b, cased=_cased: split(a, b, cased=cased),
    }
