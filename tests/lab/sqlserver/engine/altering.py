"""ALTER TABLE: the table is made anew."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from tests.lab.sqlserver.engine import functions, queries, security
from tests.lab.sqlserver.engine.catalogue import Document
from tests.lab.sqlserver.engine.compiling import column_type
from tests.lab.sqlserver.engine.database import Database, now
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import Done, Event, SqlFailure
from tests.lab.sqlserver.engine.reader import Reader
from tests.lab.sqlserver.engine.running import Frame
from tests.lab.sqlserver.engine.session import Session
from tests.lab.sqlserver.engine.table_definitions import Definition, check_text, ddl, quoted
from tests.lab.sqlserver.engine.tables import place
from tests.lab.sqlserver.engine.values import cast


def alter_table(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """ALTER TABLE ... ADD column, ADD CONSTRAINT, DROP COLUMN, DROP CONSTRAINT, ALTER COLUMN: the table is made anew."""
    parts = reader.dotted()
    database, schema, name = place(session, parts)
    found = database.objects().get((schema.lower(), name.lower()))
    if found is None or found[1]["type"] != "U" or not security.may_in(session, database, "ALTER", object_id=found[0]):
        raise fail(4902, ".".join(parts))
    number, old = found
    new: Document = {
        **old,
        "columns": [dict(one) for one in old["columns"]],
        "keys": list(old["keys"]),
        "foreign": list(old["foreign"]),
        "checks": list(old["checks"]),
        "modified": now(),
    }
    checked = reader.take("WITH", "CHECK") or reader.take("WITH", "NOCHECK")
    if reader.take("ADD"):
        while True:
            Definition(reader, new).item()
            if not reader.take(","):
                break
    elif not checked and reader.take("DROP", "COLUMN"):
        _drop_column(reader, new)
    elif not checked and (reader.take("DROP", "CONSTRAINT") or reader.take("DROP")):
        _drop_constraint(reader, new)
    elif not checked and reader.take("ALTER", "COLUMN"):
        _alter_column(reader, new)
    elif reader.take("REBUILD") or reader.take("CHECK", "CONSTRAINT") or reader.take("NOCHECK", "CONSTRAINT"):
        reader.at = len(reader.words)
    else:
        raise reader.unexpected()
    reader.finish()
    _rebuild(session, database, number, old, new)
    yield Done(None, "ALTER TABLE")


def _drop_column(reader: Reader, new: Document) -> None:
    reader.take("IF", "EXISTS")
    name = reader.name()
    column = next((one for one in new["columns"] if one["name"].lower() == name.lower()), None)
    if column is None:
        raise fail(4924, name, new["name"])
    used = [*new["keys"], *new["indexes"], *new["foreign"]]
    if any(name.lower() in (one.lower() for one in each["columns"]) for each in used):
        raise fail(4922, f"ALTER TABLE DROP COLUMN {name}", state=9)
    new["columns"].remove(column)


def _drop_constraint(reader: Reader, new: Document) -> None:
    reader.take("IF", "EXISTS")
    name = reader.name()
    for kind in ("keys", "foreign", "checks"):
        kept = [one for one in new[kind] if one["name"].lower() != name.lower()]
        if len(kept) != len(new[kind]):
            new[kind] = kept
            return
    for column in new["columns"]:
        if str(column.get("default_name", "")).lower() == name.lower():
            column["default"] = None
            return
    raise SqlFailure(3728, f"'{name}' is not a constraint.")


def _alter_column(reader: Reader, new: Document) -> None:
    name = reader.name()
    at = next((at for at, one in enumerate(new["columns"]) if one["name"].lower() == name.lower()), None)
    if at is None:
        raise fail(4924, name, new["name"])
    scratch: Document = {**new, "columns": []}
    reader.at -= 1
    changed = Definition(reader, scratch).column()
    new["columns"][at] = {**new["columns"][at], "type": changed["type"], "nullable": changed["nullable"]}


def _rebuild(session: Session, database: Database, number: int, old: Document, new: Document) -> None:
    real = queries.table_name(old["schema"], old["name"])
    kept = {column["name"].lower() for column in old["columns"]}
    with session.writing(database) as connection:
        some = connection.execute(f"SELECT 1 FROM {quoted(real)} LIMIT 1").fetchone() is not None
        for column in new["columns"]:
            if (
                column["name"].lower() not in kept
                and some
                and not column["nullable"]
                and column["default"] is None
                and not column["identity"]
            ):
                raise fail(4901, column["name"], new["name"])
        temporary = real + ".new"
        text = ddl(new, temporary, lambda condition: check_text(new, condition))
        try:
            connection.execute("PRAGMA defer_foreign_keys=ON")
            connection.execute(text)
            shared = [
                column
                for column in new["columns"]
                if column["name"].lower() in kept or (column["default"] is not None and not column["nullable"])
            ]
            values = [
                quoted(column["name"]) if column["name"].lower() in kept else _constant(session, column)
                for column in shared
            ]
            connection.execute(
                f"INSERT INTO {quoted(temporary)} ({', '.join(quoted(column['name']) for column in shared)}) SELECT {', '.join(values)} FROM {quoted(real)}"
            )
            connection.execute(f"DROP TABLE {quoted(real)}")
            connection.execute(f"ALTER TABLE {quoted(temporary)} RENAME TO {quoted(real)}")
            for index in new["indexes"]:
                unique = "UNIQUE " if index["unique"] else ""
                connection.execute(
                    f"CREATE {unique}INDEX {quoted(real + '.' + index['name'])} ON {quoted(real)} ({', '.join(quoted(name) for name in index['columns'])})"
                )
        except sqlite3.Error as error:
            raise functions.current.failure or SqlFailure(
                1505, f"The CREATE UNIQUE INDEX statement terminated because a duplicate key was found: {error}"
            ) from error
        database.catalogue.put("object", number, new)


def _constant(session: Session, column: Document) -> str:
    value = cast(queries.scalar(session, Frame(), column["default"])[0], column_type(column))
    return (
        "NULL"
        if value is None
        else str(value)
        if isinstance(value, int | float)
        else "'" + str(value).replace("'", "''") + "'"
    )
