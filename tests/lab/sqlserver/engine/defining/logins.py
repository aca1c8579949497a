"""CREATE, ALTER and DROP LOGIN."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.lab.sqlserver.engine import accounts, security
from tests.lab.sqlserver.engine.catalogue import Catalogue, Document
from tests.lab.sqlserver.engine.database import now
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
