"""Functions that ask about server, database, login and session; the variables with @@."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.lab.sqlserver.engine import accounts, security
from tests.lab.sqlserver.engine.database import Database
from tests.lab.sqlserver.engine.functions import FUNCTIONS, INT, NVARCHAR, VARIANT, current, function
from tests.lab.sqlserver.engine.port import SqlFailure, SqlType
from tests.lab.sqlserver.engine.versions import banner

if TYPE_CHECKING:
    from tests.lab.sqlserver.engine.instance import Server
    from tests.lab.sqlserver.engine.session import Session

SYSNAME = SqlType("nvarchar", 128)
SID = SqlType("varbinary", 85)
SMALLINT = SqlType("smallint")


def _session() -> Session:
    session: Session = current.session
    return session


def _instance() -> Server:
    return _session().instance


def global_variable(session: Session, name: str) -> Any:
    """@@name, the name without the signs."""
    instance = session.instance
    known: dict[str, Callable[[], Any]] = {
        "VERSION": lambda: banner(instance.personality, instance.platform, instance.edition), "SERVERNAME": lambda: instance.server_name or None, "SERVICENAME": lambda: instance.name,
        "SPID": lambda: session.spid, "ROWCOUNT": lambda: session.rowcount, "ERROR": lambda: session.error, "TRANCOUNT": lambda: session.trancount, "IDENTITY": lambda: session.identity,
        "LANGUAGE": lambda: session.language, "LOCK_TIMEOUT": lambda: session.lock_timeout_ms, "MAX_PRECISION": lambda: 38, "NESTLEVEL": lambda: session.nesting, "DATEFIRST": lambda: session.options["datefirst"],
        "TEXTSIZE": lambda: session.options["textsize"], "MICROSOFTVERSION": lambda: _number_of(instance.version), "MAX_CONNECTIONS": lambda: 32767, "OPTIONS": lambda: 5432,
    }  # fmt: skip
    return known[name]() if name in known else 0


def _number_of(version: str) -> int:
    major, minor, build, _ = (int(part) for part in version.split("."))
    return (major << 24) | (minor << 16) | build


# -- server ------------------------------------------------------------------------------------------------------------------------


def _properties(instance: Server) -> dict[str, Any]:
    person, registry = instance.personality, instance.registry()
    edition = instance.edition
    engine = 4 if "Express" in edition else 2 if edition.startswith(("Standard", "Web")) else 3
    separator = instance.volumes.separator
    identifiers = {
        "Developer": -2117995310,
        "Enterprise": 1804890536,
        "Standard": -1534726760,
        "Express": -1592396055,
        "Web": 1293598313,
        "Evaluation": 610778273,
    }
    return {
        "MachineName": registry.get("virtual_name") or instance.machine, "ServerName": instance.actual_name, "InstanceName": None if instance.is_default else instance.name,
        "ComputerNamePhysicalNetBIOS": instance.machine, "ProductVersion": instance.version, "ProductLevel": person.level, "ProductUpdateLevel": person.update or None,
        "ProductUpdateReference": person.article or None, "ProductMajorVersion": str(person.major), "ProductMinorVersion": "0", "ProductBuild": instance.version.split(".")[2],
        "ProductBuildType": "GDR" if person.update == "GDR" else None, "Edition": edition, "EditionID": identifiers.get(edition.split()[0], 0), "EngineEdition": engine, "Collation": instance.collation,
        "CollationID": 872468488, "ComparisonStyle": 196609, "LCID": 1033, "SqlCharSet": 1, "SqlCharSetName": "iso_1", "SqlSortOrder": 52, "SqlSortOrderName": "nocase_iso",
        "IsClustered": int(bool(registry.get("clustered"))), "IsIntegratedSecurityOnly": int(instance.integrated_only), "IsHadrEnabled": int(bool(registry.get("hadr"))), "HadrManagerStatus": 1 if registry.get("hadr") else 2,
        "IsSingleUser": 0, "IsFullTextInstalled": int(bool(registry.get("fulltext", 1))), "IsLocalDB": 0, "IsXTPSupported": 1 if person.major >= 12 else None, "IsPolyBaseInstalled": 0, "IsAdvancedAnalyticsInstalled": 0,
        "IsBigDataCluster": 0, "IsTempDbMetadataMemoryOptimized": 0, "IsServerSuspendedForSnapshotBackup": 0, "LicenseType": "DISABLED", "NumLicenses": None, "ProcessID": 1234, "FilestreamShareName": instance.name,
        "FilestreamConfiguredLevel": 0, "FilestreamEffectiveLevel": 0, "BuildClrVersion": "v4.0.30319", "ResourceVersion": instance.version, "ResourceLastUpdateDateTime": instance.started_at,
        "InstanceDefaultDataPath": instance.data_path + separator, "InstanceDefaultLogPath": instance.log_path + separator,
        "InstanceDefaultBackupPath": instance.root_path + separator + ("data" if instance.platform == "linux" else "Backup") if person.major >= 15 else None,
        "ErrorLogFileName": instance.root_path + (f"{separator}log{separator}errorlog" if instance.platform == "linux" else f"{separator}Log{separator}ERRORLOG"),
        "PathSeparator": separator if person.major >= 14 else None,
    }  # fmt: skip


@function("SERVERPROPERTY", VARIANT)
def _serverproperty(name: Any) -> Any:
    wanted = str(name).lower()
    return next((value for key, value in _properties(_instance()).items() if key.lower() == wanted), None)


@function("CONNECTIONPROPERTY", VARIANT)
def _connectionproperty(name: Any) -> Any:
    request = _session().request
    return {
        "net_transport": request.transport, "protocol_type": "TSQL", "auth_scheme": request.auth_scheme, "local_net_address": request.local_address, "local_tcp_port": request.local_port,
        "client_net_address": request.client_address, "physical_net_transport": request.transport,
    }.get(str(name).lower())  # fmt: skip


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


# -- logins and users --------------------------------------------------------------------------------------------------------------


def _sid_name(sid: bytes) -> str | None:
    session = _session()
    for _, login in session.instance.catalogue.all("login"):
        if login["sid"] == sid and login["type"] != "C":
            return str(login["name"])
    return session.login_name if sid == session.sid else None


@function("SUSER_SNAME", SYSNAME)
def _suser_sname(*sid: Any) -> Any:
    if not sid:
        return _session().login_name
    return _sid_name(bytes(sid[0])) if isinstance(sid[0], bytes) else None


@function("SUSER_NAME", SYSNAME)
def _suser_name(*number: Any) -> Any:
    if not number:
        return _session().login_name
    document = _instance().catalogue.get("login", number[0]) if number[0] is not None else None
    return document["name"] if document else None


FUNCTIONS["SYSTEM_USER"] = FUNCTIONS["SUSER_NAME"]


@function("ORIGINAL_LOGIN", SYSNAME)
def _original_login() -> Any:
    return _session().original_login


@function("SUSER_SID", SID)
def _suser_sid(*name: Any) -> Any:
    if not name:
        return _session().sid
    if name[0] is None:
        return None
    found = _instance().catalogue.named("login", str(name[0]))
    if found is not None:
        return found[1]["sid"]
    return _instance().windows_sid(str(name[0])) if "\\" in str(name[0]) else None


@function("SUSER_ID", INT)
def _suser_id(*name: Any) -> Any:
    found = _instance().catalogue.named("login", str(name[0]) if name else _session().login_name)
    return found[0] if found else None


@function("USER_NAME", SYSNAME)
def _user_name(*number: Any) -> Any:
    session = _session()
    if number:
        document = session.current.catalogue.get("principal", number[0]) if number[0] is not None else None
        return document["name"] if document else None
    user = security.user_of(session, session.current)
    return user[1]["name"] if user else None


for _name in ("CURRENT_USER", "SESSION_USER"):
    FUNCTIONS[_name] = FUNCTIONS["USER_NAME"]


@function("USER_ID", INT)
def _user_id(*name: Any) -> Any:
    session = _session()
    if not name:
        user = security.user_of(session, session.current)
        return user[0] if user else None
    found = session.current.catalogue.named("principal", str(name[0])) if name[0] is not None else None
    return found[0] if found else None


FUNCTIONS["DATABASE_PRINCIPAL_ID"] = FUNCTIONS["USER_ID"]


@function("LOGINPROPERTY", VARIANT)
def _loginproperty(name: Any, what: Any) -> Any:
    found = _instance().catalogue.named("login", str(name)) if name is not None else None
    if found is None:
        return None
    login, session = found[1], _session()
    if login["type"] in "UG" and str(what).lower() not in {"defaultdatabase", "defaultlanguage"}:
        return None
    version = accounts.hash_version(login["hash"] or b"")
    secret = security.may(session, "CONTROL SERVER")
    return {
        "passwordhash": login["hash"] if secret else None, "defaultdatabase": login["default_database"], "defaultlanguage": login["default_language"], "isexpired": 0, "islocked": 0,
        "ismustchange": int(login["must_change"]), "badpasswordcount": 0, "passwordlastsettime": login["password_set"], "passwordhashalgorithm": version or None, "historylength": 0,
        "lockouttime": "1900-01-01 00:00:00.000000", "badpasswordtime": "1900-01-01 00:00:00.000000", "daysuntilexpiration": None,
    }.get(str(what).lower())  # fmt: skip


@function("IS_SRVROLEMEMBER", INT)
def _is_srvrolemember(role: Any, *login: Any) -> Any:
    session = _session()
    catalogue = session.instance.catalogue
    found = catalogue.named("login", str(role))
    if found is None or found[1]["type"] != "R":
        return None
    if not login or login[0] is None:
        roles = security.server_roles(session)
    else:
        who = catalogue.named("login", str(login[0]))
        if who is None:
            return None
        roles = (
            {"public"}
            | security.role_names(catalogue, {who[0]})
            | ({"sysadmin"} if who[1]["sid"] == accounts.SA else set())
        )
    return int(found[1]["name"] in roles)


@function("IS_MEMBER", INT)
def _is_member(role: Any) -> Any:
    session = _session()
    found = session.current.catalogue.named("principal", str(role))
    if found is None or found[1]["type"] not in "RG":
        return None
    user = security.user_of(session, session.current)
    if user is not None and user[0] == 1 and found[1]["name"] == "db_owner":
        return 1
    return int(found[1]["name"] in security.database_role_names(session, session.current))


@function("IS_ROLEMEMBER", INT)
def _is_rolemember(role: Any, *user: Any) -> Any:
    if not user:
        return _is_member(role)
    catalogue = _session().current.catalogue
    found, who = catalogue.named("principal", str(role)), catalogue.named("principal", str(user[0]))
    if found is None or who is None:
        return None
    return int(found[0] in security.database_roles(catalogue, who[0]))


@function("HAS_PERMS_BY_NAME", INT)
def _has_perms_by_name(name: Any, kind: Any, permission: Any, *_: Any) -> Any:
    from tests.lab.sqlserver.engine.permissions import DATABASE_PERMISSIONS, OBJECT_PERMISSIONS, SERVER_PERMISSIONS

    session, wanted = _session(), str(permission).upper()
    kind = None if kind is None else str(kind).upper()
    if kind is None or kind == "SERVER":
        return int(security.may(session, wanted)) if wanted in SERVER_PERMISSIONS or wanted == "ANY" else None
    if kind == "DATABASE":
        one = _named(name)
        if one is None or not one.online:
            return 0 if one is not None else None
        return int(security.may_in(session, one, wanted)) if wanted in DATABASE_PERMISSIONS or wanted == "ANY" else None
    if kind == "LOGIN":
        return int(security.may(session, "ALTER ANY LOGIN"))
    if kind == "OBJECT" and wanted in OBJECT_PERMISSIONS:
        found = find_object(session, str(name))
        return int(security.may_in(session, found[0], wanted, object_id=found[1])) if found else None
    return None


@function("PERMISSIONS", INT)
def _permissions(*_: Any) -> int:
    return 1


# -- session -----------------------------------------------------------------------------------------------------------------------


@function("APP_NAME", SYSNAME)
def _app_name() -> Any:
    return _session().request.application


@function("HOST_NAME", SYSNAME)
def _host_name() -> Any:
    return _session().request.host


@function("HOST_ID", SqlType("char", 10))
def _host_id() -> str:
    return str(_session().request.process_id)


@function("XACT_STATE", SMALLINT)
def _xact_state() -> int:
    session = _session()
    return -1 if session.doomed else int(session.trancount > 0)


@function("ROWCOUNT_BIG", SqlType("bigint"))
def _rowcount_big() -> int:
    return _session().rowcount


@function("SESSIONPROPERTY", VARIANT)
def _sessionproperty(name: Any) -> Any:
    return {
        "ansi_nulls": 1,
        "ansi_padding": 1,
        "ansi_warnings": 1,
        "arithabort": 1,
        "concat_null_yields_null": 1,
        "numeric_roundabort": 0,
        "quoted_identifier": int(_session().options["quoted_identifier"]),
    }.get(str(name).lower())


@function("CURSOR_STATUS", SMALLINT)
def _cursor_status(*_: Any) -> int:
    return -3


@function("FORMATMESSAGE")
def _formatmessage(text: Any, *values: Any) -> Any:
    from tests.lab.sqlserver.engine.control import formatted

    return formatted(str(text), list(values))


def _error(what: Callable[[SqlFailure], Any]) -> Callable[[], Any]:
    def call() -> Any:
        caught = _session().caught
        return what(caught[-1]) if caught else None

    return call


for _name, _kind, _what in (
    ("ERROR_NUMBER", INT, lambda failure: failure.number), ("ERROR_MESSAGE", NVARCHAR, lambda failure: failure.message), ("ERROR_SEVERITY", INT, lambda failure: failure.severity),
    ("ERROR_STATE", INT, lambda failure: failure.state), ("ERROR_LINE", INT, lambda failure: failure.line), ("ERROR_PROCEDURE", SYSNAME, lambda failure: failure.procedure or None),
):  # fmt: skip
    FUNCTIONS[_name] = (_error(_what), _kind)
