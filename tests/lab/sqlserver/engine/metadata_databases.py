"""Functions that ask about databases and what is in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.lab.sqlserver.engine.database import Database
from tests.lab.sqlserver.engine.functions import FUNCTIONS, INT, VARIANT, function
from tests.lab.sqlserver.engine.metadata import SMALLINT, SYSNAME, _instance, _session
from tests.lab.sqlserver.engine.port import SqlFailure, SqlType

if TYPE_CHECKING:
    from tests.lab.sqlserver.engine.session import Session


# -- databases ---------------------------------------------------------------------------------------------------------------------


def _named(name: Any) -> Database | None:
    return _session().current if name is None else _instance().databases.find(str(name))


@function("DB_ID", SMALLINT)
def _db_id(*name: Any) -> Any:
    if name and name[0] is None:
        return None
    found = _named(*name) if name else _session().current
    return found.number if found is not None else None


@function("DB_NAME", SYSNAME)
def _db_name(*number: Any) -> Any:
    if not number:
        return _session().current.name
    found = _instance().databases.by_number.get(number[0]) if number[0] is not None else None
    return found.name if found is not None else None


@function("ORIGINAL_DB_NAME", SYSNAME)
def _original_db_name() -> Any:
    return _session().request.database


@function("DATABASEPROPERTYEX", VARIANT)
def _databasepropertyex(name: Any, what: Any) -> Any:
    one = _named(name) if name is not None else None
    if one is None:
        return None
    options, boot = one.options, one.boot
    wanted = str(what).lower()
    if wanted == "status":
        return one.state
    if wanted in {"collation", "version", "sqlsortorder", "comparisonstyle", "lcid"} and not one.online:
        return 0 if wanted == "version" else None
    return {
        "collation": options.get("collation") or boot.get("collation"), "recovery": options["recovery"], "useraccess": options["user_access"], "updateability": "READ_ONLY" if options["read_only"] else "READ_WRITE",
        "version": boot.get("version"), "isautoclose": int(options["auto_close"]), "isautoshrink": int(options["auto_shrink"]), "isautocreatestatistics": 1, "isautoupdatestatistics": 1, "isfulltextenabled": 1,
        "isinstandby": 0, "ispublished": int(options["published"]), "issubscribed": int(options["subscribed"]), "ismergepublished": int(options["merge_published"]), "isquotedidentifiersenabled": 0, "lcid": 1033,
        "sqlsortorder": 52, "istorn pagedetectionenabled": 0, "issyncwithbackup": 0, "comparisonstyle": 196609, "isaccelerateddatabaserecoveryon": 0, "lastgoodcheckdbtime": options.get("last_good_checkdb", "1900-01-01 00:00:00.000000"),
    }.get(wanted)  # fmt: skip


@function("DATABASEPROPERTY", INT)
def _databaseproperty(name: Any, what: Any) -> Any:
    one = _named(name) if name is not None else None
    if one is None:
        return None
    return {
        "isoffline": int(one.state == "OFFLINE"), "issuspect": int(one.state == "SUSPECT"), "isreadonly": int(one.options["read_only"]), "issingleuser": int(one.options["user_access"] == "SINGLE_USER"),
        "isdetached": 0, "isemergencymode": 0, "version": one.boot.get("version") if one.online else None, "ispublished": int(one.options["published"]), "isdboonly": int(one.options["user_access"] == "RESTRICTED_USER"),
    }.get(str(what).lower())  # fmt: skip


@function("HAS_DBACCESS", INT)
def _has_dbaccess(name: Any) -> Any:
    one = _named(name) if name is not None else None
    if one is None:
        return None
    try:
        _session().check_access(one)
        return int(one.online)
    except SqlFailure:
        return 0


# -- objects -----------------------------------------------------------------------------------------------------------------------


def _parts(name: str) -> list[str]:
    return [
        part.strip("[]").replace("]]", "]")
        for part in re.findall(r"\[(?:[^\]]|\]\])*\]|[^.]*(?=\.|$)", name.strip('"'))
        if part or ".." in name
    ][-3:]


def find_object(session: Session, name: str, kind: str = "") -> tuple[Database, int, dict[str, Any]] | None:
    """An object of a name with up to three parts."""
    parts = list(re.split(r"\.(?![^\[]*\])", name))
    plain = [part.strip().strip("[]").strip('"') for part in parts]
    database = session.current
    if len(plain) == 3 and plain[0]:
        other = session.instance.databases.find(plain[0])
        if other is None or not other.online:
            return None
        database = other
    schema = plain[-2] if len(plain) > 1 and plain[-2] else "dbo"
    found = database.objects().get((schema.lower(), plain[-1].lower()))
    if found is None or (kind and found[1]["type"] != kind.strip().upper()):
        return None
    return database, found[0], found[1]


@function("OBJECT_ID", INT)
def _object_id(name: Any, kind: Any = "") -> Any:
    if name is None:
        return None
    text = str(name)
    bare = text.rpartition(".")[2].strip("[]")
    if bare.startswith("#"):
        return -abs(hash(bare.lower())) % 2**31 if bare.lstrip("#").lower() in _session().temporary else None
    found = find_object(_session(), text, str(kind or ""))
    if found is not None:
        return found[1]
    from tests.lab.sqlserver.engine import procedures, server_views, views

    name_of = bare.lower()
    if text.lower().startswith(("sys.", "[sys].", "information_schema.")) and f"sys.{name_of}" in views.VIEWS:
        return -server_views.number_of(name_of)
    return -server_views.number_of(name_of) if name_of in procedures.PROCEDURES else None


@function("OBJECT_NAME", SYSNAME)
def _object_name(number: Any, database: Any = None) -> Any:
    one = _session().current if database is None else _instance().databases.by_number.get(database)
    document = one.catalogue.get("object", number) if one is not None and number is not None else None
    return document["name"] if document else None


@function("OBJECT_SCHEMA_NAME", SYSNAME)
def _object_schema_name(number: Any, database: Any = None) -> Any:
    one = _session().current if database is None else _instance().databases.by_number.get(database)
    document = one.catalogue.get("object", number) if one is not None and number is not None else None
    return document["schema"] if document else None


@function("SCHEMA_ID", INT)
def _schema_id(*name: Any) -> Any:
    from tests.lab.sqlserver.engine.database_views import schema_ids

    return schema_ids(_session().current).get(str(name[0]).lower() if name else "dbo")


@function("SCHEMA_NAME", SYSNAME)
def _schema_name(*number: Any) -> Any:
    document = _session().current.catalogue.get("schema", number[0] if number else 1)
    return document["name"] if document else None


@function("OBJECTPROPERTY", INT)
def _objectproperty(number: Any, what: Any) -> Any:
    document = _session().current.catalogue.get("object", number) if number is not None else None
    if document is None:
        return None
    return {
        "isusertable": int(document["type"] == "U"), "istable": int(document["type"] == "U"), "isview": int(document["type"] == "V"), "isprocedure": int(document["type"] == "P"), "ismsshipped": 0,
        "tablehasidentity": int(any(column.get("identity") for column in document.get("columns", ()))), "tablehasprimarykey": int(any(key["kind"] == "PK" for key in document.get("keys", ()))),
    }.get(str(what).lower())  # fmt: skip


FUNCTIONS["OBJECTPROPERTYEX"] = FUNCTIONS["OBJECTPROPERTY"]


@function("COL_NAME", SYSNAME)
def _col_name(table: Any, number: Any) -> Any:
    document = _session().current.catalogue.get("object", table) if table is not None else None
    columns = document["columns"] if document else []
    return columns[number - 1]["name"] if 0 < number <= len(columns) else None


@function("COL_LENGTH", SMALLINT)
def _col_length(table: Any, name: Any) -> Any:
    from tests.lab.sqlserver.engine.database_views import TYPES, byte_length

    found = find_object(_session(), str(table))
    for column in found[2].get("columns", ()) if found else ():
        if column["name"].lower() == str(name).lower():
            return byte_length(column["type"], TYPES[column["type"]["name"]][2])
    return None


@function("COLUMNPROPERTY", INT)
def _columnproperty(table: Any, name: Any, what: Any) -> Any:
    document = _session().current.catalogue.get("object", table) if table is not None else None
    for at, column in enumerate(document.get("columns", ()) if document else (), 1):
        if column["name"].lower() == str(name).lower():
            return {
                "isidentity": int(bool(column.get("identity"))),
                "allowsnull": int(column["nullable"]),
                "iscomputed": 0,
                "columnid": at,
                "precision": column["type"]["precision"],
            }.get(str(what).lower())
    return None


@function("IDENT_CURRENT", SqlType("decimal", 0, 38, 0))
def _ident_current(table: Any) -> Any:
    found = find_object(_session(), str(table))
    if found is None:
        return None
    rows = found[0].data.rows(
        "SELECT seq FROM sqlite_sequence WHERE name = ?", (f"{found[2]['schema']}.{found[2]['name']}",)
    )
    return rows[0][0] if rows else 1


@function("SCOPE_IDENTITY", SqlType("decimal", 0, 38, 0))
def _scope_identity() -> Any:
    return _session().identity


@function("TYPE_ID", INT)
def _type_id(name: Any) -> Any:
    from tests.lab.sqlserver.engine.database_views import TYPES

    return TYPES[str(name).lower()][1] if str(name).lower() in TYPES else None


@function("TYPE_NAME", SYSNAME)
def _type_name(number: Any) -> Any:
    from tests.lab.sqlserver.engine.database_views import TYPES

    return next((name for name, row in TYPES.items() if row[1] == number), None)


@function("COLLATIONPROPERTY", VARIANT)
def _collationproperty(name: Any, what: Any) -> Any:
    return {"codepage": 1252, "lcid": 1033, "comparisonstyle": 196609, "version": 0}.get(str(what).lower())
