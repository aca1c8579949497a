"""What .NET methods throw, and the methods of texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.lab.windows.powershell.convert import cast, to_text
from tests.lab.windows.powershell.operators import compare
from tests.lab.windows.powershell.values import (
    Char,
    EnumValue,
    NetException,
    OutsideSubset,
)


class Raised(Exception):
    """What a .NET method throws."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.cause = NetException(kind, message)


def os_error(error: OSError) -> NetException:
    """An error of the file system as .NET has it."""
    names = {
        FileNotFoundError: "System.IO.FileNotFoundException",
        NotADirectoryError: "System.IO.DirectoryNotFoundException",
        PermissionError: "System.UnauthorizedAccessException",
    }
    return NetException(names.get(type(error), "System.IO.IOException"), error.strerror or str(error))


def _case(arguments: tuple[Any, ...]) -> bool:
    """Whether the comparison asked for heeds case (texts of .NET do unless told otherwise)."""
    for one in arguments:
        if isinstance(one, EnumValue) or (
            isinstance(one, str) and one.casefold().startswith(("ordinal", "currentculture", "invariantculture"))
        ):
            return "ignorecase" not in to_text(one).casefold()
        if isinstance(one, bool):
            return not one
    return True


def _cased(text: str, arguments: tuple[Any, ...]) -> str:
    return text if _case(arguments) else text.casefold()


def _chars(arguments: tuple[Any, ...]) -> str | None:
    joined = "".join(to_text(one) for group in arguments for one in (group if isinstance(group, list) else [group]))
    return joined or None


def text_split(text: str, *arguments: Any) -> list[Any]:
    """String.Split: the characters of a text each separate, as in .NET Framework."""
    marks: list[str] = []
    whole: list[str] = []
    limit, drop = 0, False
    for one in arguments:
        if isinstance(one, EnumValue) or (isinstance(one, str) and one.casefold() == "removeemptyentries"):
            drop = to_text(one).casefold() == "removeemptyentries"
        elif isinstance(one, int) and not isinstance(one, bool):
            limit = int(one)
        elif isinstance(one, list) and any(len(to_text(item)) > 1 for item in one):
            whole.extend(to_text(item) for item in one)
        else:
            marks.extend(to_text(one) if not isinstance(one, list) else "".join(to_text(item) for item in one))
    if limit:
        raise OutsideSubset("String.Split with a count lies outside the subset; use -split")
    parts, rest = [""], text
    while rest:
        found = next((mark for mark in whole or marks or list(" \t\r\n") if rest.startswith(mark)), None)
        if found is None:
            parts[-1] += rest[0]
            rest = rest[1:]
        else:
            parts.append("")
            rest = rest[len(found) :]
    return [part for part in parts if part or not drop]


def substring(text: str, start: Any, length: Any = None) -> str:
    """String.Substring."""
    first = cast(start, "System.Int32")
    size = len(text) - first if length is None else cast(length, "System.Int32")
    if first < 0 or first > len(text):
        raise Raised(
            "System.ArgumentOutOfRangeException",
            "startIndex cannot be larger than length of string.\r\nParameter name: startIndex",
        )
    if size < 0 or first + size > len(text):
        raise Raised(
            "System.ArgumentOutOfRangeException",
            "Index and length must refer to a location within the string.\r\nParameter name: length",
        )
    return text[first : first + size]


def text_replace(text: str, old: Any, new: Any) -> str:
    """String.Replace: with case."""
    if to_text(old) == "":
        raise Raised("System.ArgumentException", "String cannot be of zero length.\r\nParameter name: oldValue")
    return text.replace(to_text(old), to_text(new))


def _find(text: str, what: Any, *arguments: Any) -> int:
    start = next((int(one) for one in arguments if isinstance(one, int) and not isinstance(one, bool)), 0)
    return _cased(text, arguments).find(_cased(to_text(what), arguments), start)


TEXT_METHODS: dict[str, Callable[..., Any]] = {
    "trim": lambda s, *a: s.strip(_chars(a)),
    "trimstart": lambda s, *a: s.lstrip(_chars(a)),
    "trimend": lambda s, *a: s.rstrip(_chars(a)),
    "split": text_split,
    "replace": text_replace,
    "substring": substring,
    "indexof": _find,
    "lastindexof": lambda s, what, *a: _cased(s, a).rfind(_cased(to_text(what), a)),
    "indexofany": lambda s, chars: min((s.find(c) for c in _chars((chars,)) or "" if c in s), default=-1),
    "contains": lambda s, what: to_text(what) in s,
    "startswith": lambda s, what, *a: _cased(s, a).startswith(_cased(to_text(what), a)),
    "endswith": lambda s, what, *a: _cased(s, a).endswith(_cased(to_text(what), a)),
    "toupper": lambda s: s.upper(),
    "tolower": lambda s: s.lower(),
    "toupperinvariant": lambda s: s.upper(),
    "tolowerinvariant": lambda s: s.lower(),
    "padleft": lambda s, width, fill=" ": s.rjust(cast(width, "System.Int32"), to_text(fill)),
    "padright": lambda s, width, fill=" ": s.ljust(cast(width, "System.Int32"), to_text(fill)),
    "insert": lambda s, place, what: s[: int(place)] + to_text(what) + s[int(place) :],
    "remove": lambda s, place, count=None: s[: int(place)] + ("" if count is None else s[int(place) + int(count) :]),
    "tochararray": lambda s: [Char(one) for one in s],
    "equals": lambda s, other, *a: isinstance(other, str) and _cased(s, a) == _cased(str(other), a),
    "compareto": compare,
    "tostring": lambda s, *a: str(s),
    "normalize": lambda s: s,
    "gettypecode": lambda s: EnumValue("System.TypeCode", "String", 18),
}
