"""What the engine of the simulated SQL Server and its wire say to each other.

The wire opens an instance (:func:`open_instance`), logs connections in and executes batches; the engine answers with events in the order
in which TDS sends them. Values are Python's: int, bool (bit), str, bytes, Decimal, float, date, time, datetime, UUID, None.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class SqlType:
    """A type of T-SQL. ``length`` counts characters for n-types and bytes otherwise; -1 is max."""

    name: str  # int bigint smallint tinyint bit float real decimal money nvarchar varchar nchar char varbinary binary ... sql_variant
    length: int = 0
    precision: int = 0
    scale: int = 0
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result; the name may be empty."""

    name: str
    type: SqlType


@dataclass(frozen=True, slots=True)
class Columns:
    """A result begins."""

    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the result that began last."""

    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """A statement ended. ``rows`` is None where SQL Server does not count (SET NOCOUNT ON, DDL)."""

    rows: int | None
    command: str  # SELECT INSERT UPDATE DELETE CREATE ... : the wire's CurCmd


@dataclass(frozen=True, slots=True)
class Info:
    """A message of severity 10 or less (PRINT, 5701, 15457...)."""

    number: int
    state: int
    severity: int
    message: str
    line: int = 1
    procedure: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A message of severity 11 or more. The batch may go on after it, as SQL Server's does; severity 20 ends the connection."""

    number: int
    state: int
    severity: int
    message: str
    line: int = 1
    procedure: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """The environment changed. For transactions ``new`` (begin) or ``old`` (commit, rollback) is the descriptor, an int."""

    kind: str  # database language transaction_begin commit rollback
    new: str | int
    old: str | int


@dataclass(frozen=True, slots=True)
class ReturnStatus:
    """What a procedure returned."""

    value: int


@dataclass(frozen=True, slots=True)
class ReturnValue:
    """An output parameter after the call."""

    name: str
    type: SqlType
    value: Any


Event = Columns | Row | Done | Info | Failure | Changed | ReturnStatus | ReturnValue


class SqlFailure(Exception):
    """SQL Server's own error: raised by ``login`` and by the calls that give no events."""

    def __init__(
        self, number: int, message: str, *, severity: int = 16, state: int = 1, line: int = 1, procedure: str = ""
    ) -> None:
        super().__init__(f"Msg {number}, Level {severity}, State {state}, Line {line}: {message}")
        self.number = number
        self.message = message
        self.severity = severity
        self.state = state
        self.line = line
        self.procedure = procedure

    @property
    def event(self) -> Failure | Info:
        """The same as an event of a batch."""
        kind = Failure if self.severity > 10 else Info
        return kind(self.number, self.state, self.severity, self.message, self.line, self.procedure)


class InstanceDoesNotStart(Exception):
    """The service ends at once; its ERRORLOG says the same."""


@dataclass(frozen=True)
class Settings:
    """An instance: where it is and what it is called. What its own files say (log-ins, databases, @@SERVERNAME) is read from them."""

    root: Path  # data, log (ERRORLOG): made when it is empty
    name: str = "MSSQLSERVER"
    machine: str = "ALPHA"
    platform: str = "linux"  # or windows
    version: str = "2019"  # a year or a build
    edition: str = "Developer Edition (64-bit)"
    collation: str = "SQL_Latin1_General_CP1_CI_AS"  # of a new instance
    sa_password: str | None = None  # of a new instance; an existing one keeps its own
    address: str = "127.0.0.1"
    port: int = 1433
    domain: str = ""  # NetBIOS name
    service_account: str = ""  # as sys.dm_server_services says; "" = mssql on Linux, NT Service\... on Windows
    # reported path -> directory: {"/var/opt/mssql": ROOT} on Linux, {"C:": DIR, "E:": DIR} on Windows; {} = /var/opt/mssql or C: is ``root``
    volumes: Mapping[str, Path] = field(default_factory=dict)
    data_path: str = ""  # as reported; "" = the platform's default
    log_path: str = ""
    # held around every moment in which bytes of the volumes change; entering may raise OSError, leaving may wait
    writing: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext
    account_sid: Callable[[str], bytes | None] | None = (
        None  # the SID of a Windows account DOM\name; None = an account nobody knows
    )


@dataclass(frozen=True, slots=True)
class WindowsIdentity:
    """Who Kerberos or NTLM says the caller is. SIDs are binary, as in the PAC."""

    name: str  # LAB\\writer
    sid: bytes
    groups: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """What LOGIN7 and the connection say of a caller."""

    user: str = ""
    password: str = ""
    windows: WindowsIdentity | None = None
    database: str = ""
    language: str = ""
    application: str = ""
    host: str = ""
    interface: str = ""
    process_id: int = 0
    new_password: str = ""
    auth_scheme: str = "SQL"  # SQL KERBEROS NTLM
    transport: str = "TCP"
    client_address: str = "127.0.0.1"
    client_port: int = 0
    local_address: str = "127.0.0.1"
    local_port: int = 1433
    encrypted: bool = False


Parameter = tuple[str, SqlType, Any]  # "@name" (or "" for a positional one), type, value


class Session(Protocol):
    """A connection that is logged in. One thread at a time, but ``cancel`` and ``close``."""

    spid: int
    database: str
    language: str

    def greeting(self) -> Sequence[Event]:
        """What follows LOGINACK: database, language and collation as Changed and the informations 5701 and 5703."""
        ...

    def execute(self, sql: str, parameters: Sequence[Parameter] = ()) -> Iterator[Event]:
        """A batch (GO is the client's). With ``parameters`` as sp_executesql runs it. Errors come as :class:`Failure` events."""
        ...

    def call(self, procedure: str, parameters: Sequence[tuple[str, SqlType, Any, bool]]) -> Iterator[Event]:
        """An RPC by name: (name, type, value, is output). Ends with ReturnStatus. sp_executesql and sp_prepare... are the wire's."""
        ...

    def describe(self, sql: str, parameters: Sequence[Parameter] = ()) -> tuple[Column, ...]:
        """The columns of the first result, without running (sp_prepare, SET FMTONLY, sp_describe_first_result_set). SqlFailure."""
        ...

    def reset(self) -> None:
        """sp_reset_connection: rollback, default database and options again."""
        ...

    def begin(self, isolation: int = 0) -> Sequence[Event]:
        """TM_BEGIN_XACT. ``isolation`` 1..5 as in MS-TDS, 0 = unchanged."""
        ...

    def commit(self) -> Sequence[Event]:
        """TM_COMMIT_XACT. On the disk when it returns. SqlFailure 3902."""
        ...

    def rollback(self) -> Sequence[Event]:
        """TM_ROLLBACK_XACT. SqlFailure 3903."""
        ...

    def cancel(self) -> None:
        """Attention, from any thread: the running batch ends without an error event."""
        ...

    def close(self) -> None:
        """The connection is gone: what was not committed is rolled back."""
        ...

    @property
    def ended(self) -> bool:
        """Ended by the server (SINGLE_USER WITH ROLLBACK IMMEDIATE, KILL, SHUTDOWN): the wire closes the connection."""
        ...


class Instance(Protocol):
    """A running instance. Thread-safe."""

    name: str
    machine: str
    version: str  # 15.0.4322.2
    collation: str
    platform: str
    stopping: bool  # SHUTDOWN was executed: the process closes and ends

    def login(self, request: LoginRequest) -> Session:
        """SqlFailure 18456 (its state to the ERRORLOG only, as SQL Server does), 4060, 18470..."""
        ...

    def lab(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Plants or tells state: {"do": "set", ...}; the control socket of the process passes it on. ValueError says what is wrong."""
        ...

    def browser_entry(self) -> dict[str, Any]:
        """What SQL Browser says: ServerName, InstanceName, IsClustered, Version, tcp (in this order)."""
        ...

    def close(self) -> None:
        """Orderly stop: everything checkpointed, files closed."""
        ...


def open_instance(settings: Settings) -> Instance:
    """Starts the instance of a directory; makes a new one in an empty directory. Raises InstanceDoesNotStart."""
    from tests.lab.sqlserver.engine.instance import start

    return start(settings)
