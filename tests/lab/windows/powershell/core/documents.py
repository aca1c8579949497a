"""ConvertTo-Json and ConvertFrom-Json as 5.1 has them, CSV, string data and secure strings."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import math
import re
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tests.lab.windows.powershell.commands import Call, cmdlet
from tests.lab.windows.powershell.convert import float_text, to_text, type_name
from tests.lab.windows.powershell.frames import ScriptBlock
from tests.lab.windows.powershell.instances import utc
from tests.lab.windows.powershell.members import MISSING
from tests.lab.windows.powershell.values import (
    EnumValue,
    ErrorRecord,
    Int64,
    NetException,
    OutsideSubset,
    PsObject,
    Table,
    TypeValue,
    custom,
    typed,
)

ESCAPED = {"'": "\\u0027", "<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def json_text(text: str) -> str:
    """A text in JSON as 5.1 writes it."""
    made = json.dumps(text, ensure_ascii=False)
    made = re.sub("[\x7f-\x9f\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", made)
    return re.sub(r"['<>&]", lambda found: ESCAPED[found[0]], made)


def date_json(value: dt.datetime) -> str:
    """A date in JSON as 5.1 writes it."""
    return f'"\\/Date({(utc(value) - EPOCH) // dt.timedelta(milliseconds=1)})\\/"'


class Writer:
    """Writes one document, indented as 5.1 does."""

    def __init__(self, call: Call, depth: int, *, compress: bool) -> None:
        self.call, self.depth, self.compress = call, depth, compress

    def write(self, value: Any, level: int, column: int) -> str:
        """A value; below the depth objects are their text."""
        simple = self._simple(value)
        if simple is not None:
            return simple
        if level > self.depth:
            return json_text(self._shallow(value))
        if isinstance(value, list):
            return self._list(value, level, column)
        if isinstance(value, Table):
            pairs = [(to_text(key), item) for key, item in value.items()]
        else:
            pairs = self.call.shell.properties_of(value)
        return self._object(pairs, level, column)

    def _shallow(self, value: Any) -> str:
        return " ".join(to_text(item) for item in value) if isinstance(value, list) else to_text(value)

    def _simple(self, value: Any) -> str | None:
        if value is None:
            return "null"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str):
            return json_text(str(value))
        if isinstance(value, int):
            return str(int(value))
        if isinstance(value, float):
            text = repr(value)
            return (
                json_text(float_text(value))
                if math.isnan(value) or abs(value) == float("inf")
                else text
                if "e" not in text
                else text.upper()
            )
        if isinstance(value, Decimal):
            return format(value, "f")
        if isinstance(value, dt.datetime):
            return date_json(value)
        if isinstance(value, EnumValue):
            return str(value.number)
        if isinstance(value, uuid.UUID):
            return json_text(str(value))
        if isinstance(value, PsObject) and value.text is not None and value.type_names[0] == "System.Uri":
            return json_text(value.text)
        if isinstance(value, TypeValue | ScriptBlock):
            raise OutsideSubset(f"ConvertTo-Json of a value of {type_name(value)} lies outside the subset")
        return None

    def _list(self, value: list[Any], level: int, column: int) -> str:
        if not value:
            return "[]" if self.compress else "[\r\n\r\n" + " " * column + "]"
        items = [self.write(item, level + 1, column + 4) for item in value]
        if self.compress:
            return "[" + ",".join(items) + "]"
        inner = " " * (column + 4)
        return "[\r\n" + ",\r\n".join(inner + item for item in items) + "\r\n" + " " * column + "]"

    def _object(self, pairs: list[tuple[str, Any]], level: int, column: int) -> str:
        if not pairs:
            return "{}" if self.compress else "{\r\n\r\n" + " " * column + "}"
        if self.compress:
            return "{" + ",".join(f"{json_text(name)}:{self.write(value, level + 1, 0)}" for name, value in pairs) + "}"
        inner = " " * (column + 4)
        parts = [
            f"{inner}{json_text(name)}:  {self.write(value, level + 1, column + 4 + len(json_text(name)) + 3)}"
            for name, value in pairs
        ]
        return "{\r\n" + ",\r\n".join(parts) + "\r\n" + " " * column + "}"


@cmdlet("ConvertTo-Json", whole=True)
def convert_to_json(call: Call) -> Iterator[Any]:
    depth = int(call.get("Depth", 2))
    if not 1 <= depth <= 100:
        which = "less than the minimum" if depth < 1 else "greater than the maximum"
        limit = 1 if depth < 1 else 100
        message = f"Cannot validate argument on parameter 'Depth'. The {depth} argument is {which} allowed range of {limit}. Supply an argument that is {'greater' if depth < 1 else 'less'} than or equal to {limit} and then try the command again."
        call.terminate(
            ErrorRecord(
                "ParameterArgumentValidationError",
                message,
                "InvalidData",
                None,
                "System.Management.Automation.ParameterBindingValidationException",
            )
        )
    if call.has_input:
        items = list(call.input)
        if not items:
            return
        value = items[0] if len(items) == 1 else items
    else:
        value = call.get("InputObject")
    yield Writer(call, depth, compress=call.switch("Compress")).write(value, 0, 0)


DATE = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")


def from_json(value: Any) -> Any:
    """What a parsed document is to a script: dates in the old writing are dates, objects are custom ones."""
    if isinstance(value, dict):
        made = custom()
        for key, item in value.items():
            if key in made.properties and key not in list(made.properties):
                message = f"Cannot convert the JSON string because a dictionary that was converted from the string contains the duplicated keys '{next(k for k in made.properties if k.casefold() == key.casefold())}' and '{key}'."
                raise Malformed(message, "DuplicateKeysInJsonString")
            made.set(key, from_json(item))
        return made
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if isinstance(value, str) and (found := DATE.fullmatch(value)):
        return EPOCH + dt.timedelta(milliseconds=int(found[1]))
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -(2**31) <= value < 2**31 else Int64(value) if -(2**63) <= value < 2**63 else Decimal(value)
    return value


class Malformed(ValueError):
    """The document is none."""

    def __init__(self, message: str, error_id: str) -> None:
        super().__init__(message)
        self.error_id = error_id


@cmdlet("ConvertFrom-Json", whole=True)
def convert_from_json(call: Call) -> Iterator[Any]:
    texts = [to_text(item) for item in call.input] if call.has_input else [to_text(call.get("InputObject"))]
    if not texts:
        return
    whole = _documents(texts)
    for text in whole:
        if not text.strip():
            continue
        try:
            made = from_json(json.loads(text, parse_float=_real, parse_constant=_constant))
        except Malformed as error:
            call.terminate(
                ErrorRecord(error.error_id, str(error), "InvalidOperation", None, "System.InvalidOperationException")
            )
        except ValueError as error:
            message = f"Invalid JSON primitive: {text.strip().split()[0][:20] if text.strip() else ''}."
            call.terminate(
                ErrorRecord(
                    "System.ArgumentException",
                    message,
                    "NotSpecified",
                    None,
                    NetException(
                        "System.ArgumentException", message, NetException("System.FormatException", str(error))
                    ),
                )
            )
        yield made


def _documents(texts: list[str]) -> list[str]:
    if len(texts) == 1:
        return texts
    try:
        json.loads(texts[0])
    except ValueError:
        return ["\n".join(texts)]
    return texts


def _real(text: str) -> Any:
    return Decimal(text) if "e" not in text.lower() else float(text)


def _constant(text: str) -> Any:
    raise ValueError(text)


# Tables of text -------------------------------------------------------------------


def _rows(call: Call) -> list[Any]:
    return list(call.input) if call.has_input else [call.get("InputObject")]


@cmdlet("ConvertTo-Csv", whole=True)
def convert_to_csv(call: Call) -> Iterator[Any]:
    mark = to_text(call.get("Delimiter", ","))
    items = _rows(call)
    if not items:
        return
    if not call.switch("NoTypeInformation"):
        yield f"#TYPE {items[0].type_names[0] if isinstance(items[0], PsObject) else type_name(items[0])}"
    names = [name for name, _ in call.shell.properties_of(items[0])]
    yield mark.join(_quoted(name) for name in names)
    for item in items:
        values = [call.shell.own_member(item, name) for name in names]
        yield mark.join("" if value is None or value is MISSING else _quoted(to_text(value)) for value in values)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


@cmdlet("ConvertFrom-Csv", whole=True)
def convert_from_csv(call: Call) -> Iterator[Any]:
    lines = [to_text(item) for item in (call.input if call.has_input else call.get("InputObject"))]
    lines = [line for line in lines if not line.startswith("#TYPE")]
    rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=to_text(call.get("Delimiter", ","))))
    names = list(call.get("Header") or []) or (rows.pop(0) if rows else [])
    for row in rows:
        if row:
            yield custom([(name, row[place] if place < len(row) else None) for place, name in enumerate(names)])


@cmdlet("ConvertFrom-StringData")
def convert_from_string_data(call: Call) -> Iterator[Any]:
    made = Table()
    for line in to_text(call.get("StringData")).splitlines():
        if not line.strip() or line.strip().startswith("#"):
            continue
        name, mark, value = line.partition("=")
        if not mark:
            call.terminate(
                ErrorRecord(
                    "InvalidOperation",
                    f"Data line '{line.strip()}' is not in 'name=value' format. ",
                    "InvalidOperation",
                    None,
                    "System.Management.Automation.PSInvalidOperationException",
                )
            )
        if name.strip() in made:
            call.terminate(
                ErrorRecord(
                    "InvalidOperation",
                    f"Data item '{name.strip()}' in line '{line.strip()}' is already defined. ",
                    "InvalidOperation",
                    None,
                    "System.Management.Automation.PSInvalidOperationException",
                )
            )
        made[name.strip()] = re.sub(
            r"\\(.)", lambda found: {"n": "\n", "t": "\t", "r": "\r"}.get(found[1], found[1]), value.strip()
        )
    yield made


@cmdlet("ConvertTo-SecureString")
def convert_to_secure_string(call: Call) -> Iterator[Any]:
    if not call.switch("AsPlainText"):
        raise OutsideSubset("ConvertTo-SecureString of anything but plain text lies outside the subset")
    if not call.switch("Force"):
        message = "The system cannot protect plain text input. To suppress this warning and convert the plain text to a SecureString, reissue the command specifying the Force parameter. For more information ,type: get-help ConvertTo-SecureString."
        call.terminate(
            ErrorRecord(
                "ImportSecureString_ForceRequired", message, "InvalidArgument", None, "System.ArgumentException"
            )
        )
    text = to_text(call.get("String"))
    yield typed(
        "System.Security.SecureString",
        {"Length": len(text), "__text": text},
        text="System.Security.SecureString",
        read_only=True,
    )
