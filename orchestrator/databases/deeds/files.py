"""Deeds that put databases onto an instance and take them off: ``attach``, ``detach``. Lists of files are kept in what was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from orchestrator.databases import quoting
from orchestrator.databases.deeds.deed import Deed, Document
from orchestrator.databases.deeds.settled import OptionsDocument, OwnersAndOptions, Wanted, options_of
from orchestrator.databases.errors import DeedRefused, SqlError
from orchestrator.databases.held import held, same_path
from orchestrator.databases.session import RECOVERY_TIMEOUT_S
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.sql import SqlDatabase
from orchestrator.model.sqlport import SqlLook

CLOSED = "SINGLE_USER"


class Attached(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A database and its files, the primary first, then the others, FILESTREAM directories included; paths as that instance sees them."""

    name: str
    files: tuple[str, ...]


class AttachDocument(Document, frozen=True):
    """``databases`` with all of their files."""

    databases: tuple[Attached, ...] = ()


class Attach(Deed[AttachDocument]):
    """Each database is there, online, and made of these files. Whatever of that name has other files is left alone and refused.

    Undo detaches what was not there before.
    """

    name = "attach"
    document = AttachDocument

    def look(self) -> SqlLook:
        """Which are missing; ``there`` in what was found are those that were there before."""
        _, now = held(self.session)
        there = [one.name for one in self.asked.databases if one.name.lower() in now]
        undone = [one.name for one in self.asked.databases if not _is_up(now.get(one.name.lower()), one)]
        says = f"{', '.join(undone)} not attached" if undone else f"{len(there)} databases are attached and online"
        return SqlLook(done=not undone, says=f"{self.session.label}: {says}", found={"there": there})

    def do(self, found: Mapping[str, Any]) -> None:  # noqa: ARG002  it looks at what is now
        """Attach what is missing; what is there and not online is attached anew. One that is damaged keeps no other from being attached."""
        _, before = held(self.session)
        troubles: list[SqlError | TryAgain] = []
        for one in self.asked.databases:
            try:
                self._put(one, before.get(one.name.lower()))
            except (SqlError, TryAgain) as trouble:
                troubles.append(trouble)
        _, after = held(self.session)
        let_in(self, [now for one in self.asked.databases if (now := after.get(one.name.lower()))])
        if troubles:
            raise next((one for one in troubles if isinstance(one, SqlError)), troubles[0])

    def _put(self, wanted: Attached, now: SqlDatabase | None) -> None:
        if now is None:
            put_on(self, wanted.name, wanted.files)
        elif not _same_files(now, wanted):
            raise _of_other_files(self, now)
        elif now.state != "ONLINE":
            self._anew(wanted, now)

    def _anew(self, wanted: Attached, now: SqlDatabase) -> None:
        """Its files were replaced below it: it is closed, taken out and attached again, so that it is made of all that is there now."""
        if now.state == "RECOVERING":
            raise TryAgain(f"{self.session.label}: {now.name} is recovering", after_s=1.0)
        if now.state != "OFFLINE":
            self.session.run(
                f"ALTER DATABASE {quoting.name(now.name)} SET OFFLINE WITH ROLLBACK IMMEDIATE",
                timeout_s=RECOVERY_TIMEOUT_S,
            )
        take_off(self, msgspec.structs.replace(now, state="OFFLINE"))
        put_on(self, wanted.name, wanted.files)

    def undo(self, found: Mapping[str, Any]) -> None:
        """Detach those that were not there before and are made of these files."""
        before = {name.lower() for name in found.get("there", ())}
        _, now = held(self.session)
        for one in self.asked.databases:
            there = now.get(one.name.lower())
            if there is not None and one.name.lower() not in before and _same_files(there, one):
                take_off(self, there)


class DetachDocument(Document, frozen=True):
    """``databases`` by name, or as ``attach`` has them: then one of that name with other files is another one, and is refused."""

    databases: tuple[str | Attached, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(one if isinstance(one, str) else one.name for one in self.databases)

    @property
    def made_of(self) -> dict[str, Attached]:
        """Those whose files are told, by name in lower case."""
        return {one.name.lower(): one for one in self.databases if isinstance(one, Attached)}


class Detach(Deed[DetachDocument]):
    """The instance does not have these databases; their files stay. Undo attaches them again.

    Refused for system databases, and for published, mirrored and snapshot ones and those of an availability group.
    """

    name = "detach"
    document = DetachDocument

    def look(self) -> SqlLook:
        """Which are still there, with their files."""
        _, now = held(self.session)
        there = [now[name.lower()] for name in self.asked.names if name.lower() in now]
        says = f"{', '.join(one.name for one in there)} attached" if there else "none of them is attached"
        found = {
            "databases": [{"name": one.name, "files": [file.path for file in in_order(one)]} for one in there],
            "options": [msgspec.to_builtins(options_of(one)) for one in there],
        }
        return SqlLook(done=not there, says=f"{self.session.label}: {says}", found=found)

    def do(self, found: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Take them off; all are looked at before the first is."""
        _, now = held(self.session)
        there = [now[name.lower()] for name in self.asked.names if name.lower() in now]
        snapshots = {one.snapshot_of.lower(): one.name for one in now.values() if one.snapshot_of}
        told = self.asked.made_of
        for one in there:
            wanted = told.get(one.name.lower())
            if wanted is not None and not _same_files(one, wanted):
                raise _of_other_files(self, one)
            for why in _why_not(one, snapshots.get(one.name.lower(), "")):
                reason = f"{one.name} of {self.session.label} cannot be detached: {why}"
                raise DeedRefused(server=self.session.label, reason=reason, advice="end that first, then run again")
        for one in there:
            take_off(self, one)

    def undo(self, found: Mapping[str, Any]) -> None:
        """Attach what is gone; it has its owner and options again, which an attach resets."""
        before = msgspec.convert(found.get("databases", ()), tuple[Attached, ...])
        _, now = held(self.session)
        for one in before:
            if one.name.lower() not in now:
                put_on(self, one.name, one.files)
        _, after = held(self.session)
        let_in(self, [there for one in before if (there := after.get(one.name.lower()))])
        options = msgspec.convert(found.get("options", ()), tuple[Wanted, ...])
        OwnersAndOptions(self.session, OptionsDocument(self.asked.instance, databases=options), self.desk).do({})


def attach_statement(name: str, files: tuple[str, ...]) -> str:
    """CREATE DATABASE ... FOR ATTACH with every file."""
    listed = ", ".join(f"(FILENAME = {quoting.text(path)})" for path in files)
    return f"CREATE DATABASE {quoting.name(name)} ON {listed} FOR ATTACH"


def put_on(deed: Deed[Any], name: str, files: tuple[str, ...]) -> None:
    """Attach, however long recovery takes."""
    deed.session.run(attach_statement(name, files), timeout_s=RECOVERY_TIMEOUT_S)


def take_off(deed: Deed[Any], database: SqlDatabase) -> None:
    """Detach; who is connected is cut off. In one batch, that sits in the database itself: else a client that comes again takes the one seat."""
    name = quoting.name(database.name)
    statement = f"EXEC sp_detach_db @dbname = {quoting.text(database.name)}, @skipchecks = N'true'"
    if database.state == "ONLINE":
        alone = f"ALTER DATABASE {name} SET SINGLE_USER WITH ROLLBACK IMMEDIATE"
        statement = f"USE {name}; {alone}; USE master; {statement}"
    deed.session.run(statement, timeout_s=RECOVERY_TIMEOUT_S)


def let_in(deed: Deed[Any], databases: list[SqlDatabase]) -> None:
    """What was closed to be detached is open again, also where that was cut off."""
    for one in databases:
        if one.state == "ONLINE" and one.access == CLOSED:
            deed.session.run(f"ALTER DATABASE {quoting.name(one.name)} SET MULTI_USER")


def in_order(database: SqlDatabase) -> list[Any]:
    """Its files, the primary first, logs last."""
    order = {"rows": 0, "filestream": 1, "fulltext": 2, "log": 3}
    return sorted(database.files, key=lambda file: order.get(file.kind, 1))


def _of_other_files(deed: Deed[Any], now: SqlDatabase) -> DeedRefused:
    has = now.files[0].path if now.files else "none"
    reason = f"{deed.session.label} has a database {now.name} of other files: {has}"
    return DeedRefused(server=deed.session.label, reason=reason, advice="detach or rename that one first")


def _same_files(now: SqlDatabase, wanted: Attached) -> bool:
    return bool(now.files) and any(same_path(now.files[0].path, path) for path in wanted.files[:1])


def _is_up(now: SqlDatabase | None, wanted: Attached) -> bool:
    return now is not None and now.state == "ONLINE" and now.access != CLOSED and _same_files(now, wanted)


def _why_not(database: SqlDatabase, snapshot: str) -> Iterator[str]:
    if database.system:
        yield "it is a system database"
    if database.published:
        yield "it is published by SQL Server's replication"
    if database.mirrored:
        yield "it is mirrored"
    if database.availability_group:
        yield f"it belongs to the availability group {database.availability_group}"
    if database.snapshot_of:
        yield f"it is a snapshot of {database.snapshot_of}"
    if snapshot:
        yield f"it has the snapshot {snapshot}"
    if database.state == "SUSPECT":
        yield "it is suspect"
