"""CREATE, ALTER and DROP DATABASE."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from tests.lab.sqlserver.engine import security
from tests.lab.sqlserver.engine.catalogue import Document
from tests.lab.sqlserver.engine.database import Database
from tests.lab.sqlserver.engine.databases import FileSpec
from tests.lab.sqlserver.engine.defining.options import _set, _store
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import Changed, Done, Event, Info, SqlFailure
from tests.lab.sqlserver.engine.reader import Reader
from tests.lab.sqlserver.engine.running import Frame
from tests.lab.sqlserver.engine.session import Session


def _no_transaction(session: Session, what: str) -> None:
    if session.trancount:
        raise fail(226, what, state=6)


def _spec(reader: Reader, *, log: bool) -> FileSpec:
    reader.need("(")
    name = path = ""
    while True:
        if reader.take("NAME", "="):
            name = reader.text() if reader.here.kind == "string" else reader.name()
        elif reader.take("FILENAME", "="):
            path = reader.text()
        elif reader.take("SIZE", "=") or reader.take("MAXSIZE", "=") or reader.take("FILEGROWTH", "="):
            reader.next()
            if reader.here.kind == "word" and reader.here.value in {"KB", "MB", "GB", "TB"}:
                reader.next()
            reader.take("%")
        else:
            raise reader.unexpected()
        if not reader.take(","):
            break
    reader.need(")")
    return FileSpec(path, name, log)


def _specs(reader: Reader, *, log: bool) -> list[FileSpec]:
    found = [_spec(reader, log=log)]
    while reader.take(","):
        if reader.take("FILEGROUP"):
            raise fail(156, "FILEGROUP")
        found.append(_spec(reader, log=log))
    return found


def create(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """CREATE DATABASE name [ON ...] [LOG ON ...] [COLLATE ...] [FOR ATTACH | FOR ATTACH_REBUILD_LOG | AS SNAPSHOT OF]."""
    _no_transaction(session, "CREATE DATABASE")
    name = reader.name()
    files: list[FileSpec] = []
    options: Document = {}
    boot: Document = {}
    if reader.take("CONTAINMENT", "="):
        options["containment"] = reader.next().value
    if reader.take("ON"):
        reader.take("PRIMARY")
        files += _specs(reader, log=False)
    if reader.take("LOG", "ON"):
        files += _specs(reader, log=True)
    if reader.take("COLLATE"):
        boot["collation"] = reader.name()
    attaching = reader.take("FOR")
    rebuild = False
    if attaching:
        rebuild = reader.take("ATTACH_REBUILD_LOG")
        if not rebuild:
            reader.need("ATTACH")
    if reader.take("AS"):
        raise fail(156, "AS")
    if reader.take("WITH"):
        _with(reader, options)
    reader.finish()
    if not (security.may(session, "CREATE ANY DATABASE") or security.may(session, "CREATE DATABASE")):
        raise fail(262, "CREATE DATABASE", "master")
    if attaching:
        yield from attach(session, name, files, options, rebuild_log=rebuild)
        return
    with_files = [one for one in files if one.path]
    if len(with_files) != len(files):
        raise fail(5105, name)
    try:
        session.instance.databases.create(session, name, files, options, boot)
    except SqlFailure as failure:
        if failure.number in {5123, 5133, 5170}:
            yield failure.event
            raise fail(1802, state=4) from failure
        raise
    yield Done(None, "CREATE DATABASE")


def _with(reader: Reader, options: Document) -> None:
    while True:
        if reader.take("ENABLE_BROKER"):
            options["broker"] = True
        elif reader.take("NEW_BROKER"):
            options["broker"], options["broker_guid"] = True, str(uuid.uuid4()).upper()
        elif reader.take("TRUSTWORTHY"):
            options["trustworthy"] = reader.on_off()
        elif reader.take("DB_CHAINING"):
            options["chaining"] = reader.on_off()
        else:
            raise reader.unexpected()
        if not reader.take(","):
            return


def attach(
    session: Session, name: str, files: list[FileSpec], options: Document, *, rebuild_log: bool = False
) -> Iterator[Event]:
    """FOR ATTACH, also for sp_attach_db."""
    if not files:
        raise fail(1813, name)
    try:
        yield from session.instance.databases.attach(session, name, files, options, rebuild_log=rebuild_log)
    except SqlFailure as failure:
        if failure.number in {5123, 5133, 5170, 5171, 5172}:
            yield failure.event
            raise fail(1802, state=7) from failure
        if failure.number == 5120:
            if failure.message.split('"')[1].endswith("-wal"):
                yield Info(
                    5105,
                    1,
                    10,
                    f'File activation failure. The physical file name "{failure.message.split(chr(34))[1]}" may be incorrect.',
                )
                yield Info(
                    5105,
                    1,
                    10,
                    "The log cannot be rebuilt because there were open transactions/users when the database was shutdown, no checkpoint occurred to the database, or the database was read-only. This error could occur if the transaction log file was manually deleted or lost due to a hardware or environment failure.",
                )
                yield failure.event
                raise fail(1813, name, state=2) from failure
            raise
        if failure.number in {5173, 9003, 824, 948}:
            yield SqlFailure(
                failure.number, failure.message, severity=min(failure.severity, 16), state=failure.state
            ).event
            raise fail(1813, name, state=2) from failure
        raise
    yield Done(None, "CREATE DATABASE")


def drop(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """DROP DATABASE [IF EXISTS] a, b."""
    _no_transaction(session, "DROP DATABASE")
    lenient = reader.take("IF", "EXISTS")
    names = [reader.name()]
    while reader.take(","):
        names.append(reader.name())
    reader.finish()
    for name in names:
        database = session.instance.databases.find(name)
        allowed = database is not None and (security.may(session, "ALTER ANY DATABASE") or _owns(session, database))
        if database is None or not allowed:
            if database is None and lenient:
                continue
            raise fail(3701, "drop", "database", name)
        session.instance.databases.drop(session, database)
    yield Done(None, "DROP DATABASE")


def _owns(session: Session, database: Database) -> bool:
    if database.online:
        return security.is_owner(session, database)
    return database.boot.get("owner_sid") in session.sids or security.is_sysadmin(session)


def alter(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """ALTER DATABASE name SET ... | MODIFY NAME = ... | MODIFY FILE ... | COLLATE."""
    _no_transaction(session, "ALTER DATABASE")
    if reader.take("ENCRYPTION"):
        raise fail(102, "ENCRYPTION")
    name = reader.name()
    database = (
        session.current
        if name.upper() == "CURRENT" and reader.words[2].kind == "word"
        else session.instance.databases.find(name)
    )
    if database is None or not (security.may(session, "ALTER ANY DATABASE") or _owns(session, database)):
        yield fail(5011, name, state=5).event
        raise fail(5069)
    try:
        if reader.take("SET"):
            yield from _set(session, database, reader)
        elif reader.take("MODIFY", "NAME", "="):
            yield from _rename(session, database, reader)
        elif reader.take("MODIFY", "FILE"):
            _modify_file(session, database, _spec(reader, log=False))
        elif reader.take("COLLATE"):
            _store(session, database, {"collation": reader.name()})
        else:
            raise reader.unexpected()
        reader.finish()
    except SqlFailure as failure:
        if failure.severity == 15 or failure.number == 5069:
            raise
        yield failure.event
        raise fail(5069) from failure
    yield Done(None, "ALTER DATABASE")


def _rename(session: Session, database: Database, reader: Reader) -> Iterator[Event]:
    new = reader.name()
    if database.system:
        raise fail(5058, "MODIFY NAME", database.name)
    if session.instance.databases.find(new) is not None:
        raise fail(1801, new, state=3)
    if session.instance.sessions_in(database, but=session):
        raise fail(5030)
    old, database.name = database.name, new
    with session.changing(database) as contents:
        contents.update("boot", 1, name=new)
    session.instance.databases.remember(session, database)
    yield Info(5021, 1, 10, f"The database name '{new}' has been set.")
    if session.current is database:
        yield Changed("database", new, old)


def _modify_file(session: Session, database: Database, spec: FileSpec) -> None:
    found = next((one for one in database.files if one["name"].lower() == spec.name.lower()), None)
    if found is None:
        raise fail(5041, spec.name)
    if spec.path:
        raise SqlFailure(5040, "MODIFY FILE failed. The simulated engine moves no files: detach and attach.")
