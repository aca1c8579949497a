"""The declarations of sp_executesql and its kin: N'@P1 int, @P2 nvarchar(4000) OUTPUT' as names and types."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.lab.sqlserver.engine.port import SqlType

_ONE = re.compile(
    r"\s*(@[\w@#$]*)\s+(?:AS\s+)?((?:\[?\w+\]?\s*\.\s*)?\[?\w+\]?(?:\s+varying)?)\s*(?:\(\s*(max|\d+)\s*(?:,\s*(\d+)\s*)?\))?"
    r"\s*(?:=\s*[^,]*?)?\s*(output|out|readonly)?\s*(?:,|$)",
    re.IGNORECASE,
)
_SYNONYMS = {
    "integer": "int", "dec": "decimal", "numeric": "decimal", "character": "char", "rowversion": "timestamp",
    "character varying": "varchar", "char varying": "varchar", "binary varying": "varbinary", "national char": "nchar",
    "double": "float",
}  # fmt: skip
_SCALED = frozenset({"time", "datetime2", "datetimeoffset"})
_COUNTED = frozenset({"char", "varchar", "nchar", "nvarchar", "binary", "varbinary"})


class NotDeclared(Exception):
    """The text near which a declaration is not understood."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One parameter."""

    name: str
    type: SqlType
    output: bool


def declarations(text: str) -> list[Declared]:
    """All of them. Raises NotDeclared with what is not understood."""
    found, at = [], 0
    text = text.strip()
    while at < len(text):
        match = _ONE.match(text, at)
        if match is None:
            raise NotDeclared(text[at : at + 30].strip())
        name, word, first, second, direction = match.groups()
        output = (direction or "").lower() in {"out", "output"}
        found.append(Declared(name, _type(word, first or "", second or ""), output))
        at = match.end()
    return found


def _type(word: str, first: str, second: str) -> SqlType:
    bare = re.sub(r"[\[\]]", "", word.rsplit(".", 1)[-1]).strip().lower()
    name = _SYNONYMS.get(bare, bare)
    if name == "sysname":
        return SqlType("nvarchar", 128)
    if name in _COUNTED:
        return SqlType(name, -1 if first.lower() == "max" else int(first or 1))
    if name == "decimal":
        return SqlType(name, precision=int(first or 18), scale=int(second or 0))
    if name in _SCALED:
        return SqlType(name, scale=int(first or 7))
    if name == "float" and first and int(first) <= 24:
        return SqlType("real")
    return SqlType(name, -1 if name in {"text", "ntext", "image", "xml"} else 0)
