"""CREATE, ALTER and DROP TABLE, indexes, SELECT INTO."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from tests.lab.sqlserver.engine import functions, queries, security
from tests.lab.sqlserver.engine.catalogue import Document
from tests.lab.sqlserver.engine.compiling import column_type, read
from tests.lab.sqlserver.engine.database import Database, now
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import Done, Event, SqlFailure, SqlType
from tests.lab.sqlserver.engine.reader import Reader
from tests.lab.sqlserver.engine.rewriting import Rewriter, Scope, Source
from tests.lab.sqlserver.engine.running import Frame
from tests.lab.sqlserver.engine.session import Session
from tests.lab.sqlserver.engine.values import affinity, cast, guess, make_type, parse_type

Words = list[Any]


def type_document(kind: SqlType) -> Document:
    """As the catalogue keeps it."""
    return {"name": kind.name, "length": kind.length, "precision": kind.precision, "scale": kind.scale}


def _system_name(prefix: str, table: str, column: str = "") -> str:
    middle = f"__{column[:5]}" if column else ""
    return f"{prefix}__{table[:9]}{middle}__{secrets.token_hex(4).upper()}"


def _table_document(schema: str, name: str) -> Document:
    at = now()
    return {
        "schema": schema,
        "name": name,
        "type": "U",
        "columns": [],
        "keys": [],
        "indexes": [],
        "foreign": [],
        "checks": [],
        "created": at,
        "modified": at,
    }


class Definition:
    """Reads the body of CREATE TABLE into a document."""

    def __init__(self, reader: Reader, document: Document) -> None:
        self.reader = reader
        self.document = document

    def body(self) -> None:
        """( column, constraint, ... )."""
        self.reader.need("(")
        while True:
            self.item()
            if not self.reader.take(","):
                break
            if self.reader.here.value == ")":
                break
        self.reader.need(")")

    def item(self) -> None:
        """A column or a constraint of the table."""
        reader = self.reader
        name = reader.name() if reader.take("CONSTRAINT") else ""
        if reader.here.kind == "word" and reader.here.value in {"PRIMARY", "UNIQUE", "FOREIGN", "CHECK"}:
            self.constraint(name, None)
        elif name:
            raise reader.unexpected()
        else:
            self.column()

    def column(self) -> Document:
        """name type properties."""
        reader = self.reader
        name = reader.name()
        if any(one["name"].lower() == name.lower() for one in self.document["columns"]):
            raise fail(2705, name, self.document["name"])
        column: Document = {
            "name": name,
            "type": type_document(self.type()),
            "nullable": True,
            "identity": None,
            "default": None,
        }
        self.document["columns"].append(column)
        while not reader.ended and reader.here.value not in {",", ")"}:
            self.property(column)
        return column

    def type(self) -> SqlType:
        """A type."""
        reader = self.reader
        at = len(self.document["columns"]) + 1
        parts = reader.dotted()
        size = "".join(word.text for word in reader.group()) if reader.here.value == "(" else ""
        try:
            return parse_type(f"{parts[-1]}({size})" if size else parts[-1])
        except SqlFailure as failure:
            raise fail(2715, at, parts[-1], state=6) from failure

    def property(self, column: Document) -> None:
        """One property of a column."""
        reader = self.reader
        name = reader.name() if reader.take("CONSTRAINT") else ""
        if reader.take("NOT", "NULL"):
            column["nullable"] = False
        elif reader.take("NULL"):
            column["nullable"] = True
        elif reader.take("IDENTITY"):
            if any(one["identity"] for one in self.document["columns"]):
                raise fail(2744, self.document["name"])
            seed, step = 1, 1
            if reader.take("("):
                seed = reader.number()
                reader.need(",")
                step = reader.number()
                reader.need(")")
            if step != 1:
                raise SqlFailure(1001, "The simulated engine has identities with an increment of 1 only.", severity=15)
            column["identity"], column["nullable"] = [seed, step], False
            reader.take("NOT", "FOR", "REPLICATION")
        elif reader.take("DEFAULT"):
            column["default"] = self.expression()
            column["default_name"] = name or _system_name("DF", self.document["name"], column["name"])
        elif reader.take("COLLATE"):
            reader.name()
        elif reader.take("ROWGUIDCOL") or reader.take("SPARSE") or reader.take("PERSISTED"):
            return
        else:
            self.constraint(name, column)

    def expression(self) -> str:
        """A default: in parentheses, a call, or one word."""
        reader = self.reader
        if reader.here.value == "(":
            return "(" + " ".join(word.text for word in reader.group()) + ")"
        text = reader.next().text
        if text in {"-", "+"}:
            text += reader.next().text
        if reader.here.value == "(":
            text += "(" + " ".join(word.text for word in reader.group()) + ")"
        return text

    def constraint(self, name: str, column: Document | None) -> None:
        """PRIMARY KEY, UNIQUE, FOREIGN KEY, REFERENCES, CHECK."""
        reader = self.reader
        if reader.take("PRIMARY", "KEY"):
            self.key("PK", name, column)
        elif reader.take("UNIQUE"):
            self.key("UQ", name, column)
        elif reader.take("FOREIGN", "KEY"):
            columns = reader.names()
            reader.need("REFERENCES")
            self.foreign(name, columns)
        elif reader.take("REFERENCES"):
            self.foreign(name, [column["name"]] if column else [])
        elif reader.take("CHECK"):
            reader.take("NOT", "FOR", "REPLICATION")
            text = " ".join(word.text for word in reader.group())
            self.document["checks"].append(
                {
                    "name": name or _system_name("CK", self.document["name"], column["name"] if column else ""),
                    "text": text,
                }
            )
        else:
            raise reader.unexpected()

    def key(self, kind: str, name: str, column: Document | None) -> None:
        """A primary key or a unique constraint."""
        reader = self.reader
        clustered = kind == "PK"
        if reader.take("NONCLUSTERED"):
            clustered = False
        elif reader.take("CLUSTERED"):
            clustered = True
        columns = reader.names() if reader.here.value == "(" else [column["name"]] if column else []
        if reader.take("WITH"):
            reader.group()
        if reader.take("ON"):
            reader.name()
        for wanted in columns:
            found = next((one for one in self.document["columns"] if one["name"].lower() == wanted.lower()), None)
            if found is None:
                raise fail(1911, wanted)
            if kind == "PK":
                found["nullable"] = False
        self.document["keys"].append(
            {
                "name": name or _system_name(kind, self.document["name"]),
                "kind": kind,
                "columns": columns,
                "clustered": clustered,
            }
        )

    def foreign(self, name: str, columns: list[str]) -> None:
        """To another table of the same database."""
        reader = self.reader
        to = reader.dotted()
        wanted = reader.names() if reader.here.value == "(" else []
        actions = {}
        while reader.take("ON"):
            event = reader.next().value
            action = " ".join(
                [
                    reader.next().value,
                    *([reader.next().value] if reader.here.value in {"ACTION", "NULL", "DEFAULT"} else []),
                ]
            )
            actions[event] = action
        schema = to[-2] if len(to) > 1 else "dbo"
        self.document["foreign"].append(
            {
                "name": name or _system_name("FK", self.document["name"], columns[0] if columns else ""),
                "columns": columns,
                "to": f"{schema}.{to[-1]}",
                "to_columns": wanted,
                "actions": actions,
            }
        )


def ddl(document: Document, real: str, check: Any) -> str:
    """The table as SQLite makes it."""
    parts = []
    identity = next((column for column in document["columns"] if column["identity"]), None)
    for column in document["columns"]:
        kind = column_type(column)
        if column is identity:
            parts.append(f'"{column["name"]}" INTEGER PRIMARY KEY AUTOINCREMENT')
            continue
        parts.append(f'"{column["name"]}" {affinity(kind)}{"" if column["nullable"] else " NOT NULL"}')
    for key in document["keys"]:
        if identity is None or [name.lower() for name in key["columns"]] != [identity["name"].lower()]:
            parts.append(f"UNIQUE ({', '.join(quoted(name) for name in key['columns'])})")
    for foreign in document["foreign"]:
        actions = "".join(f" ON {event} {action}" for event, action in foreign["actions"].items())
        to = f" ({', '.join(quoted(name) for name in foreign['to_columns'])})" if foreign["to_columns"] else ""
        parts.append(
            f'FOREIGN KEY ({", ".join(quoted(name) for name in foreign["columns"])}) REFERENCES "{foreign["to"]}"{to}{actions}'
        )
    for one in document["checks"]:
        parts.append(f"CONSTRAINT {quoted(one['name'])} CHECK ({check(one['text'])})")
    return f"CREATE TABLE {quoted(real)} ({', '.join(parts)})"


def quoted(name: str) -> str:
    """As SQLite wants a name."""
    return '"' + name.replace('"', '""') + '"'


def check_text(document: Document, text: str) -> str:
    """The condition of a CHECK for SQLite."""
    from tests.lab.sqlserver.engine.port import Column

    columns = tuple(Column(one["name"], column_type(one)) for one in document["columns"])
    rewriter = Rewriter(_no_tables, {})
    tree = read(f"SELECT 1 WHERE {text}")
    scope = Scope(None, [Source("", columns)])
    rewriter._children(tree.args["where"], scope, {})
    return tree.args["where"].this.sql(dialect="sqlite")


def _no_tables(node: exp.Table, _: str) -> Source:
    raise fail(208, node.name)


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
