"""What PowerShell reads and tree-sitter-powershell does not: put into a writing that both read alike. Used only where the parser found an error.

Lists of bare words in arguments (`Select-Object Name,Status`) are quoted, a statement on the line of `param(...)` gets a `;` before it,
and multipliers of numbers (`4GB`) are written small.
"""

from __future__ import annotations

import re

STRINGS = re.compile(
    r"@'[ \t]*\n.*?\n'@|@\"[ \t]*\n.*?\n\"@|'(?:[^']|'')*'|\"(?:[^\"`]|`.|\"\")*\"|<#.*?#>|(?<![\w`])#[^\n]*", re.DOTALL
)
WORD = r"[A-Za-z_*?\\.][\w.*?\\:/-]*"
ITEM = rf"(?:{WORD}|'[^'\n]*'|\"[^\"\n]*\"|\$\w+(?:\.\w+)*|\d+)"
LIST = re.compile(rf"(?<=[\w'\")\]]\s){ITEM}(?:[ \t]*,[ \t]*{ITEM})+(?=[\s|)}};]|$)")
BESIDE = re.compile(rf"(?<=[\w'\")\]}}]\s)({WORD})(?=[ \t]*,[ \t]*[@{{($'\"\[])")
AFTER = re.compile(rf"(?<=[}})\]'\"])[ \t]*,[ \t]*({WORD})(?=[\s|)}};,]|$)")
ATTRIBUTE = re.compile(r"\[[\w.]+\([^\]]*\)\s*\]")
NUMBER = re.compile(r"(?<![\w$])(?:0x[0-9a-f]+|\d+(?:\.\d+)?)[LD]?(?:[KMGTP]B)?(?!\w)", re.IGNORECASE)
PARAM = re.compile(r"\bparam\s*\(", re.IGNORECASE)


def repaired(text: str) -> str:
    """The text in the narrower writing; lines stay where they are."""
    masked = STRINGS.sub(_mask, text)
    bare = ATTRIBUTE.sub(_blank, masked)
    edits: list[tuple[int, int, str]] = []
    edits.extend((found.start(), found.end(), found[0].lower()) for found in NUMBER.finditer(masked))
    for found in LIST.finditer(bare):
        for word in re.finditer(rf"(?<![\w$.'\"]){WORD}", found[0]):
            start = found.start() + word.start()
            if not _within_quotes(found[0], word.start()):
                edits.append((start, start + len(word[0]), f"'{word[0]}'"))
    edits.extend(
        (found.start(1), found.end(1), f"'{found[1]}'") for found in [*BESIDE.finditer(bare), *AFTER.finditer(bare)]
    )
    edits.extend(_after_parameters(masked))
    made, place = [], 0
    for start, end, new in sorted(edits):
        if start >= place:
            made += [text[place:start], new]
            place = end
    return "".join(made) + text[place:]


def _mask(found: re.Match[str]) -> str:
    text = found[0]
    if text[0] in "'\"":
        return text[0] + re.sub(r"[^\n]", "\x01", text[1:-1]) + text[-1]
    return re.sub(r"[^\n]", "\x01" if text[0] == "@" else " ", text)


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0])


def _within_quotes(text: str, place: int) -> bool:
    return text.count("'", 0, place) % 2 == 1 or text.count('"', 0, place) % 2 == 1


def _after_parameters(masked: str) -> list[tuple[int, int, str]]:
    edits = []
    for found in PARAM.finditer(masked):
        depth, place = 1, found.end()
        while depth and place < len(masked):
            depth += {"(": 1, ")": -1}.get(masked[place], 0)
            place += 1
        if re.match(r"[ \t]*[^\s;}]", masked[place:]):
            edits.append((place, place, ";"))
    return edits
