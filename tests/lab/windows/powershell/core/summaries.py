"""Cmdlets that look at all objects of the pipeline together: Sort, Group, Measure, Compare, Get-Unique."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

from tests.lab.windows.powershell.commands import Call, cmdlet
from tests.lab.windows.powershell.convert import cast, to_bool, to_text
from tests.lab.windows.powershell.core.objects import flattened, value_of
from tests.lab.windows.powershell.members import MISSING
from tests.lab.windows.powershell.operators import compare, equal
from tests.lab.windows.powershell.values import (
    ErrorRecord,
    PsObject,
    Table,
    Terminating,
    custom,
)


def ordering(call: Call, keys: list[Any], *, descending: bool, cased: bool) -> Any:
    """A key for sorting by these properties."""

    def order(a: Any, b: Any) -> int:
        for key in keys:
            down = descending
            if isinstance(key, Table):
                down = to_bool(key.get("Descending", not to_bool(key.get("Ascending", not descending))))
            one, other = (value_of(call, item, key) if key is not None else item for item in (a, b))
            made = _compare(one, other, cased=cased)
            if made:
                return -made if down else made
        return 0

    return functools.cmp_to_key(order)


def _compare(a: Any, b: Any, *, cased: bool) -> int:
    if a is None or b is None:
        return (a is not None) - (b is not None)
    try:
        return compare(a, b, cased=cased)
    except Terminating:
        return compare(to_text(a), to_text(b), cased=cased)


@cmdlet("Sort-Object", whole=True)
def sort_object(call: Call) -> Iterator[Any]:
    keys = call.get("Property") or [None]
    items = [item for item in flattened(call) if item is not None]
    made = sorted(
        items, key=ordering(call, keys, descending=call.switch("Descending"), cased=call.switch("CaseSensitive"))
    )
    if call.switch("Unique"):
        kept: list[Any] = []
        for item in made:
            same = kept and all(
                _compare(
                    value_of(call, item, key) if key is not None else item,
                    value_of(call, kept[-1], key) if key is not None else kept[-1],
                    cased=call.switch("CaseSensitive"),
                )
                == 0
                for key in keys
            )
            if not same:
                kept.append(item)
        made = kept
    yield from made


@cmdlet("Group-Object", whole=True)
def group_object(call: Call) -> Iterator[Any]:
    keys = call.get("Property")
    groups: dict[str, tuple[list[Any], list[Any]]] = {}
    for item in flattened(call):
        values = [value_of(call, item, key) for key in keys] if keys else [item]
        name = ", ".join(to_text(value) for value in values)
        groups.setdefault(name if call.switch("CaseSensitive") else name.casefold(), (values, []))[1].append(item)
    if call.switch("AsHashTable"):
        table = Table()
        for values, items in groups.values():
            key = (
                ", ".join(to_text(value) for value in values)
                if call.switch("AsString") or len(values) > 1
                else values[0]
            )
            table[key] = items
        yield table
        return
    for values, items in groups.values():
        made = custom(
            {
                "Values": values,
                "Count": len(items),
                "Group": items,
                "Name": ", ".join(to_text(value) for value in values),
            }
        )
        made.type_names = ("Microsoft.PowerShell.Commands.GroupInfo", "System.Object")
        yield made


@cmdlet("Measure-Object", whole=True)
def measure_object(call: Call) -> Iterator[Any]:
    name = (call.get("Property") or [None])[0]
    items = list(flattened(call))
    if call.switch("Line") or call.switch("Word") or call.switch("Character"):
        text = [to_text(item) for item in items]
        yield custom(
            {
                "Lines": sum(len(one.splitlines()) for one in text),
                "Words": sum(len(one.split()) for one in text),
                "Characters": sum(map(len, text)),
                "Property": None,
            }
        )
        return
    values = [
        value for item in items if (value := value_of(call, item, name) if name is not None else item) is not None
    ]
    numeric = call.switch("Sum") or call.switch("Average")
    numbers = [float(cast(value, "System.Double")) for value in values] if numeric else []
    made = custom(
        {"Count": len(values), "Average": None, "Sum": None, "Maximum": None, "Minimum": None, "Property": name}
    )
    made.type_names = ("Microsoft.PowerShell.Commands.GenericMeasureInfo", "System.Object")
    if numbers and call.switch("Average"):
        made.set("Average", math.fsum(numbers) / len(numbers))
    if numeric and call.switch("Sum"):
        made.set("Sum", math.fsum(numbers) if values else None)
    ordered = (
        sorted(values, key=functools.cmp_to_key(lambda a, b: _compare(a, b, cased=False)))
        if call.switch("Maximum") or call.switch("Minimum")
        else []
    )
    if ordered:
        made.set("Maximum", _plain(ordered[-1]) if call.switch("Maximum") else None)
        made.set("Minimum", _plain(ordered[0]) if call.switch("Minimum") else None)
    if name is not None and not values and items and call.frame.scope.strictness() >= 2:
        call.error(
            ErrorRecord(
                "GenericMeasurePropertyNotFound",
                f'The property "{to_text(name)}" cannot be found in the input for any objects.',
                "InvalidArgument",
                None,
                "System.Management.Automation.PSArgumentException",
            )
        )
        return
    yield made


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@cmdlet("Compare-Object", whole=True)
def compare_object(call: Call) -> Iterator[Any]:
    names = call.get("Property")
    left, right = (
        list(call.get("ReferenceObject")),
        list(call.input) if call.has_input else list(call.get("DifferenceObject")),
    )

    def same(a: Any, b: Any) -> bool:
        if names:
            return all(
                _compare(value_of(call, a, name), value_of(call, b, name), cased=call.switch("CaseSensitive")) == 0
                for name in names
            )
        return equal(a, b, cased=call.switch("CaseSensitive")) or (isinstance(a, PsObject) and to_text(a) == to_text(b))

    def told(item: Any, side: str) -> PsObject:
        made = custom() if names else custom({"InputObject": item})
        for name in names or ():
            made.set(to_text(name), value_of(call, item, name))
        made.set("SideIndicator", side)
        return made

    rest = list(right)
    missing: list[Any] = []
    for item in left:
        found = next((one for one in rest if same(item, one)), MISSING)
        if found is MISSING:
            missing.append(item)
        else:
            rest.pop(next(place for place, one in enumerate(rest) if one is found))
            if call.switch("IncludeEqual"):
                yield told(item, "==")
    if not call.switch("ExcludeDifferent"):
        yield from (told(item, "=>") for item in rest)
        yield from (told(item, "<=") for item in missing)


@cmdlet("Get-Unique", whole=True)
def get_unique(call: Call) -> Iterator[Any]:
    last: Any = MISSING
    for item in flattened(call):
        if last is MISSING or not equal(last, item, cased=True):
            yield item
        last = item
