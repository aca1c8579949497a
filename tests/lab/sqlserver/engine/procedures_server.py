"""Procedures about the server: name, options, logins, linked servers, files, registry."""

from __future__ import annotations

from collections.abc import Iterator

from tests.lab.sqlserver.engine import accounts, security
from tests.lab.sqlserver.engine.calling import Argument
from tests.lab.sqlserver.engine.database import Database, now
from tests.lab.sqlserver.engine.defining.server_roles import change_server_role
from tests.lab.sqlserver.engine.fresh import login as login_document
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import Event, Info, ReturnStatus, SqlFailure
from tests.lab.sqlserver.engine.procedures import procedure, rows, taken
from tests.lab.sqlserver.engine.running import Frame
from tests.lab.sqlserver.engine.session import Session


@procedure("sp_dropserver")
def sp_dropserver(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """Forgets the own name or a linked server. SqlFailure 15015, 15190, 15247."""
    values = taken("sp_dropserver", arguments, "server!", "droplogins")
    if not security.may(session, "ALTER ANY LINKED SERVER"):
        raise fail(15247)
    if values["droplogins"] not in {None, "droplogins"}:
        raise fail(15600, "sys.sp_dropserver")
    found = session.instance.catalogue.named("linked", str(values["server"]))
    if found is None:
        raise fail(15015, values["server"])
    if (found[1].get("remote_logins") or found[1].get("logins")) and values["droplogins"] is None:
        raise fail(15190, values["server"])
    if found[1].get("publisher") or found[1].get("subscriber") or found[1].get("distributor"):
        raise SqlFailure(
            20582 if found[1].get("publisher") else 20583 if found[1].get("subscriber") else 20584,
            f"Cannot drop server '{values['server']}' because it is used as a {'Publisher' if found[1].get('publisher') else 'Subscriber' if found[1].get('subscriber') else 'Distributor'} in replication.",
        )
    with session.changing(session.instance.master) as master:
        master.drop("linked", found[0])
    yield ReturnStatus(0)


@procedure("sp_addserver")
def sp_addserver(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """The own name ('local'), which @@SERVERNAME says after the next start, or another. SqlFailure 15028, 15600."""
    values = taken("sp_addserver", arguments, "server!", "local", "duplicate_ok")
    if not security.may(session, "ALTER ANY LINKED SERVER"):
        raise fail(15247)
    name, local = str(values["server"]), values["local"]
    if local is not None and str(local).lower() != "local":
        raise fail(15600, "sys.sp_addserver")
    catalogue = session.instance.catalogue
    if catalogue.named("linked", name) is not None:
        if values["duplicate_ok"] == "duplicate_OK":
            yield ReturnStatus(0)
            return
        raise fail(15028, name)
    if local is not None and catalogue.get("linked", 0) is not None:
        raise SqlFailure(15090, "There is already a local server.")
    with session.changing(session.instance.master) as master:
        document = {
            "name": name,
            "product": "SQL Server",
            "provider": "SQLNCLI",
            "data_source": name,
            "linked": False,
            "modified": now(),
        }
        master.put("linked", 0, document) if local is not None else master.add("linked", document)
    yield ReturnStatus(0)


@procedure("sp_addlinkedserver")
def sp_addlinkedserver(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """A linked server."""
    values = taken(
        "sp_addlinkedserver",
        arguments,
        "server!",
        "srvproduct",
        "provider",
        "datasrc",
        "location",
        "provstr",
        "catalog",
        "linkedstyle",
    )
    if not security.may(session, "ALTER ANY LINKED SERVER"):
        raise fail(15247)
    if session.instance.catalogue.named("linked", str(values["server"])) is not None:
        raise fail(15028, values["server"])
    with session.changing(session.instance.master) as master:
        master.add(
            "linked",
            {
                "name": str(values["server"]),
                "product": values["srvproduct"] or "",
                "provider": values["provider"] or "SQLNCLI",
                "data_source": values["datasrc"] or str(values["server"]),
                "linked": True,
                "modified": now(),
                "logins": [],
            },
        )
    yield ReturnStatus(0)


@procedure("sp_helpserver")
def sp_helpserver(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """The servers that are known."""
    values = taken("sp_helpserver", arguments, "server", "optname", "show_topology")
    found = [
        (one["name"], one["name"], "rpc,rpc out,use remote collation", str(number), None, 0, 0)
        for number, one in session.instance.catalogue.all("linked")
        if values["server"] in {None, one["name"]}
    ]
    if not found and values["server"] is not None:
        raise fail(15015, values["server"])
    yield from rows(
        session,
        "name network_name status id collation_name connect_timeout query_timeout",
        found,
        "sysname;sysname;varchar(70);char(4);sysname;int;int",
    )
    yield ReturnStatus(0)


@procedure("sp_configure")
def sp_configure(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """Shows or sets an option; RECONFIGURE makes it take effect. SqlFailure 15123, 15124, 15129, 15247."""
    values = taken("sp_configure", arguments, "configname", "configvalue")
    catalogue = session.instance.catalogue
    advanced = bool((catalogue.named("configuration", "show advanced options") or (0, {"in_use": 0}))[1]["in_use"])
    seen = [(number, one) for number, one in catalogue.all("configuration") if advanced or not one["advanced"]]
    chosen = seen
    if values["configname"] is not None:
        wanted = str(values["configname"]).lower()
        chosen = [(number, one) for number, one in seen if one["name"].lower().startswith(wanted)]
        exact = [pair for pair in chosen if pair[1]["name"].lower() == wanted]
        chosen = exact or chosen
        if not chosen:
            raise fail(15123, values["configname"])
        if len(chosen) > 1:
            raise SqlFailure(15124, f"The configuration option '{values['configname']}' is not unique.")
    if values["configvalue"] is None:
        found = [
            (one["name"], one["least"], one["most"], one["value"], one["in_use"])
            for _, one in sorted(chosen, key=lambda pair: pair[1]["name"])
        ]
        yield from rows(session, "name minimum maximum config_value run_value", found, "nvarchar(35);int;int;int;int")
        yield ReturnStatus(0)
        return
    if not security.may(session, "ALTER SETTINGS"):
        raise fail(15247)
    number, one = chosen[0]
    value = int(values["configvalue"])
    if not one["least"] <= value <= one["most"]:
        raise fail(15129, value, one["name"])
    old = one["value"]
    with session.changing(session.instance.master) as master:
        master.update("configuration", number, value=value)
    yield Info(15457, 1, 0, fail(15457, one["name"], old, value).message)
    yield ReturnStatus(0)


@procedure("sp_addsrvrolemember")
def sp_addsrvrolemember(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """Into a server role."""
    values = taken("sp_addsrvrolemember", arguments, "loginame!", "rolename")
    change_server_role(session, str(values["rolename"]), str(values["loginame"]), adding=True)
    yield ReturnStatus(0)


@procedure("sp_dropsrvrolemember")
def sp_dropsrvrolemember(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """Out of a server role."""
    values = taken("sp_dropsrvrolemember", arguments, "loginame!", "rolename")
    change_server_role(session, str(values["rolename"]), str(values["loginame"]), adding=False)
    yield ReturnStatus(0)


@procedure("sp_helpsrvrolemember")
def sp_helpsrvrolemember(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """Who belongs to which server role."""
    values = taken("sp_helpsrvrolemember", arguments, "srvrolename")
    catalogue = session.instance.catalogue
    found = []
    for _number, one in catalogue.all("server_member"):
        role, member = catalogue.get("login", one["role"]), catalogue.get("login", one["member"])
        if role and member and values["srvrolename"] in {None, role["name"]}:
            found.append((role["name"], member["name"], member["sid"]))
    yield from rows(session, "ServerRole MemberName MemberSID", found, "sysname;sysname;varbinary(85)")
    yield ReturnStatus(0)


@procedure("sp_addlogin")
def sp_addlogin(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """The old way of CREATE LOGIN."""
    values = taken("sp_addlogin", arguments, "loginame!", "passwd", "defdb", "deflanguage", "sid", "encryptopt")
    security.require(session, "ALTER ANY LOGIN")
    name = str(values["loginame"])
    catalogue = session.instance.catalogue
    if catalogue.named("login", name):
        raise fail(15025, name)
    sid = values["sid"] or accounts.new_sid()
    if len(sid) != 16:
        raise fail(15419)
    if any(one["sid"] == sid for _, one in catalogue.all("login")):
        raise fail(15433)
    stored = (
        values["passwd"]
        if isinstance(values["passwd"], bytes) and str(values["encryptopt"] or "").startswith("skip_encryption")
        else accounts.hash_password(str(values["passwd"] or ""), session.instance.personality.hash_version)
    )
    with session.changing(session.instance.master) as master:
        number = master.add(
            "login", login_document(name, "S", sid, hash=stored, default_database=values["defdb"] or "master"), 256
        )
        master.add(
            "server_permission",
            {"class": 100, "major": 0, "grantee": number, "grantor": 1, "permission": "CONNECT SQL", "state": "G"},
        )
    yield ReturnStatus(0)


@procedure("sp_helplogins")
def sp_helplogins(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """Logins."""
    security.require(session, "ALTER ANY LOGIN")
    found = [
        (one["name"], one["sid"], one["default_database"], one["default_language"], "yes", "no")
        for _, one in session.instance.catalogue.all("login")
        if one["type"] in "SUG"
    ]
    yield from rows(
        session,
        "LoginName SID DefDBName DefLangName AUser ARemote",
        found,
        "sysname;varbinary(85);sysname;sysname;char(5);char(7)",
    )
    yield ReturnStatus(0)
