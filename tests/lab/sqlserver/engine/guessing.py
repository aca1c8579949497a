"""The types that undeclared parameters should have: of the columns that they are compared with or stored in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from tests.lab.sqlserver.engine import statements
from tests.lab.sqlserver.engine.compiling import Plan, column_type, data_type, read
from tests.lab.sqlserver.engine.functions import NVARCHAR
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import SqlFailure, SqlType
from tests.lab.sqlserver.engine.queries import Planner

if TYPE_CHECKING:
    from tests.lab.sqlserver.engine.session import Session

_NAME = re.compile(r"(?<!@)@[A-Za-z_#][\w#$]*")


def undeclared(session: Session, text: str, declared: set[str]) -> list[tuple[str, SqlType]]:
    """Names and types in the order of their first use. SqlFailure 11501 for a text that cannot be read."""
    names: list[str] = []
    for name in _NAME.findall(re.sub(r"'(?:[^']|'')*'", "''", text)):
        if name.lower() not in {one.lower() for one in names} and name.lower() not in declared:
            names.append(name)
    found: dict[str, SqlType] = {}
    try:
        for one in statements.parse(text).body:
            if isinstance(one, statements.Simple) and one.kind in {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"}:
                _look(session, read(one.text), found)
    except SqlFailure as failure:
        if failure.number == 208:
            raise
        raise fail(11501) from failure
    return [(name, found.get(name.lower(), NVARCHAR)) for name in names]


def _look(session: Session, tree: exp.Expression, found: dict[str, SqlType]) -> None:
    columns: dict[str, SqlType] = {}
    order: list[str] = []
    for table in tree.find_all(exp.Table):
        known = Planner(session, Plan()).find_table(table)
        if known is not None:
            for column in known[1]["columns"]:
                columns.setdefault(column["name"].lower(), column_type(column))
                if (
                    isinstance(tree, exp.Insert)
                    and table.find_ancestor(exp.Select) is None
                    and not column.get("identity")
                ):
                    order.append(column["name"].lower())
    if isinstance(tree, exp.Insert) and isinstance(tree.expression, exp.Values):
        listed = [name.name.lower() for name in tree.this.expressions] if isinstance(tree.this, exp.Schema) else order
        for row in tree.expression.expressions:
            for name, value in zip(listed, row.expressions if isinstance(row, exp.Tuple) else [row], strict=False):
                _note(value, columns.get(name), found)
    for cast in tree.find_all(exp.Cast, exp.TryCast):
        _note(cast.this, data_type(cast.to), found)
    for node in tree.find_all(exp.Binary):
        for one, other in ((node.left, node.right), (node.right, node.left)):
            if isinstance(one, exp.Column):
                _note(other, columns.get(one.name.lower()), found)
    for node in tree.find_all(exp.Limit, exp.Fetch, exp.Offset):
        _note(node.args.get("expression") or node.args.get("count"), SqlType("bigint"), found)
    for inside in tree.find_all(exp.In, exp.Between):
        if isinstance(inside.this, exp.Column):
            for value in (
                [*inside.expressions, inside.args.get("low"), inside.args.get("high")]
                if isinstance(inside, exp.In)
                else [inside.args["low"], inside.args["high"]]
            ):
                _note(value, columns.get(inside.this.name.lower()), found)


def _note(value: object, kind: SqlType | None, found: dict[str, SqlType]) -> None:
    if isinstance(value, exp.Parameter) and isinstance(value.this, exp.Var) and kind is not None:
        found.setdefault("@" + value.this.name.lower(), kind)
