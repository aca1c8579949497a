"""The -f operator and ToString with a format."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

from tests.lab.windows.powershell.convert import (
    float_text,
    to_text,
)
from tests.lab.windows.powershell.dates import date_text
from tests.lab.windows.powershell.values import (
    EnumValue,
    ErrorRecord,
    Int64,
    NetException,
    Terminating,
    integer_kind,
)

FIELD = re.compile(r"\{\{|\}\}|\{(\d+)(?:,(-?\d+))?(?::([^}]*))?\}|[{}]")


def format_text(pattern: Any, values: Any) -> str:
    """`-f`."""
    items = values if isinstance(values, list) else [values]

    def put(found: re.Match[str]) -> str:
        if found[0] in ("{{", "}}"):
            return found[0][0]
        if found[1] is None:
            raise _format_error("Input string was not in a correct format.")
        if int(found[1]) >= len(items):
            raise _format_error(
                "Index (zero based) must be greater than or equal to zero and less than the size of the argument list."
            )
        text = formatted(items[int(found[1])], found[3] or "")
        width = int(found[2] or 0)
        return text.rjust(width) if width > 0 else text.ljust(-width)

    return FIELD.sub(put, to_text(pattern))


def _format_error(why: str) -> Terminating:
    inner = NetException("System.FormatException", why)
    message = f"Error formatting a string: {why}."
    return Terminating(
        ErrorRecord(
            "FormatError",
            message,
            "InvalidOperation",
            None,
            NetException("System.Management.Automation.RuntimeException", message, inner),
        )
    )


def formatted(value: Any, pattern: str) -> str:
    """One value in one of .NET's formats (culture en-US)."""
    if isinstance(value, dt.datetime):
        return date_text(value, pattern or "G")
    if not pattern or isinstance(value, str | bool) or value is None:
        return to_text(value)
    if isinstance(value, int | float | Decimal):
        return number_text(value, pattern)
    if isinstance(value, EnumValue):
        return str(value.number) if pattern in "dD" else value.name
    if isinstance(value, dt.timedelta):
        return _span_format(value, pattern)
    return _uuid_format(value, pattern)


def _uuid_format(value: Any, pattern: str) -> str:
    text = to_text(value)
    return {"N": text.replace("-", ""), "B": "{" + text + "}", "P": f"({text})"}.get(pattern.upper(), text)


def _span_format(value: dt.timedelta, pattern: str) -> str:
    if pattern in ("c", "g", "G"):
        return to_text(value)
    total = int(value.total_seconds())
    parts = {"d": total // 86400, "h": total // 3600 % 24, "m": total // 60 % 60, "s": total % 60}

    def put(found: re.Match[str]) -> str:
        token = found[0]
        if token[0] == "\\":
            return token[1:]
        if token[0] == "'":
            return token[1:-1]
        if token[0] == "f":
            return f"{value.microseconds * 10:07d}"[: len(token)]
        return str(parts[token[0]]).rjust(len(token), "0")

    return re.sub(r"\\.|'[^']*'|d+|h+|m+|s+|f+", put, pattern)


def number_text(value: float | Decimal, pattern: str) -> str:
    """A number in a standard or custom format."""
    found = re.fullmatch(r"([A-Za-z])(\d*)", pattern)
    if found is None:
        return _custom_number(value, pattern)
    letter, digits = found[1], int(found[2]) if found[2] else None
    kind = letter.upper()
    if kind in "DX":
        if not isinstance(value, int):
            raise _format_error("Format specifier was invalid.")
        whole = (
            int(value)
            if kind == "D" or value >= 0
            else int(value) + (1 << (64 if integer_kind(value) is Int64 else 32))
        )
        text = f"{abs(whole):d}" if kind == "D" else f"{whole:X}" if letter == "X" else f"{whole:x}"
        return ("-" if whole < 0 else "") + text.rjust(digits or 0, "0")
    exact = Decimal(str(value)) if not isinstance(value, Decimal) else value
    if kind in "NF":
        places = _rounded(exact, 2 if digits is None else digits)
        return f"{places:,f}" if kind == "N" else f"{places:f}"
    if kind == "P":
        return f"{_rounded(exact * 100, 2 if digits is None else digits):,f} %"
    if kind == "C":
        return ("-" if exact < 0 else "") + f"${abs(_rounded(exact, 2 if digits is None else digits)):,f}"
    if kind == "E":
        head, _, power = f"{float(value):.{6 if digits is None else digits}E}".partition("E")
        return f"{head}{letter}{power[0]}{power[1:].rjust(3, '0')}"
    if kind in "GR":
        return to_text(value) if not digits else float_text(float(f"{float(value):.{digits}g}"))
    raise _format_error("Format specifier was invalid.")


def _rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), rounding="ROUND_HALF_UP")


def _custom_number(value: float | Decimal, pattern: str) -> str:
    section = pattern.split(";")
    body = section[1] if len(section) > 1 and value < 0 else section[0]
    found = re.search(r"[0#,.]+%?", body)
    if found is None:
        return body
    core = found[0]
    exact = abs(Decimal(str(value))) * (100 if "%" in core else 1)
    whole, _, fraction = core.replace("%", "").partition(".")
    rounded = _rounded(exact, len(fraction))
    digits, _, decimals = f"{rounded:f}".partition(".")
    digits = digits.lstrip("0").rjust(whole.count("0"), "0")
    if "," in whole:
        digits = f"{int(digits or 0):,}" if digits else digits
    least = fraction.rfind("0") + 1
    decimals = decimals[:least] + decimals[least:].rstrip("0")
    sign = "-" if value < 0 and len(section) == 1 else ""
    text = sign + digits + ("." + decimals if decimals else "") + ("%" if "%" in core else "")
    return body[: found.start()] + text + body[found.end() :]
