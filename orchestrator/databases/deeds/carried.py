"""Deeds about log-ins: ``keep-logins`` at the source, ``logins`` and ``create-login`` at the target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import msgspec

from orchestrator.databases import kept, quoting
from orchestrator.databases.carrying import Lacking, Server, lacking
from orchestrator.databases.cells import text
from orchestrator.databases.deeds.deed import Deed, Document
from orchestrator.databases.errors import DeedInvalid, KeptLoginsUnusable
from orchestrator.databases.gathering import accounts_of, gather, hashes_of, listed
from orchestrator.databases.held import held
from orchestrator.databases.logins import GRANTABLE
from orchestrator.databases.statements import SQL_2012
from orchestrator.model.sql import SqlLogin
from orchestrator.model.sqlport import SqlLook
from orchestrator.model.sqlway import SqlAccess


class KeepDocument(Document, frozen=True):
    """``max_age_s``: how old what is kept may be; 0 gathers in any case. ``exclude``: log-ins that are not kept.

    In a script's, ``source`` is the way to the instance whose log-ins they are.
    """

    max_age_s: float = 0.0
    exclude: tuple[str, ...] = ()
    source: SqlAccess | None = None

    @property
    def way(self) -> SqlAccess | None:
        """That of the source."""
        return self.source or self.access


class KeepLogins(Deed[KeepDocument]):
    """The source's log-ins lie sealed where a failover needs them. The session is one to the source. Undo forgets them if none were kept."""

    at_other = True
    name = "keep-logins"
    document = KeepDocument

    def look(self) -> SqlLook:
        """How old they are."""
        at_s = kept.kept_at_s(self.desk.folder, self.asked.instance)
        if at_s is None:
            return SqlLook(done=False, says="no log-ins are kept", found={"kept": False})
        age_s = max(0.0, self.desk.now_s() - at_s)
        done = age_s <= self.asked.max_age_s
        return SqlLook(done=done, says=f"log-ins of {age_s:.0f} s ago are kept", found={"kept": True})

    def do(self, found: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Gather and seal."""
        hands_off = {one.lower() for one in self.asked.exclude}
        there = gather(self.session, self.desk.now_s())
        chosen = tuple(one for one in there.logins if one.login.name.lower() not in hands_off)
        kept.keep(self.desk.folder, self.asked.instance, msgspec.structs.replace(there, logins=chosen))

    def undo(self, found: Mapping[str, Any]) -> None:
        """What was kept before stays kept."""
        if found.get("kept") is False:
            kept.forget(self.desk.folder, self.asked.instance)


class LoginsDocument(Document, frozen=True):
    """``exclude``: log-ins that are left alone; ``only``: if given, no others are looked at."""

    exclude: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


class Logins(Deed[LoginsDocument]):
    """The kept log-ins are there with their SIDs, passwords, roles and permissions. Only what is missing is made.

    Never touched: sa, ``##...##``, the system's, those of a machine, our own, the accounts of services, and a log-in of the same name with
    another SID. Undo drops what was made and takes back what was given; a password that was brought up to date stays.
    """

    name = "logins"
    document: ClassVar[type[Document]] = LoginsDocument
    _there: kept.KeptLogins | None = None

    def look(self) -> SqlLook:
        """What is missing."""
        missing = self._lacking()
        found = {word: value for word, value in msgspec.to_builtins(missing).items() if value and word != "left"}
        sids = {one.login.name: one.login.sid for one in self._kept().logins}
        found["sids"] = {name: sids[name] for name in missing.create}
        return SqlLook(done=missing.nothing, says=f"{self.session.label}: {missing.says}", found=found)

    def do(self, found: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Make it; each statement by itself, so that a repetition goes on where this one ended."""
        missing, known = self._lacking(), {one.login.name: one for one in self._kept().logins}
        databases = {text(row["name"]).lower() for row in self.session.rows("SELECT name FROM sys.databases")}
        for name in missing.create:
            self.session.run(create_statement(known[name].login, known[name].password_hash, databases))
            for statement in policy_statements(known[name].login):
                self.session.run(statement)
        for name in missing.passwords:
            hashed = quoting.binary(known[name].password_hash)
            self.session.run(f"ALTER LOGIN {quoting.name(name)} WITH PASSWORD = {hashed} HASHED")
        major = held(self.session)[0].major
        for statement in given(missing, major):
            self.session.run(statement)

    def undo(self, found: Mapping[str, Any]) -> None:
        """Take away what was missing before and is there now with the kept SID."""
        before = msgspec.convert({word: value for word, value in found.items() if word != "sids"}, Lacking)
        there = {one.name.lower(): one for one in listed(self.session)}
        sids, major = dict(found.get("sids", {})), held(self.session)[0].major
        for name in before.create:
            now = there.get(name.lower())
            if now is not None and now.sid == sids.get(name):
                self.session.run(f"DROP LOGIN {quoting.name(name)}")
        stay = {one.name for one in there.values()} - set(before.create)
        for statement in taken_back(before, stay, major):
            self.session.run(statement)

    def _kept(self) -> kept.KeptLogins:
        found = kept.kept_logins(self.desk.folder, self.asked.instance)
        if found is None:
            advice = "gather them while the source is up: dtam enable, or dtam step sql keep-logins"
            raise KeptLoginsUnusable(server=self.asked.instance, reason="none are kept", advice=advice)
        return found

    def _lacking(self) -> Lacking:
        itself, _ = held(self.session)
        hands_off = (*self.asked.exclude, *accounts_of(self.session, itself))
        there = Server(itself, listed(self.session), hashes_of(self.session), hands_off)
        return lacking(self._kept(), there, self.asked.only)


class CopyLoginsDocument(Document, frozen=True):
    """``names`` of log-ins of the other server."""

    names: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @property
    def only(self) -> tuple[str, ...]:
        """No others are looked at."""
        return self.names


class CopyLogins(Logins):
    """As ``logins``, straight from the other server instead of from what is kept; for whoever can reach both."""

    name = "copy-logins"
    document = CopyLoginsDocument

    def _kept(self) -> kept.KeptLogins:
        if self.desk.other is None:
            raise DeedInvalid(deed=self.name, reason="the way to the other server is not known here")
        if self._there is None:
            with self.desk.other() as session:
                self._there = gather(session, self.desk.now_s())
        return self._there


def create_statement(login: SqlLogin, password_hash: str, databases: set[str]) -> str:
    """CREATE LOGIN as it was; policies come later, because a hash under policy may have to be changed at once."""
    default = login.default_database if login.default_database.lower() in databases else "master"
    options = [f"DEFAULT_DATABASE = {quoting.name(default)}"]
    if login.default_language:
        options.append(f"DEFAULT_LANGUAGE = {quoting.name(login.default_language)}")
    if login.kind != "sql":
        return f"CREATE LOGIN {quoting.name(login.name)} FROM WINDOWS WITH {', '.join(options)}"
    secret = [f"PASSWORD = {quoting.binary(password_hash)} HASHED", f"SID = {quoting.binary(login.sid)}"]
    off = ["CHECK_POLICY = OFF", "CHECK_EXPIRATION = OFF"]
    return f"CREATE LOGIN {quoting.name(login.name)} WITH {', '.join([*secret, *options, *off])}"


def policy_statements(login: SqlLogin) -> Iterator[str]:
    """Policies of a log-in of SQL Server, expiration after policy, which it needs."""
    if login.kind == "sql" and login.policy:
        yield f"ALTER LOGIN {quoting.name(login.name)} WITH CHECK_POLICY = ON"
        if login.expiration:
            yield f"ALTER LOGIN {quoting.name(login.name)} WITH CHECK_EXPIRATION = ON"


def given(missing: Lacking, major: int) -> Iterator[str]:
    """Roles, permissions, and at last what disables."""
    for name, roles in missing.roles.items():
        yield from (role_statement(role, name, major) for role in roles)
    for name, permissions in missing.permissions.items():
        for one in permissions:
            plain, grantable = one.removesuffix(GRANTABLE), one.endswith(GRANTABLE)
            yield f"{plain} TO {quoting.name(name)}{GRANTABLE if grantable else ''}"
    yield from (f"ALTER LOGIN {quoting.name(name)} DISABLE" for name in missing.disable)


def taken_back(before: Lacking, stay: set[str], major: int) -> Iterator[str]:
    """What was given to log-ins that stay."""
    for name in before.disable:
        if name in stay:
            yield f"ALTER LOGIN {quoting.name(name)} ENABLE"
    for name, permissions in before.permissions.items():
        for one in permissions if name in stay else ():
            what = one.removesuffix(GRANTABLE).partition(" ")[2]
            yield f"REVOKE {what} FROM {quoting.name(name)} CASCADE"
    for name, roles in before.roles.items():
        yield from (role_statement(role, name, major, drop=True) for role in roles if name in stay)


def role_statement(role: str, member: str, major: int, *, drop: bool = False) -> str:
    """A member comes to a server role, or leaves it."""
    if major < SQL_2012:
        procedure = "sp_dropsrvrolemember" if drop else "sp_addsrvrolemember"
        return f"EXEC {procedure} {quoting.text(member)}, {quoting.text(role)}"
    return f"ALTER SERVER ROLE {quoting.name(role)} {'DROP' if drop else 'ADD'} MEMBER {quoting.name(member)}"


class CreateLoginDocument(Document, frozen=True):
    r"""A log-in of Windows, ``DOMAIN\name``, and the ``roles`` that it must have."""

    login: str = ""
    roles: tuple[str, ...] = ()


class CreateLogin(Deed[CreateLoginDocument]):
    """A domain's account or group is let in, with server roles. Undo takes back what was not so."""

    name = "create-login"
    document = CreateLoginDocument

    def look(self) -> SqlLook:
        """Whether it is there, and which roles it lacks."""
        now = next((one for one in listed(self.session) if one.name.lower() == self.asked.login.lower()), None)
        roles = [one for one in self.asked.roles if now is None or one not in now.roles]
        says = f"{self.asked.login} is {'missing' if now is None else 'there'}"
        says += f", without {', '.join(roles)}" if roles else ""
        found = {"there": now is not None, "roles": roles}
        return SqlLook(done=now is not None and not roles, says=f"{self.session.label}: {says}", found=found)

    def do(self, found: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Make it, then its roles."""
        seen, major = self.look().found, held(self.session)[0].major
        if not seen["there"]:
            self.session.run(f"CREATE LOGIN {quoting.name(self.asked.login)} FROM WINDOWS")
        for role in seen["roles"]:
            self.session.run(role_statement(role, self.asked.login, major))

    def undo(self, found: Mapping[str, Any]) -> None:
        """Drop it if it was not there, else its new roles."""
        seen, major = self.look().found, held(self.session)[0].major
        if seen["there"] and found.get("there") is False:
            self.session.run(f"DROP LOGIN {quoting.name(self.asked.login)}")
        elif seen["there"]:
            for role in set(found.get("roles", ())) - set(seen["roles"]):
                self.session.run(role_statement(role, self.asked.login, major, drop=True))
