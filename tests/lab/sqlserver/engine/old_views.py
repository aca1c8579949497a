"""Views of before 2005 (sysdatabases, syslogins...) and the tables of msdb that are asked for."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.lab.sqlserver.engine import database_views, server_views
from tests.lab.sqlserver.engine.catalogue import Catalogue
from tests.lab.sqlserver.engine.database import Database
from tests.lab.sqlserver.engine.security import role_names
from tests.lab.sqlserver.engine.views import Row, view

if TYPE_CHECKING:
    from tests.lab.sqlserver.engine.session import Session


@view(
    "old.sysdatabases",
    "name sysname, dbid smallint, sid varbinary(85), mode smallint=0, status int, status2 int=0, crdate datetime, reserved datetime, category int=0, cmptlevel tinyint, filename nvarchar(260), version smallint",
)
def sysdatabases(session: Session, _: Database) -> Iterator[Row]:
    """Every database."""
    for one in server_views.seen_databases(session):
        status = (
            65536
            | (512 if one.state == "OFFLINE" else 0)
            | (1024 if one.options["read_only"] else 0)
            | (4096 if one.options["user_access"] == "SINGLE_USER" else 0)
            | (8 if one.options["recovery"] == "SIMPLE" else 0)
        )
        yield {
            "name": one.name,
            "dbid": one.number,
            "sid": one.boot.get("owner_sid"),
            "status": status,
            "crdate": one.boot.get("created"),
            "cmptlevel": one.options.get("compatibility"),
            "filename": one.primary,
            "version": one.boot.get("version") if one.online else None,
        }


@view(
    "old.sysaltfiles",
    "fileid smallint, groupid smallint, size int, maxsize int=-1, growth int=8192, status int=2, perf int=0, dbid smallint, name sysname, filename nvarchar(260)",
)
def sysaltfiles(session: Session, database: Database) -> Iterator[Row]:
    """The files of every database."""
    for row in server_views.master_files(session, database):
        yield {
            "fileid": row["file_id"],
            "groupid": row["data_space_id"],
            "size": row["size"],
            "dbid": row["database_id"],
            "name": row["name"],
            "filename": row["physical_name"],
        }


@view(
    "old.sysfiles",
    "fileid smallint, groupid smallint, size int, maxsize int=-1, growth int=8192, status int=2, perf int=0, name sysname, filename nvarchar(260)",
)
def sysfiles(_: Session, database: Database) -> Iterator[Row]:
    """Its files."""
    for row in server_views.file_rows(database):
        yield {
            "fileid": row["file_id"],
            "groupid": row["data_space_id"],
            "size": row["size"],
            "name": row["name"],
            "filename": row["physical_name"],
        }


@view(
    "old.syslogins",
    "sid varbinary(85), status smallint=9, createdate datetime, updatedate datetime, accdate datetime, name sysname, dbname sysname, password nvarchar(128), language sysname, denylogin int, hasaccess int, isntname int, isntgroup int, isntuser int, sysadmin int, securityadmin int, serveradmin int, setupadmin int, processadmin int, diskadmin int, dbcreator int, bulkadmin int, loginname sysname",
)
def syslogins(session: Session, _: Database) -> Iterator[Row]:
    """Logins without roles."""
    catalogue = session.instance.catalogue
    for number, one in server_views.seen_logins(session):
        if one["type"] in "SUG":
            roles = role_names(catalogue, {number})
            denied = any(
                p["grantee"] == number and p["permission"] == "CONNECT SQL" and p["state"] == "D"
                for _, p in catalogue.all("server_permission")
            )
            row: Row = {
                "sid": one["sid"],
                "createdate": one["created"],
                "updatedate": one["modified"],
                "accdate": one["created"],
                "name": one["name"],
                "loginname": one["name"],
                "dbname": one["default_database"],
                "language": one["default_language"],
            }
            row |= {
                "denylogin": int(denied),
                "hasaccess": int(not denied),
                "isntname": int(one["type"] in "UG"),
                "isntgroup": int(one["type"] == "G"),
                "isntuser": int(one["type"] == "U"),
            }
            yield row | {
                role: int(role in roles)
                for role in (
                    "sysadmin",
                    "securityadmin",
                    "serveradmin",
                    "setupadmin",
                    "processadmin",
                    "diskadmin",
                    "dbcreator",
                    "bulkadmin",
                )
            }


@view(
    "old.sysservers",
    "srvid smallint, srvstatus smallint=1, srvname sysname, srvproduct nvarchar(128), providername nvarchar(128), datasource nvarchar(4000), isremote bit=0",
)
def sysservers(session: Session, database: Database) -> Iterator[Row]:
    """The own name and the linked servers."""
    for row in server_views.servers(session, database):
        yield {
            "srvid": row["server_id"],
            "srvname": row["name"],
            "srvproduct": row["product"],
            "providername": row["provider"],
            "datasource": row["data_source"],
        }


@view(
    "old.sysusers",
    "uid smallint, status smallint=0, name sysname, sid varbinary(85), createdate datetime, hasdbaccess int, islogin int, isntname int, isntgroup int, isntuser int, issqluser int, issqlrole int, isapprole int=0",
)
def sysusers(_: Session, database: Database) -> Iterator[Row]:
    """Users and roles."""
    for number, one in database.catalogue.all("principal"):
        kind = one["type"]
        yield {
            "uid": number,
            "name": one["name"],
            "sid": one["sid"],
            "createdate": one["created"],
            "hasdbaccess": int(number == 1 or (number > 4 and kind in "SUG")),
            "islogin": int(kind in "SUG"),
            "isntname": int(kind in "UG"),
            "isntgroup": int(kind == "G"),
            "isntuser": int(kind == "U"),
            "issqluser": int(kind == "S"),
            "issqlrole": int(kind == "R"),
        }


@view(
    "old.sysobjects",
    "name sysname, id int, xtype char(2), uid smallint=1, parent_obj int, crdate datetime, type char(2)",
)
def sysobjects(_: Session, database: Database) -> Iterator[Row]:
    """Objects."""
    for row in database_views.object_rows(database):
        yield {
            "name": row["name"],
            "id": row["object_id"],
            "xtype": row["type"],
            "type": row["type"],
            "parent_obj": row.get("parent_object_id", 0),
            "crdate": row["create_date"],
        }


@view("old.sysconfigures old.syscurconfigs", "value int, config int, comment nvarchar(255), status smallint=0")
def sysconfigures(session: Session, _: Database) -> Iterator[Row]:
    """Configurations."""
    for number, one in session.instance.catalogue.all("configuration"):
        yield {"value": one["value"], "config": number, "comment": one["name"]}


def msdb(session: Session) -> Catalogue:
    """The catalogue of msdb. SqlFailure when it is not open."""
    return session.instance.databases.by_number[4].catalogue


def job_id(name: str) -> str:
    """Of a job."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name)).upper()


@view(
    "msdb.dbo.sysjobs",
    "job_id uniqueidentifier, originating_server_id int, name sysname, enabled tinyint, description nvarchar(512), start_step_id int=1, category_id int=0, owner_sid varbinary(85), notify_level_eventlog int=0, date_created datetime, date_modified datetime, version_number int=1",
)
def sysjobs(session: Session, _: Database) -> Iterator[Row]:
    """Agent jobs."""
    for number, one in msdb(session).all("job"):
        origin = (
            0
            if not one.get("server") or one["server"].lower() == session.instance.server_name.lower()
            else number + 100
        )
        yield {
            "job_id": job_id(one["name"]),
            "originating_server_id": origin,
            "name": one["name"],
            "enabled": int(one["enabled"]),
            "owner_sid": one.get("owner_sid"),
            "date_created": one["created"],
            "date_modified": one["created"],
            "description": one.get("description", ""),
        }


@view(
    "msdb.dbo.sysjobs_view",
    "job_id uniqueidentifier, originating_server nvarchar(128), name sysname, enabled tinyint, description nvarchar(512), start_step_id int=1, category_id int=0, owner_sid varbinary(85), originating_server_id int=0, master_server bit=0, date_created datetime, date_modified datetime",
)
def sysjobs_view(session: Session, _: Database) -> Iterator[Row]:
    """Agent jobs with the name of the server that made them."""
    for row in sysjobs(session, session.current):
        document = msdb(session).named("job", row["name"])
        yield {
            **row,
            "originating_server": (document[1].get("server") if document else None) or session.instance.server_name,
        }


@view(
    "msdb.dbo.sysoriginatingservers msdb.dbo.sysoriginatingservers_view",
    "originating_server_id int, originating_server sysname, master_server bit=0",
)
def sysoriginatingservers(session: Session, _: Database) -> Iterator[Row]:
    """The servers that the jobs came from."""
    yield {"originating_server_id": 0, "originating_server": session.instance.server_name}
    for number, one in msdb(session).all("job"):
        if one.get("server") and one["server"].lower() != session.instance.server_name.lower():
            yield {"originating_server_id": number + 100, "originating_server": one["server"]}


@view(
    "msdb.dbo.sysjobsteps",
    "job_id uniqueidentifier, step_id int, step_name sysname, subsystem nvarchar(40)=TSQL, command nvarchar(max), flags int=0, server sysname, database_name sysname, database_user_name sysname, proxy_id int",
)
def sysjobsteps(session: Session, _: Database) -> Iterator[Row]:
    """The steps of the jobs."""
    for _number, one in msdb(session).all("job"):
        for at, step in enumerate(one.get("steps", ()), 1):
            yield {
                "job_id": job_id(one["name"]),
                "step_id": at,
                "step_name": step.get("name", f"step {at}"),
                "command": step.get("command", ""),
                "database_name": step.get("database", "master"),
                "server": step.get("server"),
                "subsystem": step.get("subsystem", "TSQL"),
            }


@view("msdb.dbo.sysjobservers", "job_id uniqueidentifier, server_id int=0, last_run_outcome tinyint=5")
def sysjobservers(session: Session, _: Database) -> Iterator[Row]:
    """Where the jobs run."""
    for _number, one in msdb(session).all("job"):
        yield {"job_id": job_id(one["name"])}


@view(
    "msdb.dbo.backupset",
    "backup_set_id int, database_name nvarchar(128), type char(1), backup_start_date datetime, backup_finish_date datetime, server_name nvarchar(128)",
)
def backupset(session: Session, _: Database) -> Iterator[Row]:
    """What was backed up."""
    for number, one in msdb(session).all("backup"):
        yield {
            "backup_set_id": number,
            "database_name": one["database"],
            "type": one["type"],
            "backup_start_date": one["at"],
            "backup_finish_date": one["at"],
            "server_name": session.instance.server_name,
        }


@view(
    "msdb.dbo.sysoperators msdb.dbo.sysalerts msdb.dbo.sysproxies msdb.dbo.sysschedules msdb.dbo.sysmail_account msdb.dbo.sysmail_profile msdb.dbo.sysmaintplan_plans msdb.dbo.sysssispackages msdb.dbo.log_shipping_primary_databases msdb.dbo.log_shipping_secondary_databases msdb.dbo.sysdac_instances msdb.dbo.sysjobschedules msdb.dbo.sysjobhistory",
    "id int, name sysname, enabled tinyint, primary_database sysname, secondary_database sysname, job_id uniqueidentifier, schedule_id int",
)
def msdb_rest(session: Session, _: Database) -> Iterator[Row]:
    """Planted ones."""
    for number, one in msdb(session).all("msdb_object"):
        yield {
            "id": number,
            "name": one["name"],
            "enabled": 1,
            "primary_database": one.get("database"),
            "secondary_database": one.get("database"),
        }


@view("msdb.dbo.msdb_version", "id int=1, version_string nvarchar(255), version_major int")
def msdb_version(session: Session, _: Database) -> Iterator[Row]:
    """Of the installation."""
    yield {"version_string": session.instance.version, "version_major": session.instance.personality.major}
