"""Logins, users, roles, schemas, owners."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.lab.sqlserver.engine import accounts, security
from tests.lab.sqlserver.engine.catalogue import Document
from tests.lab.sqlserver.engine.database import Database, now
from tests.lab.sqlserver.engine.defining.logins import _server, check_policy
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import Done, Event, SqlFailure
from tests.lab.sqlserver.engine.reader import Reader
from tests.lab.sqlserver.engine.running import Frame
from tests.lab.sqlserver.engine.session import Session

DEFAULT_SCHEMA = "dbo"


# -- users -------------------------------------------------------------------------------------------------------------------------


def _principal(
    name: str, kind: str, sid: bytes | None, authentication: str, schema: str | None = DEFAULT_SCHEMA
) -> Document:
    at = now()
    return {
        "name": name,
        "type": kind,
        "sid": sid,
        "schema": schema,
        "created": at,
        "modified": at,
        "authentication": authentication,
    }


def create_user(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """CREATE USER name [FOR LOGIN login | WITHOUT LOGIN] [WITH DEFAULT_SCHEMA = schema]. SqlFailure 15007, 15023, 15063."""
    name = reader.name()
    database = session.current
    login_name = name
    without = False
    kind = ""
    if reader.take("FOR") or reader.take("FROM"):
        if reader.take("CERTIFICATE"):
            kind = "C"
            login_name = reader.name()
        else:
            reader.need("LOGIN")
            login_name = reader.name()
    elif reader.take("WITHOUT", "LOGIN"):
        without = True
    changes, password = _user_options(reader)
    reader.finish()
    if not security.may_in(session, database, "ALTER ANY USER"):
        raise fail(15247)
    if database.catalogue.named("principal", name):
        raise fail(15023, name)
    if without or kind == "C":
        made = _principal(
            name, kind or "S", b"\x01\x05" + bytes(6) + b"\x09\x03" + bytes(2) + accounts.new_sid(), "NONE"
        )
    elif password is not None:
        if database.options["containment"] != "PARTIAL":
            raise SqlFailure(33233, "You can only create a user with a password in a contained database.")
        check_policy(password)
        made = _principal(name, "S", accounts.new_sid(), "DATABASE")
    else:
        made = _for_login(session, database, name, login_name)
    with session.changing(database) as contents:
        contents.add("principal", {**made, **changes}, 5)
    yield Done(None, "CREATE USER")


def _for_login(session: Session, database: Database, name: str, login_name: str) -> Document:
    found = _server(session).named("login", login_name)
    if found is None or found[1]["type"] not in "SUG":
        if "\\" in login_name and (sid := session.instance.windows_sid(login_name)) is not None:
            return _principal(name, "U", sid, "WINDOWS")
        raise fail(15007, login_name)
    login = found[1]
    if login["sid"] == accounts.SA:
        raise fail(15405, "sa")
    if any(one["sid"] == login["sid"] for _, one in database.catalogue.all("principal")):
        raise fail(15063)
    return _principal(name, login["type"], login["sid"], "INSTANCE" if login["type"] == "S" else "WINDOWS")


def _user_options(reader: Reader) -> tuple[Document, str | None]:
    changes: Document = {}
    password = None
    if reader.take("WITH"):
        while True:
            if reader.take("DEFAULT_SCHEMA", "="):
                changes["schema"] = reader.name()
            elif reader.take("PASSWORD", "="):
                password = reader.text()
            elif reader.take("DEFAULT_LANGUAGE", "="):
                reader.name()
            elif reader.take("ALLOW_ENCRYPTED_VALUE_MODIFICATIONS"):
                reader.on_off()
            elif reader.take("NAME", "="):
                changes["name"] = reader.name()
            elif reader.take("LOGIN", "="):
                changes["login"] = reader.name()
            else:
                raise reader.unexpected()
            if not reader.take(","):
                break
    return changes, password


def _user(session: Session, name: str, verb: str) -> tuple[int, Document]:
    found = session.current.catalogue.named("principal", name)
    if found is None or found[1]["type"] == "R":
        raise fail(15151, verb, "user", name)
    return found


def alter_user(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """ALTER USER name WITH LOGIN = login, NAME = ..., DEFAULT_SCHEMA = ... SqlFailure 15151, 15063, 33016."""
    name = reader.name()
    changes, _ = _user_options(reader)
    reader.finish()
    if not security.may_in(session, session.current, "ALTER ANY USER"):
        raise fail(15151, "alter", "user", name)
    number, document = _user(session, name, "alter")
    wanted = changes.pop("login", None)
    if wanted is not None:
        changes["sid"] = _new_login_of(session, number, document, wanted)
    with session.changing(session.current) as contents:
        contents.update("principal", number, modified=now(), **changes)
    yield Done(None, "ALTER USER")


def _new_login_of(session: Session, number: int, document: Document, wanted: str) -> bytes:
    if number <= 4:
        raise fail(15150, "user", document["name"])
    if document["authentication"] == "NONE" or document["type"] not in "SUG":
        raise SqlFailure(
            33016,
            "The user cannot be remapped to a login. Remapping can only be done for users that were mapped to Windows or SQL logins.",
        )
    found = _server(session).named("login", wanted)
    if found is None or found[1]["type"] == "R":
        raise fail(15151, "alter", "login", wanted)
    if found[1]["type"] != document["type"] and not {found[1]["type"], document["type"]} <= {"U", "G"}:
        raise SqlFailure(
            33016,
            "The user cannot be remapped to a login. Remapping can only be done for users that were mapped to Windows or SQL logins.",
        )
    for at, one in session.current.catalogue.all("principal"):
        if at != number and one["sid"] == found[1]["sid"]:
            raise fail(15063)
    sid: bytes = found[1]["sid"]
    return sid


def drop_user(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """DROP USER [IF EXISTS] name."""
    lenient = reader.take("IF", "EXISTS")
    name = reader.name()
    reader.finish()
    if lenient and session.current.catalogue.named("principal", name) is None:
        return
    if not security.may_in(session, session.current, "ALTER ANY USER"):
        raise fail(15151, "drop", "user", name)
    number, _ = _user(session, name, "drop")
    if number <= 4:
        raise fail(15150, "user", name)
    _forget_principal(session, number)
    yield Done(None, "DROP USER")


def _forget_principal(session: Session, number: int) -> None:
    database = session.current
    if any(one["owner"] == number for _, one in database.catalogue.all("schema")):
        raise fail(15138)
    with session.changing(database) as contents:
        contents.drop("principal", number)
        for kind, field in (("member", "member"), ("permission", "grantee")):
            for at, one in contents.all(kind):
                if one[field] == number:
                    contents.drop(kind, at)


__all__: list[Any] = []
