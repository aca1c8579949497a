"""The catalogue procedures that ODBC drivers call by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.lab.sqlserver.engine.calling import Argument
from tests.lab.sqlserver.engine.database import Database
from tests.lab.sqlserver.engine.port import Event, ReturnStatus
from tests.lab.sqlserver.engine.procedures import procedure, rows, taken
from tests.lab.sqlserver.engine.running import Frame
from tests.lab.sqlserver.engine.session import Session

# -- catalogue of the drivers ------------------------------------------------------------------------------------------------------

ODBC = {
    "nvarchar": (-9, 4000, "'", "'"), "varchar": (12, 8000, "'", "'"), "nchar": (-8, 4000, "'", "'"), "char": (1, 8000, "'", "'"), "int": (4, 10, None, None), "bigint": (-5, 19, None, None),
    "smallint": (5, 5, None, None), "tinyint": (-6, 3, None, None), "bit": (-7, 1, None, None), "float": (6, 53, None, None), "real": (7, 24, None, None), "decimal": (3, 38, None, None),
    "money": (3, 19, "$", None), "varbinary": (-3, 8000, "0x", None), "binary": (-2, 8000, "0x", None), "datetime": (93, 23, "'", "'"), "datetime2": (93, 27, "'", "'"), "date": (91, 10, "'", "'"),
    "time": (-154, 16, "'", "'"), "datetimeoffset": (-155, 34, "'", "'"), "smalldatetime": (93, 16, "'", "'"), "uniqueidentifier": (-11, 36, "'", "'"), "sql_variant": (-150, 8000, None, None),
}  # fmt: skip


@procedure("sp_datatype_info", "sp_datatype_info_100", "sp_datatype_info_90")
def sp_datatype_info(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """The types, as ODBC wants them."""
    values = taken("sp_datatype_info", arguments, "data_type", "odbcver")
    wanted = int(values["data_type"] or 0)
    names = "TYPE_NAME DATA_TYPE PRECISION LITERAL_PREFIX LITERAL_SUFFIX CREATE_PARAMS NULLABLE CASE_SENSITIVE SEARCHABLE UNSIGNED_ATTRIBUTE MONEY AUTO_INCREMENT LOCAL_TYPE_NAME MINIMUM_SCALE MAXIMUM_SCALE SQL_DATA_TYPE SQL_DATETIME_SUB NUM_PREC_RADIX INTERVAL_PRECISION USERTYPE"
    found = [
        (name, code, size, before, after, "max length" if name.endswith(("char", "binary")) else None, 1, 0, 3, None, int(name == "money"), None, name, None, None, code, None, None, None, 0)
        for name, (code, size, before, after) in ODBC.items() if wanted in {0, code}
    ]  # fmt: skip
    types = "sysname;smallint;int;varchar(32);varchar(32);varchar(32);smallint;smallint;smallint;smallint;smallint;smallint;sysname;smallint;smallint;smallint;smallint;int;smallint;smallint"
    yield from rows(session, names, found, types)
    yield ReturnStatus(0)


def _matches(pattern: Any, name: str) -> bool:
    from tests.lab.sqlserver.engine.functions import _pattern

    return pattern is None or _pattern(str(pattern), "").fullmatch(name) is not None


@procedure("sp_tables", "sp_tables_rowset")
def sp_tables(session: Session, frame: Frame, arguments: list[Argument], database: Database) -> Iterator[Event]:
    """Tables, as ODBC wants them."""
    values = taken("sp_tables", arguments, "table_name", "table_owner", "table_qualifier", "table_type", "fusepattern")
    wanted = str(values["table_type"] or "")
    found = []
    for _number, one in database.catalogue.all("object"):
        kind = {"U": "TABLE", "V": "VIEW"}.get(one["type"])
        if (
            kind
            and (not wanted or f"'{kind}'" in wanted.upper())
            and _matches(values["table_name"], one["name"])
            and _matches(values["table_owner"], one["schema"])
        ):
            found.append((database.name, one["schema"], one["name"], kind, None))
    yield from rows(
        session,
        "TABLE_QUALIFIER TABLE_OWNER TABLE_NAME TABLE_TYPE REMARKS",
        sorted(found),
        "sysname;sysname;sysname;varchar(32);varchar(254)",
    )
    yield ReturnStatus(0)


@procedure("sp_columns", "sp_columns_100", "sp_columns_90")
def sp_columns(session: Session, frame: Frame, arguments: list[Argument], database: Database) -> Iterator[Event]:
    """Columns, as ODBC wants them."""
    from tests.lab.sqlserver.engine.database_views import TYPES, byte_length

    values = taken(
        "sp_columns",
        arguments,
        "table_name",
        "table_owner",
        "table_qualifier",
        "column_name",
        "odbcver",
        "fusepattern",
        "namescope",
    )
    found = []
    for _number, one in database.catalogue.all("object"):
        if (
            one["type"] in "UV"
            and _matches(values["table_name"], one["name"])
            and _matches(values["table_owner"], one["schema"])
        ):
            for at, column in enumerate(one.get("columns", ()), 1):
                if _matches(values["column_name"], column["name"]):
                    kind = column["type"]
                    code, size, _before, _after = ODBC.get(kind["name"], (12, 8000, None, None))
                    length = byte_length(kind, TYPES[kind["name"]][2])
                    precision = kind["precision"] or (kind["length"] if kind["length"] > 0 else size)
                    shown = kind["name"] + (" identity" if column.get("identity") else "")
                    found.append(
                        (
                            database.name,
                            one["schema"],
                            one["name"],
                            column["name"],
                            code,
                            shown,
                            precision,
                            length,
                            kind["scale"] or None,
                            10 if precision else None,
                            int(column["nullable"]),
                            None,
                            column.get("default"),
                            code,
                            None,
                            length,
                            at,
                            "YES" if column["nullable"] else "NO",
                            56,
                        )
                    )
    names = "TABLE_QUALIFIER TABLE_OWNER TABLE_NAME COLUMN_NAME DATA_TYPE TYPE_NAME PRECISION LENGTH SCALE RADIX NULLABLE REMARKS COLUMN_DEF SQL_DATA_TYPE SQL_DATETIME_SUB CHAR_OCTET_LENGTH ORDINAL_POSITION IS_NULLABLE SS_DATA_TYPE"
    types = "sysname;sysname;sysname;sysname;smallint;sysname;int;int;smallint;smallint;smallint;varchar(254);nvarchar(4000);smallint;smallint;int;int;varchar(254);tinyint"
    yield from rows(session, names, found, types)
    yield ReturnStatus(0)


@procedure("sp_pkeys")
def sp_pkeys(session: Session, frame: Frame, arguments: list[Argument], database: Database) -> Iterator[Event]:
    """Primary keys."""
    values = taken("sp_pkeys", arguments, "table_name!", "table_owner", "table_qualifier")
    found = []
    for _number, one in database.catalogue.all("object"):
        if one["type"] == "U" and one["name"].lower() == str(values["table_name"]).lower():
            for key in one["keys"]:
                if key["kind"] == "PK":
                    found += [
                        (database.name, one["schema"], one["name"], column, at, key["name"])
                        for at, column in enumerate(key["columns"], 1)
                    ]
    yield from rows(
        session,
        "TABLE_QUALIFIER TABLE_OWNER TABLE_NAME COLUMN_NAME KEY_SEQ PK_NAME",
        found,
        "sysname;sysname;sysname;sysname;smallint;sysname",
    )
    yield ReturnStatus(0)


@procedure("sp_statistics", "sp_statistics_100")
def sp_statistics(session: Session, frame: Frame, arguments: list[Argument], database: Database) -> Iterator[Event]:
    """Indexes, as ODBC wants them."""
    values = taken(
        "sp_statistics",
        arguments,
        "table_name!",
        "table_owner",
        "table_qualifier",
        "index_name",
        "is_unique",
        "accuracy",
    )
    found = []
    for _number, one in database.catalogue.all("object"):
        if one["type"] == "U" and one["name"].lower() == str(values["table_name"]).lower():
            found.append(
                (database.name, one["schema"], one["name"], None, None, None, 0, None, None, None, None, None, None)
            )
            for index in [*({**key, "unique": True} for key in one["keys"]), *one["indexes"]]:
                found += [
                    (
                        database.name,
                        one["schema"],
                        one["name"],
                        int(not index["unique"]),
                        one["name"],
                        index["name"],
                        1 if index.get("clustered") else 3,
                        at,
                        column,
                        "A",
                        None,
                        None,
                        None,
                    )
                    for at, column in enumerate(index["columns"], 1)
                ]
    names = "TABLE_QUALIFIER TABLE_OWNER TABLE_NAME NON_UNIQUE INDEX_QUALIFIER INDEX_NAME TYPE SEQ_IN_INDEX COLUMN_NAME COLLATION CARDINALITY PAGES FILTER_CONDITION"
    yield from rows(
        session,
        names,
        found,
        "sysname;sysname;sysname;smallint;sysname;sysname;smallint;smallint;sysname;char(1);int;int;varchar(128)",
    )
    yield ReturnStatus(0)


@procedure("sp_databases")
def sp_databases(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """Databases and sizes in KB."""
    found = [
        (one.name, sum(one.size_pages(document) for document in one.files) * 8, None)
        for one in session.instance.databases.all()
        if one.online
    ]
    yield from rows(session, "DATABASE_NAME DATABASE_SIZE REMARKS", sorted(found), "sysname;int;varchar(254)")
    yield ReturnStatus(0)


@procedure("sp_server_info")
def sp_server_info(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """A few attributes."""
    values = taken("sp_server_info", arguments, "attribute_id")
    known = [
        (1, "DBMS_NAME", "Microsoft SQL Server"),
        (2, "DBMS_VER", f"Microsoft SQL Server {session.instance.personality.year} - {session.instance.version}"),
        (10, "OWNER_TERM", "owner"),
        (11, "TABLE_TERM", "table"),
        (12, "MAX_OWNER_NAME_LENGTH", "128"),
        (16, "IDENTIFIER_CASE", "MIXED"),
        (18, "COLLATION_SEQ", "charset=iso_1 sort_order=nocase_iso"),
        (500, "SYS_SPROC_VERSION", session.instance.version),
    ]
    yield from rows(
        session,
        "attribute_id attribute_name attribute_value",
        [row for row in known if values["attribute_id"] in {None, row[0]}],
        "int;varchar(60);varchar(255)",
    )
    yield ReturnStatus(0)
