"""Values as words of bash, and the functions of one step."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

from orchestrator.scripting.plain import Plain, without_nul


def word(value: Any) -> str:
    """What a template prints, as shell words: a list becomes several."""
    if isinstance(value, Plain):
        return value
    if isinstance(value, jinja2.Undefined):
        return str(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(word(one) for one in value)
    text = without_nul(str(value))
    return shlex.quote(text) if text.isprintable() else _ansi_quoted(text)


def functions(number: int, parts: Mapping[str, str]) -> str:
    """The parts of a step as functions that are called by its number."""
    return "\n".join(f"{part}_{number}() {{\n{body}\n}}" for part, body in parts.items())


def _ansi_quoted(text: str) -> str:
    """Bash's ``$'...'``, so that a value with line breaks or control characters still stands on one line."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return "$'" + "".join(char if char.isprintable() else _escape(char) for char in escaped) + "'"


def _escape(char: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))
