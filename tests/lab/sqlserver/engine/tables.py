"""CREATE, ALTER and DROP TABLE, indexes, SELECT INTO."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator

from sqlglot import exp

from tests.lab.sqlserver.engine import functions, queries, security
from tests.lab.sqlserver.engine.catalogue import Document
from tests.lab.sqlserver.engine.database import Database
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import Done, Event, SqlFailure
from tests.lab.sqlserver.engine.reader import Reader
from tests.lab.sqlserver.engine.running import Frame
from tests.lab.sqlserver.engine.session import Session
from tests.lab.sqlserver.engine.table_definitions import (
    Definition,
    _table_document,
    check_text,
    ddl,
    quoted,
    type_document,
)
from tests.lab.sqlserver.engine.values import guess, make_type


def place(session: Session, parts: list[str]) -> tuple[Database, str, str]:
    """Database, schema and name of a new or present object. SqlFailure 911, 2760."""
    database = session.current
    if len(parts) == 3 and parts[0]:
        database = session.instance.databases.get(parts[0])
        session.check_access(database)
    schema = parts[-2] if len(parts) > 1 and parts[-2] else "dbo"
    found = next(
        (one["name"] for _, one in database.catalogue.all("schema") if one["name"].lower() == schema.lower()), None
    )
    if found is None or found in {"sys", "INFORMATION_SCHEMA"}:
        raise fail(2760, schema)
    return database, found, parts[-1]


def create_table(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """CREATE TABLE name ( ... )."""
    parts = reader.dotted()
    temporary = parts[-1].startswith("#")
    if temporary:
        document = _table_document("dbo", parts[-1])
        Definition(reader, document).body()
        make_temporary(session, document)
        yield Done(None, "CREATE TABLE")
        return
    database, schema, name = place(session, parts)
    if not security.may_in(session, database, "CREATE TABLE"):
        raise fail(262, "CREATE TABLE", database.name)
    document = _table_document(schema, name)
    Definition(reader, document).body()
    while not reader.ended:
        reader.need("ON") if reader.here.value == "ON" else reader.need("TEXTIMAGE_ON")
        reader.name()
    if (schema.lower(), name.lower()) in database.objects():
        raise fail(2714, name, state=6)
    make_table(session, database, document)
    yield Done(None, "CREATE TABLE")


def make_temporary(session: Session, document: Document) -> None:
    """A table of the session alone."""
    key = document["name"].lstrip("#").lower()
    if key in session.temporary:
        raise fail(2714, document["name"], state=6)
    document["table"] = document["name"]
    session.scratch.execute(ddl(document, document["table"], lambda text: check_text(document, text)))
    _seed(session.scratch, document, document["table"])
    session.temporary[key] = document


def make_table(session: Session, database: Database, document: Document) -> None:
    """In the file and in its catalogue."""
    real = queries.table_name(document["schema"], document["name"])
    with session.writing(database) as connection:
        try:
            connection.execute(ddl(document, real, lambda text: check_text(document, text)))
        except sqlite3.Error as error:
            raise functions.current.failure or fail(102, str(error)) from error
        _seed(connection, document, real)
        database.catalogue.put("object", _new_object_id(database), document)


def _seed(connection: sqlite3.Connection, document: Document, real: str) -> None:
    identity = next((column["identity"] for column in document["columns"] if column["identity"]), None)
    if identity is not None and identity[0] != 1:
        connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (real, identity[0] - 1))


def _new_object_id(database: Database) -> int:
    while True:
        number = 100_000_000 + secrets.randbelow(1_900_000_000)
        if database.catalogue.get("object", number) is None:
            return number


def drop_table(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """DROP TABLE [IF EXISTS] a, b."""
    lenient = reader.take("IF", "EXISTS")
    while True:
        parts = reader.dotted()
        if parts[-1].startswith("#"):
            document = session.temporary.pop(parts[-1].lstrip("#").lower(), None)
            if document is None and not lenient:
                raise fail(3701, "drop", "table", parts[-1], state=5)
            if document is not None:
                session.scratch.execute(f"DROP TABLE {quoted(document['table'])}")
        else:
            drop_object(session, parts, "U", "table", lenient=lenient)
        if not reader.take(","):
            break
    reader.finish()
    yield Done(None, "DROP TABLE")


def drop_object(session: Session, parts: list[str], kind: str, word: str, *, lenient: bool) -> None:
    """An object of a database. SqlFailure 3701, 3726."""
    database, schema, name = place(session, parts)
    found = database.objects().get((schema.lower(), name.lower()))
    if found is None or found[1]["type"] != kind:
        if lenient:
            return
        raise fail(3701, "drop", word, ".".join(parts), state=5)
    number, document = found
    if not security.may_in(session, database, "ALTER", object_id=number):
        raise fail(3701, "drop", word, ".".join(parts), state=20)
    real = queries.table_name(document["schema"], document["name"])
    for _, one in database.catalogue.all("object"):
        if (
            one["type"] == "U"
            and one is not document
            and any(foreign["to"].lower() == real.lower() for foreign in one["foreign"])
        ):
            raise fail(3726, name)
    with session.writing(database) as connection:
        if kind == "U":
            connection.execute(f"DROP TABLE {quoted(real)}")
        database.catalogue.drop("object", number)
        for at, permission in database.catalogue.all("permission"):
            if permission["class"] == 1 and permission["major"] == number:
                database.catalogue.drop("permission", at)


def create_index(session: Session, frame: Frame, reader: Reader, *, unique: bool, clustered: bool) -> Iterator[Event]:
    """CREATE [UNIQUE] INDEX name ON table (columns) [INCLUDE (...)] [WITH (...)]."""
    name = reader.name()
    reader.need("ON")
    parts = reader.dotted()
    columns = reader.names()
    if reader.take("INCLUDE"):
        reader.names()
    if reader.take("WHERE"):
        raise fail(156, "WHERE")
    if reader.take("WITH"):
        reader.group()
    if reader.take("ON"):
        reader.name()
    reader.finish()
    database, schema, table = place(session, parts)
    found = database.objects().get((schema.lower(), table.lower()))
    if found is None:
        raise SqlFailure(
            1088,
            f'Cannot find the object "{".".join(parts)}" because it does not exist or you do not have permissions.',
            state=12,
        )
    number, document = found
    if not security.may_in(session, database, "ALTER", object_id=number):
        raise SqlFailure(
            1088,
            f'Cannot find the object "{".".join(parts)}" because it does not exist or you do not have permissions.',
            state=12,
        )
    made = [*document["keys"], *document["indexes"]]
    if any(one["name"].lower() == name.lower() for one in made):
        raise fail(1913, name, table)
    if clustered and any(one.get("clustered") for one in made):
        raise SqlFailure(
            1902,
            f"Cannot create more than one clustered index on table '{table}'. Drop the existing clustered index before creating another.",
            state=3,
        )
    for column in columns:
        if not any(one["name"].lower() == column.lower() for one in document["columns"]):
            raise fail(1911, column)
    real = queries.table_name(document["schema"], document["name"])
    with session.writing(database) as connection:
        try:
            connection.execute(
                f"CREATE {'UNIQUE ' if unique else ''}INDEX {quoted(f'{real}.{name}')} ON {quoted(real)} ({', '.join(quoted(column) for column in columns)})"
            )
        except sqlite3.IntegrityError as error:
            raise fail(1505, f"{schema}.{table}", name) from error
        index = {"name": name, "columns": columns, "unique": unique, "clustered": clustered}
        database.catalogue.update("object", number, indexes=[*document["indexes"], index])
    yield Done(None, "CREATE INDEX")


def drop_index(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """DROP INDEX name ON table."""
    lenient = reader.take("IF", "EXISTS")
    parts = reader.dotted()
    if reader.take("ON"):
        name, table = parts[-1], reader.dotted()
    else:
        name, table = parts[-1], parts[:-1]
    database, schema, plain = place(session, table)
    found = database.objects().get((schema.lower(), plain.lower()))
    index = next((one for one in found[1]["indexes"] if one["name"].lower() == name.lower()), None) if found else None
    if found is None or index is None:
        if lenient:
            return
        raise fail(3701, "drop", "index", f"{'.'.join(table)}.{name}", state=7)
    real = queries.table_name(found[1]["schema"], found[1]["name"])
    with session.writing(database) as connection:
        connection.execute(f"DROP INDEX {quoted(real + '.' + index['name'])}")
        database.catalogue.update("object", found[0], indexes=[one for one in found[1]["indexes"] if one is not index])
    yield Done(None, "DROP INDEX")


def select_into(session: Session, frame: Frame, tree: exp.Expression) -> Iterator[Event]:
    """SELECT ... INTO name."""
    if isinstance(tree, exp.Create):
        node, query = tree.this, tree.expression
        temporary = bool(tree.args.get("properties"))
    else:
        into = tree.args["into"]
        node, query, temporary = into.this, tree, bool(into.args.get("temporary"))
        query.set("into", None)
    temporary = temporary or node.name.startswith("#")
    _, columns, found = queries.select(session, frame, "", tree=query)
    document = _table_document("dbo", "#" + node.name.lstrip("#") if temporary else node.name)
    for at, column in enumerate(columns):
        if not column.name:
            raise SqlFailure(
                1038,
                "An object or column name is missing or empty. For SELECT INTO statements, verify each column has a name.",
                severity=15,
            )
        kind = column.type if column.type.name != "sql_variant" else guess([row[at] for row in found])
        document["columns"].append(
            {"name": column.name, "type": type_document(kind), "nullable": True, "identity": None, "default": None}
        )
    marks = ", ".join("?" * len(columns))
    if temporary:
        make_temporary(session, document)
        session.scratch.executemany(f"INSERT INTO {quoted(document['table'])} VALUES ({marks})", found)
    else:
        database, document["schema"], document["name"] = place(session, [part.name for part in node.parts])
        if not security.may_in(session, database, "CREATE TABLE"):
            raise fail(262, "CREATE TABLE", database.name)
        if (document["schema"].lower(), document["name"].lower()) in database.objects():
            raise fail(2714, document["name"], state=6)
        with session.writing(database) as connection:
            make_table_inside(database, connection, document)
            connection.executemany(
                f"INSERT INTO {quoted(queries.table_name(document['schema'], document['name']))} VALUES ({marks})",
                found,
            )
    session.rowcount = len(found)
    yield Done(None if session.options["nocount"] else len(found), "SELECT INTO")


def make_table_inside(database: Database, connection: sqlite3.Connection, document: Document) -> None:
    """Within a transaction that is already the caller's."""
    connection.execute(
        ddl(document, queries.table_name(document["schema"], document["name"]), lambda text: check_text(document, text))
    )
    database.catalogue.put("object", _new_object_id(database), document)


__all__ = ["create_table", "make_type"]
