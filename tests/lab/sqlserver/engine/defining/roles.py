"""Roles and schemas of databases."""

from __future__ import annotations

from collections.abc import Iterator

from tests.lab.sqlserver.engine import accounts, security
from tests.lab.sqlserver.engine.catalogue import Document
from tests.lab.sqlserver.engine.defining.principals import _forget_principal, _principal
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import Done, Event, SqlFailure
from tests.lab.sqlserver.engine.reader import Reader
from tests.lab.sqlserver.engine.running import Frame
from tests.lab.sqlserver.engine.session import Session

# -- database roles and schemas ----------------------------------------------------------------------------------------------------


def create_role(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """CREATE ROLE name [AUTHORIZATION owner]."""
    name = reader.name()
    if reader.take("AUTHORIZATION"):
        reader.name()
    reader.finish()
    if not security.may_in(session, session.current, "CREATE ROLE"):
        raise fail(15247)
    if session.current.catalogue.named("principal", name):
        raise fail(15023, name)
    with session.changing(session.current) as contents:
        contents.add("principal", _principal(name, "R", accounts.new_sid(), "NONE", None), 5)
    yield Done(None, "CREATE ROLE")


def _role(session: Session, name: str, verb: str) -> tuple[int, Document]:
    found = session.current.catalogue.named("principal", name)
    if found is None or found[1]["type"] != "R":
        raise fail(15151, verb, "role", name)
    return found


def alter_role(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """ALTER ROLE name ADD | DROP MEMBER user."""
    role = reader.name()
    adding = reader.take("ADD", "MEMBER")
    if not adding:
        reader.need("DROP", "MEMBER")
    member = reader.name()
    reader.finish()
    change_role(session, role, member, adding=adding)
    yield Done(None, "ALTER ROLE")


def change_role(session: Session, role: str, member: str, *, adding: bool) -> None:
    """Also for sp_addrolemember. SqlFailure 15151, 15405, 15410."""
    number, _ = _role(session, role, "alter")
    if not security.may_in(session, session.current, "ALTER ANY ROLE"):
        raise fail(15151, "alter", "role", role)
    if number == 0:
        raise SqlFailure(15081, "Membership of the public role cannot be changed.")
    found = session.current.catalogue.named("principal", member)
    if found is None:
        raise fail(15151, "add" if adding else "drop", "principal", member)
    if found[0] in {1, 3, 4} or found[0] == number:
        raise fail(15405, member)
    with session.changing(session.current) as contents:
        links = [at for at, one in contents.all("member") if one["role"] == number and one["member"] == found[0]]
        if adding and not links:
            contents.add("member", {"role": number, "member": found[0]})
        for at in links if not adding else ():
            contents.drop("member", at)


def drop_role(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """DROP ROLE [IF EXISTS] name."""
    lenient = reader.take("IF", "EXISTS")
    name = reader.name()
    reader.finish()
    if lenient and session.current.catalogue.named("principal", name) is None:
        return
    number, document = _role(session, name, "drop")
    if not security.may_in(session, session.current, "ALTER ANY ROLE"):
        raise fail(15151, "drop", "role", name)
    if document.get("fixed") or number == 0:
        raise fail(15150, "role", name)
    if any(one["role"] == number for _, one in session.current.catalogue.all("member")):
        raise fail(15144)
    _forget_principal(session, number)
    yield Done(None, "DROP ROLE")


def create_schema(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """CREATE SCHEMA name [AUTHORIZATION owner]."""
    name = reader.name()
    owner = 1
    if reader.take("AUTHORIZATION"):
        wanted = reader.name()
        found = session.current.catalogue.named("principal", wanted)
        if found is None:
            raise fail(15151, "find", "user", wanted)
        owner = found[0]
    reader.finish()
    if not security.may_in(session, session.current, "CREATE SCHEMA"):
        raise fail(2760, name)
    if session.current.catalogue.named("schema", name):
        raise fail(2714, name, state=6)
    with session.changing(session.current) as contents:
        contents.add("schema", {"name": name, "owner": owner}, 5)
    yield Done(None, "CREATE SCHEMA")


def drop_schema(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """DROP SCHEMA [IF EXISTS] name."""
    lenient = reader.take("IF", "EXISTS")
    name = reader.name()
    reader.finish()
    found = session.current.catalogue.named("schema", name)
    if found is None and lenient:
        return
    if found is None or not security.is_owner(session, session.current):
        raise fail(15151, "drop", "schema", name)
    if found[0] <= 4 or found[0] >= 16384:
        raise fail(15150, "schema", name)
    inside = next(
        (one for _, one in session.current.catalogue.all("object") if one["schema"].lower() == name.lower()), None
    )
    if inside is not None:
        raise SqlFailure(
            3729, f"Cannot drop schema '{name}' because it is being referenced by object '{inside['name']}'."
        )
    with session.changing(session.current) as contents:
        contents.drop("schema", found[0])
    yield Done(None, "DROP SCHEMA")
