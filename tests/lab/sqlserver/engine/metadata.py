"""Functions that ask about server, database, login and session; the variables with @@."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

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
