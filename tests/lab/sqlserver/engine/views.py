"""The catalogue views: their columns as documented, their rows from the catalogues."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from tests.lab.sqlserver.engine.database import Database
from tests.lab.sqlserver.engine.port import Column
from tests.lab.sqlserver.engine.values import parse_type

if TYPE_CHECKING:
    from tests.lab.sqlserver.engine.session import Session

Row = dict[str, Any]
Rows = Callable[["Session", Database], Iterable[Row]]


@dataclass(frozen=True)
class View:
    """One view. ``needs``: the server permission without which 300 is raised. ``since``: the first major version that has it."""

    columns: tuple[Column, ...]
    defaults: tuple[Any, ...]
    source: Rows
    needs: str | None = None
    since: int = 0
    only: int = 0  # the number of the one database that has it

    def rows(self, session: Session, database: Database) -> list[tuple[Any, ...]]:
        """As kept."""
        names = [column.name for column in self.columns]
        pairs = list(zip(names, self.defaults, strict=True))
        return [tuple(row.get(name, default) for name, default in pairs) for row in self.source(session, database)]


VIEWS: dict[str, View] = {}


def view(name: str, columns: str, *, needs: str | None = None, since: int = 0, only: int = 0) -> Callable[[Rows], Rows]:
    """Registers the rows of a view. ``columns``: "name type[=default], ..."."""
    parsed: list[Column] = []
    defaults: list[Any] = []
    for part in _parts(columns):
        declared, _, default = part.partition("=")
        column, _, kind = declared.strip().partition(" ")
        parsed.append(Column(column, parse_type(kind)))
        defaults.append(None if not default else int(default) if default.strip("-").isdigit() else default)

    def register(rows: Rows) -> Rows:
        for one in name.split():
            VIEWS[one.lower()] = View(tuple(parsed), tuple(defaults), rows, needs, since, only)
        return rows

    return register


def _parts(columns: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for at, sign in enumerate(columns):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and not depth:
            parts.append(columns[start:at].strip())
            start = at + 1
    last = columns[start:].strip()
    return [*parts, last] if last else parts


def find(database: Database, schema: str, name: str, catalog: str) -> View | None:
    """The view of a name in a database."""
    schema = schema.lower() or "dbo"
    found = VIEWS.get(f"{schema}.{name.lower()}")
    if (
        found is None and schema == "dbo"
    ):  # the views of before 2005 are found in every database and in master without a schema
        found = VIEWS.get(f"old.{name.lower()}") or VIEWS.get(f"{database.name.lower()}.dbo.{name.lower()}")
    if found is None and schema == "sys":
        found = VIEWS.get(f"old.{name.lower()}")
    if found is None:
        return None
    if found.since and _major_of(database) < found.since:
        return None
    return found


def _major_of(database: Database) -> int:
    version = database.boot.get("version", 904)
    return next(
        (
            major
            for limit, major in ((998, 17), (957, 16), (904, 15), (869, 14), (852, 13), (782, 12))
            if version >= limit
        ),
        11,
    )


def table_function(
    session: Session, name: str, arguments: list[exp.Expression]
) -> tuple[tuple[Column, ...], list[tuple[Any, ...]]] | None:
    """The few functions that give tables."""
    name = name.lower()
    values = [argument.name for argument in arguments]
    if name == "string_split" and len(values) >= 2:
        return (Column("value", parse_type("nvarchar(4000)")),), [(part,) for part in values[0].split(values[1])]
    if name == "fn_helpcollations":
        names = [
            "Latin1_General_CI_AS",
            "Latin1_General_BIN",
            "Latin1_General_CS_AS",
            "Latin1_General_100_CI_AS_SC",
            "SQL_Latin1_General_CP1_CI_AS",
            "SQL_Latin1_General_CP1_CS_AS",
        ]
        return (Column("name", parse_type("nvarchar(128)")), Column("description", parse_type("nvarchar(1000)"))), [
            (one, one) for one in names
        ]
    if name == "fn_my_permissions":
        return _my_permissions(session, values)
    if name in {
        "dm_exec_sql_text",
        "fn_listextendedproperty",
        "dm_db_index_physical_stats",
        "dm_io_virtual_file_stats",
        "dm_os_volume_stats",
    }:
        return _empty(name)
    return None


def _empty(name: str) -> tuple[tuple[Column, ...], list[tuple[Any, ...]]]:
    columns = {
        "dm_exec_sql_text": "dbid objectid number encrypted text", "fn_listextendedproperty": "objtype objname name value",
        "dm_db_index_physical_stats": "database_id object_id index_id", "dm_io_virtual_file_stats": "database_id file_id num_of_reads num_of_writes",
        "dm_os_volume_stats": "database_id file_id volume_mount_point total_bytes available_bytes",
    }[name]  # fmt: skip
    return tuple(Column(one, parse_type("nvarchar(128)")) for one in columns.split()), []


def _my_permissions(session: Session, values: list[str]) -> tuple[tuple[Column, ...], list[tuple[Any, ...]]]:
    from tests.lab.sqlserver.engine import security
    from tests.lab.sqlserver.engine.permissions import DATABASE_PERMISSIONS, SERVER_PERMISSIONS

    columns = tuple(
        Column(name, parse_type("nvarchar(128)")) for name in ("entity_name", "subentity_name", "permission_name")
    )
    if values and values[-1].lower() == "database":
        names = [name for name in DATABASE_PERMISSIONS if security.may_in(session, session.current, name)]
        return columns, [("database", "", name) for name in names]
    return columns, [("server", "", name) for name in SERVER_PERMISSIONS if security.may(session, name)]


from tests.lab.sqlserver.engine import database_views, dm_views, information_views, old_views, server_views  # noqa: E402 - they register themselves

__all__ = ["database_views", "dm_views", "information_views", "old_views", "server_views"]
