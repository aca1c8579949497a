"""GRANT, DENY, REVOKE."""

from __future__ import annotations

from collections.abc import Iterator

from tests.lab.sqlserver.engine import security
from tests.lab.sqlserver.engine.catalogue import Document
from tests.lab.sqlserver.engine.database import Database
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.metadata_databases import find_object
from tests.lab.sqlserver.engine.permissions import (
    DATABASE_PERMISSIONS,
    OBJECT_PERMISSIONS,
    SCHEMA_PERMISSIONS,
    SERVER_PERMISSIONS,
)
from tests.lab.sqlserver.engine.port import Done, Event, SqlFailure
from tests.lab.sqlserver.engine.reader import Reader
from tests.lab.sqlserver.engine.running import Frame, handles
from tests.lab.sqlserver.engine.session import Session
from tests.lab.sqlserver.engine.statements import Simple


def _permissions(reader: Reader) -> list[str]:
    found = []
    while True:
        words = []
        while not reader.ended and reader.here.kind == "word" and reader.here.value not in {"ON", "TO", "FROM"}:
            words.append(reader.next().value)
        if reader.here.value == "(":
            raise fail(102, "(")
        if not words:
            raise reader.unexpected()
        found.append(
            {"EXEC": "EXECUTE", "ALL": "ALL", "ALL PRIVILEGES": "ALL", "CREATE PROC": "CREATE PROCEDURE"}.get(
                " ".join(words), " ".join(words)
            )
        )
        if not reader.take(","):
            return found


@handles("GRANT", "DENY", "REVOKE")
def grant(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """GRANT permissions [ON securable] TO principals."""
    reader = Reader(statement.words)
    verb = reader.next().value
    if verb == "REVOKE":
        reader.take("GRANT", "OPTION", "FOR")
    permissions = _permissions(reader)
    kind, parts = "", []
    if reader.take("ON"):
        kind, parts = _securable(reader)
    if not (reader.take("TO") or reader.take("FROM")):
        raise reader.unexpected()
    names = [reader.name()]
    while reader.take(","):
        names.append(reader.name())
    option = reader.take("WITH", "GRANT", "OPTION")
    reader.take("CASCADE")
    if reader.take("AS"):
        reader.name()
    reader.finish()
    state = {"GRANT": "W" if option else "G", "DENY": "D", "REVOKE": ""}[verb]
    for name in names:
        for permission in permissions:
            _one(session, permission, kind, parts, name, state)
    yield Done(None, verb)


def _securable(reader: Reader) -> tuple[str, list[str]]:
    if len(reader.words) > reader.at + 1 and reader.words[reader.at + 1].value == "::":
        kind = reader.next().value
        reader.need("::")
    elif len(reader.words) > reader.at + 2 and reader.words[reader.at + 2].value == "::":
        kind = f"{reader.next().value} {reader.next().value}"
        reader.need("::")
    else:
        kind = "OBJECT"
    return kind, reader.dotted()


def _one(session: Session, permission: str, kind: str, parts: list[str], name: str, state: str) -> None:
    if kind in {"LOGIN", "SERVER ROLE", "ENDPOINT", "SERVER"}:
        _on_server(session, permission, name, state, 105 if kind == "ENDPOINT" else 101, parts)
    elif kind == "" and permission in SERVER_PERMISSIONS - DATABASE_PERMISSIONS:
        _on_server(session, permission, name, state, 100, [])
    else:
        _in_database(session, permission, kind, parts, name, state)


def _on_server(session: Session, permission: str, name: str, state: str, kind: int, parts: list[str]) -> None:
    if session.current.number != 1:
        raise SqlFailure(
            4621, "Permissions at the server scope can only be granted when the current database is master."
        )
    catalogue = session.instance.catalogue
    found = catalogue.named("login", name)
    if found is None:
        raise fail(15151, "find", "login", name)
    if not (
        security.may(session, "CONTROL SERVER")
        or (permission == "CONNECT SQL" and security.may(session, "ALTER ANY LOGIN"))
    ):
        raise SqlFailure(4613, "Grantor does not have GRANT permission.")
    if found[0] in {1, 3} or (found[1]["type"] == "R" and found[0] != 2 and found[0] < 256):
        raise SqlFailure(
            4624,
            "Cannot grant, deny, or revoke permissions to sa, dbo, entity owner, information_schema, sys, or yourself.",
        )
    major = 0
    if kind == 101:
        target = catalogue.named("login", parts[-1])
        if target is None:
            raise fail(15151, "find", "login", parts[-1])
        major = target[0]
    elif kind == 105:
        endpoint = catalogue.named("endpoint", parts[-1])
        if endpoint is None:
            raise fail(15151, "find", "endpoint", parts[-1])
        major = endpoint[0]
    _record(
        session,
        session.instance.master,
        "server_permission",
        {"class": kind, "major": major, "grantee": found[0], "grantor": 1, "permission": permission},
        state,
    )


def _in_database(session: Session, permission: str, kind: str, parts: list[str], name: str, state: str) -> None:
    database = session.current
    catalogue = database.catalogue
    found = catalogue.named("principal", name)
    if found is None:
        raise fail(15151, "find", "user", name)
    if found[0] in {1, 3, 4} or found[1].get("fixed"):
        raise SqlFailure(
            4617 if found[1].get("fixed") else 4624,
            "Cannot grant, deny or revoke permissions to or from special roles."
            if found[1].get("fixed")
            else "Cannot grant, deny, or revoke permissions to sa, dbo, entity owner, information_schema, sys, or yourself.",
        )
    place, major, allowed = _place(session, database, kind, parts)
    wanted = (
        ["SELECT", "INSERT", "UPDATE", "DELETE", "REFERENCES"] if permission == "ALL" and place == 1 else [permission]
    )
    for one in wanted:
        if one not in allowed:
            raise fail(102, one)
        if not security.is_owner(session, database) and "db_securityadmin" not in security.database_role_names(
            session, database
        ):
            raise fail(
                15151, "find", {0: "database", 1: "object", 3: "schema"}[place], parts[-1] if parts else database.name
            )
        _record(
            session,
            database,
            "permission",
            {"class": place, "major": major, "grantee": found[0], "grantor": 1, "permission": one},
            state,
        )


def _place(session: Session, database: Database, kind: str, parts: list[str]) -> tuple[int, int, set[str]]:
    if kind in {"", "DATABASE"}:
        if parts and parts[-1].lower() != database.name.lower():
            raise fail(15151, "find", "database", parts[-1])
        return 0, 0, DATABASE_PERMISSIONS
    if kind == "SCHEMA":
        schema = database.catalogue.named("schema", parts[-1])
        if schema is None:
            raise fail(15151, "find", "schema", parts[-1])
        return 3, schema[0], SCHEMA_PERMISSIONS
    if kind == "OBJECT":
        target = find_object(session, ".".join(parts))
        if target is None:
            raise fail(15151, "find", "object", parts[-1])
        return 1, target[1], OBJECT_PERMISSIONS
    raise fail(102, kind)


def _record(session: Session, database: Database, kind: str, document: Document, state: str) -> None:
    with session.changing(database) as contents:
        for number, one in contents.all(kind):
            if all(one[key] == document[key] for key in ("class", "major", "grantee", "permission")):
                contents.drop(kind, number)
        if state:
            contents.add(kind, {**document, "state": state})
