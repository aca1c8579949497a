"""Values as literals of Windows PowerShell 5.1, and the parts of one step.

Text stands in single quotes, where nothing is expanded; PowerShell takes the typographic single quotes U+2018, U+2019, U+201A and
U+201B for the same character, so each of the five is doubled. Text that cannot be seen (line breaks, marks of direction) is JSON with
escapes, so that it stands on one line and a reader sees that it is there. Sources: about_Quoting_Rules; the language's
specification, section 2.3.5.2, where these are one terminal symbol.
"""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

from orchestrator.scripting.plain import Plain, one_line, without_nul

BYTE_ORDER_MARK = "\ufeff"
"""First of a script's text: Windows PowerShell 5.1 reads a file without it in the server's own code page."""
_QUOTES = "'\u2018\u2019\u201a\u201b"
_DOUBLED = {ord(quote): quote * 2 for quote in _QUOTES}
_WIDTH = 110
_INDENT = "    "
_VALUES = ("given", "beforehand")


def literal(value: Any) -> str:
    """A value as an expression that yields it and can be nothing else."""
    match value:
        case Plain() | jinja2.Undefined():
            return str(value)
        case None | bool():
            return {None: "$null", True: "$true", False: "$false"}[value]
        case int() | float():
            return _number(value)
        case Mapping():
            return _table(value)
        case Sequence() if not isinstance(value, str):
            return _list(value)
        case _:
            return _text(without_nul(str(value)))


def comment(value: Any) -> Plain:
    """Text for a comment: on one line, and never the end of a block of them."""
    return Plain(one_line(value).replace("#>", "# >"))


def entries(number: int, parts: Mapping[str, str]) -> str:
    """The parts of a step as entries of its table: some are values, each of the others is a block of script."""
    del number
    written = (
        f"{part.capitalize()} = {body.strip()}"
        if part in _VALUES
        else f"{part.capitalize()} = {{\n{_shifted(body)}\n}}"
        for part, body in parts.items()
    )
    return textwrap.indent("\n".join(written), _INDENT * 2)


def _shifted(body: str) -> str:
    lines = [line.rstrip() for line in textwrap.dedent(body).splitlines() if line.strip()]
    return textwrap.indent(textwrap.dedent("\n".join(lines)), _INDENT)


def _text(text: str) -> str:
    if text.isprintable():
        return f"'{text.translate(_DOUBLED)}'"
    return f"(ConvertFrom-Json -InputObject '{json.dumps(text).replace(chr(39), chr(39) * 2)}')"


def _number(value: float) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        msg = f"{value} is not a number that a script can hold"
        raise ValueError(msg)
    return f"({value!r})" if value < 0 else repr(value)


def _list(values: Sequence[Any]) -> str:
    """``@(...)`` takes a list within it apart where that is all there is, unless a comma says that it is one thing."""
    alone = len(values) == 1 and isinstance(values[0], Sequence) and not isinstance(values[0], str)
    return _enclosed("@(", [f"{', ' if alone else ''}{literal(one)}" for one in values], ", ", ",\n", ")")


def _table(values: Mapping[Any, Any]) -> str:
    keys = [str(key) for key in values]
    if len({key.casefold() for key in keys}) < len(keys):
        msg = f"two keys of {', '.join(keys)} are the same in PowerShell, which does not tell letters' case apart"
        raise ValueError(msg)
    pairs = [f"{_text(without_nul(str(key)))} = {literal(one)}" for key, one in values.items()]
    return _enclosed("[ordered]@{", pairs, "; ", "\n", "}")


def _enclosed(begin: str, inner: Sequence[str], between: str, line_end: str, end: str) -> str:
    """On one line where it fits, else a line for each entry."""
    line = f"{begin}{between.join(inner)}{end}"
    if len(line) <= _WIDTH and "\n" not in line:
        return line
    return f"{begin}\n{textwrap.indent(line_end.join(inner), _INDENT)}\n{end}"
