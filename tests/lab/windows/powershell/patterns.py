"""Wildcards and regular expressions of .NET, as far as Python's can say them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from tests.lab.windows.powershell.values import ErrorRecord, NetException, OutsideSubset, Terminating

NOT_HERE = re.compile(r"\(\?<[A-Za-z_]\w*-|\(\?\(|\\p\{Is|-\[[^\]]*\]\]")


@functools.lru_cache(maxsize=1024)
def wildcard(pattern: str, *, cased: bool = False) -> re.Pattern[str]:
    """A wildcard pattern (`*`, `?`, `[a-z]`, backtick escapes) as a whole-text expression."""
    made, place = [], 0
    while place < len(pattern):
        char = pattern[place]
        if char == "`" and place + 1 < len(pattern):
            place += 1
            made.append(re.escape(pattern[place]))
        elif char == "*":
            made.append(".*")
        elif char == "?":
            made.append(".")
        elif char == "[":
            end = pattern.find("]", place + 2)
            if end < 0:
                message = f"The specified wildcard character pattern is not valid: {pattern}"
                raise Terminating(
                    ErrorRecord(
                        "RuntimeException",
                        message,
                        "NotSpecified",
                        None,
                        "System.Management.Automation.WildcardPatternException",
                    )
                )
            made.append("[" + re.sub(r"([\\^])", r"\\\1", pattern[place + 1 : end]) + "]")
            place = end
        else:
            made.append(re.escape(char))
        place += 1
    return re.compile("".join(made), re.DOTALL | (0 if cased else re.IGNORECASE))


def like(text: str, pattern: str, *, cased: bool = False) -> bool:
    """Whether a text fits a wildcard pattern as a whole."""
    return wildcard(pattern, cased=cased).fullmatch(text) is not None


def has_wildcard(text: str) -> bool:
    """Whether a text has wildcard characters."""
    return any(char in text for char in "*?[")


@functools.lru_cache(maxsize=1024)
def compile_pattern(pattern: str, *, cased: bool = False, flags: int = 0) -> re.Pattern[str]:
    """A regular expression of .NET.

    Raises:
        Terminating: it is not one.
        OutsideSubset: Python's cannot say it.
    """
    if NOT_HERE.search(pattern):
        raise OutsideSubset(f"the regular expression '{pattern}' lies outside the subset")
    ours = re.sub(r"\(\?<([A-Za-z_]\w*)>", r"(?P<\1>", pattern)
    ours = re.sub(r"\(\?'([A-Za-z_]\w*)'", r"(?P<\1>", ours)
    ours = re.sub(r"\\k<(\w+)>", r"(?P=\1)", ours).replace(r"\z", r"\Z") if r"\k<" in ours or r"\z" in ours else ours
    try:
        return re.compile(ours, flags | (0 if cased else re.IGNORECASE))
    except re.error as error:
        why = f'parsing "{pattern}" - {error.msg}.'
        raise Terminating(
            ErrorRecord(
                "InvalidRegularExpression",
                f"The regular expression pattern {pattern} is not valid.",
                "InvalidOperation",
                pattern,
                NetException(
                    "System.Management.Automation.RuntimeException",
                    f"The regular expression pattern {pattern} is not valid.",
                    NetException("System.ArgumentException", why),
                ),
            )
        ) from error


@functools.lru_cache(maxsize=1024)
def group_numbers(pattern: re.Pattern[str]) -> tuple[int, ...]:
    """Python's numbers of the groups in the order of .NET, which counts those with names last; the first is the whole match."""
    named = set(pattern.groupindex.values())
    return (0, *[n for n in range(1, pattern.groups + 1) if n not in named], *sorted(named))


def net_replacement(text: str, pattern: re.Pattern[str]) -> Callable[[re.Match[str]], str]:
    """A replacement in .NET's writing: `$1`, `${name}`, `$&`, `$$`."""
    token = re.compile(r"\$(?:(\d+)|\{(\w+)\}|([&$_]))")

    def put(found: re.Match[str]) -> str:
        def one(part: re.Match[str]) -> str:
            if part[3]:
                return {"&": found[0], "$": "$", "_": found.string}[part[3]]
            name = part[1] or part[2]
            if name.isdigit():
                return (found[group_numbers(pattern)[int(name)]] or "") if int(name) <= pattern.groups else part[0]
            return (found[name] or "") if name in pattern.groupindex else part[0]

        return token.sub(one, text)

    return put
