"""The views of INFORMATION_SCHEMA."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.lab.sqlserver.engine.database import Database
from tests.lab.sqlserver.engine.views import Row, view

if TYPE_CHECKING:
    from tests.lab.sqlserver.engine.session import Session


@view(
    "information_schema.tables",
    "TABLE_CATALOG nvarchar(128), TABLE_SCHEMA nvarchar(128), TABLE_NAME sysname, TABLE_TYPE varchar(10)",
)
def information_tables(_: Session, database: Database) -> Iterator[Row]:
    """Tables and views."""
    for _number, one in database.catalogue.all("object"):
        if one["type"] in {"U", "V"}:
            yield {
                "TABLE_CATALOG": database.name,
                "TABLE_SCHEMA": one["schema"],
                "TABLE_NAME": one["name"],
                "TABLE_TYPE": "BASE TABLE" if one["type"] == "U" else "VIEW",
            }


@view(
    "information_schema.columns",
    "TABLE_CATALOG nvarchar(128), TABLE_SCHEMA nvarchar(128), TABLE_NAME sysname, COLUMN_NAME sysname, ORDINAL_POSITION int, COLUMN_DEFAULT nvarchar(4000), IS_NULLABLE varchar(3), DATA_TYPE nvarchar(128), CHARACTER_MAXIMUM_LENGTH int, NUMERIC_PRECISION tinyint, NUMERIC_SCALE int",
)
def information_columns(_: Session, database: Database) -> Iterator[Row]:
    """Columns."""
    for _number, one in database.catalogue.all("object"):
        for at, column in enumerate(one.get("columns", ()), 1):
            kind = column["type"]
            yield {
                "TABLE_CATALOG": database.name, "TABLE_SCHEMA": one["schema"], "TABLE_NAME": one["name"], "COLUMN_NAME": column["name"], "ORDINAL_POSITION": at, "COLUMN_DEFAULT": column.get("default"),
                "IS_NULLABLE": "YES" if column["nullable"] else "NO", "DATA_TYPE": kind["name"], "CHARACTER_MAXIMUM_LENGTH": kind["length"] or None,
                "NUMERIC_PRECISION": kind["precision"] or None, "NUMERIC_SCALE": kind["scale"] if kind["precision"] else None,
            }  # fmt: skip
