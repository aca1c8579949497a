"""Functions that ask about logins, users, roles and permissions."""

from __future__ import annotations

from typing import Any

from tests.lab.sqlserver.engine import accounts, security
from tests.lab.sqlserver.engine.functions import FUNCTIONS, INT, VARIANT, function
from tests.lab.sqlserver.engine.metadata import SID, SYSNAME, _instance, _session
from tests.lab.sqlserver.engine.metadata_databases import _named, find_object

# -- logins and users --------------------------------------------------------------------------------------------------------------


def _sid_name(sid: bytes) -> str | None:
    session = _session()
    for _, login in session.instance.catalogue.all("login"):
        if login["sid"] == sid and login["type"] != "C":
            return str(login["name"])
    return session.login_name if sid == session.sid else None


@function("SUSER_SNAME", SYSNAME)
def _suser_sname(*sid: Any) -> Any:
    if not sid:
        return _session().login_name
    return _sid_name(bytes(sid[0])) if isinstance(sid[0], bytes) else None


@function("SUSER_NAME", SYSNAME)
def _suser_name(*number: Any) -> Any:
    if not number:
        return _session().login_name
    document = _instance().catalogue.get("login", number[0]) if number[0] is not None else None
    return document["name"] if document else None


FUNCTIONS["SYSTEM_USER"] = FUNCTIONS["SUSER_NAME"]


@function("ORIGINAL_LOGIN", SYSNAME)
def _original_login() -> Any:
    return _session().original_login


@function("SUSER_SID", SID)
def _suser_sid(*name: Any) -> Any:
    if not name:
        return _session().sid
    if name[0] is None:
        return None
    found = _instance().catalogue.named("login", str(name[0]))
    if found is not None:
        return found[1]["sid"]
    return _instance().windows_sid(str(name[0])) if "\\" in str(name[0]) else None


@function("SUSER_ID", INT)
def _suser_id(*name: Any) -> Any:
    found = _instance().catalogue.named("login", str(name[0]) if name else _session().login_name)
    return found[0] if found else None


@function("USER_NAME", SYSNAME)
def _user_name(*number: Any) -> Any:
    session = _session()
    if number:
        document = session.current.catalogue.get("principal", number[0]) if number[0] is not None else None
        return document["name"] if document else None
    user = security.user_of(session, session.current)
    return user[1]["name"] if user else None


for _name in ("CURRENT_USER", "SESSION_USER"):
    FUNCTIONS[_name] = FUNCTIONS["USER_NAME"]


@function("USER_ID", INT)
def _user_id(*name: Any) -> Any:
    session = _session()
    if not name:
        user = security.user_of(session, session.current)
        return user[0] if user else None
    found = session.current.catalogue.named("principal", str(name[0])) if name[0] is not None else None
    return found[0] if found else None


FUNCTIONS["DATABASE_PRINCIPAL_ID"] = FUNCTIONS["USER_ID"]


@function("LOGINPROPERTY", VARIANT)
def _loginproperty(name: Any, what: Any) -> Any:
    found = _instance().catalogue.named("login", str(name)) if name is not None else None
    if found is None:
        return None
    login, session = found[1], _session()
    if login["type"] in "UG" and str(what).lower() not in {"defaultdatabase", "defaultlanguage"}:
        return None
    version = accounts.hash_version(login["hash"] or b"")
    secret = security.may(session, "CONTROL SERVER")
    return {
        "passwordhash": login["hash"] if secret else None, "defaultdatabase": login["default_database"], "defaultlanguage": login["default_language"], "isexpired": 0, "islocked": 0,
        "ismustchange": int(login["must_change"]), "badpasswordcount": 0, "passwordlastsettime": login["password_set"], "passwordhashalgorithm": version or None, "historylength": 0,
        "lockouttime": "1900-01-01 00:00:00.000000", "badpasswordtime": "1900-01-01 00:00:00.000000", "daysuntilexpiration": None,
    }.get(str(what).lower())  # fmt: skip


@function("IS_SRVROLEMEMBER", INT)
def _is_srvrolemember(role: Any, *login: Any) -> Any:
    session = _session()
    catalogue = session.instance.catalogue
    found = catalogue.named("login", str(role))
    if found is None or found[1]["type"] != "R":
        return None
    if not login or login[0] is None:
        roles = security.server_roles(session)
    else:
        who = catalogue.named("login", str(login[0]))
        if who is None:
            return None
        roles = (
            {"public"}
            | security.role_names(catalogue, {who[0]})
            | ({"sysadmin"} if who[1]["sid"] == accounts.SA else set())
        )
    return int(found[1]["name"] in roles)


@function("IS_MEMBER", INT)
def _is_member(role: Any) -> Any:
    session = _session()
    found = session.current.catalogue.named("principal", str(role))
    if found is None or found[1]["type"] not in "RG":
        return None
    user = security.user_of(session, session.current)
    if user is not None and user[0] == 1 and found[1]["name"] == "db_owner":
        return 1
    return int(found[1]["name"] in security.database_role_names(session, session.current))


@function("IS_ROLEMEMBER", INT)
def _is_rolemember(role: Any, *user: Any) -> Any:
    if not user:
        return _is_member(role)
    catalogue = _session().current.catalogue
    found, who = catalogue.named("principal", str(role)), catalogue.named("principal", str(user[0]))
    if found is None or who is None:
        return None
    return int(found[0] in security.database_roles(catalogue, who[0]))


@function("HAS_PERMS_BY_NAME", INT)
def _has_perms_by_name(name: Any, kind: Any, permission: Any, *_: Any) -> Any:
    from tests.lab.sqlserver.engine.permissions import DATABASE_PERMISSIONS, OBJECT_PERMISSIONS, SERVER_PERMISSIONS

    session, wanted = _session(), str(permission).upper()
    kind = None if kind is None else str(kind).upper()
    if kind is None or kind == "SERVER":
        return int(security.may(session, wanted)) if wanted in SERVER_PERMISSIONS or wanted == "ANY" else None
    if kind == "DATABASE":
        one = _named(name)
        if one is None or not one.online:
            return 0 if one is not None else None
        return int(security.may_in(session, one, wanted)) if wanted in DATABASE_PERMISSIONS or wanted == "ANY" else None
    if kind == "LOGIN":
        return int(security.may(session, "ALTER ANY LOGIN"))
    if kind == "OBJECT" and wanted in OBJECT_PERMISSIONS:
        found = find_object(session, str(name))
        return int(security.may_in(session, found[0], wanted, object_id=found[1])) if found else None
    return None


@function("PERMISSIONS", INT)
def _permissions(*_: Any) -> int:
    return 1
