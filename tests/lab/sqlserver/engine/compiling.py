"""T-SQL queries said for SQLite: tables resolved, types found, functions and operators replaced. Runs nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.dialects.tsql import TSQL
from sqlglot.errors import SqlglotError

from tests.lab.sqlserver.engine.catalogue import Document
from tests.lab.sqlserver.engine.database import Database
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import Column, SqlFailure, SqlType
from tests.lab.sqlserver.engine.values import make_type


class Dialect(TSQL):
    """T-SQL whose functions are kept as they are written: their meaning is in ``functions``."""

    class Tokenizer(TSQL.Tokenizer):
        """Of the dialect: SYSTEM_USER is the login, CURRENT_USER the user."""

        KEYWORDS = {word: kind for word, kind in TSQL.Tokenizer.KEYWORDS.items() if word != "SYSTEM_USER"}  # noqa: RUF012 - as the base class

    class Parser(TSQL.Parser):
        """Of the dialect."""

        FUNCTIONS: dict[str, Callable[..., Any]] = {}  # noqa: RUF012 - the base class is so declared


@dataclass(frozen=True)
class Need:
    """What must be copied beside the query before it runs: a catalogue view or a table of another place."""

    alias: str
    columns: tuple[Column, ...]
    rows: Callable[[], Iterable[tuple[Any, ...]]]


@dataclass(frozen=True)
class Access:
    """What the query does to what: asked of the permissions each time it runs."""

    permission: str
    database: Database
    schema: str
    name: str
    object_id: int


@dataclass
class Source:
    """Something that rows come from, under its alias."""

    alias: str
    columns: tuple[Column, ...]
    hidden: frozenset[str] = frozenset()


@dataclass
class Plan:
    """A statement said for SQLite."""

    sql: str = ""
    columns: tuple[Column, ...] = ()
    typed: tuple[bool, ...] = ()  # whether the type was found or must be guessed from the values
    home: Database | None = None  # whose connection runs it; None = the session's own
    needs: list[Need] = field(default_factory=list)
    accesses: list[Access] = field(default_factory=list)
    assigned: tuple[str, ...] = ()
    cacheable: bool = True
    table: Document | None = None
    table_name: str = ""
    identity: str | None = None


@lru_cache(maxsize=2000)
def _parsed(text: str) -> exp.Expression:
    tree = sqlglot.parse_one(text, dialect=Dialect)
    if tree is None or isinstance(tree, exp.Command):
        raise SqlglotError(text)
    return tree


def read(text: str) -> exp.Expression:
    """The tree of one query, to be changed at will. SqlFailure 102."""
    try:
        return _parsed(text).copy()
    except SqlglotError as error:
        raise fail(102, _near(error, text)) from error
    except RecursionError as error:
        raise SqlFailure(
            191,
            "Some part of your SQL statement is nested too deeply. Rewrite the query or break it up into smaller queries.",
            severity=15,
        ) from error


def _near(error: SqlglotError, text: str) -> str:
    errors = getattr(error, "errors", None) or [{}]
    return str(errors[0].get("highlight") or text.rsplit(maxsplit=1)[-1])


def column_type(document: Document) -> SqlType:
    """Of a column as the catalogue keeps it."""
    kind = document["type"]
    return SqlType(kind["name"], kind["length"], kind["precision"], kind["scale"], bool(document.get("nullable", True)))


def data_type(node: exp.DataType) -> SqlType:
    """Of CAST(... AS node)."""
    from tests.lab.sqlserver.engine.values import parse_type

    text = node.sql(dialect="tsql")
    name = str(node.args.get("kind") or "") if node.this == exp.DataType.Type.USERDEFINED else ""
    spelled = {"DATETIME2": "datetime2", "TIMESTAMP": "datetime2" if "DATETIME2" in str(node.this) else "timestamp"}
    if name:
        return parse_type(name)
    params = [
        param.this.name if isinstance(param.this, exp.Expression) else str(param.this) for param in node.expressions
    ]
    kind = _KINDS.get(node.this.name) or spelled.get(node.this.name)
    if kind is None:
        return parse_type(text)
    return make_type(kind, *(params[:2]))


_KINDS = {
    "INT": "int", "BIGINT": "bigint", "SMALLINT": "smallint", "TINYINT": "tinyint", "UTINYINT": "tinyint", "BIT": "bit", "BOOLEAN": "bit", "FLOAT": "float",
    "DOUBLE": "float", "DECIMAL": "decimal", "MONEY": "money", "SMALLMONEY": "smallmoney", "VARCHAR": "varchar", "NVARCHAR": "nvarchar", "CHAR": "char",
    "NCHAR": "nchar", "TEXT": "text", "VARBINARY": "varbinary", "BINARY": "binary", "IMAGE": "image", "UUID": "uniqueidentifier", "DATE": "date",
    "TIME": "time", "DATETIME": "datetime", "DATETIME2": "datetime2", "SMALLDATETIME": "smalldatetime", "TIMESTAMPTZ": "datetimeoffset", "TIMESTAMP": "datetime2",
    "XML": "xml", "VARIANT": "sql_variant", "ROWVERSION": "timestamp", "NAME": "sysname",
}  # fmt: skip
