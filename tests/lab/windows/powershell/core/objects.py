"""Cmdlets over the pipeline: Where, ForEach, Select, Tee, Get-Member; what looks at all objects together is in ``summaries``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.lab.windows.powershell.commands import Call, cmdlet
from tests.lab.windows.powershell.convert import to_bool, to_text, type_name
from tests.lab.windows.powershell.frames import ScriptBlock
from tests.lab.windows.powershell.members import MISSING
from tests.lab.windows.powershell.operators import BINARY, equal
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
