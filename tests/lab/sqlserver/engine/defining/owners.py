"""ALTER AUTHORIZATION."""

from __future__ import annotations

from collections.abc import Iterator

from tests.lab.sqlserver.engine import security
from tests.lab.sqlserver.engine.database import Database
from tests.lab.sqlserver.engine.defining.logins import _server
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import Done, Event, SqlFailure
from tests.lab.sqlserver.engine.reader import Reader
from tests.lab.sqlserver.engine.running import Frame
from tests.lab.sqlserver.engine.session import Session

# -- owners ------------------------------------------------------------------------------------------------------------------------


def alter_authorization(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """ALTER AUTHORIZATION ON DATABASE::name | SCHEMA::name TO principal."""
    reader.need("ON")
    kind = reader.next().value
    reader.need("::")
    name = reader.name()
    reader.need("TO")
    owner = reader.name()
    reader.finish()
    if kind == "DATABASE":
        database = session.instance.databases.find(name)
        if database is None:
            raise fail(15151, "find", "database", name)
        change_owner(session, database, owner)
    elif kind == "SCHEMA":
        found, to = session.current.catalogue.named("schema", name), session.current.catalogue.named("principal", owner)
        if found is None or to is None or not security.is_owner(session, session.current):
            raise fail(15151, "find", "schema" if found is None else "user", name if found is None else owner)
        with session.changing(session.current) as contents:
            contents.update("schema", found[0], owner=to[0])
    else:
        raise fail(102, kind)
    yield Done(None, "ALTER AUTHORIZATION")


def change_owner(session: Session, database: Database, owner: str) -> None:
    """Also for sp_changedbowner. SqlFailure 15151, 15110, 15247."""
    found = _server(session).named("login", owner)
    if found is None or found[1]["type"] not in "SU":
        raise fail(15151, "find", "principal", owner)
    database.require()
    if database.system and database.number in {1, 2}:
        raise SqlFailure(15109, "Cannot change the owner of the master, model, tempdb or distribution database.")
    if not (
        security.is_sysadmin(session)
        or (
            security.is_owner(session, database)
            and (found[1]["sid"] in session.sids or security.may(session, "IMPERSONATE ANY LOGIN"))
        )
    ):
        raise fail(15151, "find", "principal", owner)
    sid = found[1]["sid"]
    if any(number > 4 and one["sid"] == sid for number, one in database.catalogue.all("principal")):
        raise fail(15110)
    with session.changing(database) as contents:
        contents.update("boot", 1, owner_sid=sid)
        contents.update("principal", 1, sid=sid)
    session.instance.databases.remember(session, database)
