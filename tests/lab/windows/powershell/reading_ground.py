"""What all readers share: the text of a node, where it stands, and how it is refused."""

from __future__ import annotations

import re
from typing import Any

from tests.lab.windows.powershell import tree as t
from tests.lab.windows.powershell.values import ErrorRecord, OutsideSubset, Position, Terminating

OUTSIDE = {
    "class_statement": "class",
    "enum_statement": "enum",
    "trap_statement": "trap",
    "data_statement": "data",
    "inlinescript_statement": "inlinescript",
    "parallel_statement": "parallel",
    "sequence_statement": "sequence",
    "stop_parsing": "--%",
    "verbatim_command_argument": "--%",
}


SINGLE = "'\u2018\u2019\u201a\u201b"  # all of them quote; about_Quoting_Rules and section 2.3.5.2 of the language specification


DOUBLE = '"\u201c\u201d\u201e'


DASHES = "\u2013\u2014\u2015"


def parser_error(message: str, error_id: str, position: Position) -> Terminating:
    """PowerShell's ParserError."""
    record = ErrorRecord(
        error_id, message, "ParserError", None, "System.Management.Automation.ParentContainsErrorRecordException"
    )
    record.reason, record.qualified, record.position = "ParentContainsErrorRecordException", error_id, position
    return Terminating(record)


class Ground:
    """What all readers share: the text of a node, where it stands, and how it is refused."""

    def position(self, node: Any) -> Position:
        """Where a node of tree-sitter stands."""
        at = self._at(node)
        line = self.source.lines[at.line - 1] if at.line <= len(self.source.lines) else ""
        return Position(self.source.file, at.line, at.column, line, at.text)

    def _first_error(self, node: Any) -> Any:
        if node.type == "ERROR" or node.is_missing:
            return node
        inner = next((child for child in node.children if child.has_error or child.is_missing), None)
        return node if inner is None else self._first_error(inner)

    def _text(self, node: Any) -> str:
        return self.bytes[node.start_byte : node.end_byte].decode()

    def _at(self, node: Any) -> t.At:
        raw = self._text(node)
        lead = len(raw) - len(raw.lstrip())
        row, column = node.start_point
        before = raw[:lead]
        if "\n" in before:
            row, column = row + before.count("\n"), len(before) - before.rfind("\n") - 1
        else:
            column += lead
        line = self.source.lines[row] if row < len(self.source.lines) else ""
        column = len(line.encode()[:column].decode(errors="ignore"))
        return t.At(row + 1, column + 1, raw.strip())

    def _outside(self, node: Any, what: str) -> OutsideSubset:
        at = self._at(node)
        return OutsideSubset(f"{what} lies outside the subset (line {at.line}, column {at.column}: {at.text[:60]})")

    def _type_name(self, node: Any) -> str:
        return (
            re.sub(r"\s+", "", self._text(node)).removeprefix("[").removesuffix("]")
            if node.type == "type_literal"
            else re.sub(r"\s+", "", self._text(node))
        )

    def _block(self, node: Any) -> list[t.Node]:
        found = [child for child in node.named_children if child.type == "statement_list"]
        return self._statements(found[0]) if found else []

    def _statements(self, node: Any) -> list[t.Node]:
        return [
            self.statement(child)
            for child in node.named_children
            if child.type not in ("comment", "empty_statement", "label")
        ]

    def _named(self, node: Any, *kinds: str) -> list[Any]:
        return [child for child in node.named_children if child.type in kinds]
