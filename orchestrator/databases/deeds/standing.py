"""Deeds that wait, ask and check: ``ready``, ``probe``, ``check``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.databases import quoting
from orchestrator.databases.cells import text
from orchestrator.databases.deeds.deed import Deed, Document
from orchestrator.databases.deeds.files import Attached, put_on, take_off
from orchestrator.databases.errors import DeedRefused, SqlError
from orchestrator.databases.held import held
from orchestrator.databases.kept import remember_check, remembered_checks
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.sqlport import SqlLook

_LOST = frozenset({"SUSPECT", "EMERGENCY"})
_STATES = "SELECT name, state_desc FROM sys.databases"
_LOGS = "look at the error log of the instance: sp_readerrorlog; the files of that database may be missing or damaged"


class ReadyDocument(Document, frozen=True):
    """``databases`` that must be ONLINE; none: it is enough that the instance answers."""

    databases: tuple[str, ...] = ()


class Ready(Deed[ReadyDocument]):
    """The instance lets us in and the databases are ONLINE; waited for while they recover."""

    name = "ready"
    document = ReadyDocument

    def look(self) -> SqlLook:
        """How each stands."""
        states = {text(row["name"]).lower(): text(row["state_desc"]) for row in self.session.rows(_STATES)}
        stand = {name: states.get(name.lower(), "missing") for name in self.asked.databases}
        waiting = {name: state for name, state in stand.items() if state != "ONLINE"}
        if not waiting:
            return SqlLook(done=True, says=f"{self.session.label} answers, {len(stand)} databases are online")
        says = ", ".join(f"{name} is {state}" for name, state in waiting.items())
        return SqlLook(done=False, says=f"{self.session.label}: {says}", found={"states": waiting})

    def do(self, found: Mapping[str, Any]) -> None:  # noqa: ARG002  it looks at what is now
        """Nothing is done: it is waited for, or given up where waiting cannot help."""
        seen = self.look()
        states = set(seen.found.get("states", {}).values())
        if states & _LOST:
            raise DeedRefused(server=self.session.label, reason=seen.says, advice=_LOGS)
        if not seen.done:
            raise TryAgain(seen.says, after_s=1.0)


class ProbeDocument(Document, frozen=True):
    """A read in ``database`` (master without one); with ``write`` a row in ``table`` there, which is made where it is missing."""

    database: str = "master"
    table: str = "dtam_probe"
    write: bool = False


class Probe(Deed[ProbeDocument]):
    """Log in, read, and where it is allowed write: the health of the instance as its clients have it."""

    name = "probe"
    document = ProbeDocument

    def look(self) -> SqlLook:
        """Logging in and reading; nothing is changed."""
        database = self.asked.database
        self.session.rows(f"SELECT TOP 1 name FROM {quoting.name(database)}.sys.objects")
        says = f"{self.session.label} answers, and reads in {database}"
        return SqlLook(done=not self.asked.write, says=says)

    def do(self, found: Mapping[str, Any]) -> None:  # noqa: ARG002
        """One row is written and read back."""
        if not self.asked.write:
            self.look()
            return
        table = f"{quoting.name(self.asked.database)}.dbo.{quoting.name(self.asked.table)}"
        there = self.session.rows(
            f"SELECT name FROM {quoting.name(self.asked.database)}.sys.tables WHERE name = ?", self.asked.table
        )
        if not there:
            self.session.run(f"CREATE TABLE {table} (id int NOT NULL PRIMARY KEY, at_s float NOT NULL)")
        now_s = self.desk.now_s()
        if self.session.rows(f"SELECT id FROM {table} WHERE id = 1"):
            self.session.run(f"UPDATE {table} SET at_s = ? WHERE id = 1", now_s)
        else:
            self.session.run(f"INSERT INTO {table} (id, at_s) VALUES (1, ?)", now_s)
        rows = self.session.rows(f"SELECT at_s FROM {table} WHERE id = 1")
        if not rows or float(rows[0]["at_s"]) != now_s:
            reason = f"{self.asked.table} in {self.asked.database} does not give back what was written into it"
            raise DeedRefused(server=self.session.label, reason=reason, advice=_LOGS)


class CheckDocument(Document, frozen=True):
    """``databases`` that DBCC CHECKDB goes through. A check that ended after ``not_before_s`` counts; each may take ``timeout_s``.

    With ``attach_as``, such as ``dtam_check_{name}``, the files of each are attached under that name, checked, and detached again.
    """

    databases: tuple[str | Attached, ...] = ()
    attach_as: str = ""
    not_before_s: float = 0.0
    timeout_s: int = 14_400


class Check(Deed[CheckDocument]):
    """DBCC CHECKDB finds nothing wrong. It may take hours; what it found good is remembered beside the kept log-ins.

    Undo detaches copies that a check which was cut off left attached.
    """

    name = "check"
    document = CheckDocument

    def look(self) -> SqlLook:
        """Which are checked already."""
        due = [name_of(one) for one in self._due()]
        says = f"{', '.join(due)} not checked yet" if due else "all databases are checked"
        return SqlLook(done=not due, says=f"{self.session.label}: {says}")

    def do(self, found: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Check what is due, one after the other."""
        for one in self._due():
            try:
                self._check(one)
            except SqlError as error:
                reason = f"database {name_of(one)} of {self.session.label} is not good: {error}"
                advice = "go back to an earlier snapshot, or restore a backup; DBCC CHECKDB names what is damaged"
                raise DeedRefused(server=self.session.label, reason=reason, advice=advice) from error
            remember_check(self.desk.folder, self.asked.instance, name_of(one), self.desk.now_s())

    def undo(self, found: Mapping[str, Any]) -> None:  # noqa: ARG002
        """No copy stays."""
        for one in self.asked.databases if self.asked.attach_as else ():
            self._take_copy_off(self._copy_of(one))

    def _check(self, one: str | Attached) -> None:
        name = name_of(one)
        if self.asked.attach_as and isinstance(one, Attached):
            name = self._copy_of(one)
            self._take_copy_off(name)
            put_on(self, name, one.files)
        try:
            self.session.run(f"DBCC CHECKDB ({quoting.name(name)}) WITH NO_INFOMSGS", timeout_s=self.asked.timeout_s)
        finally:
            if name != name_of(one):
                self._take_copy_off(name)

    def _copy_of(self, one: str | Attached) -> str:
        return self.asked.attach_as.replace("{name}", name_of(one))

    def _take_copy_off(self, name: str) -> None:
        there = held(self.session)[1].get(name.lower())
        if there is not None:
            take_off(self, there)

    def _due(self) -> list[str | Attached]:
        checked, least = remembered_checks(self.desk.folder, self.asked.instance), self.asked.not_before_s
        return [one for one in self.asked.databases if checked.get(name_of(one).lower(), -1.0) <= least]


def name_of(database: str | Attached) -> str:
    """Its name."""
    return database if isinstance(database, str) else database.name
