"""Who may do what: server roles, database users and roles, GRANT and DENY."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tests.lab.sqlserver.engine.accounts import SA
from tests.lab.sqlserver.engine.messages import fail

if TYPE_CHECKING:
    from tests.lab.sqlserver.engine.catalogue import Catalogue, Document
    from tests.lab.sqlserver.engine.database import Database
    from tests.lab.sqlserver.engine.session import Session

SERVER_ROLES = {
    2: "public", 3: "sysadmin", 4: "securityadmin", 5: "serveradmin", 6: "setupadmin", 7: "processadmin", 8: "diskadmin", 9: "dbcreator", 10: "bulkadmin",
}  # fmt: skip
ROLE_GIVES = {
    "securityadmin": {"ALTER ANY LOGIN", "VIEW ANY DEFINITION"},
    "serveradmin": {
        "ALTER SETTINGS",
        "ALTER SERVER STATE",
        "SHUTDOWN",
        "VIEW SERVER STATE",
        "ALTER ANY ENDPOINT",
        "ALTER RESOURCES",
    },
    "setupadmin": {"ALTER ANY LINKED SERVER"},
    "processadmin": {"ALTER ANY CONNECTION", "ALTER SERVER STATE", "VIEW SERVER STATE"},
    "diskadmin": {"ALTER RESOURCES"},
    "dbcreator": {"CREATE ANY DATABASE", "ALTER ANY DATABASE", "CREATE DATABASE", "VIEW ANY DATABASE"},
    "bulkadmin": {"ADMINISTER BULK OPERATIONS"},
    "public": {"VIEW ANY DATABASE", "CONNECT"},
}
IMPLIES = {
    "ALTER ANY DATABASE": {"CREATE ANY DATABASE", "CREATE DATABASE"}, "CREATE ANY DATABASE": {"CREATE DATABASE"},
    "VIEW ANY DEFINITION": {"VIEW ANY DATABASE", "VIEW DEFINITION"}, "ALTER SERVER STATE": {"VIEW SERVER STATE"},
    "VIEW SERVER STATE": {"VIEW SERVER PERFORMANCE STATE", "VIEW SERVER SECURITY STATE", "VIEW DATABASE STATE"},
}  # fmt: skip
DATABASE_ROLE_GIVES = {
    "db_datareader": {"SELECT"}, "db_datawriter": {"INSERT", "UPDATE", "DELETE"}, "db_ddladmin": {"ALTER", "CREATE TABLE", "CREATE VIEW", "CREATE PROCEDURE", "REFERENCES", "CREATE SCHEMA", "CREATE FUNCTION"},
    "db_securityadmin": {"ALTER ANY ROLE", "ALTER ANY APPLICATION ROLE", "CREATE ROLE", "VIEW DEFINITION"}, "db_accessadmin": {"ALTER ANY USER", "CONNECT"},
    "db_backupoperator": {"BACKUP DATABASE", "BACKUP LOG", "CHECKPOINT"},
}  # fmt: skip
DATABASE_ROLE_DENIES = {"db_denydatareader": {"SELECT"}, "db_denydatawriter": {"INSERT", "UPDATE", "DELETE"}}
OBJECT_CONTROL = {
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "REFERENCES",
    "EXECUTE",
    "ALTER",
    "VIEW DEFINITION",
    "TAKE OWNERSHIP",
}


def login_ids(session: Session) -> set[int]:
    """The server principals that the session is: its login, those of its Windows groups."""
    tokens = set(session.sids)
    return {number for number, login in session.instance.catalogue.all("login") if login.get("sid") in tokens}


def server_roles(session: Session) -> set[str]:
    """The names of the roles, public among them."""
    catalogue = session.instance.catalogue
    members = login_ids(session)
    if SA in session.sids:
        return {"sysadmin", "public"}
    return {"public"} | role_names(catalogue, members)


def role_names(catalogue: Catalogue, members: set[int]) -> set[str]:
    """Of the server roles that any of these belongs to, also through other roles."""
    found: set[int] = set()
    links = [document for _, document in catalogue.all("server_member")]
    while True:
        new = {link["role"] for link in links if link["member"] in members | found} - found
        if not new:
            break
        found |= new
    return {str(document["name"]) for number in found if (document := catalogue.get("login", number))}


def is_sysadmin(session: Session) -> bool:
    """May it do everything?"""
    return "sysadmin" in server_roles(session)


def server_permissions(session: Session) -> tuple[set[str], set[str]]:
    """What is granted and what is denied on the server."""
    catalogue = session.instance.catalogue
    who = login_ids(session)
    roles = server_roles(session)
    who |= {
        number for number, document in catalogue.all("login") if document["type"] == "R" and document["name"] in roles
    }
    granted: set[str] = set()
    denied: set[str] = set()
    for _, document in catalogue.all("server_permission"):
        if document["grantee"] in who and document["class"] == 100:
            (denied if document["state"] == "D" else granted).add(document["permission"])
    for role in roles:
        granted |= ROLE_GIVES.get(role, set())
    for permission in list(granted):
        granted |= _implied(permission)
    return granted, denied


def _implied(permission: str) -> set[str]:
    found = IMPLIES.get(permission, set())
    return found | {deeper for one in found for deeper in _implied(one)}


def may(session: Session, permission: str) -> bool:
    """On the server."""
    if is_sysadmin(session):
        return True
    granted, denied = server_permissions(session)
    return permission not in denied and (permission in granted or "CONTROL SERVER" in granted)


# -- databases ---------------------------------------------------------------------------------------------------------------------


def user_of(session: Session, database: Database) -> tuple[int, Document] | None:
    """The user that the session is in a database; None = no access. SqlFailure when the database is not open."""
    catalogue = database.catalogue
    owner = database.boot.get("owner_sid")
    if is_sysadmin(session) or owner in session.sids or may(session, "CONTROL SERVER"):
        return 1, catalogue.get("principal", 1) or {}
    for sid in session.sids:
        for number, principal in catalogue.all("principal"):
            if (
                number > 4
                and principal["type"] in "SUGEX"
                and principal.get("sid") == sid
                and not _connect_denied(catalogue, number)
            ):
                return number, principal
    if database.number in {1, 2, 4} or _guest_connects(catalogue):
        return 2, catalogue.get("principal", 2) or {}
    return None


def _connect_denied(catalogue: Catalogue, principal: int) -> bool:
    return any(
        p["grantee"] == principal and p["permission"] == "CONNECT" and p["state"] == "D"
        for _, p in catalogue.all("permission")
    )


def _guest_connects(catalogue: Catalogue) -> bool:
    return any(
        p["grantee"] == 2 and p["permission"] == "CONNECT" and p["state"] == "G" for _, p in catalogue.all("permission")
    )


def database_roles(catalogue: Catalogue, user: int) -> set[int]:
    """All roles of a user, public (0) among them."""
    found = {0}
    links = [document for _, document in catalogue.all("member")]
    while True:
        new = {link["role"] for link in links if link["member"] in found | {user}} - found
        if not new:
            return found
        found |= new


def database_role_names(session: Session, database: Database) -> set[str]:
    """By name."""
    user = user_of(session, database)
    if user is None:
        return set()
    catalogue = database.catalogue
    return {
        str(document["name"])
        for number in database_roles(catalogue, user[0])
        if (document := catalogue.get("principal", number))
    }


def is_owner(session: Session, database: Database) -> bool:
    """dbo or db_owner?"""
    user = user_of(session, database)
    return user is not None and (user[0] == 1 or "db_owner" in database_role_names(session, database))


def may_in(
    session: Session, database: Database, permission: str, *, schema: int | None = None, object_id: int | None = None
) -> bool:
    """A permission on a database, a schema or an object of it."""
    if is_owner(session, database):
        return not _denied_role(session, database, permission) or is_sysadmin(session)
    user = user_of(session, database)
    if user is None:
        return False
    catalogue = database.catalogue
    who = database_roles(catalogue, user[0]) | {user[0]}
    names = database_role_names(session, database)
    if any(permission in DATABASE_ROLE_DENIES.get(name, ()) for name in names):
        return False
    granted = any(permission in DATABASE_ROLE_GIVES.get(name, ()) for name in names)
    for _, document in _concerning(catalogue.all("permission"), who, permission, schema, object_id):
        if document["state"] == "D":
            return False
        granted = True
    return granted


def _denied_role(session: Session, database: Database, permission: str) -> bool:
    names = database_role_names(session, database)
    return any(permission in DATABASE_ROLE_DENIES.get(name, ()) for name in names)


def _concerning(
    rows: Iterable[tuple[int, Document]], who: set[int], permission: str, schema: int | None, object_id: int | None
) -> list[tuple[int, Document]]:
    def fits(document: Document) -> bool:
        if document["grantee"] not in who:
            return False
        covers = document["permission"] == permission or (
            document["permission"] == "CONTROL" and permission in OBJECT_CONTROL
        )
        place = (
            document["class"] == 0
            or (document["class"] == 3 and document["major"] == schema)
            or (document["class"] == 1 and document["major"] == object_id)
        )
        return covers and place

    return [row for row in rows if fits(row[1])]


def require(session: Session, permission: str, number: int = 15247, *values: Any) -> None:
    """SqlFailure 15247 or another unless the session may."""
    if not may(session, permission):
        raise fail(number, *values)
