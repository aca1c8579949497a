"""What Out-Default and Out-String make of objects: texts as they are, objects as a list or a table. Scripts must not read it back."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.lab.windows.powershell.convert import to_text
from tests.lab.windows.powershell.format_operator import formatted
from tests.lab.windows.powershell.instances import category_text, position_text
from tests.lab.windows.powershell.values import ErrorRecord, PsObject, Table


def cell(value: Any) -> str:
    """A value in a column."""
    if isinstance(value, list):
        return "{" + ", ".join(cell(one) for one in value) + "}"
    return to_text(value)


def lines_of(values: list[Any]) -> list[str]:
    """The lines that a list of objects is shown as."""
    made: list[str] = []
    group: list[PsObject] = []
    for value in values:
        if isinstance(value, PsObject) and value.text is None:
            if group and list(group[0].properties) != list(value.properties):
                made.extend(objects(group))
                group = []
            group.append(value)
            continue
        made.extend(objects(group))
        group = []
        made.extend(single(value))
    return made + objects(group)


def single(value: Any) -> list[str]:
    """The lines of one value."""
    if value is None:
        return []
    if isinstance(value, Table):
        return ["", *table([("Name", "Value"), *[(to_text(key), cell(item)) for key, item in value.items()]]), ""]
    if isinstance(value, dt.datetime):
        return ["", formatted(value, "F"), ""]
    if isinstance(value, ErrorRecord):
        return error_text(value).split("\r\n")
    if isinstance(value, list):
        return [line for item in value for line in single(item)]
    return to_text(value).replace("\r\n", "\n").split("\n")


def objects(group: list[PsObject]) -> list[str]:
    """Objects with the same properties: up to four as a table, more as lists."""
    if not group:
        return []
    names = [name for name in group[0].properties if not name.startswith("__")]
    if not names:
        return []
    if len(names) <= 4:
        return ["", *table([tuple(names), *[tuple(cell(one.get(name)) for name in names) for one in group]]), "", ""]
    made = [""]
    width = max(len(name) for name in names)
    for one in group:
        made.extend(f"{name.ljust(width)} : {cell(one.get(name))}" for name in names)
        made.append("")
    return made


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """A table with its underlined head."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    shown = [" ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    rule = " ".join(("-" * len(name)).ljust(width) for name, width in zip(rows[0], widths, strict=True)).rstrip()
    return [shown[0], rule, *shown[1:]]


def error_text(record: ErrorRecord) -> str:
    """An error as powershell.exe writes it to standard error."""
    message = record.details or record.message
    if record.whole_id() == "NativeCommandErrorMessage":
        return message
    head = f"{record.activity} : {message}" if record.activity else message
    lines = [head]
    if record.position is not None:
        lines.append(position_text(record.position))
    lines.append(f"    + CategoryInfo          : {category_text(record)}")
    lines.append(f"    + FullyQualifiedErrorId : {record.whole_id()}")
    return "\r\n".join(lines) + "\r\n "
