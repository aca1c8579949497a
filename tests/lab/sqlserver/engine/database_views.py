"""Catalogue views of a database: objects, columns, users, roles, permissions, keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.lab.sqlserver.engine.catalogue import Document
from tests.lab.sqlserver.engine.database import Database
from tests.lab.sqlserver.engine.server_views import CLASSES, FILES, PERMISSION_STATES, file_rows, short
from tests.lab.sqlserver.engine.values import TEXTS, type_text
from tests.lab.sqlserver.engine.views import Row, view

if TYPE_CHECKING:
    from tests.lab.sqlserver.engine.session import Session

USER_TYPES = {
    "S": "SQL_USER",
    "U": "WINDOWS_USER",
    "G": "WINDOWS_GROUP",
    "R": "DATABASE_ROLE",
    "A": "APPLICATION_ROLE",
    "C": "CERTIFICATE_MAPPED_USER",
    "K": "ASYMMETRIC_KEY_MAPPED_USER",
    "E": "EXTERNAL_USER",
    "X": "EXTERNAL_GROUPS",
}
AUTHENTICATIONS = {"NONE": 0, "INSTANCE": 1, "DATABASE": 2, "WINDOWS": 3, "EXTERNAL": 4}
OBJECT_TYPES = {
    "U": "USER_TABLE",
    "V": "VIEW",
    "P": "SQL_STORED_PROCEDURE",
    "FN": "SQL_SCALAR_FUNCTION",
    "TR": "SQL_TRIGGER",
    "PK": "PRIMARY_KEY_CONSTRAINT",
    "UQ": "UNIQUE_CONSTRAINT",
    "D": "DEFAULT_CONSTRAINT",
    "F": "FOREIGN_KEY_CONSTRAINT",
    "C": "CHECK_CONSTRAINT",
}
# name: system_type_id, user_type_id, bytes, precision, scale
TYPES = {
    "image": (34, 34, 16, 0, 0), "text": (35, 35, 16, 0, 0), "uniqueidentifier": (36, 36, 16, 0, 0), "date": (40, 40, 3, 10, 0), "time": (41, 41, 5, 16, 7),
    "datetime2": (42, 42, 8, 27, 7), "datetimeoffset": (43, 43, 10, 34, 7), "tinyint": (48, 48, 1, 3, 0), "smallint": (52, 52, 2, 5, 0), "int": (56, 56, 4, 10, 0),
    "smalldatetime": (58, 58, 4, 16, 0), "real": (59, 59, 4, 24, 0), "money": (60, 60, 8, 19, 4), "datetime": (61, 61, 8, 23, 3), "float": (62, 62, 8, 53, 0),
    "sql_variant": (98, 98, 8016, 0, 0), "ntext": (99, 99, 16, 0, 0), "bit": (104, 104, 1, 1, 0), "decimal": (106, 106, 17, 38, 38), "numeric": (108, 108, 17, 38, 38),
    "smallmoney": (122, 122, 4, 10, 4), "bigint": (127, 127, 8, 19, 0), "varbinary": (165, 165, 8000, 0, 0), "varchar": (167, 167, 8000, 0, 0), "binary": (173, 173, 8000, 0, 0),
    "char": (175, 175, 8000, 0, 0), "timestamp": (189, 189, 8, 0, 0), "sysname": (231, 256, 256, 0, 0), "nvarchar": (231, 231, 8000, 0, 0), "nchar": (239, 239, 8000, 0, 0),
    "xml": (241, 241, -1, 0, 0),
}  # fmt: skip


@view("sys.database_files", FILES)
def database_files(_: Session, database: Database) -> Iterator[Row]:
    """Its files."""
    return file_rows(database)


@view(
    "sys.database_principals",
    "name sysname, principal_id int, type char(1), type_desc nvarchar(60), default_schema_name sysname, create_date datetime, modify_date datetime, owning_principal_id int, sid varbinary(85), is_fixed_role bit,"
    "authentication_type int, authentication_type_desc nvarchar(60), default_language_name sysname, default_language_lcid int, allow_encrypted_value_modifications bit=0, tenant_id uniqueidentifier",
)
def database_principals(_: Session, database: Database) -> Iterator[Row]:
    """Users and roles."""
    for number, one in database.catalogue.all("principal"):
        yield {
            "name": one["name"], "principal_id": number, "type": one["type"], "type_desc": USER_TYPES[one["type"]], "default_schema_name": one["schema"], "create_date": one["created"],
            "modify_date": one["modified"], "owning_principal_id": one.get("owner", 1) if one["type"] == "R" else None, "sid": one["sid"], "is_fixed_role": int(bool(one.get("fixed"))),
            "authentication_type": AUTHENTICATIONS[one["authentication"]], "authentication_type_desc": one["authentication"],
        }  # fmt: skip


@view("sys.database_role_members", "role_principal_id int, member_principal_id int")
def database_role_members(_: Session, database: Database) -> Iterator[Row]:
    """Who belongs to which role."""
    for _number, one in database.catalogue.all("member"):
        yield {"role_principal_id": one["role"], "member_principal_id": one["member"]}


@view(
    "sys.database_permissions",
    "class tinyint, class_desc nvarchar(60), major_id int, minor_id int=0, grantee_principal_id int, grantor_principal_id int, type char(4), permission_name nvarchar(128), state char(1), state_desc nvarchar(60)",
)
def database_permissions(_: Session, database: Database) -> Iterator[Row]:
    """What was granted in it."""
    for number, one in database.catalogue.all("principal"):
        if one["type"] in "SUG" and (number == 1 or number > 4) and one["authentication"] != "NONE":
            yield {
                "class": 0,
                "class_desc": "DATABASE",
                "major_id": 0,
                "grantee_principal_id": number,
                "grantor_principal_id": 1,
                "type": "CO",
                "permission_name": "CONNECT",
                "state": "G",
                "state_desc": "GRANT",
            }
    for _number, one in database.catalogue.all("permission"):
        yield {
            "class": one["class"], "class_desc": CLASSES[one["class"]], "major_id": one["major"], "grantee_principal_id": one["grantee"], "grantor_principal_id": one["grantor"],
            "type": short(one["permission"]), "permission_name": one["permission"], "state": one["state"], "state_desc": PERMISSION_STATES[one["state"]],
        }  # fmt: skip


@view("sys.schemas", "name sysname, schema_id int, principal_id int")
def schemas(_: Session, database: Database) -> Iterator[Row]:
    """Its schemas."""
    for number, one in database.catalogue.all("schema"):
        yield {"name": one["name"], "schema_id": number, "principal_id": one["owner"]}


def schema_ids(database: Database) -> dict[str, int]:
    """By name in lower case."""
    return {one["name"].lower(): number for number, one in database.catalogue.all("schema")}


OBJECT = "name sysname, object_id int, principal_id int, schema_id int, parent_object_id int=0, type char(2), type_desc nvarchar(60), create_date datetime, modify_date datetime, is_ms_shipped bit=0, is_published bit=0, is_schema_published bit=0"


def object_rows(database: Database, *types: str) -> Iterator[Row]:
    """The objects of some kinds."""
    ids = schema_ids(database)
    for number, one in database.catalogue.all("object"):
        if not types or one["type"] in types:
            kind = one["type"]
            yield {
                "name": one["name"],
                "object_id": number,
                "schema_id": ids.get(one["schema"].lower(), 1),
                "type": kind.ljust(2),
                "type_desc": OBJECT_TYPES[kind],
                "create_date": one["created"],
                "modify_date": one["modified"],
            }
        if one["type"] == "U":
            yield from (
                row for row in _constraints(database, number, one, ids) if not types or row["type"].strip() in types
            )


def _constraints(_: Database, table: int, one: Document, ids: dict[str, int]) -> Iterator[Row]:
    base = {
        "schema_id": ids.get(one["schema"].lower(), 1),
        "parent_object_id": table,
        "create_date": one["created"],
        "modify_date": one["created"],
    }
    at = 0
    for key in one["keys"]:
        at += 1
        yield {
            **base,
            "name": key["name"],
            "object_id": table + at,
            "type": key["kind"],
            "type_desc": OBJECT_TYPES[key["kind"]],
        }
    for column in one["columns"]:
        if column.get("default") is not None:
            at += 1
            yield {
                **base,
                "name": column["default_name"],
                "object_id": table + at,
                "type": "D ",
                "type_desc": OBJECT_TYPES["D"],
            }
    for foreign in one["foreign"]:
        at += 1
        yield {**base, "name": foreign["name"], "object_id": table + at, "type": "F ", "type_desc": OBJECT_TYPES["F"]}


@view("sys.objects sys.all_objects", OBJECT)
def objects(_: Session, database: Database) -> Iterator[Row]:
    """All of them."""
    return object_rows(database)


@view(
    "sys.tables",
    OBJECT
    + ", lob_data_space_id int=0, max_column_id_used int, lock_on_bulk_load bit=0, uses_ansi_nulls bit=1, is_replicated bit=0, has_replication_filter bit=0, is_merge_published bit=0, is_sync_tran_subscribed bit=0, has_unchecked_assembly_data bit=0, text_in_row_limit int=0, large_value_types_out_of_row bit=0, is_tracked_by_cdc bit=0, lock_escalation tinyint=0, lock_escalation_desc nvarchar(60)=TABLE, is_filetable bit=0, is_memory_optimized bit=0, durability tinyint=0, temporal_type tinyint=0, is_external bit=0",
)
def tables(_: Session, database: Database) -> Iterator[Row]:
    """User tables."""
    return object_rows(database, "U")


@view("sys.views", OBJECT)
def views_(_: Session, database: Database) -> Iterator[Row]:
    """User views."""
    return object_rows(database, "V")


@view("sys.procedures", OBJECT + ", is_auto_executed bit=0")
def procedures(_: Session, database: Database) -> Iterator[Row]:
    """User procedures."""
    return object_rows(database, "P")


@view("sys.key_constraints", OBJECT + ", unique_index_id int=1, is_system_named bit=0")
def key_constraints(_: Session, database: Database) -> Iterator[Row]:
    """Primary keys and unique constraints."""
    return object_rows(database, "PK", "UQ")


@view(
    "sys.sql_modules sys.all_sql_modules",
    "object_id int, definition nvarchar(max), uses_ansi_nulls bit=1, uses_quoted_identifier bit=1, is_schema_bound bit=0",
)
def sql_modules(_: Session, database: Database) -> Iterator[Row]:
    """The texts of views and procedures."""
    for number, one in database.catalogue.all("object"):
        if one.get("definition"):
            yield {"object_id": number, "definition": one["definition"]}


@view(
    "sys.columns sys.all_columns",
    "object_id int, name sysname, column_id int, system_type_id tinyint, user_type_id int, max_length smallint, precision tinyint, scale tinyint, collation_name sysname, is_nullable bit, is_ansi_padded bit=1,"
    "is_rowguidcol bit=0, is_identity bit, is_computed bit=0, is_filestream bit=0, is_replicated bit=0, default_object_id int=0, is_sparse bit=0, is_hidden bit=0",
)
def columns(_: Session, database: Database) -> Iterator[Row]:
    """Of the user tables."""
    for number, one in database.catalogue.all("object"):
        for at, column in enumerate(one.get("columns", ()), 1):
            kind = column["type"]
            system, user, size, precision, scale = TYPES[kind["name"]]
            yield {
                "object_id": number, "name": column["name"], "column_id": at, "system_type_id": system, "user_type_id": user, "max_length": byte_length(kind, size),
                "precision": kind["precision"] or precision, "scale": kind["scale"] if kind["name"] in {"decimal", "datetime2", "time", "datetimeoffset"} else scale,
                "collation_name": database.boot["collation"] if kind["name"] in TEXTS else None, "is_nullable": int(column["nullable"]), "is_identity": int(bool(column.get("identity"))),
            }  # fmt: skip


def byte_length(kind: Document, size: int) -> int:
    """What sys.columns says."""
    if kind["name"] in {"nvarchar", "nchar"}:
        return kind["length"] * 2 if kind["length"] > 0 else -1
    if kind["name"] in {"varchar", "char", "varbinary", "binary"}:
        return int(kind["length"])
    if kind["name"] == "decimal":
        return 5 if kind["precision"] <= 9 else 9 if kind["precision"] <= 19 else 13 if kind["precision"] <= 28 else 17
    return size


@view(
    "sys.types",
    "name sysname, system_type_id tinyint, user_type_id int, schema_id int=4, principal_id int, max_length smallint, precision tinyint, scale tinyint, collation_name sysname, is_nullable bit=1, is_user_defined bit=0, is_assembly_type bit=0, default_object_id int=0, rule_object_id int=0, is_table_type bit=0",
)
def types(_: Session, __: Database) -> Iterator[Row]:
    """The types of the system."""
    for name, (system, user, size, precision, scale) in TYPES.items():
        yield {
            "name": name,
            "system_type_id": system,
            "user_type_id": user,
            "max_length": size,
            "precision": precision,
            "scale": scale,
            "is_nullable": int(name != "sysname"),
        }


@view(
    "sys.indexes",
    "object_id int, name sysname, index_id int, type tinyint, type_desc nvarchar(60), is_unique bit, data_space_id int=1, ignore_dup_key bit=0, is_primary_key bit, is_unique_constraint bit, fill_factor tinyint=0, is_padded bit=0, is_disabled bit=0, is_hypothetical bit=0, allow_row_locks bit=1, allow_page_locks bit=1, has_filter bit=0, filter_definition nvarchar(max)",
)
def indexes(_: Session, database: Database) -> Iterator[Row]:
    """Of the user tables."""
    for number, one in database.catalogue.all("object"):
        if one["type"] == "U":
            made = [{**key, "unique": True} for key in one["keys"]] + one["indexes"]
            if not any(index.get("clustered") for index in made):
                yield {
                    "object_id": number,
                    "name": None,
                    "index_id": 0,
                    "type": 0,
                    "type_desc": "HEAP",
                    "is_unique": 0,
                    "is_primary_key": 0,
                    "is_unique_constraint": 0,
                }
            at = 2
            for index in made:
                clustered = bool(index.get("clustered"))
                yield {
                    "object_id": number, "name": index["name"], "index_id": 1 if clustered else at, "type": 1 if clustered else 2, "type_desc": "CLUSTERED" if clustered else "NONCLUSTERED",
                    "is_unique": int(index["unique"]), "is_primary_key": int(index.get("kind") == "PK"), "is_unique_constraint": int(index.get("kind") == "UQ"),
                }  # fmt: skip
                at += not clustered


@view(
    "sys.certificates",
    "name sysname, certificate_id int, principal_id int=1, pvt_key_encryption_type char(2), pvt_key_encryption_type_desc nvarchar(60), is_active_for_begin_dialog bit=1, issuer_name nvarchar(442), cert_serial_number nvarchar(64), sid varbinary(85), string_sid nvarchar(128), subject nvarchar(4000), expiry_date datetime, start_date datetime, thumbprint varbinary(32), attested_by nvarchar(260), pvt_key_last_backup_date datetime, key_length int=2048",
)
def certificates(_: Session, database: Database) -> Iterator[Row]:
    """CREATE CERTIFICATE."""
    for number, one in database.catalogue.all("certificate"):
        kind = "MK" if one.get("has_key") else "NA"
        yield {
            "name": one["name"], "certificate_id": number, "pvt_key_encryption_type": kind, "pvt_key_encryption_type_desc": {"MK": "ENCRYPTED_BY_MASTER_KEY", "NA": "NO_PRIVATE_KEY"}[kind],
            "subject": one.get("subject", one["name"]), "expiry_date": one.get("expires"), "start_date": one.get("starts"), "thumbprint": one["thumbprint"], "pvt_key_last_backup_date": one.get("backup"),
        }  # fmt: skip


@view(
    "sys.symmetric_keys",
    "name sysname, principal_id int=1, symmetric_key_id int, key_length int=256, key_algorithm char(2)=A3, algorithm_desc nvarchar(60)=AES_256, create_date datetime, modify_date datetime, key_guid uniqueidentifier, key_thumbprint sql_variant, provider_type nvarchar(120), cryptographic_provider_guid uniqueidentifier",
)
def symmetric_keys(_: Session, database: Database) -> Iterator[Row]:
    """The master keys and others."""
    for number, one in database.catalogue.all("key"):
        yield {
            "name": one["name"],
            "symmetric_key_id": number,
            "create_date": one.get("created"),
            "modify_date": one.get("created"),
            "key_guid": one.get("guid"),
        }


@view(
    "sys.asymmetric_keys",
    "name sysname, principal_id int, asymmetric_key_id int, thumbprint varbinary(32), pvt_key_encryption_type_desc nvarchar(60)",
)
def asymmetric_keys(_: Session, database: Database) -> Iterator[Row]:
    """Planted ones."""
    for number, one in database.catalogue.all("asymmetric_key"):
        yield {"name": one["name"], "principal_id": 1, "asymmetric_key_id": number, "thumbprint": one.get("thumbprint")}


@view(
    "sys.filegroups sys.data_spaces",
    "name sysname, data_space_id int, type char(2), type_desc nvarchar(60), is_default bit, is_system bit=0, filegroup_guid uniqueidentifier, log_filegroup_id int, is_read_only bit=0",
)
def filegroups(_: Session, __: Database) -> Iterator[Row]:
    """PRIMARY."""
    yield {"name": "PRIMARY", "data_space_id": 1, "type": "FG", "type_desc": "ROWS_FILEGROUP", "is_default": 1}


@view(
    "sys.identity_columns",
    "object_id int, name sysname, column_id int, seed_value sql_variant, increment_value sql_variant, last_value sql_variant",
)
def identity_columns(_: Session, database: Database) -> Iterator[Row]:
    """Of the user tables."""
    for number, one in database.catalogue.all("object"):
        for at, column in enumerate(one.get("columns", ()), 1):
            if column.get("identity"):
                yield {
                    "object_id": number,
                    "name": column["name"],
                    "column_id": at,
                    "seed_value": column["identity"][0],
                    "increment_value": column["identity"][1],
                }


@view(
    "sys.extended_properties sys.triggers sys.synonyms sys.assemblies sys.database_audit_specifications sys.fulltext_catalogs sys.service_queues sys.check_constraints sys.default_constraints sys.foreign_keys sys.partitions sys.stats",
    "object_id int, name sysname, class tinyint, major_id int, value sql_variant, is_enabled bit, path nvarchar(260), rows bigint, index_id int, definition nvarchar(max), parent_object_id int",
)
def nothing(_: Session, __: Database) -> Iterator[Row]:
    """Views whose objects the simulation does not have."""
    return iter(())


__all__ = ["type_text"]
