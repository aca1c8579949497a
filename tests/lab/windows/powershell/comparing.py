"""How two values are compared."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from tests.lab.windows.powershell.convert import cast, to_bool, to_text, type_name
from tests.lab.windows.powershell.numbers_of import number, runtime
from tests.lab.windows.powershell.strings import number_of
from tests.lab.windows.powershell.type_names import resolve_type
from tests.lab.windows.powershell.values import (
    EnumValue,
    ErrorRecord,
    NetException,
    PsObject,
    Table,
    Terminating,
    TypeValue,
)


def compare(left: Any, right: Any, *, cased: bool = False) -> int:
    """How two values are ordered: the right one is turned to the type of the left one.

    Raises:
        Terminating: they cannot be compared.
    """
    if left is None or right is None:
        return (
            (left is not None) - (right is not None)
            if left is None or not isinstance(left, int | float)
            else compare(left, 0)
        )
    if isinstance(left, str):
        a, b = (str(left), to_text(right)) if cased else (str(left).casefold(), to_text(right).casefold())
        return (a > b) - (a < b)
    if isinstance(left, bool):
        return int(left) - int(to_bool(right))
    if isinstance(left, int | float | Decimal):
        b2 = number(right)
        a2: Any = left
        return int(a2 > b2) - int(a2 < b2)
    if isinstance(left, EnumValue):
        return left.number - int(enum_number(left, right))
    if isinstance(left, dt.datetime | dt.timedelta):
        a3, b3 = left, cast(right, type_name(left))
        if isinstance(a3, dt.datetime):
            a3, b3 = a3.replace(tzinfo=None), b3.replace(tzinfo=None)
        return (a3 > b3) - (a3 < b3)
    if isinstance(left, PsObject) and left.type_names[0] == "System.Version":
        other = cast(right, "System.Version")
        a4, b4 = [[one.get(n) for n in ("Major", "Minor", "Build", "Revision")] for one in (left, other)]
        return (a4 > b4) - (a4 < b4)
    if equal(left, right, cased=cased):
        return 0
    message = f'Cannot compare "{to_text(left)}" because it is not IComparable.'
    raise runtime("NotIcomparable", message)


def enum_number(left: EnumValue, right: Any) -> int:
    """The number of what an enumeration is compared with; a name that is not its own never fits."""
    if isinstance(right, EnumValue):
        return right.number
    if isinstance(right, str):
        made = number_of(right)
        return (
            left.number
            if right.casefold() == left.name.casefold()
            else int(made)
            if made is not None
            else left.number + 1
        )
    return int(number(right))


def equal(left: Any, right: Any, *, cased: bool = False) -> bool:
    """`-eq` of two single values."""
    if left is None or right is None:
        return left is None and right is None
    if isinstance(left, TypeValue):
        other = right.name if isinstance(right, TypeValue) else resolve_type(to_text(right))
        return left.name == other
    if isinstance(left, list | Table | NetException | ErrorRecord):
        return left is right
    if isinstance(left, PsObject) and left.type_names[0] != "System.Version":
        return left is right or (
            left.text is not None
            and left.text.casefold() == to_text(right).casefold()
            and not isinstance(right, PsObject)
        )
    if not isinstance(left, str | bool | int | float | Decimal | EnumValue | dt.datetime | dt.timedelta | PsObject):
        try:
            return bool(left == cast(right, type_name(left)))
        except Terminating:
            return left is right
    try:
        return compare(left, right, cased=cased) == 0
    except Terminating:
        return False
