"""Batches: statement after statement, what an error ends, TRY and CATCH."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.lab.sqlserver.engine import functions, statements
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import (
    Changed,
    Column,
    Columns,
    Done,
    Event,
    Failure,
    Info,
    Parameter,
    ReturnStatus,
    ReturnValue,
    SqlFailure,
    SqlType,
)
from tests.lab.sqlserver.engine.session import Cancelled, Session
from tests.lab.sqlserver.engine.statements import Block, If, Node, Simple, Try, While
from tests.lab.sqlserver.engine.values import cast, from_storage, to_storage, type_text

NOT_CAUGHT = {
    137,
    207,
    208,
    4104,
}  # found when the statement is compiled: the batch ends, TRY of the same level does not see it
ENDS_BATCH = NOT_CAUGHT | {102, 156, 195, 241, 242, 245, 248, 295, 911, 1205, 3930, 4121, 8114, 8169, 13124}
DATA = {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "MERGE"}


class Return(Exception):
    """RETURN."""

    def __init__(self, value: int) -> None:
        super().__init__()
        self.value = value


class Leave(Exception):
    """BREAK and CONTINUE."""

    def __init__(self, *, again: bool) -> None:
        super().__init__()
        self.again = again


class EndOfBatch(Exception):
    """An error that ends the batch was told."""


class Caught(Exception):
    """An error on its way to CATCH."""

    def __init__(self, failure: SqlFailure) -> None:
        super().__init__()
        self.failure = failure


@dataclass
class Variable:
    """One variable; the value as kept."""

    type: SqlType
    value: Any = None
    output: bool = False


@dataclass
class Frame:
    """The variables of a batch or a procedure, and where it is."""

    variables: dict[str, Variable] = field(default_factory=dict)
    trying: int = 0
    procedure: str = ""

    @property
    def types(self) -> dict[str, SqlType]:
        """Of the variables."""
        return {name: variable.type for name, variable in self.variables.items()}

    def binds(self) -> dict[str, Any]:
        """The values, as the compiled statements name them."""
        return {"v_" + name[1:]: variable.value for name, variable in self.variables.items()}


Handler = Callable[[Session, Frame, Simple], Iterable[Event]]
HANDLERS: dict[str, Handler] = {}


def handles(*kinds: str) -> Callable[[Handler], Handler]:
    """Registers what runs statements of a kind."""

    def register(handler: Handler) -> Handler:
        for kind in kinds:
            HANDLERS[kind] = handler
        return handler

    return register


def variables_of(parameters: Iterable[Parameter]) -> dict[str, Variable]:
    """Parameters as variables."""
    made = {}
    for number, (name, kind, value) in enumerate(parameters, 1):
        key = (name if name.startswith("@") else f"@{name}" if name else f"@P{number}").lower()
        made[key] = Variable(
            kind,
            cast(to_storage(value), kind) if value is not None and kind.name != "sql_variant" else to_storage(value),
        )
    return made


def run_batch(session: Session, sql: str, parameters: Sequence[Parameter] = ()) -> Iterator[Event]:
    """All events of a batch."""
    try:
        frame = Frame(variables_of(parameters))
        block = statements.parse(sql)
    except SqlFailure as failure:
        session.error = failure.number
        yield failure.event
        yield Done(None, "")
        return
    with contextlib.suppress(EndOfBatch, Return, Leave, Cancelled):
        yield from run_block(session, frame, block)


def run_call(session: Session, procedure: str, parameters: Sequence[tuple[str, SqlType, Any, bool]]) -> Iterator[Event]:
    """An RPC by name."""
    from tests.lab.sqlserver.engine.calling import Argument, call_procedure

    functions.current.session = session
    arguments = [Argument(name, Variable(kind, to_storage(value), output)) for name, kind, value, output in parameters]
    status = 0
    try:
        for event in _locked(session, lambda: call_procedure(session, Frame(), procedure, arguments)):
            status = event.value if isinstance(event, ReturnStatus) else status
            if not isinstance(event, ReturnStatus):
                yield event
    except SqlFailure as failure:
        session.error = failure.number
        yield failure.event
        yield Done(None, "EXEC")
        return
    except (EndOfBatch, Cancelled):
        return
    yield ReturnStatus(status)
    for argument in arguments:
        if argument.variable.output:
            kind = argument.variable.type
            yield ReturnValue(argument.name, kind, from_storage(argument.variable.value, kind))


def _locked(session: Session, what: Callable[[], Iterable[Event]]) -> list[Event]:
    with session.busy:
        return list(what())


def run_block(session: Session, frame: Frame, node: Node) -> Iterator[Event]:
    """One node of the flow."""
    if isinstance(node, Simple):
        yield from _simple(session, frame, node)
    elif isinstance(node, Block):
        for one in node.body:
            yield from run_block(session, frame, one)
    elif isinstance(node, If):
        if (yield from _holds(session, frame, node)):
            yield from run_block(session, frame, node.then)
        elif node.otherwise is not None:
            yield from run_block(session, frame, node.otherwise)
    elif isinstance(node, While):
        yield from _while(session, frame, node)
    else:
        yield from _try(session, frame, node)


def _holds(session: Session, frame: Frame, node: If | While) -> Generator[Event, None, bool]:
    from tests.lab.sqlserver.engine.queries import scalar

    functions.current.session = session
    session.check_cancelled()
    try:
        with session.busy:
            return bool(scalar(session, frame, f"CASE WHEN {node.condition} THEN 1 ELSE 0 END")[0])
    except SqlFailure as failure:
        failure.line = node.line
        yield from _failed(session, frame, Simple("IF", (), node.condition, node.line), failure)
        raise EndOfBatch from failure


def _while(session: Session, frame: Frame, node: While) -> Iterator[Event]:
    while (yield from _holds(session, frame, node)):
        try:
            yield from run_block(session, frame, node.body)
        except Leave as leave:
            if not leave.again:
                return


def _try(session: Session, frame: Frame, node: Try) -> Iterator[Event]:
    frame.trying += 1
    session.trying += 1
    failure = None
    try:
        yield from run_block(session, frame, node.body)
    except Caught as caught:
        failure = caught.failure
    finally:
        frame.trying -= 1
        session.trying -= 1
    if failure is None:
        return
    session.caught.append(failure)
    if session.options["xact_abort"] and session.trancount:
        session.doomed = True
    try:
        yield from run_block(session, frame, node.handler)
    finally:
        session.caught.pop()


def _simple(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    session.check_cancelled()
    functions.current.session = session
    functions.current.failure = None
    handler = HANDLERS.get(statement.kind)
    events: list[Event] = []
    try:
        if handler is None:
            raise statements.near(statement.words[0])
        with session.busy:
            session.check_cancelled()
            events += _implicit(session, statement)
            for event in handler(session, frame, statement):
                events.append(event)
        if statement.kind not in {"PRINT", "DECLARE", "EXEC", "EXECUTE"}:
            session.error = 0
        yield from _kept(events, frame)
    except EndOfBatch:
        yield from _kept(events, frame)
        raise
    except SqlFailure as failure:
        yield from _kept(events, frame)
        yield from _failed(session, frame, statement, failure)
    except (sqlite3.Error, RecursionError) as error:
        yield from _kept(events, frame)
        yield from _failed(
            session,
            frame,
            statement,
            functions.current.failure
            or SqlFailure(
                701,
                f"There is insufficient system memory in resource pool 'default' to run this query. {error}",
                severity=17,
            ),
        )


def _kept(events: list[Event], frame: Frame) -> Iterator[Event]:
    return (event for event in events if not (frame.trying and isinstance(event, Failure)))


def _implicit(session: Session, statement: Simple) -> Sequence[Event]:
    starts = statement.kind in DATA | {"CREATE", "DROP", "ALTER", "GRANT", "REVOKE", "DENY", "TRUNCATE"}
    if not session.options["implicit_transactions"] or session.trancount or not starts:
        return ()
    words = {word.value for word in statement.words[:3]}
    if statement.kind in {"CREATE", "DROP", "ALTER"} and "DATABASE" in words:
        return ()
    if statement.kind == "SELECT" and not any(word.value == "FROM" for word in statement.words):
        return ()
    return session.begin()


def _failed(session: Session, frame: Frame, statement: Simple, failure: SqlFailure) -> Iterator[Event]:
    session.error = failure.number
    session.rowcount = 0
    if failure.line <= 1:
        failure.line = statement.line
    if frame.procedure and not failure.procedure:
        failure.procedure = frame.procedure
    if failure.number == 1205:
        descriptor, open_ = session.descriptor, session.trancount
        session.undo()
        if open_:
            yield Changed("rollback", 0, descriptor)
    inner = getattr(failure, "from_inside", False)
    if frame.trying and failure.severity < 20 and (inner or failure.number not in NOT_CAUGHT):
        raise Caught(failure)
    ends = failure.number in ENDS_BATCH or session.options["xact_abort"]
    if session.nesting and (session.trying or ends):
        failure.from_inside = True  # type: ignore[attr-defined]
        raise failure
    yield failure.event
    if statement.kind in DATA - {"SELECT"} and failure.number in {
        515,
        547,
        2601,
        2627,
        2628,
        8152,
        8115,
        220,
        544,
        8134,
        3906,
    }:
        yield Info(3621, 0, 0, fail(3621).message)
    if session.options["xact_abort"] and session.trancount and statement.kind != "RAISERROR":
        descriptor = session.descriptor
        session.undo()
        yield Changed("rollback", 0, descriptor)
        yield Done(None, statement.kind)
        raise EndOfBatch
    yield Done(None, statement.kind)
    if failure.severity >= 20:
        session.end()
        raise EndOfBatch
    if failure.number in ENDS_BATCH:
        if failure.number in {241, 242, 245, 248, 8114, 8169} and session.trancount:
            descriptor = session.descriptor
            session.undo()
            yield Changed("rollback", 0, descriptor)
        raise EndOfBatch


def describe(session: Session, sql: str, parameters: Sequence[Parameter]) -> tuple[Column, ...]:
    """The columns of the first result. SqlFailure."""
    from tests.lab.sqlserver.engine.queries import describe_select

    functions.current.session = session
    frame = Frame(variables_of(parameters))
    for one in _flat(statements.parse(sql)):
        if one.kind in {"SELECT", "WITH"}:
            columns = describe_select(session, frame, one.text)
            if columns:
                return columns
        elif one.kind == "DECLARE":
            list(HANDLERS["DECLARE"](session, frame, one))
    return ()


def _flat(node: Node) -> Iterator[Simple]:
    if isinstance(node, Simple):
        yield node
    elif isinstance(node, Block):
        for one in node.body:
            yield from _flat(one)
    elif isinstance(node, If):
        yield from _flat(node.then)


__all__ = ["Columns", "Frame", "Variable", "handles", "run_batch", "type_text"]
