"""Cells of a row as plain values, whatever a driver makes of them."""

from __future__ import annotations


def hexed(value: object) -> str:
    """Bytes as SQL Server writes them (``0x0105``); empty for none.

    >>> hexed(bytes([1, 5]))
    '0x0105'
    """
    return f"0x{bytes(value).hex().upper()}" if isinstance(value, bytes | bytearray | memoryview) and value else ""


def text(value: object) -> str:
    """A text without what pads it; empty for none."""
    return "" if value is None else str(value).rstrip("\0").strip()


def number(value: object) -> int:
    """A whole number; 0 for none."""
    plain = text(value)
    return int(plain) if plain.lstrip("-").isdigit() else 0


def flag(value: object) -> bool:
    """Yes or no; no for none."""
    return text(value).upper() in {"1", "TRUE", "YES"}
