"""ALTER DATABASE SET: options, access and state."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from tests.lab.sqlserver.engine.catalogue import Document
from tests.lab.sqlserver.engine.database import Database
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import Event, Info, SqlFailure
from tests.lab.sqlserver.engine.reader import Reader
from tests.lab.sqlserver.engine.session import Session

FLAGS = {
    "TRUSTWORTHY": "trustworthy", "DB_CHAINING": "chaining", "AUTO_CLOSE": "auto_close", "AUTO_SHRINK": "auto_shrink", "AUTO_CREATE_STATISTICS": "auto_create_statistics",
    "AUTO_UPDATE_STATISTICS": "auto_update_statistics", "ALLOW_SNAPSHOT_ISOLATION": "snapshot_isolation", "READ_COMMITTED_SNAPSHOT": "read_committed_snapshot", "QUOTED_IDENTIFIER": "quoted_identifier",
    "ANSI_NULLS": "", "ANSI_PADDING": "", "ANSI_WARNINGS": "", "ARITHABORT": "", "CONCAT_NULL_YIELDS_NULL": "", "NUMERIC_ROUNDABORT": "", "RECURSIVE_TRIGGERS": "", "CURSOR_CLOSE_ON_COMMIT": "",
    "ANSI_NULL_DEFAULT": "", "DATE_CORRELATION_OPTIMIZATION": "", "AUTO_UPDATE_STATISTICS_ASYNC": "",
}  # fmt: skip


def _termination(reader: Reader) -> str:
    if not reader.take("WITH"):
        return ""
    if reader.take("NO_WAIT"):
        return "NO_WAIT"
    reader.need("ROLLBACK")
    if reader.take("AFTER"):
        reader.number()
        reader.take("SECONDS")
        return "IMMEDIATE"
    reader.need("IMMEDIATE")
    return "IMMEDIATE"


def _set(session: Session, database: Database, reader: Reader) -> Iterator[Event]:
    changes: Document = {}
    state = ""
    exclusive = False
    while True:
        word = reader.next().value
        if word in {"ONLINE", "OFFLINE", "EMERGENCY"}:
            state = word
        elif word in {"SINGLE_USER", "MULTI_USER", "RESTRICTED_USER"}:
            changes["user_access"] = word
            exclusive = word == "SINGLE_USER"
        elif word in {"READ_ONLY", "READ_WRITE"}:
            changes["read_only"] = word == "READ_ONLY"
            exclusive = True
        else:
            exclusive = _option(reader, word, changes) or exclusive
        if not reader.take(","):
            break
    how = _termination(reader)
    reader.finish()
    if database.system and (state or "user_access" in changes or "read_only" in changes):
        raise fail(5058, state or str(changes.get("user_access", "READ_ONLY")), database.name)
    if state:
        yield from _state(session, database, state, how)
        return
    database.require()
    others = session.instance.sessions_in(database, but=session)
    if changes.get("user_access") != "SINGLE_USER" and database.options["user_access"] == "SINGLE_USER" and others:
        raise fail(5064)
    if others and exclusive:
        _send_away(session, database, how)
    _store(session, database, changes)


def _option(reader: Reader, word: str, changes: Document) -> bool:
    """One option; True when it needs the database for itself."""
    if word in FLAGS:
        value = reader.on_off()
        if FLAGS[word]:
            changes[FLAGS[word]] = value
        return word == "READ_COMMITTED_SNAPSHOT"
    if word == "RECOVERY":
        changes["recovery"] = reader.next().value
        if changes["recovery"] not in {"FULL", "SIMPLE", "BULK_LOGGED"}:
            raise reader.unexpected()
    elif word == "COMPATIBILITY_LEVEL":
        reader.need("=")
        changes["compatibility"] = reader.number()
    elif word == "PAGE_VERIFY":
        changes["page_verify"] = reader.next().value
    elif word in {"ENABLE_BROKER", "DISABLE_BROKER", "NEW_BROKER", "ERROR_BROKER_CONVERSATIONS"}:
        changes["broker"] = word != "DISABLE_BROKER"
        if word == "NEW_BROKER":
            changes["broker_guid"] = str(uuid.uuid4()).upper()
        return True
    elif word == "CONTAINMENT":
        reader.need("=")
        changes["containment"] = reader.next().value
    elif word == "ENCRYPTION":
        changes["encrypted"] = reader.on_off()
    elif word == "DELAYED_DURABILITY":
        reader.need("=")
        reader.next()
    elif word == "TARGET_RECOVERY_TIME":
        reader.need("=")
        reader.number()
        reader.next()
    elif word == "QUERY_STORE":
        changes["query_store"] = reader.on_off()
    elif word == "PARTNER":
        reader.need("OFF")
        changes["mirroring"] = None
    elif word == "HADR":
        reader.need("OFF")
        changes["availability_group"] = None
    else:
        reader.at -= 1
        raise reader.unexpected()
    return False


def _store(session: Session, database: Database, changes: Document) -> None:
    level = changes.get("compatibility")
    person = session.instance.personality
    if level is not None and not (person.oldest_compatibility <= level <= person.compatibility and level % 10 == 0):
        raise SqlFailure(
            15048,
            f"Valid values of the database compatibility level are {', '.join(str(one) for one in range(person.oldest_compatibility, person.compatibility + 1, 10))}.",
        )
    if changes.get("encrypted") and database.options["encryptor"] is None:
        raise SqlFailure(
            33107,
            f"Cannot enable database encryption because it is already enabled or there is no database encryption key in '{database.name}'.",
        )
    if database.options["read_only"] and set(changes) - {"read_only", "user_access"}:
        raise fail(3906, database.name)
    with session.changing(database) as contents:
        contents.update("options", 1, **changes)
    session.instance.databases.remember(session, database)


def _send_away(session: Session, database: Database, how: str) -> None:
    others = session.instance.sessions_in(database, but=session)
    if others and how == "NO_WAIT":
        raise fail(5070, database.name, state=2)
    if others and how != "IMMEDIATE":
        session_wait(session, database)
        return
    for other in others:
        other.end()


def session_wait(session: Session, database: Database) -> None:
    """Without a termination clause the statement waits until the others have left."""
    import time

    while session.instance.sessions_in(database, but=session):
        session.check_cancelled()
        time.sleep(0.02)


def _state(session: Session, database: Database, state: str, how: str) -> Iterator[Event]:
    databases = session.instance.databases
    if state == "EMERGENCY":
        raise fail(102, "EMERGENCY")
    if state == "OFFLINE":
        if database.state == "OFFLINE":
            return
        if session.current is database:
            yield from session.enter("master")
        if database.online:
            _send_away(session, database, how)
            database.lock.acquire(session)
            try:
                with database.moments.held():
                    database.close()
            finally:
                database.lock.release(session)
        database.state, database.reasons = "OFFLINE", []
        databases.remember(session, database, "OFFLINE")
        return
    if database.online:
        return
    database.lock.acquire(session)
    try:
        with database.moments.held():
            database.open()
            said = databases._upgrade(database)
    except SqlFailure as failure:
        session.instance.errorlog.error(failure)
        databases.remember(session, database, "ONLINE")
        yield SqlFailure(failure.number, failure.message, severity=min(failure.severity, 16), state=failure.state).event
        if database.state == "RECOVERY_PENDING":
            yield Info(945, 1, 10, fail(945, database.name).message)
        raise fail(5069) from failure
    finally:
        database.lock.release(session)
    databases.remember(session, database, "ONLINE")
    yield from said
