"""Queries compiled once and run: where they run, what is copied beside them, how SQLite's refusals are said in SQL Server's words."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from tests.lab.sqlserver.engine import functions, security, views
from tests.lab.sqlserver.engine.catalogue import Document
from tests.lab.sqlserver.engine.compiling import Access, Need, Plan, Source, column_type, read
from tests.lab.sqlserver.engine.database import Database
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import Column, SqlFailure
from tests.lab.sqlserver.engine.rewriting import Rewriter
from tests.lab.sqlserver.engine.values import from_storage, guess

if TYPE_CHECKING:
    from tests.lab.sqlserver.engine.running import Frame
    from tests.lab.sqlserver.engine.session import Session

PLANS = 1000


def table_name(schema: str, name: str) -> str:
    """Of a table inside its file."""
    return f"{schema}.{name}"


class Planner:
    """Answers what the tables of one statement are."""

    def __init__(self, session: Session, plan: Plan) -> None:
        self.session = session
        self.plan = plan

    def database_of(self, node: exp.Table) -> Database:
        """Of a name with one, two or three parts. SqlFailure 208, 942..., 916."""
        if not node.catalog:
            return self.session.current
        database = self.session.instance.databases.find(node.catalog)
        if database is None:
            raise fail(208, shown(node))
        database.require()
        if database is not self.session.current:
            self.session.check_access(database)
        return database

    def find_table(self, node: exp.Table) -> tuple[Database | None, Document, int] | None:
        """The user table of a name: its database (None: temporary), its document and number; None = no user table."""
        if isinstance(node.this, exp.Anonymous):
            return None
        if "#" in node.name or node.args.get("temporary") or (node.this.args.get("temporary")):
            document = self.session.temporary.get(node.name.lstrip("#").lower())
            if document is None:
                raise fail(208, "#" + node.name.lstrip("#"))
            return None, document, 0
        if node.db.lower() in {"sys", "information_schema"}:
            return None
        database = self.database_of(node)
        found = database.objects().get(((node.db or "dbo").lower(), node.name.lower()))
        return (database, found[1], found[0]) if found is not None else None

    def choose_home(self, tree: exp.Expression) -> None:
        """The connection of the first user table; the session's own when there is none."""
        ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
        for node in tree.find_all(exp.Table):
            if not node.db and node.name.lower() in ctes:
                continue
            found = self.find_table(node)
            if found is not None and found[0] is not None:
                self.plan.home = found[0]
                return

    def resolve(self, node: exp.Table, alias: str) -> Source:
        """For the rewriter."""
        if isinstance(node.this, exp.Anonymous):
            return self._function(node)
        found = self.find_table(node)
        if found is None:
            return self._view(node)
        database, document, number = found
        columns = tuple(Column(one["name"], column_type(one)) for one in document["columns"])
        if database is not None:
            self.plan.accesses.append(Access("SELECT", database, document["schema"], document["name"], number))
        real = document["table"] if database is None else table_name(document["schema"], document["name"])
        if database is self.plan.home:
            return Source(real, columns)
        self.plan.cacheable = self.plan.cacheable and database is not None
        return self._copied(columns, lambda: self._rows_of(database, real))

    def _rows_of(self, database: Database | None, real: str) -> list[tuple[Any, ...]]:
        if database is None:
            return self.session.scratch.execute(f'SELECT * FROM "{real}"').fetchall()
        with self.session.reading(database) as connection:
            return connection.execute(f'SELECT * FROM "{real}"').fetchall()

    def _view(self, node: exp.Table) -> Source:
        database = self.database_of(node)
        view = views.find(database, node.db, node.name, node.catalog)
        if view is None:
            raise fail(208, shown(node))
        if view.needs is not None and not security.may(self.session, view.needs):
            raise fail(300, view.needs, node.name, database.name)
        session = self.session
        return self._copied(view.columns, lambda: view.rows(session, database))

    def _function(self, node: exp.Table) -> Source:
        call = node.this
        made = views.table_function(self.session, str(call.this), call.expressions)
        if made is None:
            raise fail(208, shown(node))
        return self._copied(made[0], lambda: made[1])

    def _copied(self, columns: tuple[Column, ...], rows: Any) -> Source:
        alias = f"n{len(self.plan.needs)}"
        self.plan.needs.append(Need(alias, columns, rows))
        return Source(alias, columns)


def shown(node: exp.Table) -> str:
    """The name as it was written."""
    name = node.this.this if isinstance(node.this, exp.Anonymous) else node.name
    return ".".join(part for part in (node.catalog, node.db, str(name)) if part)


def compile_select(session: Session, frame: Frame, text: str, *, tree: exp.Expression | None = None) -> Plan:
    """A query of any form; SqlFailure of whatever is wrong with it."""
    types = frame.types
    key = (
        text,
        session.current.number,
        session.current.name,
        session.login_id,
        tuple(sorted(types.items())) if "@" in text else (),
    )
    kept = session.instance.plans.get(key) if tree is None else None
    if kept is not None and kept[0] == _versions(kept[1]):
        plan: Plan = kept[1]
        return plan
    plan = Plan()
    tree = tree if tree is not None else read(text)
    planner = Planner(session, plan)
    planner.choose_home(tree)
    rewriter = Rewriter(planner.resolve, types)
    plan.assigned = _take_assignments(tree)
    columns = rewriter.query(tree, None, {})
    plan.columns = tuple(column for column, _ in columns)
    plan.typed = tuple(sure for _, sure in columns)
    plan.sql = _text(tree)
    if plan.cacheable and not plan.needs and plan.home is not None:
        keep(session, key, plan)
    return plan


def keep(session: Session, key: Any, plan: Plan) -> None:
    """For the next time that the same text comes, while its database is as it is."""
    if len(session.instance.plans) > PLANS:
        session.instance.plans.clear()
    session.instance.plans[key] = (_versions(plan), plan)


def _versions(plan: Plan) -> Any:
    home = plan.home
    return (id(home), home.contents.version) if home is not None and home.contents is not None else None


def _text(tree: exp.Expression) -> str:
    from sqlglot.errors import UnsupportedError

    try:
        return tree.sql(dialect="sqlite")
    except UnsupportedError as error:
        raise fail(102, str(error)) from error


def _take_assignments(tree: exp.Expression) -> tuple[str, ...]:
    """SELECT @x = 1: the names; the tree keeps the values."""
    if not isinstance(tree, exp.Select):
        return ()
    assigned = [item for item in tree.expressions if isinstance(item, exp.EQ) and isinstance(item.this, exp.Parameter)]
    if not assigned:
        return ()
    if len(assigned) != len(tree.expressions):
        raise fail(141)
    tree.set("expressions", [item.expression for item in assigned])
    return tuple("@" + item.this.name.lower() for item in assigned)


@contextlib.contextmanager
def prepared(session: Session, plan: Plan) -> Iterator[sqlite3.Connection]:
    """The connection with everything beside it that the plan needs. For reading; the writer has its own lock around it."""
    check(session, plan)
    copies = [(need, list(need.rows())) for need in plan.needs]
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(session.reading(plan.home)) if plan.home is not None else session.scratch
        with copied(connection, copies):
            yield connection


@contextlib.contextmanager
def copied(connection: sqlite3.Connection, copies: Sequence[tuple[Need, list[tuple[Any, ...]]]]) -> Iterator[None]:
    """Temporary tables for one statement."""
    from tests.lab.sqlserver.engine.values import affinity

    try:
        for need, rows in copies:
            columns = ", ".join(f'"{column.name}" {affinity(column.type)}' for column in need.columns)
            connection.execute(f'CREATE TEMP TABLE "{need.alias}" ({columns})')
            if rows:
                connection.executemany(
                    f'INSERT INTO temp."{need.alias}" VALUES ({",".join("?" * len(need.columns))})', rows
                )
        yield
    finally:
        for need, _ in copies:
            with contextlib.suppress(sqlite3.Error):
                connection.execute(f'DROP TABLE IF EXISTS temp."{need.alias}"')


def check(session: Session, plan: Plan) -> None:
    """SqlFailure 229 for what the session may not."""
    for access in plan.accesses:
        schema = next(
            (number for number, one in access.database.catalogue.all("schema") if one["name"] == access.schema), None
        )
        if not security.may_in(session, access.database, access.permission, schema=schema, object_id=access.object_id):
            raise fail(229, access.permission, access.name, access.database.name, access.schema, state=5)


def select(
    session: Session, frame: Frame, text: str, *, tree: exp.Expression | None = None
) -> tuple[Plan, tuple[Column, ...], list[tuple[Any, ...]]]:
    """The plan, the columns and the rows as kept."""
    plan = compile_select(session, frame, text, tree=tree)
    with prepared(session, plan) as connection:
        rows = run(session, connection, plan, frame.binds())
    columns = tuple(
        column if sure else Column(column.name, guess([row[at] for row in rows]))
        for at, (column, sure) in enumerate(zip(plan.columns, plan.typed, strict=True))
    )
    limit = session.options["rowcount"]
    return plan, columns, rows[:limit] if limit else rows


def run(session: Session, connection: sqlite3.Connection, plan: Plan, binds: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The rows; SqlFailure in SQL Server's words."""
    functions.current.failure = None
    connection.set_progress_handler(lambda: int(session.cancelled), 200_000)
    try:
        return connection.execute(plan.sql, binds).fetchall()
    except sqlite3.Error as error:
        session.check_cancelled()
        raise functions.current.failure or said(error, plan) from error
    finally:
        connection.set_progress_handler(None, 0)


def said(error: sqlite3.Error, plan: Plan) -> SqlFailure:
    """What SQLite refuses, as SQL Server says it."""
    text = str(error)
    if "no such column" in text:
        return fail(207, text.rpartition(" ")[2].split(".")[-1].strip('"'))
    if "misuse of aggregate" in text or "misuse of window" in text:
        return SqlFailure(
            147,
            "An aggregate may not appear in the WHERE clause unless it is in a subquery contained in a HAVING clause or a select list, and the column being aggregated is an outer reference.",
            severity=15,
        )
    if "ambiguous column" in text:
        return SqlFailure(209, f"Ambiguous column name '{text.rpartition(' ')[2]}'.")
    if "malformed" in text or "corrupt" in text or "disk I/O" in text:
        name = plan.home.name if plan.home else ""
        return fail(824, 0, plan.home.number if plan.home else 0, "0x0", name)
    if "full" in text:
        return SqlFailure(
            1105,
            "Could not allocate space for object in database because the 'PRIMARY' filegroup is full.",
            severity=17,
            state=2,
        )
    return fail(102, text)


def outgoing(columns: Sequence[Column], rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows as the wire wants them."""
    plain = {"int", "bigint", "smallint", "tinyint"}
    if all(column.type.name in plain for column in columns) and all(
        all(value is None or type(value) is int for value in row) for row in rows
    ):
        return list(rows)
    kinds = [column.type for column in columns]
    return [tuple(from_storage(value, kind) for value, kind in zip(row, kinds, strict=True)) for row in rows]


def describe_select(session: Session, frame: Frame, text: str) -> tuple[Column, ...]:
    """The columns without running."""
    plan = compile_select(session, frame, text)
    return () if plan.assigned else plan.columns


def scalar(session: Session, frame: Frame, text: str) -> tuple[Any, Column]:
    """One value of an expression of T-SQL, as kept."""
    _, columns, rows = select(session, frame, f"SELECT {text} AS value")
    return (rows[0][0] if rows else None), columns[0]
