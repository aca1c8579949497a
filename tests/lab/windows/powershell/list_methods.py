"""The methods of lists and tables."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tests.lab.windows.powershell.convert import to_text
from tests.lab.windows.powershell.netlists import NetDictionary, NetList
from tests.lab.windows.powershell.operators import compare, equal
from tests.lab.windows.powershell.text_methods import Raised
from tests.lab.windows.powershell.values import (
    PsObject,
    Reference,
    Table,
    custom,
)


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
