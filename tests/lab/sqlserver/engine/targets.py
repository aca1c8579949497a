"""The table that a statement writes, and values on their way into its columns."""

from __future__ import annotations

from sqlglot import exp

from tests.lab.sqlserver.engine import queries
from tests.lab.sqlserver.engine.catalogue import Document
from tests.lab.sqlserver.engine.compiling import Access, Plan, column_type, read
from tests.lab.sqlserver.engine.database import Database
from tests.lab.sqlserver.engine.inference import Scope
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import Column, SqlFailure
from tests.lab.sqlserver.engine.rewriting import Rewriter, Source
from tests.lab.sqlserver.engine.session import Session
from tests.lab.sqlserver.engine.values import type_text


class _Target:
    """The table that is written."""

    def __init__(self, database: Database | None, document: Document, number: int) -> None:
        self.database = database
        self.document = document
        self.number = number
        self.real = document["table"] if database is None else queries.table_name(document["schema"], document["name"])

    @property
    def shown(self) -> str:
        """As messages name it."""
        return (
            f"{self.database.name}.{self.document['schema']}.{self.document['name']}"
            if self.database
            else f"tempdb.dbo.{self.document['name']}"
        )


def _target(session: Session, node: exp.Expression) -> _Target:
    table = node.this if isinstance(node, exp.Schema) else node
    if not isinstance(table, exp.Table):
        raise fail(102, table.key)
    found = queries.Planner(session, Plan()).find_table(table)
    if found is None:
        from tests.lab.sqlserver.engine import views

        if table.db.lower() == "sys" or views.find(session.current, table.db, table.name, table.catalog):
            raise SqlFailure(259, "Ad hoc updates to system catalogs are not allowed.")
        raise fail(208, queries.shown(table))
    return _Target(*found)


def _plan_for(target: _Target, permission: str) -> Plan:
    plan = Plan(
        home=target.database, table=target.document, table_name=target.shown, cacheable=target.database is not None
    )
    if target.database is not None:
        plan.accesses.append(
            Access(permission, target.database, target.document["schema"], target.document["name"], target.number)
        )
    return plan


def _conversion(made: exp.Expression | None, text: str, column: Document, target: _Target) -> str:
    source = made.meta.get("type") if made is not None else None
    kind = column_type(column)
    if isinstance(made, exp.Null):
        return "NULL"
    if (
        source is not None
        and source.name == kind.name
        and kind.name in {"int", "bigint", "smallint", "tinyint", "bit", "float"}
    ):
        return text
    column_name = column["name"].replace("'", "''")
    table = target.shown.replace("'", "''")
    return f"t_store({text}, '{type_text(kind)}', '{source.name if source else ''}', '{table}', '{column_name}')"


def _default(rewriter: Rewriter, column: Document, target: _Target) -> str:
    if column.get("default") is None:
        return "NULL"
    made = rewriter.expression(read("SELECT " + column["default"]).expressions[0], Scope(), {})
    return _conversion(made, made.sql(dialect="sqlite"), column, target)


def _returning(rewriter: Rewriter, tree: exp.Expression, target: _Target, plan: Plan) -> None:
    clause = tree.args.get("returning")
    if clause is None:
        return
    if clause.args.get("into"):
        raise fail(156, "INTO")
    word = "deleted" if isinstance(tree, exp.Delete) else "inserted"
    columns = tuple(Column(one["name"], column_type(one)) for one in target.document["columns"])
    select_ = exp.Select(expressions=list(clause.expressions))
    found = rewriter._projections(select_, Scope(None, [Source(word, columns)]), {})
    for column in select_.find_all(exp.Column):
        column.set("table", None)
    plan.columns = tuple(column for column, _ in found)
    plan.sql += " RETURNING " + ", ".join(item.sql(dialect="sqlite") for item in select_.expressions)
