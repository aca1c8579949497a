"""Numbers and escapes as PowerShell writes them."""

from __future__ import annotations

import re
from decimal import Decimal

from tests.lab.windows.powershell.values import Int64, integer_kind

ESCAPES = {"0": "\0", "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\n": "\n"}
MULTIPLIERS = {"": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40, "pb": 1 << 50}
NUMBER = re.compile(
    r"([+-]?)(?:(0x[0-9a-f]+)|(\d+)|(\d*\.\d+(?:e[+-]?\d+)?|\d+\.?e[+-]?\d+|\d+\.))([ld]?)(kb|mb|gb|tb|pb)?",
    re.IGNORECASE,
)


def number_of(text: str) -> int | float | Decimal | None:
    """The number that a token is, or None."""
    found = NUMBER.fullmatch(text.strip())
    if found is None:
        return None
    sign, hexa, whole, real, suffix, unit = found.groups()
    times = MULTIPLIERS[(unit or "").lower()] * (-1 if sign == "-" else 1)
    if suffix.lower() == "d":
        return Decimal(whole or real or "0") * times if hexa is None else None
    if real:
        return float(real) * times
    if hexa:
        value = int(hexa, 16)
        if value < 1 << 32 and len(hexa) <= 10 and value >= 1 << 31:
            value -= 1 << 32
        return _sized(value * times, suffix)
    return _sized(int(whole) * times, suffix)


def _sized(value: int, suffix: str) -> int | float | Decimal:
    if suffix.lower() == "l":
        return Int64(value)
    kind = integer_kind(value)
    if kind is float:
        return Decimal(value) if abs(value) < 1 << 96 else float(value)
    return Int64(value) if kind is Int64 else value
