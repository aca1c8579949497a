"""Events of the engine as tokens of one answer, sent as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.lab.sqlserver.engine.port import (
    Changed,
    Columns,
    Done,
    Event,
    Failure,
    Info,
    ReturnStatus,
    ReturnValue,
    Row,
)
from tests.lab.sqlserver.wire import tokens
from tests.lab.sqlserver.wire.collations import Collation
from tests.lab.sqlserver.wire.login7 import TDS_73B
from tests.lab.sqlserver.wire.packets import Writing

FATAL = 20
"""The severity from which on the connection ends."""


@dataclass
class Standing:
    """What the connection has become by what was answered."""

    server: str
    collation: Collation
    tds: int
    transaction: int = 0
    ended: bool = False


class Answer:
    """One message of the server. The token that ends a statement is kept until it is known whether more follows."""

    def __init__(self, writing: Writing, standing: Standing, in_procedure: bool = False) -> None:
        self._writing = writing
        self._standing = standing
        self._in_procedure = in_procedure
        self._rows: tokens.Rows | None = None
        self._kept: tuple[int, int, str, int | None] | None = None
        self._failed = False
        self._status: int | None = None
        self._returned: list[ReturnValue] = []
        self._last_failure = 0

    # -- events ----------------------------------------------------------------------------------------------------
    def add(self, events: Iterable[Event], stopped: Callable[[], bool] = lambda: False) -> None:
        """All of them, until ``stopped``."""
        for event in events:
            if stopped():
                return
            self.one(event)

    def one(self, event: Event) -> None:
        """One event."""
        match event:
            case Row():
                assert self._rows is not None, "a row without columns"
                self._writing.write(self._rows.token(event))
            case Columns():
                self._begin(event)
            case Done():
                self._end_statement(tokens.DONE_IN_PROCEDURE if self._in_procedure else tokens.DONE, event)
            case Info() | Failure():
                self._say(event)
            case Changed():
                self._change(event)
            case ReturnStatus():
                self._returned_status(event)
            case ReturnValue():
                self._returned.append(event)

    def _begin(self, event: Columns) -> None:
        if self._failed:
            self._keep(tokens.DONE_IN_PROCEDURE if self._in_procedure else tokens.DONE, 0, "", None)
        self._write(tokens.columns(event.columns, self._standing.collation))
        bitmaps = self._standing.tds >= TDS_73B
        self._rows = tokens.Rows(event.columns, self._standing.collation, bitmaps)

    def _end_statement(self, kind: int, event: Done) -> None:
        self._keep(kind, 0, event.command, event.rows)
        self._rows = None

    def _say(self, event: Info | Failure) -> None:
        self._write(tokens.message(event, self._standing.server))
        if isinstance(event, Failure):
            self._failed = True
            self._last_failure = event.number
            self._standing.ended |= event.severity >= FATAL

    def _change(self, event: Changed) -> None:
        if event.kind == "transaction_begin":
            self._standing.transaction = int(event.new)
        elif event.kind in {"commit", "rollback"}:
            self._standing.transaction = 0
        if event.kind != "collation":
            self._write(tokens.changed(event.kind, event.new, event.old))

    def _returned_status(self, event: ReturnStatus) -> None:
        if self._in_procedure:
            self._status = event.value
        else:
            self._write(tokens.return_status(event.value))
            self._keep(tokens.DONE_PROCEDURE, 0, "EXECUTE", None)

    # -- the end of statements ---------------------------------------------------------------------------------------
    def _keep(self, kind: int, status: int, command: str, rows: int | None) -> None:
        self._write(b"")
        self._kept = (kind, status | (tokens.FAILED if self._failed else 0), command, rows)
        self._failed = False

    def _write(self, token: bytes) -> None:
        if self._kept is not None:
            kind, status, command, rows = self._kept
            self._kept = None
            self._writing.write(tokens.done(kind, status | tokens.MORE | self._open, command, rows))
        self._writing.write(token)

    @property
    def _open(self) -> int:
        return tokens.IN_TRANSACTION if self._standing.transaction else 0

    def end_call(self, more: bool = False) -> None:
        """A call ends: its status, what it gives back, DONEPROC."""
        failed = tokens.FAILED if self._failed else 0
        status = self._status if self._status is not None else self._last_failure
        self._write(tokens.return_status(status))
        for ordinal, one in enumerate(self._returned):
            self._writing.write(tokens.return_value(one, ordinal, self._standing.collation))
        flags = failed | self._open | (tokens.MORE if more else 0)
        self._writing.write(tokens.done(tokens.DONE_PROCEDURE, flags, "EXECUTE" if not failed else ""))
        self._returned.clear()
        self._failed, self._status, self._last_failure = False, None, 0

    def end(self, attention: bool = False) -> None:
        """The message ends; with ``attention`` it says that what was asked to stop has stopped."""
        if self._kept is not None and not self._failed and not attention:
            kind, status, command, rows = self._kept
            self._writing.write(tokens.done(kind, status | self._open, command, rows))
        elif self._kept is not None or self._failed or attention or not self._in_procedure:
            self._write(b"")
            status = tokens.ATTENTION if attention else tokens.FAILED if self._failed else 0
            self._writing.write(tokens.done(tokens.DONE, status | self._open))
        self._kept, self._failed = None, False
        self._writing.end()

    def failed(self) -> None:
        """What was asked for was not done, and there is nothing to say of it."""
        self._failed = True

    def raw(self, token: bytes) -> None:
        """A token as it is."""
        self._write(token)

    def reset_done(self) -> None:
        """The session is as new."""
        self._write(tokens.changed("reset", "", ""))
