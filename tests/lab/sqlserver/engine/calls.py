"""Calls of functions: scalar ones, aggregates, those with a part of a date."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from tests.lab.sqlserver.engine.compiling import Source
from tests.lab.sqlserver.engine.functions import BIGINT, DATETIME, FUNCTIONS, INT, NVARCHAR
from tests.lab.sqlserver.engine.functions_moments import DATE_FUNCTIONS
from tests.lab.sqlserver.engine.inference import Scope, _call, _common, _condition, _typed
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import SqlFailure, SqlType
from tests.lab.sqlserver.engine.values import INTEGERS, MOMENTS, TEXTS

if TYPE_CHECKING:
    from tests.lab.sqlserver.engine.rewriting import Rewriter

AGGREGATES = {
    "COUNT",
    "COUNT_BIG",
    "SUM",
    "AVG",
    "MIN",
    "MAX",
    "STDEV",
    "VAR",
    "CHECKSUM_AGG",
    "GROUPING",
    "APPROX_COUNT_DISTINCT",
}
WINDOW_ONLY = {"ROW_NUMBER", "RANK", "DENSE_RANK", "NTILE", "LAG", "LEAD", "FIRST_VALUE", "LAST_VALUE"}


def call(rewriter: Rewriter, node: exp.Anonymous, scope: Scope, ctes: Mapping[str, Source]) -> exp.Expression:
    """What a call becomes, with the type that it gives. SqlFailure 195 for a function that is not known."""
    name = str(node.this).upper()
    arguments = list(node.expressions)
    if name in DATE_FUNCTIONS and arguments:
        first = arguments[0]
        arguments[0] = exp.Literal.string(first.name)
        rest = [rewriter.expression(item, scope, ctes) for item in arguments[1:]]
        gives = FUNCTIONS[name][1] if name in FUNCTIONS else None
        if name == "DATEADD":
            given = rest[-1].meta.get("type")
            gives = given if given is not None and given.name in MOMENTS else DATETIME
        return _call(name, [arguments[0], *rest], gives)
    arguments = [item if isinstance(item, exp.Star) else rewriter.expression(item, scope, ctes) for item in arguments]
    kinds = [
        item.meta.get("type") if not isinstance(item, exp.Distinct) else item.expressions[0].meta.get("type")
        for item in arguments
    ]
    if name in AGGREGATES or name in WINDOW_ONLY:
        return _aggregate(name, arguments, kinds)
    if name == "IIF":
        case = exp.Case(ifs=[exp.If(this=_condition(arguments[0]), true=arguments[1])], default=arguments[2])
        return _typed(case, _common(kinds[1:]))
    if name in {"COALESCE", "NULLIF"}:
        return _typed(
            exp.Anonymous(this=name, expressions=arguments), _common(kinds) if name == "COALESCE" else kinds[0]
        )
    if name not in FUNCTIONS:
        raise fail(195, str(node.this))
    gives = FUNCTIONS[name][1]
    if gives is None:
        gives = next((kind for kind in (kinds[1:] if name == "CHOOSE" else kinds) if kind is not None), None)
        if name == "ISNULL" and gives is not None and gives.name in TEXTS and kinds[0] is None:
            gives = NVARCHAR
        if name in {"REPLACE", "STUFF"}:
            gives = NVARCHAR
        if name == "POWER" or (name in {"CEILING", "FLOOR"} and gives is not None and gives.name not in INTEGERS):
            gives = gives if name == "POWER" else BIGINT
    return _call(name, arguments, gives)


def _aggregate(name: str, arguments: list[exp.Expression], kinds: list[SqlType | None]) -> exp.Expression:
    first = kinds[0] if kinds else None
    if name in {"COUNT", "COUNT_BIG", "APPROX_COUNT_DISTINCT"}:
        return _typed(exp.Anonymous(this="COUNT", expressions=arguments), INT if name == "COUNT" else BIGINT)
    if name in {"ROW_NUMBER", "RANK", "DENSE_RANK", "NTILE"}:
        return _typed(exp.Anonymous(this=name, expressions=arguments), BIGINT)
    if name == "AVG" and first is not None and first.name in INTEGERS:
        made = exp.Cast(this=exp.Anonymous(this="AVG", expressions=arguments), to=exp.DataType.build("INT"))
        return _typed(made, first if first.name == "bigint" else INT)
    if name == "SUM" and first is not None and first.name in {"smallint", "tinyint"}:
        first = INT
    if name in {"SUM", "AVG"} and first is not None and first.name == "decimal":
        first = SqlType("decimal", 0, 38, first.scale if name == "SUM" else max(6, first.scale))
    if name in {"SUM", "AVG"} and first is not None and first.name in TEXTS | MOMENTS | {"bit", "uniqueidentifier"}:
        raise SqlFailure(8117, f"Operand data type {first.name} is invalid for {name.lower()} operator.")
    return _typed(exp.Anonymous(this=name, expressions=arguments), first)
