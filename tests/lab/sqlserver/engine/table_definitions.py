"""The body of CREATE TABLE as a document, and as SQLite makes it."""

from __future__ import annotations

import secrets
from typing import Any

from sqlglot import exp

from tests.lab.sqlserver.engine.catalogue import Document
from tests.lab.sqlserver.engine.compiling import column_type, read
from tests.lab.sqlserver.engine.database import now
from tests.lab.sqlserver.engine.inference import Scope
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import SqlFailure, SqlType
from tests.lab.sqlserver.engine.reader import Reader
from tests.lab.sqlserver.engine.rewriting import Rewriter, Source
from tests.lab.sqlserver.engine.values import affinity, parse_type

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
