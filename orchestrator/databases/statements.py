"""What an instance is asked, a statement a part. Each is one round trip, however many databases there are.

Columns of newer versions are asked for only where the version has them. Values of type sql_variant are cast, because not every driver
takes them. Sources: the catalogue views' pages of SQL Server's documentation.
"""

from __future__ import annotations

from typing import NamedTuple

SQL_2008, SQL_2012, SQL_2017 = 10, 11, 14

_PROPERTIES = (
    ("MachineName", "machine"),
    ("ServerName", "server_name"),
    ("InstanceName", "instance_name"),
    ("ProductVersion", "version"),
    ("ProductLevel", "level"),
    ("Edition", "edition"),
    ("EngineEdition", "engine_edition"),
    ("Collation", "collation"),
    ("IsClustered", "clustered"),
    ("IsIntegratedSecurityOnly", "integrated_only"),
    ("IsHadrEnabled", "hadr"),
    ("InstanceDefaultDataPath", "data_path"),
    ("InstanceDefaultLogPath", "log_path"),
)

SELF = (
    "SELECT @@SERVERNAME AS own_name, ORIGINAL_LOGIN() AS login, IS_SRVROLEMEMBER('sysadmin') AS sysadmin, "
    + ", ".join(f"CAST(SERVERPROPERTY('{word}') AS nvarchar(512)) AS {name}" for word, name in _PROPERTIES)
)
"""Who it is, and who we are there; every version answers this."""


class Part(NamedTuple):
    """A part of the facts: its name for people, since which release, and how it is asked."""

    name: str
    since: int
    statement: str


CONNECTION = Part(
    "our connection",
    0,
    "SELECT auth_scheme, encrypt_option, local_tcp_port FROM sys.dm_exec_connections WHERE session_id = @@SPID",
)
PLATFORM = Part("the platform", SQL_2017, "SELECT host_platform FROM sys.dm_os_host_info")
FILES = Part(
    "files of databases",
    0,
    "SELECT database_id, type_desc, name, physical_name, state_desc, CAST(size AS bigint) AS pages FROM sys.master_files "
    "ORDER BY database_id, file_id",
)
MIRRORING = Part("mirroring", 0, "SELECT database_id FROM sys.database_mirroring WHERE mirroring_guid IS NOT NULL")
KEYS = Part(
    "keys of encrypted databases",
    SQL_2008,
    "SELECT database_id, encryptor_thumbprint FROM sys.dm_database_encryption_keys",
)
GROUPS = Part(
    "availability groups",
    SQL_2012,
    "SELECT d.database_name, g.name AS group_name FROM sys.availability_databases_cluster d "
    "JOIN sys.availability_groups g ON g.group_id = d.group_id",
)
PRINCIPALS = Part(
    "log-ins",
    0,
    "SELECT p.principal_id, p.name, p.type, p.sid, p.is_disabled, p.default_database_name, p.default_language_name, "
    "l.is_policy_checked, l.is_expiration_checked FROM sys.server_principals p "
    "LEFT JOIN sys.sql_logins l ON l.principal_id = p.principal_id WHERE p.type IN ('S', 'U', 'G')",
)
ROLES = Part(
    "members of server roles",
    0,
    "SELECT r.name AS role_name, m.member_principal_id FROM sys.server_role_members m "
    "JOIN sys.server_principals r ON r.principal_id = m.role_principal_id",
)
PERMISSIONS = Part(
    "permissions at the server",
    0,
    "SELECT grantee_principal_id, state_desc, permission_name FROM sys.server_permissions WHERE class_desc = 'SERVER'",
)
SERVICES = Part(
    "services",
    SQL_2008,
    "SELECT servicename, service_account, startup_type_desc, status_desc FROM sys.dm_server_services",
)
REGISTRY = Part(
    "the registry",
    SQL_2008,
    "SELECT registry_key, value_name, CAST(value_data AS nvarchar(4000)) AS value_data FROM sys.dm_server_registry",
)
JOBS = Part(
    "jobs of the Agent",
    0,
    "SELECT j.name, j.enabled, SUSER_SNAME(j.owner_sid) AS owner, s.originating_server FROM msdb.dbo.sysjobs j "
    "LEFT JOIN msdb.dbo.sysoriginatingservers_view s ON s.originating_server_id = j.originating_server_id",
)
LINKED = Part("linked servers", 0, "SELECT name, data_source, product, provider FROM sys.servers WHERE server_id <> 0")
CERTIFICATES = Part(
    "certificates",
    0,
    "SELECT name, thumbprint, pvt_key_encryption_type_desc FROM master.sys.certificates WHERE name NOT LIKE '##%'",
)
CREDENTIALS = Part("credentials", SQL_2008, "SELECT name FROM sys.credentials")
CONFIGURATIONS = Part(
    "options of sp_configure",
    0,
    "SELECT name, CAST(value AS int) AS value, CAST(value_in_use AS int) AS in_use FROM sys.configurations",
)
MASTER_KEY = Part(
    "the master key",
    0,
    "SELECT COUNT(*) AS there FROM master.sys.symmetric_keys WHERE name = '##MS_DatabaseMasterKey##'",
)
MESSAGES = Part(
    "messages of one's own", 0, "SELECT COUNT(DISTINCT message_id) AS there FROM sys.messages WHERE message_id > 50000"
)

_DATABASE_COLUMNS = (
    (0, "name, database_id, state_desc, recovery_model_desc, compatibility_level, collation_name, is_read_only"),
    (0, "owner_sid, SUSER_SNAME(owner_sid) AS owner, is_published, is_subscribed, is_merge_published, is_distributor"),
    (0, "is_broker_enabled, is_trustworthy_on, is_db_chaining_on, source_database_id, user_access_desc"),
    (SQL_2008, "is_encrypted"),
    (SQL_2012, "containment_desc"),
)


def databases(major: int) -> Part:
    """All databases, with the columns that the release has."""
    columns = ", ".join(words for since, words in _DATABASE_COLUMNS if major >= since)
    return Part("databases", 0, f"SELECT {columns} FROM sys.databases ORDER BY name")
