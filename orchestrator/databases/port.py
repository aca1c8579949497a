"""The ``SqlServers`` port over ODBC: one session a question, so that what was restarted is reached anew."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.databases import kept
from orchestrator.databases.browser import browse
from orchestrator.databases.connecting import Passwords, connect
from orchestrator.databases.deeds.book import deed_of
from orchestrator.databases.deeds.deed import Deed, Desk, read
from orchestrator.databases.errors import SqlUnreachable
from orchestrator.databases.facts import facts
from orchestrator.databases.session import OdbcSession
from orchestrator.databases.testing import tested
from orchestrator.errors import DtamError
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.servers import Where
from orchestrator.model.sql import DEFAULT_INSTANCE, USUAL, SqlAsk, SqlBrowser, SqlInstance
from orchestrator.model.sqlport import SqlLook, SqlTest
from orchestrator.model.sqlway import SqlAccess

Accesses = Callable[[Where, str], SqlAccess]
"""The way to an instance by its side and name."""


class OdbcServers:
    """The port. ``folder`` holds what is kept of each protection; None: nothing can be kept here."""

    def __init__(
        self,
        accesses: Accesses,
        passwords: Passwords,
        folder: Path | None,
        *,
        open_session: Callable[[SqlAccess, Passwords], OdbcSession] = connect,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._accesses = accesses
        self._passwords = passwords
        self._folder = folder
        self._open = open_session
        self._now_s = now_s

    def facts(self, where: Where, instance: str, ask: SqlAsk = USUAL) -> SqlInstance:
        """All that an instance says of itself; silence is a fact."""
        try:
            with self._session(where, instance) as session:
                return msgspec.structs.replace(facts(session, ask), name=self._accesses(where, instance).instance)
        except (DtamError, TryAgain) as error:
            return SqlInstance(name=instance, silence=str(error), hint=getattr(error, "hint", ""))

    def browse(self, where: Where) -> SqlBrowser:
        """What SQL Browser says."""
        return browse(self._accesses(where, DEFAULT_INSTANCE).host)

    def test(self, where: Where, instance: str) -> SqlTest:
        """Reach it, log in, and ask who we are there."""
        return tested(self._accesses(where, instance), lambda access: self._open(access, self._passwords))

    def kept_at_s(self, protection: str, instance: str) -> float | None:
        """When the log-ins that are kept here were gathered."""
        return None if self._folder is None else kept.kept_at_s(self._place(protection), instance)

    def look(self, where: Where, deed: str, document: Mapping[str, Any]) -> SqlLook:
        """How a deed stands there; what was found is JSON, as a journal keeps it."""
        seen: SqlLook = self._with(where, deed, document, lambda one: one.look())
        return msgspec.json.decode(msgspec.json.encode(seen), type=SqlLook)

    def do(self, where: Where, deed: str, document: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        """Do it."""
        self._with(where, deed, document, lambda one: one.do(found))

    def undo(self, where: Where, deed: str, document: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        """Bring back what was."""
        self._with(where, deed, document, lambda one: one.undo(found))

    def _with(self, where: Where, name: str, document: Mapping[str, Any], act: Callable[[Deed[Any]], Any]) -> Any:
        """One deed in a session of its own; an instance that does not answer may yet."""
        kind = deed_of(name)
        asked = read(kind, document)
        desk = Desk(self._place(asked.protection), self._now_s, lambda: self._session(where.other, asked.instance))
        try:
            with self._session(where.other if kind.at_other else where, asked.instance) as session:
                return act(kind(session, asked, desk))
        except SqlUnreachable as error:
            raise TryAgain(f"{error}. {error.hint}", after_s=1.0) from error

    def _session(self, where: Where, instance: str) -> OdbcSession:
        return self._open(self._accesses(where, instance), self._passwords)

    def _place(self, protection: str) -> Path:
        base = self._folder or Path("/nonexistent")
        return base / (re.sub(r"[^A-Za-z0-9_-]", "_", protection) or "_")
