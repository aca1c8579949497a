"""Deeds after an attach: ``orphans``, ``owners-and-options``, ``authorization``, ``default-databases``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from orchestrator.databases import kept, quoting
from orchestrator.databases.cells import text
from orchestrator.databases.deeds.deed import Deed, Document
from orchestrator.databases.gathering import listed
from orchestrator.databases.held import held
from orchestrator.databases.per_database import orphans
from orchestrator.model.sql import SqlDatabase
from orchestrator.model.sqlport import SqlLook

_SA = "SELECT name FROM sys.server_principals WHERE sid = 0x01"


class OrphansDocument(Document, frozen=True):
    """``databases`` whose users are looked at."""

    databases: tuple[str, ...] = ()


class Orphans(Deed[OrphansDocument]):
    """Users whose log-in has another SID here belong to the log-in of their name. Where there is none, that is told; it is no error.

    Nothing is undone: the log-in of before is not there.
    """

    name = "orphans"
    document = OrphansDocument

    def look(self) -> SqlLook:
        """Who has no log-in; ``mended`` in what was found are those that can be helped."""
        lost, names, problems = self._lost()
        helped = [[database, user] for database, user, _ in lost if user.lower() in names]
        alone = [f"{user} of {database}" for database, user, _ in lost if user.lower() not in names]
        says = f"users to be mended: {', '.join(user for _, user in helped)}" if helped else "no user needs mending"
        says += f"; no log-in for {', '.join(alone)}" if alone else ""
        says += f"; {'; '.join(problems)}" if problems else ""
        return SqlLook(done=not helped, says=f"{self.session.label}: {says}", found={"mended": helped})

    def do(self, found: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Mend them."""
        lost, names, _ = self._lost()
        for database, user, _ in lost:
            if user.lower() in names:
                who = quoting.name(user)
                self.session.run(f"USE {quoting.name(database)}; ALTER USER {who} WITH LOGIN = {who}; USE master")

    def _lost(self) -> tuple[list[tuple[str, str, str]], set[str], list[str]]:
        problems: list[str] = []
        itself, now = held(self.session)
        online = [one.name for name in self.asked.databases if (one := now.get(name.lower())) and one.state == "ONLINE"]
        lost = orphans(self.session, online, itself.major, problems)
        return lost, {one.name.lower() for one in listed(self.session)}, problems


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A database as it is to be; what is None is left. An ``owner`` that is not there is replaced by sa.

    What sa owns is not made trustworthy for that: whoever owns the database's code could then do all that sa may.
    """

    name: str
    owner: str | None = None
    broker: bool | None = None
    trustworthy: bool | None = None
    chaining: bool | None = None
    read_only: bool | None = None


def options_of(one: SqlDatabase) -> Wanted:
    """A database's owner and options as they are."""
    return Wanted(one.name, one.owner or None, one.broker, one.trustworthy, one.chaining, one.read_only)


class OptionsDocument(Document, frozen=True):
    """``databases`` as they are to be."""

    databases: tuple[Wanted, ...] = ()


class OwnersAndOptions(Deed[OptionsDocument]):
    """Owners, and the options that an attach resets: broker, trustworthy, ownership chaining, read-only. Undo sets back what was."""

    name = "owners-and-options"
    document = OptionsDocument

    def look(self) -> SqlLook:
        """What differs."""
        _, now = held(self.session)
        there = [(one, now[one.name.lower()]) for one in self.asked.databases if one.name.lower() in now]
        owners = self._owners()
        differing = [one.name for one, database in there if any(changes(one, database, owners))]
        before = [
            {"name": database.name, "owner": database.owner or None}
            | {word: getattr(database, word) for word in ("broker", "trustworthy", "chaining", "read_only")}
            for _, database in there
        ]
        says = f"{', '.join(differing)} differ" if differing else "owners and options are as wanted"
        if wary := [one.name for one, _ in there if one.trustworthy and _is_replaced(one, owners)]:
            says += f"; {', '.join(wary)} not made trustworthy: the owner has no log-in here"
        return SqlLook(done=not differing, says=f"{self.session.label}: {says}", found={"databases": before})

    def do(self, found: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Set what differs."""
        self._set(self.asked.databases)

    def undo(self, found: Mapping[str, Any]) -> None:
        """Only what the document names is set back."""
        named = {one.name.lower(): one for one in self.asked.databases}
        before = msgspec.convert(found.get("databases", ()), tuple[Wanted, ...])
        self._set(tuple(_narrowed(one, named[one.name.lower()]) for one in before if one.name.lower() in named))

    def _set(self, wanted: tuple[Wanted, ...]) -> None:
        _, now = held(self.session)
        owners = self._owners()
        for one in wanted:
            database = now.get(one.name.lower())
            for statement in changes(one, database, owners) if database else ():
                self.session.run(statement)

    def _owners(self) -> dict[str, str]:
        """Log-ins by name in lower case; under the empty name that of sa, which takes the place of one that is missing."""
        rows = self.session.rows(_SA)
        names = [one.name for one in listed(self.session)]
        return {name.lower(): name for name in names} | {"": text(rows[0]["name"]) if rows else ""}


def changes(wanted: Wanted, now: SqlDatabase, owners: Mapping[str, str]) -> Iterator[str]:
    """The statements that make a database as it is to be."""
    if now.state != "ONLINE":
        return
    name = quoting.name(now.name)
    if now.read_only and wanted.read_only is not True:
        if wanted.read_only is False:
            yield f"ALTER DATABASE {name} SET READ_WRITE WITH ROLLBACK IMMEDIATE"
        return
    owner = owners.get(wanted.owner.lower(), owners.get("")) if wanted.owner is not None else None
    if owner and owner.lower() != now.owner.lower():
        yield f"ALTER AUTHORIZATION ON DATABASE::{name} TO {quoting.name(owner)}"
    if wanted.broker is not None and wanted.broker != now.broker:
        yield f"ALTER DATABASE {name} SET {'ENABLE' if wanted.broker else 'DISABLE'}_BROKER WITH ROLLBACK IMMEDIATE"
    wary = wanted.trustworthy and _is_replaced(wanted, owners)
    if wanted.trustworthy is not None and wanted.trustworthy != now.trustworthy and not wary:
        yield f"ALTER DATABASE {name} SET TRUSTWORTHY {'ON' if wanted.trustworthy else 'OFF'}"
    if wanted.chaining is not None and wanted.chaining != now.chaining:
        yield f"ALTER DATABASE {name} SET DB_CHAINING {'ON' if wanted.chaining else 'OFF'}"
    if wanted.read_only and not now.read_only:
        yield f"ALTER DATABASE {name} SET READ_ONLY WITH ROLLBACK IMMEDIATE"


def _is_replaced(wanted: Wanted, owners: Mapping[str, str]) -> bool:
    """Whether sa takes the place of the owner that it had."""
    return wanted.owner is not None and (not wanted.owner or wanted.owner.lower() not in owners)


def _narrowed(before: Wanted, asked: Wanted) -> Wanted:
    words = ("owner", "broker", "trustworthy", "chaining", "read_only")
    unnamed = dict.fromkeys(word for word in words if getattr(asked, word) is None)
    return msgspec.structs.replace(before, **unnamed)


class AuthorizationDocument(Document, frozen=True):
    """``owner`` of one ``database``."""

    database: str = ""
    owner: str = "sa"


class Authorization(Deed[AuthorizationDocument]):
    """A database belongs to somebody who is there. Undo gives it back to its owner of before, if that one is there."""

    name = "authorization"
    document = AuthorizationDocument

    def look(self) -> SqlLook:
        """Whose it is."""
        now = held(self.session)[1].get(self.asked.database.lower())
        owner = now.owner if now else ""
        done = now is not None and owner.lower() == self.asked.owner.lower()
        says = (
            f"{self.asked.database} belongs to {owner or 'nobody known here'}" if now else f"no {self.asked.database}"
        )
        return SqlLook(done=done, says=f"{self.session.label}: {says}", found={"owner": owner})

    def do(self, found: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Give it."""
        self._give(self.asked.owner)

    def undo(self, found: Mapping[str, Any]) -> None:
        """Give it back."""
        if found.get("owner"):
            self._give(str(found["owner"]))

    def _give(self, owner: str) -> None:
        database, who = quoting.name(self.asked.database), quoting.name(owner)
        self.session.run(f"ALTER AUTHORIZATION ON DATABASE::{database} TO {who}")


class DefaultsDocument(Document, frozen=True):
    """``databases`` that came; log-ins that began in one of them at the source do so here, too."""

    databases: tuple[str, ...] = ()


class DefaultDatabases(Deed[DefaultsDocument]):
    """A log-in is made before its default database is attached: it begins in that one from now on. Undo lets it begin in master."""

    name = "default-databases"
    document = DefaultsDocument

    def look(self) -> SqlLook:
        """Whose default database differs."""
        due = self._due()
        says = f"{', '.join(due)} begin elsewhere" if due else "log-ins begin in their databases"
        return SqlLook(
            done=not due, says=f"{self.session.label}: {says}", found={"before": {n: b for n, (b, _) in due.items()}}
        )

    def do(self, found: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Set them."""
        for name, (_, wanted) in self._due().items():
            self._set(name, wanted)

    def undo(self, found: Mapping[str, Any]) -> None:
        """Set back."""
        there = {one.name for one in listed(self.session)}
        for name, before in dict(found.get("before", {})).items():
            if name in there:
                self._set(name, before)

    def _due(self) -> dict[str, tuple[str, str]]:
        known = kept.kept_logins(self.desk.folder, self.asked.instance)
        came = {one.lower() for one in self.asked.databases}
        wanted = {one.login.name.lower(): one.login for one in (known.logins if known else ())}
        return {
            one.name: (one.default_database, mine.default_database)
            for one in listed(self.session)
            if (mine := wanted.get(one.name.lower()))
            and mine.sid == one.sid
            and mine.default_database.lower() in came
            and one.default_database.lower() != mine.default_database.lower()
        }

    def _set(self, login: str, database: str) -> None:
        self.session.run(f"ALTER LOGIN {quoting.name(login)} WITH DEFAULT_DATABASE = {quoting.name(database)}")
