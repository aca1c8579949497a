"""Names and texts inside statements that take no parameters (CREATE, ALTER, EXEC of system procedures)."""

from __future__ import annotations

import re


def name(text: str) -> str:
    """A name in brackets.

    >>> name("a]b")
    '[a]]b]'
    """
    return f"[{text.replace(']', ']]')}]"


def text(value: str) -> str:
    """A text of Unicode.

    >>> text("it's")
    "N'it''s'"
    """
    return f"N'{value.replace(chr(39), chr(39) * 2)}'"


def binary(value: str) -> str:
    """Bytes as ``0x...``; anything else is a ValueError."""
    if not re.fullmatch(r"0x(?:[0-9A-Fa-f]{2})+", value):
        msg = "not bytes in hexadecimal"
        raise ValueError(msg)
    return value
