"""Server roles and their members."""

from __future__ import annotations

from collections.abc import Iterator

from tests.lab.sqlserver.engine import accounts, security
from tests.lab.sqlserver.engine.catalogue import Document
from tests.lab.sqlserver.engine.defining.logins import _server
from tests.lab.sqlserver.engine.fresh import login as login_document
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import Done, Event, SqlFailure
from tests.lab.sqlserver.engine.reader import Reader
from tests.lab.sqlserver.engine.running import Frame
from tests.lab.sqlserver.engine.session import Session

# -- server roles ------------------------------------------------------------------------------------------------------------------


def _server_role(session: Session, name: str, verb: str) -> tuple[int, Document]:
    found = _server(session).named("login", name)
    if found is None or found[1]["type"] != "R":
        raise fail(15151, verb, "server role", name)
    return found


def create_server_role(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """CREATE SERVER ROLE name."""
    name = reader.name()
    if reader.take("AUTHORIZATION"):
        reader.name()
    reader.finish()
    security.require(session, "ALTER ANY SERVER ROLE")
    if _server(session).named("login", name):
        raise fail(15025, name)
    with session.changing(session.instance.master) as master:
        master.add("login", login_document(name, "R", accounts.new_sid()), 256)
    yield Done(None, "CREATE SERVER ROLE")


def alter_server_role(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """ALTER SERVER ROLE name ADD | DROP MEMBER login."""
    role = reader.name()
    adding = reader.take("ADD", "MEMBER")
    if not adding:
        reader.need("DROP", "MEMBER")
    member = reader.name()
    reader.finish()
    change_server_role(session, role, member, adding=adding)
    yield Done(None, "ALTER SERVER ROLE")


def change_server_role(session: Session, role: str, member: str, *, adding: bool) -> None:
    """Also for sp_addsrvrolemember. SqlFailure 15151, 15405."""
    number, document = _server_role(session, role, "alter")
    if not (
        security.is_sysadmin(session)
        or document["name"] in security.server_roles(session) - {"public"}
        or (number > 255 and security.may(session, "ALTER ANY SERVER ROLE"))
    ):
        raise fail(15151, "alter", "server role", role)
    if number == 2:
        raise SqlFailure(15081, "Membership of the public role cannot be changed.")
    found = _server(session).named("login", member)
    if found is None:
        raise fail(15151, "add" if adding else "drop", "principal", member)
    if found[0] == 1 and not adding:
        raise fail(15405, "sa")
    with session.changing(session.instance.master) as master:
        links = [
            (at, one) for at, one in master.all("server_member") if one["role"] == number and one["member"] == found[0]
        ]
        if adding and not links:
            master.add("server_member", {"role": number, "member": found[0]})
        for at, _ in links if not adding else ():
            master.drop("server_member", at)


def drop_server_role(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """DROP SERVER ROLE name."""
    name = reader.name()
    reader.finish()
    number, _ = _server_role(session, name, "drop")
    security.require(session, "ALTER ANY SERVER ROLE")
    if number < 256:
        raise fail(15150, "server role", name)
    if any(one["role"] == number for _, one in _server(session).all("server_member")):
        raise fail(15144)
    with session.changing(session.instance.master) as master:
        master.drop("login", number)
    yield Done(None, "DROP SERVER ROLE")
