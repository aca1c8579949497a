"""Procedures about databases and users: detach, attach, owners, roles, orphans."""

from __future__ import annotations

from collections.abc import Iterator

from tests.lab.sqlserver.engine import security
from tests.lab.sqlserver.engine.calling import Argument
from tests.lab.sqlserver.engine.database import Database
from tests.lab.sqlserver.engine.databases import FileSpec
from tests.lab.sqlserver.engine.defining.databases import attach
from tests.lab.sqlserver.engine.defining.owners import change_owner
from tests.lab.sqlserver.engine.defining.roles import change_role
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import Event, Info, ReturnStatus, SqlFailure
from tests.lab.sqlserver.engine.procedures import procedure, rows, taken
from tests.lab.sqlserver.engine.running import Frame
from tests.lab.sqlserver.engine.session import Session


@procedure("sp_detach_db")
def sp_detach_db(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """Detaches; the files stay. SqlFailure 15010, 15247, 3703, 3707, 3724, 3743, 7940, 226."""
    values = taken("sp_detach_db", arguments, "dbname!", "skipchecks", "keepfulltextindexfile")
    if str(values["skipchecks"] or "false").lower() not in {"true", "false"}:
        raise fail(15600, "sp_detach_db")
    if session.trancount:
        raise SqlFailure(15002, "The procedure 'sys.sp_detach_db' cannot be executed within a transaction.")
    database = session.instance.databases.find(str(values["dbname"]))
    if database is None:
        raise fail(15010, values["dbname"])
    if not (security.may(session, "ALTER ANY DATABASE") or (database.online and security.is_owner(session, database))):
        raise fail(15247)
    session.instance.databases.detach(session, database)
    yield ReturnStatus(0)


@procedure("sp_attach_db")
def sp_attach_db(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """Up to 16 files."""
    values = taken("sp_attach_db", arguments, "dbname!", "filename1!", *(f"filename{at}" for at in range(2, 17)))
    if not security.may(session, "CREATE ANY DATABASE"):
        raise fail(262, "CREATE DATABASE", "master")
    files = [FileSpec(str(values[f"filename{at}"])) for at in range(1, 17) if values[f"filename{at}"]]
    yield from attach(session, str(values["dbname"]), files, {})
    yield ReturnStatus(0)


@procedure("sp_attach_single_file_db")
def sp_attach_single_file_db(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """One file; the log may be missing after an orderly end."""
    values = taken("sp_attach_single_file_db", arguments, "dbname!", "physname!")
    if not security.may(session, "CREATE ANY DATABASE"):
        raise fail(262, "CREATE DATABASE", "master")
    yield from attach(session, str(values["dbname"]), [FileSpec(str(values["physname"]))], {}, rebuild_log=True)
    yield ReturnStatus(0)


@procedure("sp_changedbowner")
def sp_changedbowner(session: Session, frame: Frame, arguments: list[Argument], database: Database) -> Iterator[Event]:
    """The owner of the current database."""
    values = taken("sp_changedbowner", arguments, "loginame!", "map")
    change_owner(session, database, str(values["loginame"]))
    yield ReturnStatus(0)


@procedure("sp_renamedb")
def sp_renamedb(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """As ALTER DATABASE MODIFY NAME."""
    from tests.lab.sqlserver.engine.calling import run_text

    values = taken("sp_renamedb", arguments, "dbname!", "newname!")
    yield from run_text(session, f"ALTER DATABASE [{values['dbname']}] MODIFY NAME = [{values['newname']}]", {})
    yield ReturnStatus(0)


@procedure("sp_addrolemember", "sp_droprolemember")
def sp_addrolemember(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """Into a role of the database."""
    values = taken("sp_addrolemember", arguments, "rolename!", "membername!")
    change_role(session, str(values["rolename"]), str(values["membername"]), adding=True)
    yield ReturnStatus(0)


@procedure("sp_droprolemember")
def sp_droprolemember(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """Out of a role of the database."""
    values = taken("sp_droprolemember", arguments, "rolename!", "membername!")
    change_role(session, str(values["rolename"]), str(values["membername"]), adding=False)
    yield ReturnStatus(0)


@procedure("sp_change_users_login")
def sp_change_users_login(
    session: Session, frame: Frame, arguments: list[Argument], database: Database
) -> Iterator[Event]:
    """REPORT, UPDATE_ONE, AUTO_FIX of orphaned users. SqlFailure 15291, 15600."""
    values = taken("sp_change_users_login", arguments, "action!", "usernamepattern", "loginname", "password")
    if not security.is_owner(session, database):
        raise fail(15247)
    action = str(values["action"]).upper()
    catalogue = database.catalogue
    logins = {one["sid"] for _, one in session.instance.catalogue.all("login")}
    if action == "REPORT":
        orphans = [
            (one["name"], one["sid"])
            for number, one in catalogue.all("principal")
            if number > 4 and one["type"] == "S" and one["authentication"] == "INSTANCE" and one["sid"] not in logins
        ]
        yield from rows(session, "UserName UserSID", orphans, "sysname;varbinary(85)")
        yield ReturnStatus(0)
        return
    if action not in {"UPDATE_ONE", "AUTO_FIX"}:
        raise fail(15600, "sp_change_users_login")
    user = catalogue.named("principal", str(values["usernamepattern"]))
    if user is None or user[0] <= 4 or user[1]["type"] != "S":
        raise fail(15291, "User", values["usernamepattern"])
    wanted = str(values["loginname"] or values["usernamepattern"])
    login = session.instance.catalogue.named("login", wanted)
    if login is None or login[1]["type"] != "S":
        raise fail(15291, "Login", wanted)
    with session.changing(database) as contents:
        contents.update("principal", user[0], sid=login[1]["sid"])
    if action == "AUTO_FIX":
        yield Info(
            15293,
            1,
            0,
            f"The row for user '{user[1]['name']}' will be fixed by updating its login link to a login already in existence.",
        )
        yield Info(15295, 1, 0, "The number of orphaned users fixed by updating users was 1.")
    yield ReturnStatus(0)


@procedure("sp_helpdb")
def sp_helpdb(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """Databases with owners and sizes; with a name also its files."""
    values = taken("sp_helpdb", arguments, "dbname")
    chosen = session.instance.databases.all()
    if values["dbname"] is not None:
        found = session.instance.databases.find(str(values["dbname"]))
        if found is None:
            raise fail(15010, values["dbname"])
        chosen = [found]
    names = {one["sid"]: one["name"] for _, one in session.instance.catalogue.all("login")}
    made = [
        (
            one.name,
            f"{sum(one.size_pages(document) for document in one.files) / 128:.2f} MB",
            names.get(one.boot.get("owner_sid")),
            one.number,
            str(one.boot.get("created", ""))[:11],
            f"Status={one.state}, Recovery={one.options['recovery']}",
            one.options.get("compatibility"),
        )
        for one in chosen
    ]
    yield from rows(
        session,
        "name db_size owner dbid created status compatibility_level",
        made,
        "sysname;nvarchar(13);sysname;smallint;nvarchar(11);nvarchar(600);tinyint",
    )
    if values["dbname"] is not None:
        files = [
            (
                document["name"],
                document["id"],
                document["path"],
                "PRIMARY" if document["type"] == "ROWS" else None,
                f"{chosen[0].size_pages(document) * 8} KB",
                "Unlimited",
                "65536 KB",
                "data only" if document["type"] == "ROWS" else "log only",
            )
            for document in chosen[0].files
        ]
        yield from rows(
            session,
            "name fileid filename filegroup size maxsize growth usage",
            files,
            "sysname;smallint;nvarchar(260);sysname;nvarchar(18);nvarchar(18);nvarchar(18);varchar(9)",
        )
    yield ReturnStatus(0)


@procedure("sp_helpfile")
def sp_helpfile(session: Session, frame: Frame, arguments: list[Argument], database: Database) -> Iterator[Event]:
    """The files of the current database."""
    made = [
        (document["name"], document["id"], document["path"], f"{database.size_pages(document) * 8} KB")
        for document in database.files
    ]
    yield from rows(session, "name fileid filename size", made, "sysname;smallint;nvarchar(260);nvarchar(18)")
    yield ReturnStatus(0)


@procedure("sp_helpuser")
def sp_helpuser(session: Session, frame: Frame, arguments: list[Argument], database: Database) -> Iterator[Event]:
    """Users with their logins."""
    names = {one["sid"]: one["name"] for _, one in session.instance.catalogue.all("login")}
    made = [
        (one["name"], "public", names.get(one["sid"]), "master", one["schema"], number, one["sid"])
        for number, one in database.catalogue.all("principal")
        if one["type"] in "SUG"
    ]
    yield from rows(
        session,
        "UserName RoleName LoginName DefDBName DefSchemaName UserID SID",
        made,
        "sysname;sysname;sysname;sysname;sysname;int;varbinary(85)",
    )
    yield ReturnStatus(0)


@procedure("sp_spaceused")
def sp_spaceused(session: Session, frame: Frame, arguments: list[Argument], database: Database) -> Iterator[Event]:
    """Sizes of the current database."""
    size = sum(database.size_pages(document) for document in database.files) / 128
    yield from rows(
        session,
        "database_name database_size unallocated_space",
        [(database.name, f"{size:.2f} MB", "0.00 MB")],
        "nvarchar(128);varchar(18);varchar(18)",
    )
    yield ReturnStatus(0)


@procedure("sp_dboption")
def sp_dboption(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """Gone since 2012."""
    raise fail(2812, "sp_dboption", state=62)
    yield  # pragma: no cover
