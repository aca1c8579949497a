"""Views and procedures of users."""

from __future__ import annotations

from collections.abc import Iterator

from tests.lab.sqlserver.engine import queries, security, statements
from tests.lab.sqlserver.engine.database import now
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import Done, Event, SqlFailure
from tests.lab.sqlserver.engine.reader import Reader
from tests.lab.sqlserver.engine.running import Frame
from tests.lab.sqlserver.engine.session import Session
from tests.lab.sqlserver.engine.statements import Simple
from tests.lab.sqlserver.engine.tables import _new_object_id, drop_object, place


def is_module(reader: Reader) -> bool:
    """Does a procedure, view, function or trigger follow?"""
    words = [word.value for word in reader.words[reader.at : reader.at + 3]]
    return bool(words) and (
        words[0] in statements.UNITS or (words[:2] == ["OR", "ALTER"] and words[2:] and words[2] in statements.UNITS)
    )


def create(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """CREATE [OR ALTER] PROCEDURE or ALTER PROCEDURE; views, functions and triggers are not of this simulation."""
    reader = Reader(statement.words)
    altering = reader.next().value == "ALTER"
    either = reader.take("OR", "ALTER")
    kind = reader.next()
    if kind.value not in {"PROCEDURE", "PROC"}:
        raise fail(156, kind.text)
    parts = reader.dotted()
    database, schema, name = place(session, parts)
    if not security.may_in(session, database, "CREATE PROCEDURE"):
        raise fail(262, "CREATE PROCEDURE", database.name)
    parameters = _parameters(reader)
    if reader.take("WITH"):
        while not reader.ended and reader.here.value != "AS":
            reader.next()
    if not reader.take("AS"):
        raise reader.unexpected()
    if reader.ended:
        raise reader.unexpected()
    body = statement.text[reader.here.start - statement.words[0].start :]
    statements.parse(body)
    found = database.objects().get((schema.lower(), name.lower()))
    if found is not None and not (altering or either):
        raise fail(2714, name, state=3)
    if found is None and altering:
        raise fail(208, ".".join(parts), state=6)
    at = now()
    document = {
        "schema": schema,
        "name": name,
        "type": "P",
        "parameters": parameters,
        "body": body,
        "definition": statement.text,
        "created": found[1]["created"] if found else at,
        "modified": at,
    }
    with session.changing(database) as contents:
        contents.put("object", found[0] if found else _new_object_id(database), document)
    yield Done(None, "CREATE PROCEDURE")


def _parameters(reader: Reader) -> list[dict[str, object]]:
    parameters: list[dict[str, object]] = []
    wrapped = reader.take("(")
    while reader.here.kind == "variable":
        name = reader.next().text
        reader.take("AS")
        kind = reader.dotted()[-1]
        if reader.here.value == "(":
            kind += "(" + "".join(word.text for word in reader.group()) + ")"
        default = None
        if reader.take("="):
            default = reader.next().text
            if default == "-":
                default += reader.next().text
        output = reader.take("OUTPUT") or reader.take("OUT")
        reader.take("READONLY")
        parameters.append({"name": name, "type": kind, "default": default, "output": output})
        if not reader.take(","):
            break
    if wrapped:
        reader.need(")")
    return parameters


def drop_procedure(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """DROP PROCEDURE [IF EXISTS] name."""
    lenient = reader.take("IF", "EXISTS")
    drop_object(session, reader.dotted(), "P", "procedure", lenient=lenient)
    reader.finish()
    yield Done(None, "DROP PROCEDURE")


def drop_view(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """DROP VIEW [IF EXISTS] name."""
    lenient = reader.take("IF", "EXISTS")
    drop_object(session, reader.dotted(), "V", "view", lenient=lenient)
    reader.finish()
    yield Done(None, "DROP VIEW")


__all__ = ["SqlFailure", "queries"]
