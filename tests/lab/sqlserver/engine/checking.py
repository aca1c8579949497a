"""DBCC, BACKUP, RESTORE, RECONFIGURE."""

from __future__ import annotations

from collections.abc import Iterator

from tests.lab.sqlserver.engine import security
from tests.lab.sqlserver.engine.control import split
from tests.lab.sqlserver.engine.database import Database, now
from tests.lab.sqlserver.engine.functions import NVARCHAR
from tests.lab.sqlserver.engine.messages import fail, info
from tests.lab.sqlserver.engine.port import Column, Columns, Done, Event, Row, SqlFailure
from tests.lab.sqlserver.engine.reader import Reader
from tests.lab.sqlserver.engine.running import Frame, handles
from tests.lab.sqlserver.engine.session import Session
from tests.lab.sqlserver.engine.statements import Simple, near

PAGE = 4096


@handles("DBCC")
def dbcc(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """CHECKDB and a few others; a command that is not here is 2526."""
    reader = Reader(statement.words)
    reader.next()
    name = reader.next().value
    arguments = [list(part) for part in split(reader.group())] if reader.here.value == "(" else []
    options = {word.value for word in reader.words[reader.at :] if word.kind == "word"}
    first = (
        arguments[0][0].value
        if arguments and arguments[0] and arguments[0][0].kind == "string"
        else (arguments[0][0].name if arguments and arguments[0] else "")
    )
    quiet = "NO_INFOMSGS" in options
    if name in {"CHECKDB", "CHECKALLOC", "CHECKCATALOG"}:
        yield from _checkdb(session, _database(session, first), name, quiet=quiet)
    elif name == "CHECKTABLE":
        yield from _checkdb(session, session.current, name, quiet=quiet)
    elif name == "CHECKIDENT":
        yield from _checkident(session, first)
    elif name in {
        "TRACEON",
        "TRACEOFF",
        "DROPCLEANBUFFERS",
        "FREEPROCCACHE",
        "FREESYSTEMCACHE",
        "UPDATEUSAGE",
        "SHRINKFILE",
        "SHRINKDATABASE",
    }:
        if not security.may(session, "ALTER SERVER STATE"):
            raise fail(2571, session.login_name, name)
    elif name == "TRACESTATUS":
        yield from ()
    elif name == "OPENTRAN":
        pass
    elif name == "DBINFO":
        yield from _dbinfo(session, _database(session, first))
    elif name == "USEROPTIONS":
        yield Columns((Column("Set Option", NVARCHAR), Column("Value", NVARCHAR)))
        yield Row(("language", session.language))
        yield Row(("isolation level", "read committed"))
        yield Done(2, "SELECT")
    elif name == "SQLPERF":
        yield Columns((Column("Database Name", NVARCHAR), Column("Log Size (MB)", NVARCHAR)))
        for one in session.instance.databases.all():
            yield Row((one.name, str(one.size_pages(one.files[1]) / 128 if len(one.files) > 1 else 0)))
        yield Done(None, "SELECT")
    else:
        raise SqlFailure(
            2526, "Incorrect DBCC statement. Check the documentation for the correct DBCC syntax and options.", state=3
        )
    if not quiet:
        yield info(2528)
    yield Done(None, "DBCC")


def _database(session: Session, name: str) -> Database:
    if not name or name == "0":
        return session.current
    found = (
        session.instance.databases.by_number.get(int(name)) if name.isdigit() else session.instance.databases.find(name)
    )
    if found is None:
        raise fail(911, name)
    return found


def _checkdb(session: Session, database: Database, name: str, *, quiet: bool) -> Iterator[Event]:
    database.require()
    if not (security.is_owner(session, database)):
        raise SqlFailure(
            7983,
            f"User '{session.login_name}' does not have permission to run DBCC {name.lower()} for database '{database.name}'.",
            severity=14,
            state=36,
        )
    problems = check(session, database)
    for problem in problems:
        yield problem.event
    if not quiet or problems:
        if problems:
            yield info(8990, 0, len(problems))
        yield info(8989, 0, len(problems), database.name)
    if not problems and not database.options["read_only"]:
        with session.changing(database) as contents:
            contents.update("options", 1, last_good_checkdb=now())
    hours = fail(8957, f"{name} ({database.name})", session.login_name, len(problems), 0, 0, 0, 0).message
    session.instance.errorlog.write(hours, f"spid{session.spid}")


def check(session: Session, database: Database) -> list[SqlFailure]:
    """Every page is what was written, and SQLite finds its trees whole."""
    problems: list[SqlFailure] = []
    with session.reading(database) as connection:
        if database in session.enlisted:
            raise fail(226, "DBCC CHECKDB", state=6)
        with session.instance.moments.held():
            differing = database.data.differing_pages()[:100]
        for page in differing:
            problems.append(fail(8939, page, state=98))
        for (line,) in connection.execute("PRAGMA integrity_check(100)").fetchall():
            if line != "ok":
                problems.append(fail(8964, line))
        for row in connection.execute("PRAGMA foreign_key_check").fetchall()[:100]:
            problems.append(fail(8964, f"foreign key of {row[0]}"))
    return problems


def _checkident(session: Session, name: str) -> Iterator[Event]:
    from tests.lab.sqlserver.engine.metadata_databases import find_object

    found = find_object(session, name)
    if found is None:
        raise SqlFailure(
            2501, f'Cannot find a table or object with the name "{name}". Check the system catalog.', state=45
        )
    return iter(())


def _dbinfo(session: Session, database: Database) -> Iterator[Event]:
    yield Columns(tuple(Column(name, NVARCHAR) for name in ("ParentObject", "Object", "Field", "VALUE")))
    for field, value in (
        ("dbi_version", database.boot["version"]),
        ("dbi_createVersion", database.boot["created_version"]),
        ("dbi_dbid", database.number),
        ("dbi_dbname", database.name),
        ("dbi_dbccLastKnownGood", database.options.get("last_good_checkdb", "1900-01-01 00:00:00.000")),
    ):
        yield Row(("DBINFO STRUCTURE:", "DBINFO @0x0", field, str(value)))
    yield Done(None, "SELECT")


@handles("BACKUP")
def backup(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """BACKUP CERTIFICATE; other backups are refused: nothing of the product takes any."""
    from tests.lab.sqlserver.engine.defining.keys import backup_certificate

    reader = Reader(statement.words)
    reader.next()
    if reader.take("CERTIFICATE"):
        yield from backup_certificate(session, reader)
        return
    kind = reader.next()
    if kind.value not in {"DATABASE", "LOG", "MASTER", "SERVICE"}:
        raise near(kind)
    yield SqlFailure(
        3201,
        f"Cannot open backup device '{statement.words[-1].value}'. Operating system error 50(The request is not supported.).",
    ).event
    raise fail(3013, f"BACKUP {kind.value}")


@handles("RESTORE")
def restore(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """Refused."""
    yield SqlFailure(
        3201,
        f"Cannot open backup device '{statement.words[-1].value}'. Operating system error 50(The request is not supported.).",
        state=2,
    ).event
    raise fail(3013, f"RESTORE {statement.words[1].value}")


@handles("RECONFIGURE")
def reconfigure(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """RECONFIGURE [WITH OVERRIDE]: the dynamic options take effect."""
    security.require(session, "ALTER SETTINGS")
    if session.trancount:
        raise SqlFailure(574, "CONFIG statement cannot be used inside a user transaction.")
    with session.changing(session.instance.master) as contents:
        for number, one in contents.all("configuration"):
            if one["dynamic"] and one["in_use"] != one["value"]:
                contents.update("configuration", number, in_use=one["value"])
    yield Done(None, "RECONFIGURE")
