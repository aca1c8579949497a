"""SELECT, INSERT, UPDATE, DELETE, TRUNCATE."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from sqlglot import exp

from tests.lab.sqlserver.engine import functions, queries
from tests.lab.sqlserver.engine.catalogue import Document
from tests.lab.sqlserver.engine.changing import _change
from tests.lab.sqlserver.engine.compiling import Plan, read
from tests.lab.sqlserver.engine.inference import Scope
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import Column, Columns, Done, Event, Row, SqlFailure
from tests.lab.sqlserver.engine.rewriting import Rewriter
from tests.lab.sqlserver.engine.running import Frame, handles
from tests.lab.sqlserver.engine.session import Session
from tests.lab.sqlserver.engine.statements import Simple
from tests.lab.sqlserver.engine.targets import _conversion, _default, _plan_for, _returning, _Target, _target
from tests.lab.sqlserver.engine.values import cast


def result(
    session: Session, columns: Sequence[Column], rows: Sequence[tuple[Any, ...]], command: str = "SELECT"
) -> Iterator[Event]:
    """A result, its rows given as kept."""
    yield Columns(tuple(columns))
    for row in queries.outgoing(columns, rows):
        yield Row(row)
    session.rowcount = len(rows)
    yield Done(None if session.options["nocount"] and command != "SELECT" else len(rows), command)


@handles("SELECT", "WITH")
def select(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """A query, an assignment, SELECT INTO, or what follows WITH."""
    if statement.kind == "WITH":
        tree = read(statement.text)
        if not isinstance(tree, exp.Query):
            yield from _write(session, frame, statement, tree)
            return
    if any(word.value == "INTO" for word in statement.words):
        tree = read(statement.text)
        if isinstance(tree, exp.Create) or tree.args.get("into") is not None:
            from tests.lab.sqlserver.engine.tables import select_into

            yield from select_into(session, frame, tree)
            return
    plan, columns, rows = queries.select(session, frame, statement.text)
    if plan.assigned:
        _assign(frame, plan, rows)
        session.rowcount = len(rows)
        return
    if session.options["fmtonly"]:
        rows = []
    yield from result(session, columns, rows)


def _assign(frame: Frame, plan: Plan, rows: Sequence[tuple[Any, ...]]) -> None:
    for name in plan.assigned:
        if name not in frame.variables:
            raise fail(137, name)
    if rows:
        for name, value in zip(plan.assigned, rows[-1], strict=True):
            variable = frame.variables[name]
            variable.value = cast(value, variable.type)


@handles("INSERT", "UPDATE", "DELETE")
def write(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """The three that write."""
    yield from _write(session, frame, statement, None)


@handles("MERGE")
def merge(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """The simulation has no MERGE."""
    raise fail(156, "MERGE")
    yield  # pragma: no cover


@handles("TRUNCATE")
def truncate(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """TRUNCATE TABLE: as DELETE, and the identity begins again."""
    tree = read("DELETE FROM " + " ".join(word.text for word in statement.words[2:]))
    list(_write(session, frame, Simple("DELETE", statement.words, tree.sql(dialect="tsql"), statement.line), tree))
    target = _target(session, tree.this)
    if target.database is not None:
        with session.writing(target.database) as connection:
            connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (target.real,))
    yield Done(None, "TRUNCATE")


def _write(session: Session, frame: Frame, statement: Simple, tree: exp.Expression | None) -> Iterator[Event]:
    key = (
        statement.text,
        session.current.number,
        session.current.name,
        session.login_id,
        session.options["identity_insert"],
        tuple(sorted(frame.types.items())),
    )
    kept = session.instance.plans.get(key) if tree is None else None
    if kept is not None and kept[0] == queries._versions(kept[1]):
        plan: Plan = kept[1]
    else:
        tree = tree if tree is not None else read(statement.text)
        plan = _compile(session, frame, statement, tree)
        if plan.cacheable and not plan.needs and plan.home is not None:
            queries.keep(session, key, plan)
    queries.check(session, plan)
    count, last, rows = _run(session, frame, plan)
    if plan.identity and last is not None and statement.kind == "INSERT":
        session.identity = last
    session.rowcount = count
    if plan.columns:
        yield from result(session, plan.columns, rows, statement.kind)
        session.rowcount = count
    else:
        yield Done(None if session.options["nocount"] else count, statement.kind)


def _compile(session: Session, frame: Frame, statement: Simple, tree: exp.Expression) -> Plan:
    if isinstance(tree, exp.Insert):
        return _insert(session, frame, tree, statement)
    if isinstance(tree, exp.Update | exp.Delete):
        return _change(session, frame, tree)
    raise fail(102, statement.words[-1].text)


def _run(session: Session, frame: Frame, plan: Plan) -> tuple[int, int | None, list[tuple[Any, ...]]]:
    copies = [(need, list(need.rows())) for need in plan.needs]
    if plan.home is None:
        with queries.copied(session.scratch, copies):
            return _execute(session, session.scratch, plan, frame)
    with session.writing(plan.home) as connection, queries.copied(connection, copies):
        return _execute(session, connection, plan, frame)


def _execute(
    session: Session, connection: sqlite3.Connection, plan: Plan, frame: Frame
) -> tuple[int, int | None, list[tuple[Any, ...]]]:
    functions.current.failure = None
    try:
        cursor = connection.execute(plan.sql, frame.binds())
        rows = cursor.fetchall() if plan.columns else []
        return (len(rows) if plan.columns else cursor.rowcount), cursor.lastrowid, rows
    except sqlite3.Error as error:
        raise functions.current.failure or _refused(connection, error, plan, frame) from error


# -- INSERT ------------------------------------------------------------------------------------------------------------------------


def _insert(session: Session, frame: Frame, tree: exp.Insert, statement: Simple) -> Plan:
    target = _target(session, tree.this)
    plan = _plan_for(target, "INSERT")
    listed = [name.name for name in tree.this.expressions] if isinstance(tree.this, exp.Schema) else None
    columns = _inserted(session, target, listed)
    planner = queries.Planner(session, plan)
    rewriter = Rewriter(planner.resolve, frame.types)
    names = [column["name"] for column in columns]
    source = tree.expression
    defaults = {column["name"]: column for column in target.document["columns"] if column.get("default") is not None}
    missing = [name for name in defaults if name not in names]
    into = ", ".join(f'"{name}"' for name in [*names, *missing])
    if tree.args.get("default") or source is None:
        into = ", ".join(f'"{name}"' for name in missing)
        body = (
            f"VALUES ({', '.join(_default(rewriter, defaults[name], target) for name in missing)})" if missing else ""
        )
        plan.sql = (
            f'INSERT INTO "{target.real}" ({into}) {body}' if missing else f'INSERT INTO "{target.real}" DEFAULT VALUES'
        )
    elif isinstance(source, exp.Values):
        body = _value_rows(rewriter, source, columns, [defaults[name] for name in missing], target)
        plan.sql = f'INSERT INTO "{target.real}" ({into}) VALUES {body}'
    else:
        body = _selected(rewriter, source, columns, [defaults[name] for name in missing], target)
        plan.sql = f'INSERT INTO "{target.real}" ({into}) {body}'
    _returning(rewriter, tree, target, plan)
    plan.identity = next((column["name"] for column in target.document["columns"] if column.get("identity")), None)
    return plan


def _inserted(session: Session, target: _Target, listed: list[str] | None) -> list[Document]:
    allowed = (session.options["identity_insert"] or "").lower() == target.shown.lower()
    every = target.document["columns"]
    if listed is None:
        if allowed:
            raise fail(8101, target.document["name"])
        return [column for column in every if not column.get("identity")]
    chosen = []
    for name in listed:
        column = next((column for column in every if column["name"].lower() == name.lower()), None)
        if column is None:
            raise fail(207, name)
        if column.get("identity") and not allowed:
            raise fail(544, target.document["name"])
        if column in chosen:
            raise SqlFailure(
                264,
                f"The column name '{name}' is specified more than once in the SET clause or column list of an INSERT.",
            )
        chosen.append(column)
    return chosen


def _value_rows(
    rewriter: Rewriter, source: exp.Values, columns: list[Document], more: list[Document], target: _Target
) -> str:
    rows = []
    for row in source.expressions:
        items = row.expressions if isinstance(row, exp.Tuple) else [row]
        if len(items) != len(columns):
            raise fail(109 if len(items) < len(columns) else 110) if columns else fail(213)
        made = [_stored(rewriter, item, column, target) for item, column in zip(items, columns, strict=True)]
        rows.append(f"({', '.join([*made, *(_default(rewriter, column, target) for column in more)])})")
    return ", ".join(rows)


def _stored(rewriter: Rewriter, item: exp.Expression, column: Document, target: _Target) -> str:
    if isinstance(item, exp.Var | exp.Column) and item.name.upper() == "DEFAULT":
        if column.get("identity"):
            raise fail(339)
        return _default(rewriter, column, target)
    made = rewriter.expression(item, Scope(), {})
    return _conversion(made, made.sql(dialect="sqlite"), column, target)


def _selected(
    rewriter: Rewriter, source: exp.Expression, columns: list[Document], more: list[Document], target: _Target
) -> str:
    found = rewriter.query(source, None, {})
    if len(found) != len(columns):
        raise (
            fail(120)
            if len(found) < len(columns)
            else SqlFailure(
                121,
                "The select list for the INSERT statement contains more items than the insert list. The number of SELECT values must match the number of INSERT columns.",
                severity=15,
            )
        )
    names = [f"c{at}" for at in range(len(columns))]
    made = []
    for name, column, (one, sure) in zip(names, columns, found, strict=True):
        typed = exp.Column(this=exp.to_identifier(name))
        if sure:
            typed.meta["type"] = one.type
        made.append(_conversion(typed, name, column, target))
    made += [_default(rewriter, column, target) for column in more]
    return f"WITH source({', '.join(names)}) AS ({queries._text(source)}) SELECT {', '.join(made)} FROM source"


# -- what the tables refuse --------------------------------------------------------------------------------------------------------


def _refused(connection: sqlite3.Connection, error: sqlite3.Error, plan: Plan, frame: Frame) -> SqlFailure:
    text = str(error)
    table = plan.table or {}
    shown = f"{table.get('schema', 'dbo')}.{table.get('name', '')}"
    verb = plan.sql.split(maxsplit=1)[0].upper()
    if text.startswith("NOT NULL"):
        column = text.rpartition(".")[2]
        return fail(515, column, plan.table_name, verb, state=2)
    if text.startswith("UNIQUE"):
        names = [part.rpartition(".")[2] for part in text.partition(": ")[2].split(", ")]
        return duplicate(table, names, shown)
    if text.startswith("FOREIGN KEY"):
        foreign = (table.get("foreign") or [{}])[0]
        database = plan.home.name if plan.home else "tempdb"
        kind = "REFERENCE" if verb == "DELETE" or not foreign else "FOREIGN KEY"
        return fail(547, verb, kind, foreign.get("name", "FK"), database, foreign.get("to", shown), state=0)
    if text.startswith("CHECK"):
        name = text.partition(": ")[2]
        return fail(547, verb, "CHECK", name, plan.home.name if plan.home else "tempdb", shown, state=0)
    return queries.said(error, plan)


def duplicate(table: Document, names: list[str], shown: str) -> SqlFailure:
    """2627 for a constraint, 2601 for an index."""
    wanted = [name.lower() for name in names]
    for key in table.get("keys", ()):
        if [name.lower() for name in key["columns"]] == wanted:
            kind = "PRIMARY KEY" if key["kind"] == "PK" else "UNIQUE KEY"
            return fail(2627, kind, key["name"], shown, "...")
    for index in table.get("indexes", ()):
        if index["unique"] and [name.lower() for name in index["columns"]] == wanted:
            return fail(2601, shown, index["name"], "...")
    return fail(2627, "PRIMARY KEY", re.sub(r"\W", "_", f"PK_{table.get('name', '')}"), shown, "...")
