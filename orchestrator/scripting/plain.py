"""Text that a template prints as it is, in whatever language."""

from __future__ import annotations

import re
from typing import Any

_LINE_ENDS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


class Plain(str):
    """Text that a template prints as it is, not as a quoted word."""

    __slots__ = ()


def one_line(value: Any) -> Plain:
    """Text as it is; what would end a comment's line becomes a space."""
    return value if isinstance(value, Plain) and "\n" in value else Plain(_LINE_ENDS.sub(" ", str(value)))


def without_nul(text: str) -> str:
    """The text itself.

    Raises:
        ValueError: it holds a NUL character, which no argument, path or name can.
    """
    if "\0" in text:
        msg = "a value holds a NUL character"
        raise ValueError(msg)
    return text
