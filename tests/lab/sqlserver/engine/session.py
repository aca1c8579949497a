"""A connection that is logged in: its database, its options, its transaction, its temporary tables."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tests.lab.sqlserver.engine import functions, security
from tests.lab.sqlserver.engine.catalogue import Catalogue, Document
from tests.lab.sqlserver.engine.database import Database, now
from tests.lab.sqlserver.engine.locks import Lock
from tests.lab.sqlserver.engine.messages import fail, info
from tests.lab.sqlserver.engine.port import Changed, Column, Event, LoginRequest, Parameter, SqlFailure, SqlType

if TYPE_CHECKING:
    from tests.lab.sqlserver.engine.instance import Server

_descriptors = itertools.count(1)
DEFAULTS: dict[str, Any] = {
    "nocount": False, "xact_abort": False, "implicit_transactions": False, "quoted_identifier": True, "ansi_nulls": True, "rowcount": 0, "fmtonly": False,
    "textsize": 2147483647, "datefirst": 7, "identity_insert": None, "isolation": 2, "dateformat": "mdy", "parseonly": False, "noexec": False,
}  # fmt: skip


class Cancelled(Exception):
    """The batch ends without an error: attention, or the session was ended."""


class Session:
    """See the port."""

    def __init__(
        self,
        instance: Server,
        login_name: str,
        login: Document,
        login_id: int,
        sids: tuple[bytes, ...],
        request: LoginRequest,
    ) -> None:
        self.instance = instance
        self.login_name = login_name
        self.original_login = login_name
        self.login = login
        self.login_id = login_id
        self.sids = sids
        self.request = request
        self.spid = 0
        self.current: Database = instance.master
        self.language = request.language or login.get("default_language") or "us_english"
        self.options = dict(DEFAULTS)
        self.lock_timeout_ms = -1
        self.waits_for: Lock | None = None
        self.trancount = 0
        self.descriptor = 0
        self.doomed = False
        self.enlisted: dict[Database, int] = {}
        self.error = 0
        self.rowcount = 0
        self.identity: int | None = None
        self.caught: list[SqlFailure] = []
        self.temporary: dict[str, Document] = {}
        self.impersonated: list[tuple[str, tuple[bytes, ...], int]] = []
        self.ended = False
        self.cancelled = False
        self.on_end: Callable[[], None] | None = (
            None  # the wire's: called from another thread when the server ends the session
        )
        self.busy = threading.RLock()
        self.connected_at = now()
        self.nesting = 0
        self.trying = 0  # how many TRY are open, in all procedures
        self._scratch: sqlite3.Connection | None = None

    # -- who and where ------------------------------------------------------------------------------------------------------------

    @property
    def sid(self) -> bytes:
        """Of the login."""
        return self.sids[0]

    @property
    def database(self) -> str:
        """The current one's name."""
        return self.current.name

    @property
    def scratch(self) -> sqlite3.Connection:
        """Its own connection in memory: queries of the catalogue, temporary tables."""
        if self._scratch is None:
            self._scratch = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            functions.register(self._scratch)
        return self._scratch

    def enter(self, name: str) -> list[Event]:
        """USE. SqlFailure 911, 916, 924, 942, 945, 926."""
        database = self.instance.databases.get(name)
        database.require()
        self.check_access(database)
        old = self.current.name
        self.current = database
        return [Changed("database", database.name, old), info(5701, database.name)]

    def check_access(self, database: Database) -> None:
        """SqlFailure 916, 924 unless the session may be there."""
        if security.user_of(self, database) is None:
            raise fail(916, self.login_name, database.name)
        access = database.options["user_access"]
        if access == "SINGLE_USER" and self.current is not database and self.instance.sessions_in(database, but=self):
            raise fail(924, database.name)
        if access == "RESTRICTED_USER" and not (
            security.is_owner(self, database) or "dbcreator" in security.server_roles(self)
        ):
            raise fail(927 if database.state == "RESTORING" else 916, self.login_name, database.name)

    def greeting(self) -> Sequence[Event]:
        """What follows LOGINACK."""
        return [
            Changed("database", self.current.name, "master"), info(5701, self.current.name, state=2), Changed("language", self.language, ""), info(5703, self.language),
        ]  # fmt: skip

    def global_variable(self, name: str) -> Any:
        """@@name."""
        from tests.lab.sqlserver.engine.metadata import global_variable

        return global_variable(self, name)

    # -- running ------------------------------------------------------------------------------------------------------------------

    def execute(self, sql: str, parameters: Sequence[Parameter] = ()) -> Iterator[Event]:
        """A batch."""
        from tests.lab.sqlserver.engine.running import run_batch

        self.cancelled = False
        return run_batch(self, sql, parameters)

    def call(self, procedure: str, parameters: Sequence[tuple[str, SqlType, Any, bool]]) -> Iterator[Event]:
        """An RPC by name."""
        from tests.lab.sqlserver.engine.running import run_call

        self.cancelled = False
        return run_call(self, procedure, parameters)

    def describe(self, sql: str, parameters: Sequence[Parameter] = ()) -> tuple[Column, ...]:
        """The columns of the first result."""
        from tests.lab.sqlserver.engine.running import describe

        return describe(self, sql, parameters)

    def check_cancelled(self) -> None:
        """Raises Cancelled after an attention or when the session was ended."""
        if self.cancelled or self.ended:
            raise Cancelled

    def cancel(self) -> None:
        """Attention."""
        self.cancelled = True

    # -- transactions -------------------------------------------------------------------------------------------------------------

    def begin(self, isolation: int = 0) -> Sequence[Event]:
        """A transaction, or a level of it."""
        if isolation:
            self.options["isolation"] = isolation
        self.trancount += 1
        if self.trancount > 1:
            return []
        self.descriptor = next(_descriptors)
        return [Changed("transaction_begin", self.descriptor, 0)]

    def commit(self) -> Sequence[Event]:
        """The level; the outermost one to the disk."""
        if not self.trancount:
            raise fail(3902)
        if self.doomed:
            raise fail(3930)
        if self.trancount > 1:
            self.trancount -= 1
            return []
        moments = self.instance.moments
        moments.enter()
        try:
            with self.busy:
                for database in list(self.enlisted):
                    database.data.connection.execute("COMMIT")
                    database.data.after_commit()
                    self._leave(database)
        finally:
            moments.leave()  # the locks are free before this waits for a replica
        self.trancount = 0
        return [Changed("commit", 0, self.descriptor)]

    def rollback(self) -> Sequence[Event]:
        """All levels."""
        if not self.trancount:
            raise fail(3903)
        self.undo()
        return [Changed("rollback", 0, self.descriptor)]

    def undo(self) -> None:
        """Rolls back, whatever there is."""
        with self.busy:
            for database in list(self.enlisted):
                if database.file is not None:
                    with contextlib.suppress(sqlite3.Error):
                        database.data.connection.execute("ROLLBACK")
                    self._reload(database, self.enlisted[database])
                self._leave(database)
            self.trancount = 0
            self.doomed = False

    def _leave(self, database: Database) -> None:
        self.enlisted.pop(database, None)
        database.lock.release(self)

    def _reload(self, database: Database, version: int) -> None:
        if database.contents is not None and database.contents.version != version:
            database.contents.load()
            database.refresh()

    @contextlib.contextmanager
    def reading(self, database: Database) -> Iterator[sqlite3.Connection]:
        """The connection for one statement that reads."""
        database.lock.acquire(self)
        try:
            yield database.data.connection
        finally:
            database.lock.release(self)

    @contextlib.contextmanager
    def writing(self, database: Database, *, catalogue: bool = False) -> Iterator[sqlite3.Connection]:
        """The connection for one statement that writes: all of it or nothing. Committed here unless a transaction is open."""
        if database.options["read_only"] and not catalogue:
            raise fail(3906, database.name)
        if database in self.enlisted:
            with self._savepoint(database) as connection:
                yield connection
            return
        if self.trancount:
            self._enlist(database)
            with self._savepoint(database) as connection:
                yield connection
            return
        with self._alone(database) as connection:
            yield connection

    def _enlist(self, database: Database) -> None:
        """The database in the session's transaction: nothing of it is on the disk before the commit."""
        database.lock.acquire(self)
        try:
            database.require()
            if database.data.proof_due:
                with self.instance.moments.held():
                    database.data.before_writing()
            database.data.connection.execute("BEGIN IMMEDIATE")
        except BaseException:
            database.lock.release(self)
            raise
        self.enlisted[database] = database.catalogue.version

    @contextlib.contextmanager
    def _alone(self, database: Database) -> Iterator[sqlite3.Connection]:
        """One statement with a commit of its own. The lock is free before the moment of writing is left."""
        database.lock.acquire(self)
        try:
            self.instance.moments.enter()
        except BaseException:
            database.lock.release(self)
            raise
        try:
            data = database.data
            data.before_writing()
            data.connection.execute("BEGIN IMMEDIATE")
            version = database.catalogue.version
            try:
                yield data.connection
                data.connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    data.connection.execute("ROLLBACK")
                self._reload(database, version)
                raise
            data.after_commit()
        finally:
            database.lock.release(self)
            self.instance.moments.leave()

    @contextlib.contextmanager
    def _savepoint(self, database: Database) -> Iterator[sqlite3.Connection]:
        connection = database.data.connection
        version = database.catalogue.version
        connection.execute("SAVEPOINT statement")
        try:
            yield connection
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK TO statement")
                connection.execute("RELEASE statement")
            self._reload(database, version)
            raise
        connection.execute("RELEASE statement")

    @contextlib.contextmanager
    def changing(self, database: Database) -> Iterator[Catalogue]:
        """The catalogue for a change."""
        with self.writing(database, catalogue=True):
            yield database.catalogue
            database.refresh()

    # -- ending -------------------------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """sp_reset_connection."""
        self.undo()
        self.options = dict(DEFAULTS)
        self.lock_timeout_ms = -1
        self.temporary.clear()
        self.impersonated.clear()
        self._close_scratch()
        with contextlib.suppress(SqlFailure):
            self.enter(self.request.database or self.login["default_database"])

    def _close_scratch(self) -> None:
        if self._scratch is not None:
            self._scratch.close()
            self._scratch = None

    def end(self) -> None:
        """Ended by the server: rolled back once its statement is over."""
        self.ended = self.cancelled = True
        self.undo()
        self.instance.forget(self)
        if self.on_end is not None:
            self.on_end()

    def close(self) -> None:
        """The connection is gone."""
        self.cancelled = True
        with self.busy:
            self.undo()
            self.ended = True
            self._close_scratch()
        self.instance.forget(self)
