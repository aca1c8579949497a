"""A tiny engine for the wire's own tests: it answers with what a test tells it, and gives parameters back as a row."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.lab.sqlserver.engine.port import (
    Changed,
    Column,
    Columns,
    Done,
    Event,
    Failure,
    Info,
    LoginRequest,
    Parameter,
    ReturnStatus,
    Row,
    SqlFailure,
    SqlType,
)

Reply = Callable[["FakeSession", Sequence[Parameter]], Iterable[Event]]
PASSWORD = "a good one"


def table(columns: Mapping[str, SqlType], *rows: tuple[Any, ...]) -> list[Event]:
    """A result with these rows."""
    given = tuple(Column(name, type_) for name, type_ in columns.items())
    return [Columns(given), *map(Row, rows), Done(len(rows), "SELECT")]


@dataclass
class FakeSession:
    """Answers by the text of a batch; an unknown text with parameters gives them back, without it is an error."""

    instance: FakeInstance
    spid: int = 51
    database: str = "master"
    language: str = "us_english"
    ended: bool = False
    cancelled: threading.Event = field(default_factory=threading.Event)
    closed: bool = False
    transaction: int = 0

    def greeting(self) -> Sequence[Event]:
        return [
            Changed("database", self.database, "master"),
            Info(5701, 2, 0, f"Changed database context to '{self.database}'."),
            Changed("language", self.language, ""),
            Info(5703, 1, 0, "Changed language setting to us_english."),
        ]

    def execute(self, sql: str, parameters: Sequence[Parameter] = ()) -> Iterator[Event]:
        self.instance.heard.append(sql)
        self.cancelled.clear()
        low = sql.strip().lower()
        if sql in self.instance.replies:
            yield from self.instance.replies[sql](self, parameters)
        elif low.startswith("set implicit_transactions"):
            yield Done(None, "SET")
        elif low.startswith("if @@trancount > 0"):
            yield from self.commit() if "commit" in low else self.rollback()
            yield Done(None, "COMMIT")
        elif parameters:
            yield from table({name: type_ for name, type_, _ in parameters}, tuple(value for *_, value in parameters))
        elif low.startswith("set "):
            yield Done(None, "SET")
        else:
            yield Failure(208, 1, 16, f"Invalid object name '{sql}'.")
            yield Done(None, "SELECT")

    def call(self, procedure: str, parameters: Sequence[tuple[str, SqlType, Any, bool]]) -> Iterator[Event]:
        self.instance.heard.append(f"{procedure} {[one[2] for one in parameters]}")
        if procedure in self.instance.replies:
            yield from self.instance.replies[procedure](self, [one[:3] for one in parameters])
            yield ReturnStatus(0)
        else:
            yield Failure(2812, 62, 16, f"Could not find stored procedure '{procedure}'.")

    def describe(self, sql: str, parameters: Sequence[Parameter] = ()) -> tuple[Column, ...]:
        return tuple(Column(name, type_) for name, type_, _ in parameters)

    def reset(self) -> None:
        self.instance.heard.append("reset")

    def begin(self, isolation: int = 0) -> Sequence[Event]:
        self.transaction = len(self.instance.heard) + 1
        self.instance.heard.append(f"begin {isolation}")
        return [Changed("transaction_begin", self.transaction, 0)]

    def commit(self) -> Sequence[Event]:
        return self._end("commit", 3902)

    def rollback(self) -> Sequence[Event]:
        return self._end("rollback", 3903)

    def _end(self, what: str, number: int) -> Sequence[Event]:
        if not self.transaction:
            raise SqlFailure(number, f"The {what.upper()} TRANSACTION request has no corresponding BEGIN TRANSACTION.")
        self.instance.heard.append(what)
        ended, self.transaction = self.transaction, 0
        return [Changed(what, 0, ended)]

    def cancel(self) -> None:
        self.cancelled.set()

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeInstance:
    """One log-in, sa, and the replies of a test."""

    name: str = "MSSQLSERVER"
    machine: str = "ALPHA"
    version: str = "15.0.4322.2"
    collation: str = "SQL_Latin1_General_CP1_CI_AS"
    platform: str = "linux"
    stopping: bool = False
    replies: dict[str, Reply] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    logins: list[LoginRequest] = field(default_factory=list)
    sessions: list[FakeSession] = field(default_factory=list)

    def login(self, request: LoginRequest) -> FakeSession:
        self.logins.append(request)
        if request.windows is None and (request.user, request.password) != ("sa", PASSWORD):
            raise SqlFailure(18456, f"Login failed for user '{request.user}'.", severity=14)
        self.sessions.append(FakeSession(self, database=request.database or "master"))
        return self.sessions[-1]

    def lab(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return dict(request)

    def browser_entry(self) -> dict[str, Any]:
        return {
            "ServerName": self.machine,
            "InstanceName": self.name,
            "IsClustered": "No",
            "Version": self.version,
            "tcp": "1433",
        }

    def close(self) -> None:
        self.stopping = True
