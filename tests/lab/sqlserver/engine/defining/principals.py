"""Logins, users, roles, schemas, owners."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.lab.sqlserver.engine import accounts, security
from tests.lab.sqlserver.engine.catalogue import Catalogue, Document
from tests.lab.sqlserver.engine.database import Database, now
from tests.lab.sqlserver.engine.fresh import login as login_document
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import Done, Event, SqlFailure
from tests.lab.sqlserver.engine.reader import Reader
from tests.lab.sqlserver.engine.running import Frame
from tests.lab.sqlserver.engine.session import Session

LANGUAGES = {
    "us_english",
    "english",
    "british",
    "deutsch",
    "german",
    "français",
    "french",
    "italian",
    "spanish",
    "dutch",
    "polish",
    "russian",
    "japanese",
}
DEFAULT_SCHEMA = "dbo"


def check_policy(password: str, *, hashed: bool = False) -> None:
    """CHECK_POLICY = ON. SqlFailure 15116, 15118."""
    if len(password) < 8:
        raise fail(15116)
    kinds = [r"[A-Z]", r"[a-z]", r"\d", r"[^A-Za-z0-9]"]
    if sum(1 for kind in kinds if re.search(kind, password)) < 3:
        raise fail(15118)


def hashed_password(session: Session, stored: bytes) -> bytes:
    """PASSWORD = 0x... HASHED. SqlFailure 15021."""
    version = accounts.hash_version(stored)
    newest = session.instance.personality.hash_version
    if not version or version > newest:
        raise fail(15021, "PASSWORD")
    return stored


class LoginOptions:
    """What stands after WITH of CREATE and ALTER LOGIN."""

    def __init__(self, session: Session, reader: Reader) -> None:
        self.session = session
        self.reader = reader
        self.password: str | None = None
        self.hashed: bytes | None = None
        self.old_password: str | None = None
        self.sid: bytes | None = None
        self.must_change = False
        self.unlock = False
        self.name = ""
        self.changes: Document = {}

    def read(self) -> LoginOptions:
        """All of them."""
        while True:
            self._one()
            if not self.reader.take(","):
                return self

    def _one(self) -> None:
        reader = self.reader
        word = reader.next().value
        if word in {"MUST_CHANGE", "UNLOCK", "HASHED"}:
            raise reader.unexpected()
        if word in {"CHECK_POLICY", "CHECK_EXPIRATION"}:
            self.changes["policy" if word == "CHECK_POLICY" else "expiration"] = reader.on_off()
            return
        reader.need("=")
        if word == "PASSWORD":
            self._password()
        elif word == "OLD_PASSWORD":
            self.old_password = reader.text()
        elif word == "SID":
            self.sid = self._binary()
        elif word == "DEFAULT_DATABASE":
            self.changes["default_database"] = reader.name()
        elif word == "DEFAULT_LANGUAGE":
            name = reader.name()
            if name.lower() not in LANGUAGES:
                raise SqlFailure(15033, f"'{name}' is not a valid official language name.")
            self.changes["default_language"] = name
        elif word == "NAME":
            self.name = reader.name()
        elif word == "CREDENTIAL":
            self.changes["credential"] = reader.name()
        else:
            reader.at -= 2
            raise reader.unexpected()

    def _binary(self) -> bytes:
        if self.reader.here.kind != "binary":
            raise self.reader.unexpected()
        text = self.reader.next().value[2:]
        return bytes.fromhex(text if len(text) % 2 == 0 else "0" + text)

    def _password(self) -> None:
        reader = self.reader
        if reader.here.kind == "binary":
            self.hashed = hashed_password(self.session, self._binary())
            reader.need("HASHED")
        else:
            self.password = reader.text()
            if reader.take("HASHED"):
                raise fail(15021, "PASSWORD")
        while True:
            if reader.take("MUST_CHANGE"):
                self.must_change = True
            elif reader.take("UNLOCK"):
                self.unlock = True
            elif reader.take("OLD_PASSWORD", "="):
                self.old_password = reader.text()
            else:
                return


def _server(session: Session) -> Catalogue:
    return session.instance.catalogue


def create_login(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """CREATE LOGIN name WITH PASSWORD = ... | FROM WINDOWS [WITH ...] | FROM CERTIFICATE. SqlFailure 15025, 15401, 15407, 15433, 15419."""
    name = reader.name()
    if reader.take("FROM"):
        if not reader.take("WINDOWS"):
            raise reader.unexpected()
        made = _from_windows(session, reader, name)
    else:
        reader.need("WITH")
        made = _with_password(session, reader, name)
    reader.finish()
    security.require(session, "ALTER ANY LOGIN")
    catalogue = _server(session)
    if catalogue.named("login", name) is not None:
        raise fail(15025, name)
    if any(one["sid"] == made["sid"] for _, one in catalogue.all("login")):
        raise fail(15433 if made["type"] == "S" else 15025, name)
    with session.changing(session.instance.master) as master:
        number = master.add("login", made, 256)
        master.add(
            "server_permission",
            {"class": 100, "major": 0, "grantee": number, "grantor": 1, "permission": "CONNECT SQL", "state": "G"},
        )
    yield Done(None, "CREATE LOGIN")


def _with_password(session: Session, reader: Reader, name: str) -> Document:
    if reader.here.value != "PASSWORD":
        raise reader.unexpected()
    if "\\" in name:
        raise SqlFailure(15006, f"'{name}' is not a valid name because it contains invalid characters.")
    options = LoginOptions(session, reader).read()
    policy = options.changes.setdefault("policy", True)
    if options.must_change and not options.changes.get("expiration"):
        raise SqlFailure(
            15128, "The CHECK_POLICY and CHECK_EXPIRATION options cannot be turned OFF when MUST_CHANGE is ON."
        )
    if options.changes.get("expiration") and not policy:
        raise SqlFailure(15122, "The CHECK_EXPIRATION option cannot be used when CHECK_POLICY is OFF.")
    if options.password is not None and policy:
        check_policy(options.password)
    if options.sid is not None and len(options.sid) != 16:
        raise fail(15419)
    _default_database(session, options.changes)
    secret = options.hashed or accounts.hash_password(options.password or "", session.instance.personality.hash_version)
    return login_document(
        name, "S", options.sid or accounts.new_sid(), hash=secret, must_change=options.must_change, **options.changes
    )


def _default_database(session: Session, changes: Document) -> None:
    wanted = changes.get("default_database")
    if wanted is not None and session.instance.databases.find(wanted) is None:
        raise fail(15010, wanted)


def _from_windows(session: Session, reader: Reader, name: str) -> Document:
    options = LoginOptions(session, reader)
    if reader.take("WITH"):
        options.read()
    if "\\" not in name:
        raise fail(15407, name)
    sid = session.instance.windows_sid(name)
    if sid is None:
        raise fail(15401, name)
    _default_database(session, options.changes)
    kind = (
        "G"
        if name.upper().startswith("BUILTIN\\") or session.instance.registry().get("groups", {}).get(name.lower())
        else "U"
    )
    return login_document(name, kind, sid, **options.changes)


def _login(session: Session, name: str, verb: str) -> tuple[int, Document]:
    found = _server(session).named("login", name)
    if found is None or found[1]["type"] == "R":
        raise fail(15151, verb, "login", name)
    return found


def alter_login(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """ALTER LOGIN name ENABLE | DISABLE | WITH ..."""
    name = reader.name()
    number, document = _login(session, name, "alter")
    own = document["sid"] in session.sids
    if reader.take("ENABLE") or reader.take("DISABLE"):
        if not security.may(session, "ALTER ANY LOGIN"):
            raise fail(15151, "alter", "login", name)
        changes: Document = {"disabled": reader.words[reader.at - 1].value == "DISABLE"}
    else:
        reader.need("WITH")
        options = LoginOptions(session, reader).read()
        changes = _altered(session, document, options, own=own)
    reader.finish()
    with session.changing(session.instance.master) as master:
        master.update("login", number, modified=now(), **changes)
    yield Done(None, "ALTER LOGIN")


def _altered(session: Session, document: Document, options: LoginOptions, *, own: bool) -> Document:
    allowed = security.may(session, "ALTER ANY LOGIN")
    changes = dict(options.changes)
    if not allowed and not (own and set(changes) <= {"default_database", "default_language"}):
        raise fail(15151, "alter", "login", document["name"])
    _default_database(session, changes)
    if options.name:
        if (
            _server(session).named("login", options.name) is not None
            and options.name.lower() != document["name"].lower()
        ):
            raise fail(15025, options.name)
        changes["name"] = options.name
    if options.hashed is not None or options.password is not None:
        if document["type"] != "S":
            raise fail(15151, "alter", "login", document["name"])
        if options.password is not None:
            if changes.get("policy", document["policy"]):
                check_policy(options.password)
            if not allowed and not accounts.matches(options.old_password or "", document["hash"]):
                raise fail(15151, "alter", "login", document["name"])
        secret = options.hashed or accounts.hash_password(
            options.password or "", session.instance.personality.hash_version
        )
        changes |= {"hash": secret, "password_set": now(), "must_change": options.must_change}
    if changes.get("expiration") and not changes.get("policy", document["policy"]):
        raise SqlFailure(15122, "The CHECK_EXPIRATION option cannot be used when CHECK_POLICY is OFF.")
    return changes


def drop_login(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """DROP LOGIN name. SqlFailure 15151, 15174, 15434, 15170."""
    name = reader.name()
    reader.finish()
    number, document = _login(session, name, "drop")
    if not security.may(session, "ALTER ANY LOGIN") or number == 1:
        raise fail(15151, "drop", "login", name)
    if any(one.sid == document["sid"] for one in list(session.instance.sessions.values())):
        raise fail(15434, name)
    if any(one.boot.get("owner_sid") == document["sid"] for one in session.instance.databases.all()):
        raise fail(15174, name)
    jobs = [
        1
        for _, job in session.instance.databases.by_number[4].catalogue.all("job")
        if job.get("owner_sid") == document["sid"]
    ]
    if jobs:
        raise fail(15170, len(jobs))
    with session.changing(session.instance.master) as master:
        master.drop("login", number)
        for kind, field in (("server_member", "member"), ("server_permission", "grantee")):
            for at, one in master.all(kind):
                if one[field] == number:
                    master.drop(kind, at)
    yield Done(None, "DROP LOGIN")


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


__all__: list[Any] = []
