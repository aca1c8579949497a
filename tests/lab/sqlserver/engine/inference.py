"""The types of expressions: what SQL Server's precedence makes of two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from tests.lab.sqlserver.engine.compiling import Source
from tests.lab.sqlserver.engine.functions import NVARCHAR
from tests.lab.sqlserver.engine.port import SqlType
from tests.lab.sqlserver.engine.values import BINARIES, DECIMALS, FLOATS, INTEGERS, MOMENTS, TEXTS, type_text


@dataclass
class Scope:
    """The sources of one SELECT, and the one around it."""

    outer: Scope | None = None
    sources: list[Source] = field(default_factory=list)


# -- single kinds of nodes ---------------------------------------------------------------------------------------------------------


def _typed(node: exp.Expression, kind: SqlType | None) -> exp.Expression:
    if kind is not None:
        node.meta["type"] = kind
    return node


def _call(name: str, arguments: list[exp.Expression], gives: SqlType | None) -> exp.Expression:
    return _typed(exp.Anonymous(this=f"f_{name.lower()}", expressions=arguments), gives)


def _internal(name: str, arguments: list[exp.Expression]) -> exp.Expression:
    return exp.Anonymous(this=name, expressions=arguments)


def _cast(node: exp.Expression, to: SqlType, source: SqlType | None) -> exp.Expression:
    made = _internal(
        "t_cast", [node, exp.Literal.string(type_text(to)), exp.Literal.string(source.name if source else "")]
    )
    return _typed(made, to)


def _condition(node: exp.Expression) -> exp.Expression:
    return node


def _numeric(kind: SqlType | None) -> bool:
    return kind is not None and (kind.name in INTEGERS or kind.name in DECIMALS or kind.name in FLOATS)


_RANK = ["bit", "tinyint", "smallint", "int", "bigint", "smallmoney", "money", "decimal", "real", "float"]


def _arithmetic(left: SqlType | None, right: SqlType | None) -> SqlType | None:
    known = [kind for kind in (left, right) if kind is not None and kind.name in _RANK]
    if not known:
        return None
    top = max(known, key=lambda kind: (_RANK.index(kind.name), kind.scale))
    return SqlType("decimal", 0, 38, top.scale) if top.name == "decimal" else top


def _sum_type(left: SqlType | None, right: SqlType | None) -> SqlType | None:
    for kind in (left, right):
        if kind is not None and kind.name in MOMENTS:
            return kind
    if left is not None and right is not None and left.name in TEXTS and right.name in TEXTS:
        name = "nvarchar" if "n" in (left.name[0], right.name[0]) else "varchar"
        whole = -1 if -1 in (left.length, right.length) else left.length + right.length
        return SqlType(name, whole if whole <= (4000 if name == "nvarchar" else 8000) else -1)
    if left is not None and right is not None and left.name in BINARIES and right.name in BINARIES:
        return SqlType("varbinary", 8000)
    return _arithmetic(left, right)


def wider(one: SqlType | None, other: SqlType | None) -> SqlType:
    """The type of what may be of either."""
    if one is None or other is None:
        return one or other or NVARCHAR
    if one.name in TEXTS and other.name in TEXTS:
        name = one.name if one.name.startswith("n") else other.name
        return SqlType(name, -1 if -1 in (one.length, other.length) else max(one.length, other.length))
    if one.name in _RANK and other.name in _RANK:
        return max(one, other, key=lambda kind: (_RANK.index(kind.name), kind.scale))
    return other if one.name in TEXTS else one


def _common(kinds: Sequence[SqlType | None]) -> SqlType | None:
    known = [kind for kind in kinds if kind is not None]
    made = known[0] if known else None
    for kind in known[1:]:
        made = wider(made, kind)
    return made
