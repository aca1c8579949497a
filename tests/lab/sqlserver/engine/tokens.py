"""The words of a batch of T-SQL: comments gone, strings whole, each with its place."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.lab.sqlserver.engine.port import SqlFailure


@dataclass(frozen=True, slots=True)
class Token:
    """One word. ``kind``: word, quoted (an identifier in [] or ""), string, number, binary, variable, mark, end."""

    kind: str
    text: str  # as written
    value: str  # without quotes; words in upper case
    start: int
    line: int

    @property
    def end(self) -> int:
        """Where it ends in the text."""
        return self.start + len(self.text)

    @property
    def name(self) -> str:
        """As an identifier: words keep their case."""
        return self.value if self.kind == "quoted" else self.text


_PATTERN = re.compile(
    r"""(?P<space>\s+|--[^\n]*)
    |(?P<comment>/\*)
    |(?P<string>[Nn]?'(?:[^']|'')*')
    |(?P<quoted>\[(?:[^\]]|\]\])*\]|"(?:[^"]|"")*")
    |(?P<binary>0[xX][0-9A-Fa-f]*)
    |(?P<number>\$?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<variable>@@?[\w$#@]+)
    |(?P<word>[^\W\d][\w$#@]*|\#\#?[\w$]+)
    |(?P<mark><>|<=|>=|!=|!<|!>|::|[-+*/%&|^]=|[-+*/%&|^~=<>(),.;{}?:])""",
    re.VERBOSE,
)


def tokenize(text: str) -> list[Token]:
    """All words and a last one of kind ``end``. Raises SqlFailure 105, 113, 102."""
    found: list[Token] = []
    at, line, end = 0, 1, len(text)
    while at < end:
        match = _PATTERN.match(text, at)
        if match is None:
            raise _unreadable(text[at:], line)
        kind = str(match.lastgroup)
        piece = match[0]
        if kind == "comment":
            piece = text[at : _comment_end(text, at, line)]
        elif kind != "space":
            found.append(Token(kind, piece, _value(kind, piece), at, line))
        line += piece.count("\n")
        at += len(piece)
    found.append(Token("end", "", "", end, line))
    return found


def _value(kind: str, piece: str) -> str:
    if kind == "word":
        return piece.upper()
    if kind == "string":
        return piece[piece.index("'") + 1 : -1].replace("''", "'")
    if kind == "quoted":
        return piece[1:-1].replace("]]", "]") if piece[0] == "[" else piece[1:-1].replace('""', '"')
    return piece


def _comment_end(text: str, at: int, line: int) -> int:
    depth = 0
    for match in re.compile(r"/\*|\*/").finditer(text, at):
        depth += 1 if match[0] == "/*" else -1
        if depth == 0:
            return match.end()
    raise SqlFailure(113, "Missing end comment mark '*/'.", severity=15, line=line)


def _unreadable(rest: str, line: int) -> SqlFailure:
    if rest[0] in "'\"[" or rest[:2] in {"N'", "n'"}:
        shown = rest.lstrip("Nn")[1:] if rest[0] in "Nn'" else rest[1:]
        return SqlFailure(105, f"Unclosed quotation mark after the character string '{shown}'.", severity=15, line=line)
    return SqlFailure(102, f"Incorrect syntax near '{rest[0]}'.", severity=15, line=line)
