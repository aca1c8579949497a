"""Catalogue views of the server: databases, files, principals, linked servers, configurations, keys."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.lab.sqlserver.engine import security
from tests.lab.sqlserver.engine.database import Database
from tests.lab.sqlserver.engine.views import Row, view

if TYPE_CHECKING:
    from tests.lab.sqlserver.engine.session import Session

STATES = {
    "ONLINE": 0,
    "RESTORING": 1,
    "RECOVERING": 2,
    "RECOVERY_PENDING": 3,
    "SUSPECT": 4,
    "EMERGENCY": 5,
    "OFFLINE": 6,
}
RECOVERIES = {"FULL": 1, "BULK_LOGGED": 2, "SIMPLE": 3}
ACCESSES = {"MULTI_USER": 0, "SINGLE_USER": 1, "RESTRICTED_USER": 2}
LOGIN_TYPES = {
    "S": "SQL_LOGIN",
    "U": "WINDOWS_LOGIN",
    "G": "WINDOWS_GROUP",
    "R": "SERVER_ROLE",
    "C": "CERTIFICATE_MAPPED_LOGIN",
    "K": "ASYMMETRIC_KEY_MAPPED_LOGIN",
    "E": "EXTERNAL_LOGIN",
    "X": "EXTERNAL_GROUP",
}
PERMISSION_STATES = {"G": "GRANT", "D": "DENY", "W": "GRANT_WITH_GRANT_OPTION", "R": "REVOKE"}
CLASSES = {
    0: "DATABASE",
    1: "OBJECT_OR_COLUMN",
    3: "SCHEMA",
    4: "DATABASE_PRINCIPAL",
    100: "SERVER",
    101: "SERVER_PRINCIPAL",
    105: "ENDPOINT",
}


def short(permission: str) -> str:
    """The four letters of a permission, of the common ones."""
    known = {
        "CONNECT SQL": "COSQ",
        "CONNECT": "CO",
        "SELECT": "SL",
        "INSERT": "IN",
        "UPDATE": "UP",
        "DELETE": "DL",
        "EXECUTE": "EX",
        "CONTROL": "CL",
        "CONTROL SERVER": "CL",
        "VIEW ANY DATABASE": "VWDB",
        "VIEW SERVER STATE": "VWSS",
        "ALTER ANY LOGIN": "ALLG",
        "ALTER": "AL",
        "REFERENCES": "RF",
        "VIEW DEFINITION": "VW",
        "CREATE TABLE": "CRTB",
        "ALTER ANY DATABASE": "ALDB",
        "CREATE ANY DATABASE": "CRDB",
    }
    return known.get(permission, "".join(word[0] for word in permission.split())[:4].upper())


def seen_databases(session: Session) -> Iterator[Database]:
    """Those that the session may know of."""
    every = security.may(session, "VIEW ANY DATABASE")
    for database in session.instance.databases.all():
        if (
            every
            or database.number in {1, 2}
            or database is session.current
            or database.boot.get("owner_sid") in session.sids
        ):
            yield database


@view(
    "sys.databases",
    "name sysname, database_id int, source_database_id int, owner_sid varbinary(85), create_date datetime, compatibility_level tinyint, collation_name sysname,"
    "user_access tinyint, user_access_desc nvarchar(60), is_read_only bit, is_auto_close_on bit, is_auto_shrink_on bit, state tinyint, state_desc nvarchar(60),"
    "is_in_standby bit=0, is_cleanly_shutdown bit=0, is_supplemental_logging_enabled bit=0, snapshot_isolation_state tinyint=0, snapshot_isolation_state_desc nvarchar(60)=OFF,"
    "is_read_committed_snapshot_on bit, recovery_model tinyint, recovery_model_desc nvarchar(60), page_verify_option tinyint=2, page_verify_option_desc nvarchar(60)=CHECKSUM,"
    "is_auto_create_stats_on bit=1, is_auto_create_stats_incremental_on bit=0, is_auto_update_stats_on bit=1, is_auto_update_stats_async_on bit=0, is_ansi_null_default_on bit=0,"
    "is_ansi_nulls_on bit=0, is_ansi_padding_on bit=0, is_ansi_warnings_on bit=0, is_arithabort_on bit=0, is_concat_null_yields_null_on bit=0, is_numeric_roundabort_on bit=0,"
    "is_quoted_identifier_on bit=0, is_recursive_triggers_on bit=0, is_cursor_close_on_commit_on bit=0, is_local_cursor_default bit=0, is_fulltext_enabled bit=1, is_trustworthy_on bit,"
    "is_db_chaining_on bit, is_parameterization_forced bit=0, is_master_key_encrypted_by_server bit=0, is_query_store_on bit=0, is_published bit, is_subscribed bit, is_merge_published bit,"
    "is_distributor bit, is_sync_with_backup bit=0, service_broker_guid uniqueidentifier, is_broker_enabled bit, log_reuse_wait tinyint=0, log_reuse_wait_desc nvarchar(60)=NOTHING,"
    "is_date_correlation_on bit=0, is_cdc_enabled bit=0, is_encrypted bit, is_honor_broker_priority_on bit=0, replica_id uniqueidentifier, group_database_id uniqueidentifier,"
    "resource_pool_id int, default_language_lcid smallint, default_language_name nvarchar(128), default_fulltext_language_lcid int, default_fulltext_language_name nvarchar(128),"
    "is_nested_triggers_on bit, is_transform_noise_words_on bit, two_digit_year_cutoff smallint, containment tinyint, containment_desc nvarchar(60), target_recovery_time_in_seconds int=60,"
    "delayed_durability int=0, delayed_durability_desc nvarchar(60)=DISABLED, is_memory_optimized_elevate_to_snapshot_on bit=0, is_federation_member bit=0,"
    "is_remote_data_archive_enabled bit=0, is_mixed_page_allocation_on bit=0, is_temporal_history_retention_enabled bit=1",
)
def databases(session: Session, _: Database) -> Iterator[Row]:
    """Every database."""
    for one in seen_databases(session):
        options, boot = one.options, one.boot
        access = options["user_access"]
        group = options["availability_group"]
        yield {
            "name": one.name, "database_id": one.number, "source_database_id": options.get("snapshot_of"), "owner_sid": boot.get("owner_sid"), "create_date": boot.get("created"),
            "compatibility_level": options.get("compatibility"), "collation_name": (options.get("collation") or boot.get("collation")) if one.online else None,
            "user_access": ACCESSES[access], "user_access_desc": access, "is_read_only": int(options["read_only"]), "is_auto_close_on": int(options["auto_close"]),
            "is_auto_shrink_on": int(options["auto_shrink"]), "state": STATES[one.state], "state_desc": one.state, "is_cleanly_shutdown": int(one.state == "OFFLINE"),
            "snapshot_isolation_state": int(options["snapshot_isolation"]), "snapshot_isolation_state_desc": "ON" if options["snapshot_isolation"] else "OFF",
            "is_read_committed_snapshot_on": int(options["read_committed_snapshot"]), "recovery_model": RECOVERIES[options["recovery"]], "recovery_model_desc": options["recovery"],
            "is_trustworthy_on": int(options["trustworthy"]), "is_db_chaining_on": int(options["chaining"]), "is_published": int(options["published"]), "is_subscribed": int(options["subscribed"]),
            "is_merge_published": int(options["merge_published"]), "is_distributor": int(options["distributor"]), "service_broker_guid": options.get("broker_guid") or str(boot.get("guid", "")).upper(),
            "is_broker_enabled": int(options["broker"]), "is_encrypted": int(options["encrypted"]), "replica_id": group and group.get("replica_id"), "group_database_id": group and group.get("group_database_id"),
            "containment": int(options["containment"] == "PARTIAL"), "containment_desc": options["containment"], "is_cdc_enabled": int(options["cdc"]), "is_query_store_on": int(options["query_store"]),
            "is_master_key_encrypted_by_server": int(options.get("master_key_by_server", False)),
        }  # fmt: skip


FILES = "file_id int, file_guid uniqueidentifier, type tinyint, type_desc nvarchar(60), data_space_id int, name sysname, physical_name nvarchar(260), state tinyint, state_desc nvarchar(60), size int, max_size int=-1, growth int=8192, is_media_read_only bit=0, is_read_only bit=0, is_sparse bit=0, is_percent_growth bit=0, is_name_reserved bit=0, create_lsn decimal(25), drop_lsn decimal(25)"


def file_rows(database: Database) -> Iterator[Row]:
    """The files of one database."""
    types = {"ROWS": 0, "LOG": 1, "FILESTREAM": 2, "FULLTEXT": 4}
    state = (
        database.state
        if database.state in {"ONLINE", "OFFLINE", "RECOVERY_PENDING", "SUSPECT", "RESTORING"}
        else "ONLINE"
    )
    for document in database.files:
        yield {
            "database_id": database.number, "file_id": document["id"], "type": types[document["type"]], "type_desc": document["type"], "data_space_id": int(document["type"] != "LOG"),
            "name": document["name"], "physical_name": document["path"], "state": STATES[state], "state_desc": state, "size": max(database.size_pages(document), 1),
            "is_read_only": int(database.options["read_only"]),
        }  # fmt: skip


@view("sys.master_files", "database_id int, " + FILES)
def master_files(session: Session, _: Database) -> Iterator[Row]:
    """The files of every database."""
    if not (
        security.may(session, "VIEW ANY DEFINITION")
        or security.may(session, "ALTER ANY DATABASE")
        or security.may(session, "CREATE ANY DATABASE")
    ):
        for one in session.instance.databases.all():
            if one.boot.get("owner_sid") in session.sids:
                yield from file_rows(one)
        return
    for one in session.instance.databases.all():
        yield from file_rows(one)


def seen_logins(session: Session) -> list[tuple[int, Row]]:
    """Those that the session may know of: all, or itself, sa and the roles."""
    every = session.instance.catalogue.all("login")
    if security.may(session, "ALTER ANY LOGIN") or security.may(session, "VIEW ANY DEFINITION"):
        return every
    own = security.login_ids(session)
    return [(number, one) for number, one in every if number in own or number == 1 or one["type"] == "R"]


PRINCIPAL = "name sysname, principal_id int, sid varbinary(85), type char(1), type_desc nvarchar(60), is_disabled bit, create_date datetime, modify_date datetime, default_database_name sysname, default_language_name sysname, credential_id int"


def login_row(number: int, one: Row) -> Row:
    """Of one principal."""
    role = one["type"] == "R"
    return {
        "name": one["name"], "principal_id": number, "sid": one["sid"], "type": one["type"], "type_desc": LOGIN_TYPES[one["type"]], "is_disabled": int(one["disabled"]), "create_date": one["created"],
        "modify_date": one["modified"], "default_database_name": None if role else one["default_database"], "default_language_name": None if role else one["default_language"],
        "owning_principal_id": 1 if role else None, "is_fixed_role": int(role and number <= 10), "credential_id": one.get("credential"), "tenant_id": None,
        "is_policy_checked": int(one["policy"]), "is_expiration_checked": int(one["expiration"]), "password_hash": one["hash"],
    }  # fmt: skip


@view("sys.server_principals", PRINCIPAL + ", owning_principal_id int, is_fixed_role bit, tenant_id uniqueidentifier")
def server_principals(session: Session, _: Database) -> Iterator[Row]:
    """Logins and roles."""
    return (login_row(number, one) for number, one in seen_logins(session))


@view("sys.sql_logins", PRINCIPAL + ", is_policy_checked bit, is_expiration_checked bit, password_hash varbinary(256)")
def sql_logins(session: Session, _: Database) -> Iterator[Row]:
    """SQL logins; the hashes for those who may CONTROL SERVER."""
    hashes = security.may(session, "CONTROL SERVER")
    for number, one in seen_logins(session):
        if one["type"] == "S":
            row = login_row(number, one)
            yield row if hashes else {**row, "password_hash": None}


@view("sys.server_role_members", "role_principal_id int, member_principal_id int")
def server_role_members(session: Session, _: Database) -> Iterator[Row]:
    """Who belongs to which role."""
    for _number, one in session.instance.catalogue.all("server_member"):
        yield {"role_principal_id": one["role"], "member_principal_id": one["member"]}


@view(
    "sys.server_permissions",
    "class tinyint, class_desc nvarchar(60), major_id int, minor_id int=0, grantee_principal_id int, grantor_principal_id int, type char(4), permission_name nvarchar(128), state char(1), state_desc nvarchar(60)",
)
def server_permissions(session: Session, _: Database) -> Iterator[Row]:
    """What was granted on the server."""
    for _number, one in session.instance.catalogue.all("server_permission"):
        yield {
            "class": one["class"], "class_desc": CLASSES[one["class"]], "major_id": one["major"], "grantee_principal_id": one["grantee"], "grantor_principal_id": one["grantor"],
            "type": short(one["permission"]), "permission_name": one["permission"], "state": one["state"], "state_desc": PERMISSION_STATES[one["state"]],
        }  # fmt: skip


@view(
    "sys.servers",
    "server_id int, name sysname, product sysname, provider sysname, data_source nvarchar(4000), location nvarchar(4000), provider_string nvarchar(4000), catalog sysname, connect_timeout int=0,"
    "query_timeout int=0, is_linked bit, is_remote_login_enabled bit=1, is_rpc_out_enabled bit=1, is_data_access_enabled bit=0, is_collation_compatible bit=0, uses_remote_collation bit=1,"
    "collation_name sysname, lazy_schema_validation bit=0, is_system bit=0, is_publisher bit=0, is_subscriber bit=0, is_distributor bit=0, is_nonsql_subscriber bit=0,"
    "is_remote_proc_transaction_promotion_enabled bit=0, modify_date datetime, is_rda_server bit=0",
)
def servers(session: Session, _: Database) -> Iterator[Row]:
    """The own name (0) and the linked servers."""
    for number, one in session.instance.catalogue.all("linked"):
        yield {
            "server_id": number, "name": one["name"], "product": one.get("product", ""), "provider": one.get("provider", "SQLNCLI"), "data_source": one.get("data_source") or one["name"],
            "catalog": one.get("catalog"), "is_linked": int(bool(one.get("linked"))), "is_data_access_enabled": int(bool(one.get("linked"))), "modify_date": one.get("modified"),
            "is_publisher": int(bool(one.get("publisher"))), "is_subscriber": int(bool(one.get("subscriber"))), "is_distributor": int(bool(one.get("distributor"))),
        }  # fmt: skip


@view(
    "sys.linked_logins",
    "server_id int, local_principal_id int=0, uses_self_credential bit=1, remote_name sysname, modify_date datetime",
)
def linked_logins(session: Session, _: Database) -> Iterator[Row]:
    """The log-ins at the linked servers."""
    for number, one in session.instance.catalogue.all("linked"):
        for remote in one.get("logins", ()):
            yield {
                "server_id": number,
                "local_principal_id": 0,
                "uses_self_credential": int(not remote),
                "remote_name": remote or None,
                "modify_date": one.get("modified"),
            }


@view("sys.remote_logins", "server_id int, remote_name sysname, local_principal_id int, modify_date datetime")
def remote_logins(session: Session, _: Database) -> Iterator[Row]:
    """Remote log-ins (sp_addremotelogin): the reason of 15190."""
    for number, one in session.instance.catalogue.all("linked"):
        for remote in one.get("remote_logins", ()):
            yield {
                "server_id": number,
                "remote_name": remote,
                "local_principal_id": 1,
                "modify_date": one.get("modified"),
            }


@view(
    "sys.configurations",
    "configuration_id int, name nvarchar(35), value sql_variant, minimum sql_variant, maximum sql_variant, value_in_use sql_variant, description nvarchar(255), is_dynamic bit, is_advanced bit",
)
def configurations(session: Session, _: Database) -> Iterator[Row]:
    """sp_configure."""
    for number, one in session.instance.catalogue.all("configuration"):
        yield {
            "configuration_id": number, "name": one["name"], "value": one["value"], "minimum": one["least"], "maximum": one["most"], "value_in_use": one["in_use"], "description": one["name"],
            "is_dynamic": int(one["dynamic"]), "is_advanced": int(one["advanced"]),
        }  # fmt: skip


@view(
    "sys.credentials",
    "credential_id int, name sysname, credential_identity nvarchar(4000), create_date datetime, modify_date datetime, target_type nvarchar(100), target_id int",
)
def credentials(session: Session, _: Database) -> Iterator[Row]:
    """CREATE CREDENTIAL."""
    for number, one in session.instance.catalogue.all("credential"):
        yield {
            "credential_id": number,
            "name": one["name"],
            "credential_identity": one.get("identity", ""),
            "create_date": one.get("created"),
            "modify_date": one.get("created"),
        }


@view(
    "sys.endpoints sys.tcp_endpoints",
    "name sysname, endpoint_id int, principal_id int=1, protocol tinyint, protocol_desc nvarchar(60), type tinyint, type_desc nvarchar(60), state tinyint, state_desc nvarchar(60), is_admin_endpoint bit=0, port int, is_dynamic_port bit=0, ip_address nvarchar(45)",
)
def endpoints(session: Session, _: Database) -> Iterator[Row]:
    """Where clients come in."""
    types = {"TSQL": 2, "SERVICE_BROKER": 3, "DATABASE_MIRRORING": 4}
    for number, one in session.instance.catalogue.all("endpoint"):
        yield {
            "name": one["name"], "endpoint_id": number, "protocol": 2, "protocol_desc": one.get("protocol", "TCP"), "type": types.get(one.get("type", "TSQL"), 2), "type_desc": one.get("type", "TSQL"),
            "state": 0 if one.get("state", "STARTED") == "STARTED" else 1, "state_desc": one.get("state", "STARTED"), "port": one.get("port", 0),
        }  # fmt: skip


@view(
    "sys.messages",
    "message_id int, language_id smallint=1033, severity tinyint, is_event_logged bit=0, text nvarchar(2048)",
)
def messages(session: Session, _: Database) -> Iterator[Row]:
    """The messages that the simulation can give, and those that were added."""
    from tests.lab.sqlserver.engine.messages import MESSAGES

    for number, (severity, text) in MESSAGES.items():
        yield {"message_id": number, "severity": severity, "text": text.replace("{}", "%ls")}
    for number, one in session.instance.catalogue.all("message"):
        yield {
            "message_id": number,
            "severity": one["severity"],
            "text": one["text"],
            "language_id": one.get("language", 1033),
        }


@view(
    "sys.syslanguages old.syslanguages",
    "langid smallint, dateformat nchar(3), datefirst tinyint, upgrade int=0, name sysname, alias sysname, months nvarchar(372), shortmonths nvarchar(132), days nvarchar(217), lcid int, msglangid smallint",
)
def languages(_: Session, __: Database) -> Iterator[Row]:
    """A few."""
    for langid, name, alias, lcid, form in (
        (0, "us_english", "English", 1033, "mdy"),
        (1, "Deutsch", "German", 1031, "dmy"),
        (2, "Français", "French", 1036, "dmy"),
        (23, "British", "British English", 2057, "dmy"),
    ):
        yield {
            "langid": langid,
            "name": name,
            "alias": alias,
            "lcid": lcid,
            "dateformat": form,
            "datefirst": 7 if langid == 0 else 1,
            "msglangid": lcid,
        }


@view(
    "sys.server_triggers sys.backup_devices sys.server_audits sys.server_event_sessions sys.resource_governor_configuration sys.cryptographic_providers sys.server_audit_specifications sys.server_event_notifications",
    "name sysname, object_id int, type_desc nvarchar(60), is_disabled bit, physical_name nvarchar(260), create_date datetime, is_enabled bit, classifier_function_id int",
)
def server_objects(session: Session, _: Database) -> Iterator[Row]:
    """Planted ones only."""
    for number, one in session.instance.catalogue.all("server_object"):
        yield {
            "name": one["name"],
            "object_id": number,
            "type_desc": one.get("type"),
            "physical_name": one.get("path"),
            "is_disabled": 0,
            "is_enabled": 1,
            "create_date": one.get("created"),
        }


@view(
    "sys.availability_groups",
    "group_id uniqueidentifier, name sysname, resource_id nvarchar(40), resource_group_id nvarchar(40), failure_condition_level int=3, health_check_timeout int=30000, automated_backup_preference tinyint=0, automated_backup_preference_desc nvarchar(60)=SECONDARY, version smallint=0, basic_features bit=0, dtc_support bit=0, db_failover bit=0, is_distributed bit=0, cluster_type tinyint=0, cluster_type_desc nvarchar(60)=WSFC",
    since=11,
)
def availability_groups(session: Session, _: Database) -> Iterator[Row]:
    """The groups that planted databases belong to."""
    seen = set()
    for one in session.instance.databases.all():
        group = one.options["availability_group"]
        if group and group["name"] not in seen:
            seen.add(group["name"])
            yield {"group_id": group["group_id"], "name": group["name"]}


def number_of(text: str) -> int:
    """A number that stays the same for a name."""
    return zlib.crc32(text.encode()) & 0x7FFFFFFF
