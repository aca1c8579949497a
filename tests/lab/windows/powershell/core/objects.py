"""Cmdlets over the pipeline: Where, ForEach, Select, Sort, Group, Measure, Compare and the like; New-Object, Add-Member."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

from tests.lab.windows.powershell.commands import Call, cmdlet
from tests.lab.windows.powershell.convert import cast, to_bool, to_text, type_name
from tests.lab.windows.powershell.frames import ScriptBlock
from tests.lab.windows.powershell.members import MISSING
from tests.lab.windows.powershell.operators import BINARY, compare, equal
from tests.lab.windows.powershell.patterns import has_wildcard, like
from tests.lab.windows.powershell.statements import enumerate_value, unwrap
from tests.lab.windows.powershell.type_names import type_not_found
from tests.lab.windows.powershell.values import (
    NOTHING,
    ErrorRecord,
    OutsideSubset,
    Properties,
    PsObject,
    Table,
    Terminating,
    as_list,
    custom,
)


def flattened(call: Call) -> Iterator[Any]:
    """The objects of the pipeline, or of -InputObject."""
    if call.has_input:
        yield from call.input
    elif call.has("InputObject"):
        yield call.get("InputObject")


def value_of(call: Call, item: Any, key: Any) -> Any:
    """A property by its name, or what a script block or a calculated property gives."""
    if isinstance(key, ScriptBlock):
        made = unwrap(list(call.invoke(key, item=item)))
        return None if made is NOTHING else made
    if isinstance(key, Table):
        inner = key.get("Expression") or key.get("e") or key.get("ex")
        return value_of(call, item, inner)
    found = call.shell.own_member(item, to_text(key))
    return None if found is MISSING else found


@cmdlet("Where-Object", whole=True)
def where_object(call: Call) -> Iterator[Any]:
    block = call.get("FilterScript")
    for item in flattened(call):
        if isinstance(block, ScriptBlock):
            made = unwrap(list(call.invoke(block, item=item)))
            if to_bool(None if made is NOTHING else made):
                yield item
            continue
        value = call.shell.member(item, to_text(call.get("Property")), None)
        if call.frame.scope.strictness() >= 2 and call.shell.own_member(item, to_text(call.get("Property"))) is MISSING:
            call.error(
                ErrorRecord(
                    "PropertyNotFound",
                    f"The property '{to_text(call.get('Property'))}' cannot be found on this object. Verify that the property exists.",
                    "InvalidArgument",
                )
            )
            continue
        operator = next(
            (name for name in call.bound if name.casefold() not in ("property", "value", "inputobject")), None
        )
        if operator is None:
            kept = to_bool(value) if not call.has("Value") else equal(value, call.get("Value"))
        elif operator.casefold() in ("match", "cmatch", "notmatch", "cnotmatch"):
            kept = call.shell._match("-" + operator.casefold(), value, call.get("Value"), call.frame)
        else:
            kept = BINARY["-" + operator.casefold()](value, call.get("Value"))
        if to_bool(kept):
            yield item


@cmdlet("ForEach-Object", whole=True)
def foreach_object(call: Call) -> Iterator[Any]:
    if call.has("MemberName"):
        yield from _members(call)
        return
    blocks = [*as_list(call.get("Process")), *as_list(call.get("RemainingScripts"))]
    begin, end = call.get("Begin"), call.get("End")
    if len(blocks) > 1 and begin is None:
        begin, blocks = blocks[0], blocks[1:]
        if len(blocks) > 1 and end is None:
            end, blocks = blocks[-1], blocks[:-1]
    if begin is not None:
        yield from call.invoke(begin)
    for item in flattened(call):
        for block in blocks:
            if block is not None:
                yield from call.invoke(block, item=item)
    if end is not None:
        yield from call.invoke(end)


def _members(call: Call) -> Iterator[Any]:
    name = to_text(call.get("MemberName"))
    for item in flattened(call):
        found = call.shell.own_member(item, name)
        if found is MISSING:
            method = call.shell._method(item, name)
            if method is None:
                if call.frame.scope.strictness() >= 2:
                    call.shell.member(item, name, call.frame)
                yield None
                continue
            arguments = call.get("ArgumentList") or []
            found = call.shell.guarded_call(method, name, list(arguments))
        yield from enumerate_value(found)


def picked(call: Call, item: Any, names: list[Any], excluded: tuple[str, ...] = ()) -> PsObject:
    """A `Selected.` object with the properties asked for."""
    made = PsObject(
        type_names=(f"Selected.{type_name(item)}", "System.Management.Automation.PSCustomObject", "System.Object")
    )
    made.type_names = (
        ("System.Management.Automation.PSCustomObject", "System.Object")
        if not isinstance(item, PsObject)
        else ("Selected." + item.type_names[0], "System.Management.Automation.PSCustomObject", "System.Object")
    )
    for name in names:
        if isinstance(name, Table):
            label = name.get("Name") or name.get("n") or name.get("Label") or name.get("l")
            made.set(to_text(label), value_of(call, item, name))
        elif isinstance(name, ScriptBlock):
            made.set(str(name), value_of(call, item, name))
        elif has_wildcard(to_text(name)):
            for own, value in call.shell.properties_of(item):
                if like(own, to_text(name)) and not any(like(own, one) for one in excluded):
                    made.set(own, value)
        elif not any(like(to_text(name), one) for one in excluded):
            value = value_of(call, item, name)
            made.set(to_text(name), value)
    return made


@cmdlet("Select-Object", whole=True)
def select_object(call: Call) -> Iterator[Any]:
    first, last, skip = call.get("First"), call.get("Last"), int(call.get("Skip", 0))
    stream: Iterator[Any] = flattened(call)
    if call.has("Index"):
        items = list(stream)
        stream = iter([items[int(place)] for place in sorted(call.get("Index")) if int(place) < len(items)])
    elif last is not None:
        items = list(stream)
        items = items[: len(items) - skip] if skip else items
        stream = iter(items[-int(last) :] if int(last) else [])
    elif call.has("SkipLast"):
        items = list(stream)
        stream = iter(items[: len(items) - int(call.get("SkipLast"))])
    else:
        stream = _window(stream, skip, None if first is None else int(first))
    yield from _unique(call, _selected(call, stream)) if call.switch("Unique") else _selected(call, stream)


def _window(stream: Iterator[Any], skip: int, first: int | None) -> Iterator[Any]:
    count = 0
    if first == 0:
        return
    for place, item in enumerate(stream):
        if place < skip:
            continue
        yield item
        count += 1
        if first is not None and count >= first:
            return


def _selected(call: Call, stream: Iterator[Any]) -> Iterator[Any]:
    names, expand = call.get("Property"), call.get("ExpandProperty")
    excluded = tuple(call.get("ExcludeProperty") or ())
    for item in stream:
        if expand is not None:
            value = call.shell.own_member(item, to_text(expand))
            if value is MISSING:
                call.error(
                    ErrorRecord(
                        "ExpandPropertyNotFound",
                        f'Property "{to_text(expand)}" cannot be found.',
                        "InvalidArgument",
                        item,
                        "System.Management.Automation.PSArgumentException",
                    )
                )
                continue
            yield from enumerate_value(value)
        elif names is not None or excluded:
            yield picked(call, item, names or ["*"], excluded)
        else:
            yield item


def _unique(call: Call, stream: Iterator[Any]) -> Iterator[Any]:
    seen: list[Any] = []
    for item in stream:
        key = [to_text(value) for _, value in call.shell.properties_of(item)] if isinstance(item, PsObject) else item
        if not any(key == one if isinstance(key, list) else equal(one, key, cased=True) for one in seen):
            seen.append(key)
            yield item


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


@cmdlet("Tee-Object", whole=True)
def tee_object(call: Call) -> Iterator[Any]:
    if not call.has("Variable"):
        raise OutsideSubset("Tee-Object into a file lies outside the subset")
    kept: list[Any] = []
    for item in flattened(call):
        kept.append(item)
        yield item
    call.frame.scope.set(to_text(call.get("Variable")), unwrap(kept))


@cmdlet("Get-Member", whole=True)
def get_member(call: Call) -> Iterator[Any]:
    seen: set[str] = set()
    wanted = [to_text(one) for one in call.get("Name") or ["*"]]
    for item in flattened(call):
        name = item.type_names[0] if isinstance(item, PsObject) else type_name(item)
        if name in seen:
            continue
        seen.add(name)
        kind = "NoteProperty" if "PSCustomObject" in name else "Property"
        for own, value in sorted(call.shell.properties_of(item), key=lambda pair: pair[0].casefold()):
            if any(like(own, pattern) for pattern in wanted):
                yield custom(
                    {
                        "TypeName": name,
                        "Name": own,
                        "MemberType": kind,
                        "Definition": f"{type_name(value)} {own}={to_text(value)}",
                    }
                )


def is_set(names: Properties, name: str) -> bool:
    """Whether a property is there."""
    return name in names


__all__ = ["is_set", "picked", "type_not_found"]
