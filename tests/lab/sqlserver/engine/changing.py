"""UPDATE and DELETE said for SQLite."""

from __future__ import annotations

from sqlglot import exp

from tests.lab.sqlserver.engine import queries
from tests.lab.sqlserver.engine.compiling import Plan, column_type
from tests.lab.sqlserver.engine.inference import Scope
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import Column, SqlFailure
from tests.lab.sqlserver.engine.rewriting import Rewriter, Source
from tests.lab.sqlserver.engine.running import Frame
from tests.lab.sqlserver.engine.session import Session
from tests.lab.sqlserver.engine.targets import _conversion, _default, _plan_for, _returning, _Target, _target

# -- UPDATE and DELETE -------------------------------------------------------------------------------------------------------------


def _change(session: Session, frame: Frame, tree: exp.Update | exp.Delete) -> Plan:
    deleting = isinstance(tree, exp.Delete)
    node = tree.this if isinstance(tree.this, exp.Expression) else (tree.args.get("tables") or [None])[0]
    if node is None:
        raise fail(156, "DELETE")
    source = tree.args.get("from_") or tree.args.get("from")
    scope = Scope()
    if deleting and isinstance(tree.this, exp.Expression) and tree.args.get("tables"):
        raise fail(102, "TOP")
    target = _target(session, _aliased(node, source))
    plan = _plan_for(target, "DELETE" if deleting else "UPDATE")
    planner = queries.Planner(session, plan)
    rewriter = Rewriter(planner.resolve, frame.types)
    columns = tuple(Column(one["name"], column_type(one)) for one in target.document["columns"])
    ctes: dict[str, Source] = dict(rewriter._with(tree, None, {}))
    if source is None:
        scope.sources.append(Source(target.document["name"], columns))
        where = _where(rewriter, tree, scope, ctes)
        for column in [*tree.find_all(exp.Column)]:
            if column.table.lower() == target.document["name"].lower() and column.find_ancestor(exp.Select) is None:
                column.set("table", exp.to_identifier(target.real, quoted=True))
        where = _where_text(tree)
        changes = "" if deleting else _assignments(rewriter, tree, scope, ctes, target)
    else:
        changes, where = _joined(rewriter, tree, source, node, scope, ctes, target, deleting=deleting)
    prefix = (
        f"WITH {', '.join(cte.sql(dialect='sqlite') for cte in tree.args['with_'].expressions)} "
        if tree.args.get("with_")
        else ""
    )
    plan.sql = prefix + (
        f'DELETE FROM "{target.real}"{where}' if deleting else f'UPDATE "{target.real}" SET {changes}{where}'
    )
    _returning(rewriter, tree, target, plan)
    return plan


def _aliased(node: exp.Expression, source: exp.Expression | None) -> exp.Expression:
    """UPDATE a ... FROM t AS a: the table of the alias."""
    if source is not None and isinstance(node, exp.Table) and not node.db:
        for table in source.find_all(exp.Table):
            if table.alias.lower() == node.name.lower():
                return exp.Table(this=table.this.copy(), db=table.args.get("db"), catalog=table.args.get("catalog"))
        for join in (source.parent.args.get("joins") or []) if source.parent is not None else []:
            if isinstance(join.this, exp.Table) and join.this.alias.lower() == node.name.lower():
                return exp.Table(
                    this=join.this.this.copy(), db=join.this.args.get("db"), catalog=join.this.args.get("catalog")
                )
    return node


def _where(rewriter: Rewriter, tree: exp.Expression, scope: Scope, ctes: dict[str, Source]) -> str:
    if tree.args.get("where") is not None:
        rewriter._children(tree.args["where"], scope, ctes)
    return _where_text(tree)


def _where_text(tree: exp.Expression) -> str:
    return " " + tree.args["where"].sql(dialect="sqlite") if tree.args.get("where") is not None else ""


def _assignments(
    rewriter: Rewriter, tree: exp.Expression, scope: Scope, ctes: dict[str, Source], target: _Target
) -> str:
    made = []
    for change in tree.expressions:
        if not isinstance(change, exp.EQ) or not isinstance(change.this, exp.Column):
            raise fail(102, change.sql(dialect="tsql").split()[0])
        column = next(
            (one for one in target.document["columns"] if one["name"].lower() == change.this.name.lower()), None
        )
        if column is None:
            raise fail(207, change.this.name)
        if column.get("identity"):
            raise SqlFailure(8102, f"Cannot update identity column '{column['name']}'.")
        if isinstance(change.expression, exp.Column) and change.expression.name.upper() == "DEFAULT":
            made.append(f'"{column["name"]}" = {_default(rewriter, column, target)}')
            continue
        value = rewriter.expression(change.expression, scope, ctes)
        for inner in [*value.find_all(exp.Column)] if not isinstance(value, exp.Column) else [value]:
            if inner.table.lower() == target.document["name"].lower() and inner.find_ancestor(exp.Select) is None:
                inner.set("table", exp.to_identifier(target.real, quoted=True))
        made.append(f'"{column["name"]}" = {_conversion(value, value.sql(dialect="sqlite"), column, target)}')
    return ", ".join(made)


def _joined(
    rewriter: Rewriter,
    tree: exp.Expression,
    source: exp.Expression,
    node: exp.Expression,
    scope: Scope,
    ctes: dict[str, Source],
    target: _Target,
    *,
    deleting: bool,
) -> tuple[str, str]:
    """With FROM and joins: through the rows' own numbers."""
    alias = next(
        (
            table.alias or table.name
            for table in source.find_all(exp.Table)
            if (table.alias or table.name).lower() == node.name.lower()
        ),
        node.name,
    )
    inner = exp.Select(expressions=[exp.Literal.number(1)])
    inner.set("from_", source.copy())
    joins = tree.args.get("joins") or source.this.args.get("joins") or []
    if tree.args.get("joins"):
        inner.set("joins", [join.copy() for join in joins])
    if tree.args.get("where") is not None:
        inner.set("where", tree.args["where"].copy())
    values = []
    if not deleting:
        for change in tree.expressions:
            values.append((change.this.name, change.expression.copy()))
    inner.set(
        "expressions",
        [exp.alias_(value, f"u{at}") for at, (_, value) in enumerate(values)]
        or [exp.alias_(exp.Literal.number(1), "u0")],
    )
    found = rewriter.query(inner, None, ctes)
    inner.append(
        "expressions",
        exp.alias_(exp.Column(this=exp.to_identifier("rowid"), table=exp.to_identifier(alias, quoted=True)), "r"),
    )
    text = queries._text(inner)
    rows = f"rowid IN (SELECT r FROM ({text}))"
    changes = []
    for at, (name, _) in enumerate(values):
        column = next((one for one in target.document["columns"] if one["name"].lower() == name.lower()), None)
        if column is None:
            raise fail(207, name)
        typed = exp.Column(this=exp.to_identifier("x"))
        if found[at][1]:
            typed.meta["type"] = found[at][0].type
        sub = f'(SELECT u{at} FROM ({text}) AS joined WHERE joined.r = "{target.real}".rowid LIMIT 1)'
        changes.append(f'"{column["name"]}" = {_conversion(typed, sub, column, target)}')
    return ", ".join(changes), f" WHERE {rows}"
