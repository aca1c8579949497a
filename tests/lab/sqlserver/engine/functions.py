"""The scalar functions of T-SQL as functions of SQLite. Those that ask about server, database or login are in ``metadata``."""

from __future__ import annotations

import math
import re
import sqlite3
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any

from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import SqlFailure, SqlType
from tests.lab.sqlserver.engine.values import cast, parse_moment, parse_type, to_storage

NVARCHAR = SqlType("nvarchar", 4000)
INT = SqlType("int")
BIGINT = SqlType("bigint")
FLOAT = SqlType("float")
DATETIME = SqlType("datetime")
DATETIME2 = SqlType("datetime2", scale=7)
VARIANT = SqlType("sql_variant")
VARBINARY = SqlType("varbinary", 8000)
UUID = SqlType("uniqueidentifier")

Function = Callable[..., Any]
FUNCTIONS: dict[
    str, tuple[Function, SqlType | None]
] = {}  # name -> what it does, the type of what it gives (None: of its first value)


class Current(threading.local):
    """Which session runs on this thread, and what failed inside a function."""

    session: Any = None
    failure: SqlFailure | None = None


current = Current()


def function(name: str, gives: SqlType | None = NVARCHAR) -> Callable[[Function], Function]:
    """Registers a function under its name in T-SQL."""

    def register(what: Function) -> Function:
        FUNCTIONS[name.upper()] = (what, gives)
        return what

    return register


def _guarded(what: Function) -> Function:
    def call(*values: Any) -> Any:
        try:
            return what(*values)
        except SqlFailure as failure:
            current.failure = failure
            raise
        except TypeError as error:
            current.failure = SqlFailure(174, f"The function requires other arguments: {error}", severity=15)
            raise
        except (ValueError, OverflowError) as error:
            current.failure = SqlFailure(
                9810 if "date" in str(error) else 8115, f"Arithmetic overflow error converting expression: {error}"
            )
            raise

    return call


def register(connection: sqlite3.Connection) -> None:
    """All functions on a connection."""
    for name, what in _GUARDED.items() or _guard_all():
        connection.create_function(name, -1, what)
    connection.create_function("like", 2, _guarded(_like))
    connection.create_function("like", 3, _guarded(_like))
    connection.create_aggregate("a_string_agg", -1, StringAgg)


_GUARDED: dict[str, Function] = {}


def _guard_all() -> Any:
    for name, (what, _) in FUNCTIONS.items():
        _GUARDED["f_" + name.lower()] = _guarded(what)
    for name, what in INTERNAL.items():
        _GUARDED[name] = _guarded(what)
    return _GUARDED.items()


class StringAgg:
    """STRING_AGG."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.separator = ""

    def step(self, value: Any, separator: Any = "") -> None:
        """One row."""
        self.separator = str(separator)
        if value is not None:
            self.parts.append(str(value))

    def finalize(self) -> str | None:
        """The whole."""
        return self.separator.join(self.parts) if self.parts else None


# -- operators ---------------------------------------------------------------------------------------------------------------------


def _number(value: Any, other: Any = None) -> Any:
    if isinstance(value, str):
        return cast(value, FLOAT if isinstance(other, float) else INT)
    if isinstance(value, bytes):
        return int.from_bytes(value, "big")
    return value


def t_add(one: Any, other: Any) -> Any:
    """+ of what the compiler could not tell: texts are joined, numbers added."""
    if one is None or other is None:
        return None
    if (isinstance(one, str) and isinstance(other, str)) or (isinstance(one, bytes) and isinstance(other, bytes)):
        return one + other
    if isinstance(one, str) and isinstance(other, int | float) and len(one) >= 19 and "-" in one[4:5]:
        return to_storage(parse_moment(one) + timedelta(days=other))
    return _number(one, other) + _number(other, one)


def t_div(one: Any, other: Any) -> Any:
    """/ : whole numbers give whole ones."""
    one, other = _number(one, other), _number(other, one)
    if one is None or other is None:
        return None
    if other == 0:
        raise fail(8134)
    if isinstance(one, int) and isinstance(other, int):
        quotient = abs(one) // abs(other)
        return quotient if (one < 0) == (other < 0) else -quotient
    return one / other


def t_mod(one: Any, other: Any) -> Any:
    """%."""
    one, other = _number(one, other), _number(other, one)
    if one is None or other is None:
        return None
    if other == 0:
        raise fail(8134)
    return int(math.fmod(one, other)) if isinstance(one, int) and isinstance(other, int) else math.fmod(one, other)


_type = lru_cache(maxsize=500)(parse_type)


def t_cast(value: Any, to: str, source: str = "", style: int = 0) -> Any:
    """CAST and CONVERT."""
    return cast(value, _type(to), source, style or 0)


def t_try_cast(value: Any, to: str, source: str = "", style: int = 0) -> Any:
    """TRY_CAST and TRY_CONVERT."""
    try:
        return cast(value, _type(to), source, style or 0)
    except SqlFailure:
        return None


def t_store(value: Any, to: str, source: str, table: str, column: str) -> Any:
    """A value on its way into a column."""
    try:
        return cast(value, _type(to), source, strict=True)
    except SqlFailure as failure:
        if failure.number != 2628:
            raise
        raise fail(2628, table, column, failure.message[: max(_type(to).length, 0)]) from None


@lru_cache(maxsize=1000)
def _pattern(pattern: str, escape: str) -> re.Pattern[str]:
    made, at = "", 0
    while at < len(pattern):
        sign = pattern[at]
        if escape and sign == escape and at + 1 < len(pattern):
            at += 1
            made += re.escape(pattern[at])
        elif sign == "%":
            made += ".*"
        elif sign == "_":
            made += "."
        elif sign == "[" and "]" in pattern[at + 1 :]:
            end = pattern.index("]", at + 1)
            inner = pattern[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            made += f"[{inner}]"
            at = end
        else:
            made += re.escape(sign)
        at += 1
    return re.compile(made, re.IGNORECASE | re.DOTALL)


def _like(pattern: Any, value: Any, escape: str = "") -> Any:
    if pattern is None or value is None:
        return None
    return int(_pattern(str(pattern), escape).fullmatch(str(value)) is not None)


def t_variable(name: str) -> Any:
    """A global variable (@@...)."""
    return current.session.global_variable(name)


INTERNAL: dict[str, Function] = {
    "t_add": t_add, "t_div": t_div, "t_mod": t_mod, "t_cast": t_cast, "t_try_cast": t_try_cast, "t_store": t_store, "t_variable": t_variable,
}  # fmt: skip
