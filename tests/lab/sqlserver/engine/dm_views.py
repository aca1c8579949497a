"""Dynamic management views: services, host, sessions, connections, encryption, mirroring, availability groups."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.lab.sqlserver.engine import security
from tests.lab.sqlserver.engine.database import Database
from tests.lab.sqlserver.engine.paths import NoSuchVolume
from tests.lab.sqlserver.engine.views import Row, view

if TYPE_CHECKING:
    from tests.lab.sqlserver.engine.session import Session


@view(
    "sys.dm_server_services",
    "servicename nvarchar(256), startup_type int, startup_type_desc nvarchar(256), status int, status_desc nvarchar(256), process_id int, last_startup_time datetimeoffset, service_account nvarchar(256), filename nvarchar(256), is_clustered nvarchar(1), cluster_nodename nvarchar(256), instant_file_initialization_enabled nvarchar(1)=Y",
    needs="VIEW SERVER STATE",
)
def services(session: Session, _: Database) -> Iterator[Row]:
    """Engine, agent and full text."""
    instance = session.instance
    name = instance.name
    registry = instance.registry()
    planted = registry.get("services", {})
    agent = "NT Service\\SQLSERVERAGENT" if instance.is_default else f"NT Service\\SQLAgent${name}"
    rows = [
        (
            "engine",
            f"SQL Server ({name})",
            "Automatic",
            "Running",
            instance.service_account,
            f"MSSQL{instance.personality.major}.{name}\\MSSQL\\Binn\\sqlservr.exe",
        )
    ]
    if instance.platform == "windows":
        rows.append(
            (
                "agent",
                f"SQL Server Agent ({name})",
                "Manual",
                "Stopped",
                agent,
                f"MSSQL{instance.personality.major}.{name}\\MSSQL\\Binn\\SQLAGENT.EXE",
            )
        )
    else:
        rows.append(("agent", f"SQL Server Agent ({name})", "Automatic", "Stopped", "mssql", ""))
    for key, shown, usual_start, usual_state, usual_account, file in rows:
        given = planted.get(key, {})
        start, state = given.get("start", usual_start), given.get("state", usual_state)
        account = given.get("account", usual_account)
        yield {
            "servicename": shown, "startup_type": {"Automatic": 2, "Manual": 3, "Disabled": 4}.get(start, 2), "startup_type_desc": start, "status": 4 if state == "Running" else 1, "status_desc": state,
            "process_id": 1234 if state == "Running" else None, "service_account": account, "last_startup_time": instance.started_at + " +00:00",
            "filename": f'"C:\\Program Files\\Microsoft SQL Server\\{file}" -s{name}' if instance.platform == "windows" else "/opt/mssql/bin/sqlservr", "is_clustered": "Y" if registry.get("clustered") else "N",
        }  # fmt: skip


@view(
    "sys.dm_os_host_info",
    "host_platform nvarchar(256), host_distribution nvarchar(256), host_release nvarchar(256), host_service_pack_level nvarchar(256), host_sku int, os_language_version int=0, host_architecture nvarchar(256)=X64",
    since=14,
)
def host_info(session: Session, _: Database) -> Iterator[Row]:
    """The machine."""
    if session.instance.platform == "linux":
        yield {
            "host_platform": "Linux",
            "host_distribution": "Ubuntu",
            "host_release": "22.04",
            "host_service_pack_level": "",
            "host_sku": None,
        }
    else:
        yield {
            "host_platform": "Windows",
            "host_distribution": "Windows Server 2022 Standard",
            "host_release": "10.0",
            "host_service_pack_level": "",
            "host_sku": 7,
            "os_language_version": 1033,
        }


@view(
    "sys.dm_os_windows_info",
    "windows_release nvarchar(256), windows_service_pack_level nvarchar(256), windows_sku int, os_language_version int",
)
def windows_info(session: Session, _: Database) -> Iterator[Row]:
    """The same, older."""
    if session.instance.platform == "windows":
        yield {
            "windows_release": "10.0",
            "windows_service_pack_level": "",
            "windows_sku": 7,
            "os_language_version": 1033,
        }


@view(
    "sys.dm_os_sys_info",
    "cpu_ticks bigint=0, ms_ticks bigint=0, cpu_count int=2, hyperthread_ratio int=1, physical_memory_kb bigint=8388608, virtual_memory_kb bigint=8388608, committed_kb bigint=262144, committed_target_kb bigint=524288, max_workers_count int=512, scheduler_count int=2, sqlserver_start_time datetime, virtual_machine_type int=1, virtual_machine_type_desc nvarchar(60)=HYPERVISOR",
)
def sys_info(session: Session, _: Database) -> Iterator[Row]:
    """Start and sizes."""
    yield {"sqlserver_start_time": session.instance.started_at}


@view(
    "sys.dm_exec_connections",
    "session_id int, most_recent_session_id int, connect_time datetime, net_transport nvarchar(40), protocol_type nvarchar(40)=TSQL, protocol_version int=1946157060, endpoint_id int=4, encrypt_option nvarchar(40), auth_scheme nvarchar(40), node_affinity smallint=0, num_reads int=1, num_writes int=1, last_read datetime, last_write datetime, net_packet_size int=4096, client_net_address varchar(48), client_tcp_port int, local_net_address varchar(48), local_tcp_port int, connection_id uniqueidentifier, parent_connection_id uniqueidentifier",
)
def connections(session: Session, _: Database) -> Iterator[Row]:
    """The own one; all for those who may see them."""
    every = security.may(session, "VIEW SERVER STATE")
    for one in list(session.instance.sessions.values()):
        if every or one is session:
            request = one.request
            yield {
                "session_id": one.spid, "most_recent_session_id": one.spid, "connect_time": one.connected_at, "net_transport": request.transport, "encrypt_option": "TRUE" if request.encrypted else "FALSE",
                "auth_scheme": request.auth_scheme, "client_net_address": request.client_address, "client_tcp_port": request.client_port, "local_net_address": request.local_address,
                "local_tcp_port": request.local_port, "last_read": one.connected_at, "last_write": one.connected_at,
            }  # fmt: skip


@view(
    "sys.dm_exec_sessions",
    "session_id smallint, login_time datetime, host_name nvarchar(128), program_name nvarchar(128), host_process_id int, client_version int=7, client_interface_name nvarchar(32), security_id varbinary(85), login_name nvarchar(128), nt_domain nvarchar(128), nt_user_name nvarchar(128), status nvarchar(30), cpu_time int=0, memory_usage int=2, reads bigint=0, writes bigint=0, logical_reads bigint=0, is_user_process bit=1, text_size int, language nvarchar(128), date_format nvarchar(3), date_first smallint, quoted_identifier bit, transaction_isolation_level smallint, lock_timeout int, row_count bigint, original_security_id varbinary(85), original_login_name nvarchar(128), database_id smallint, authenticating_database_id int=1, open_transaction_count int",
)
def sessions(session: Session, _: Database) -> Iterator[Row]:
    """The own one; all for those who may see them."""
    every = security.may(session, "VIEW SERVER STATE")
    for one in list(session.instance.sessions.values()):
        if every or one is session or one.sid == session.sid:
            domain, _, user = one.login_name.rpartition("\\")
            yield {
                "session_id": one.spid, "login_time": one.connected_at, "host_name": one.request.host, "program_name": one.request.application, "host_process_id": one.request.process_id,
                "client_interface_name": one.request.interface, "security_id": one.sid, "login_name": one.login_name, "nt_domain": domain, "nt_user_name": user if domain else "",
                "status": "running" if one is session else "sleeping", "text_size": one.options["textsize"], "language": one.language, "date_format": one.options["dateformat"], "date_first": one.options["datefirst"],
                "quoted_identifier": int(one.options["quoted_identifier"]), "transaction_isolation_level": one.options["isolation"], "lock_timeout": one.lock_timeout_ms, "row_count": one.rowcount,
                "original_security_id": one.sid, "original_login_name": one.original_login, "database_id": one.current.number, "open_transaction_count": one.trancount,
            }  # fmt: skip


@view(
    "old.sysprocesses",
    "spid smallint, kpid smallint=0, blocked smallint=0, waittype binary(2), waittime bigint=0, lastwaittype nchar(32), dbid smallint, uid smallint=1, cpu int=0, login_time datetime, last_batch datetime, open_tran smallint, status nchar(30), sid binary(86), hostname nchar(128), program_name nchar(128), hostprocess nchar(10), cmd nchar(26), nt_domain nchar(128), nt_username nchar(128), loginame nchar(128), ecid smallint=0",
)
def processes(session: Session, database: Database) -> Iterator[Row]:
    """The sessions, as before 2005."""
    for row in sessions(session, database):
        yield {
            "spid": row["session_id"],
            "dbid": row["database_id"],
            "login_time": row["login_time"],
            "last_batch": row["login_time"],
            "open_tran": row["open_transaction_count"],
            "status": row["status"],
            "hostname": row["host_name"],
            "program_name": row["program_name"],
            "loginame": row["login_name"],
            "cmd": "AWAITING COMMAND",
            "sid": row["security_id"],
        }


@view(
    "sys.dm_exec_requests",
    "session_id smallint, request_id int=0, start_time datetime, status nvarchar(30)=running, command nvarchar(32)=SELECT, database_id smallint, user_id int=1, blocking_session_id smallint=0, wait_type nvarchar(60), percent_complete real=0",
)
def requests(session: Session, _: Database) -> Iterator[Row]:
    """This one."""
    yield {"session_id": session.spid, "start_time": session.connected_at, "database_id": session.current.number}


@view(
    "sys.dm_database_encryption_keys",
    "database_id int, encryption_state int, create_date datetime, regenerate_date datetime, modify_date datetime, set_date datetime, opened_date datetime, key_algorithm nvarchar(32)=AES, key_length int=256, encryptor_thumbprint varbinary(20), encryptor_type nvarchar(32)=CERTIFICATE, percent_complete real=0, encryption_state_desc nvarchar(32), encryption_scan_state int=3",
    needs="VIEW SERVER STATE",
)
def encryption_keys(session: Session, _: Database) -> Iterator[Row]:
    """Encrypted databases."""
    for one in session.instance.databases.all():
        if one.options["encryptor"] is not None:
            encrypted = one.options["encrypted"]
            yield {
                "database_id": one.number,
                "encryption_state": 3 if encrypted else 1,
                "encryptor_thumbprint": one.options["encryptor"],
                "encryption_state_desc": "ENCRYPTED" if encrypted else "UNENCRYPTED",
            }


@view("sys.dm_db_persisted_sku_features", "feature_name sysname, feature_id int")
def sku_features(_: Session, database: Database) -> Iterator[Row]:
    """Features that not every edition has."""
    known = {
        "Compression": 100,
        "Partitioning": 200,
        "TransparentDataEncryption": 300,
        "ChangeCapture": 400,
        "ColumnStoreIndex": 600,
        "InMemoryOLTP": 700,
    }
    for name in database.options["features"]:
        yield {"feature_name": name, "feature_id": known.get(name, 900)}


@view(
    "sys.database_mirroring",
    "database_id int, mirroring_guid uniqueidentifier, mirroring_state tinyint, mirroring_state_desc nvarchar(60), mirroring_role tinyint, mirroring_role_desc nvarchar(60), mirroring_role_sequence int, mirroring_safety_level tinyint, mirroring_safety_level_desc nvarchar(60), mirroring_partner_name nvarchar(128), mirroring_partner_instance nvarchar(128), mirroring_witness_name nvarchar(128), mirroring_witness_state tinyint, mirroring_witness_state_desc nvarchar(60)",
)
def mirroring(session: Session, _: Database) -> Iterator[Row]:
    """One row a database."""
    for one in session.instance.databases.all():
        given = one.options["mirroring"]
        if given:
            yield {
                "database_id": one.number,
                "mirroring_guid": one.boot.get("guid"),
                "mirroring_state": 4,
                "mirroring_state_desc": "SYNCHRONIZED",
                "mirroring_role": 1 if given.get("role", "PRINCIPAL") == "PRINCIPAL" else 2,
                "mirroring_role_desc": given.get("role", "PRINCIPAL"),
                "mirroring_partner_name": given.get("partner"),
                "mirroring_partner_instance": given.get("partner"),
            }
        else:
            yield {"database_id": one.number}


@view(
    "sys.dm_hadr_database_replica_states",
    "database_id int, group_id uniqueidentifier, replica_id uniqueidentifier, group_database_id uniqueidentifier, is_local bit=1, is_primary_replica bit=1, synchronization_state tinyint=2, synchronization_state_desc nvarchar(60)=SYNCHRONIZED, is_commit_participant bit=1, synchronization_health tinyint=2, synchronization_health_desc nvarchar(60)=HEALTHY, database_state tinyint=0, database_state_desc nvarchar(60)=ONLINE, is_suspended bit=0",
    needs="VIEW SERVER STATE",
)
def replica_states(session: Session, _: Database) -> Iterator[Row]:
    """Databases of availability groups."""
    for one in session.instance.databases.all():
        group = one.options["availability_group"]
        if group:
            yield {
                "database_id": one.number,
                "group_id": group["group_id"],
                "replica_id": group["replica_id"],
                "group_database_id": group["group_database_id"],
            }


@view(
    "sys.availability_replicas sys.dm_hadr_availability_replica_states",
    "replica_id uniqueidentifier, group_id uniqueidentifier, replica_server_name nvarchar(256), is_local bit=1, role tinyint=1, role_desc nvarchar(60)=PRIMARY, operational_state_desc nvarchar(60)=ONLINE, connected_state_desc nvarchar(60)=CONNECTED, availability_mode tinyint=1, availability_mode_desc nvarchar(60)=SYNCHRONOUS_COMMIT, endpoint_url nvarchar(128)",
)
def replicas(session: Session, _: Database) -> Iterator[Row]:
    """The own ones."""
    seen = set()
    for one in session.instance.databases.all():
        group = one.options["availability_group"]
        if group and group["name"] not in seen:
            seen.add(group["name"])
            yield {
                "replica_id": group["replica_id"],
                "group_id": group["group_id"],
                "replica_server_name": session.instance.server_name,
            }


@view(
    "sys.availability_databases_cluster sys.dm_hadr_database_replica_cluster_states",
    "group_id uniqueidentifier, group_database_id uniqueidentifier, database_name sysname, truncation_lsn decimal(25), replica_id uniqueidentifier, is_database_joined bit=1, is_failover_ready bit=1",
)
def availability_databases(session: Session, _: Database) -> Iterator[Row]:
    """Databases of availability groups."""
    for one in session.instance.databases.all():
        group = one.options["availability_group"]
        if group:
            yield {
                "group_id": group["group_id"],
                "group_database_id": group["group_database_id"],
                "database_name": one.name,
                "replica_id": group["replica_id"],
            }


@view(
    "sys.availability_group_listeners sys.dm_hadr_cluster sys.dm_hadr_cluster_members",
    "group_id uniqueidentifier, group_database_id uniqueidentifier, database_name sysname, dns_name nvarchar(63), port int, cluster_name nvarchar(128), member_name nvarchar(128), quorum_type_desc nvarchar(60), member_type_desc nvarchar(60), member_state_desc nvarchar(60)",
)
def hadr_cluster(session: Session, _: Database) -> Iterator[Row]:
    """The planted cluster."""
    cluster = session.instance.registry().get("clustered")
    if isinstance(cluster, str):
        yield {"cluster_name": cluster, "member_name": session.instance.machine}


@view(
    "sys.dm_os_cluster_nodes",
    "NodeName nvarchar(512), status int=0, status_description nvarchar(20)=up, is_current_owner bit=1",
)
def cluster_nodes(session: Session, _: Database) -> Iterator[Row]:
    """Of a clustered instance."""
    if session.instance.registry().get("clustered"):
        yield {"NodeName": session.instance.machine}


@view(
    "sys.dm_server_registry",
    "registry_key nvarchar(256), value_name nvarchar(256), value_data sql_variant",
    needs="VIEW SERVER STATE",
)
def server_registry(session: Session, _: Database) -> Iterator[Row]:
    """Startup parameters and the port."""
    instance = session.instance
    if instance.platform != "windows":
        return
    base = f"HKLM\\SOFTWARE\\Microsoft\\Microsoft SQL Server\\MSSQL{instance.personality.major}.{instance.name}\\MSSQLServer"
    for number, value in enumerate(
        (
            f"-d{instance.data_path}\\master.mdf",
            f"-e{instance.root_path}\\Log\\ERRORLOG",
            f"-l{instance.data_path}\\master.mdf-wal",
        )
    ):
        yield {"registry_key": base + "\\Parameters", "value_name": f"SQLArg{number}", "value_data": value}
    dynamic = instance.registry().get("dynamic_port")
    yield {
        "registry_key": base + "\\SuperSocketNetLib\\Tcp\\IPAll",
        "value_name": "TcpPort",
        "value_data": "" if dynamic else str(instance.settings.port),
    }
    yield {
        "registry_key": base + "\\SuperSocketNetLib\\Tcp\\IPAll",
        "value_name": "TcpDynamicPorts",
        "value_data": str(instance.settings.port) if dynamic else "",
    }
    yield {
        "registry_key": base + "\\SuperSocketNetLib\\Tcp",
        "value_name": "Enabled",
        "value_data": int(instance.registry().get("tcp", 1)),
    }
    yield {
        "registry_key": base + "\\SuperSocketNetLib\\Np",
        "value_name": "Enabled",
        "value_data": int(instance.registry().get("np", 0)),
    }
    yield {"registry_key": base, "value_name": "LoginMode", "value_data": int(instance.registry().get("LoginMode", 2))}


@view(
    "sys.dm_tcp_listener_states",
    "listener_id int, ip_address nvarchar(48), is_ipv4 bit=1, port int, type tinyint=0, type_desc nvarchar(60)=TSQL, state tinyint=0, state_desc nvarchar(60)=ONLINE, start_time datetime",
    needs="VIEW SERVER STATE",
)
def listeners(session: Session, _: Database) -> Iterator[Row]:
    """Where it listens."""
    yield {
        "listener_id": 1,
        "ip_address": session.instance.settings.address,
        "port": session.instance.settings.port,
        "start_time": session.instance.started_at,
    }


@view(
    "sys.dm_os_enumerate_fixed_drives",
    "fixed_drive_path nvarchar(256), drive_type int=3, drive_type_desc nvarchar(256)=DRIVE_FIXED, free_space_in_bytes bigint",
    since=14,
)
def fixed_drives(session: Session, _: Database) -> Iterator[Row]:
    """The volumes."""
    for prefix in session.instance.volumes.mapping:
        try:
            free = shutil.disk_usage(session.instance.volumes.real(prefix)).free
        except (OSError, NoSuchVolume):
            continue
        yield {
            "fixed_drive_path": prefix if session.instance.platform == "linux" else prefix + "\\",
            "free_space_in_bytes": free,
        }


@view(
    "sys.dm_tran_locks sys.dm_os_performance_counters sys.dm_os_wait_stats sys.dm_db_mirroring_connections sys.dm_tran_active_transactions sys.dm_os_process_memory sys.dm_db_log_space_usage",
    "session_id int, request_session_id int, resource_type nvarchar(60), resource_database_id int, request_mode nvarchar(60), object_name nchar(128), counter_name nchar(128), cntr_value bigint, wait_type nvarchar(60), wait_time_ms bigint, transaction_id bigint, total_log_size_in_bytes bigint, used_log_space_in_bytes bigint",
)
def not_counted(_: Session, __: Database) -> Iterator[Row]:
    """What the simulation does not count."""
    return iter(())
