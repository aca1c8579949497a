"""The calls that are TDS's own: sp_executesql and prepared statements. What else is called by name is the engine's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.lab.sqlserver.engine.port import Columns, Parameter, ReturnValue, Session, SqlFailure, SqlType
from tests.lab.sqlserver.wire.answering import Answer
from tests.lab.sqlserver.wire.declaring import Declared, NotDeclared, declarations
from tests.lab.sqlserver.wire.requests import Argument, Call
from tests.lab.sqlserver.wire.type_catalogue import datatype_info, is_datatype_info

INT = SqlType("int")
RETURNS_COLUMNS = 0x0001


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement with its parameters, kept for this connection."""

    sql: str
    declared: tuple[Declared, ...]


@dataclass
class Procedures:
    """Those of one connection."""

    session: Session
    stopped: Callable[[], bool]
    _prepared: dict[int, Prepared] = field(default_factory=dict)
    _last: int = 0

    def forget(self) -> None:
        """The session is as new."""
        self._prepared.clear()

    def run(self, call: Call, answer: Answer) -> None:
        """One call; what goes wrong is said in the answer."""
        known: dict[str, Callable[[Sequence[Argument], Answer], None]] = {
            "sp_executesql": self._execute_sql,
            "sp_prepare": self._prepare,
            "sp_execute": self._execute,
            "sp_prepexec": self._prepare_and_execute,
            "sp_unprepare": self._unprepare,
        }
        bare = _bare(call.procedure)
        own = known.get(bare)
        try:
            if own is not None:
                own(call.arguments, answer)
            elif is_datatype_info(bare):
                answer.add(datatype_info(*(int(one.value or 0) for one in call.arguments[:2])))
            else:
                given = [(one.name, one.type, one.value, one.output) for one in call.arguments]
                answer.add(self.session.call(call.procedure, given), self.stopped)
        except SqlFailure as failure:
            answer.one(failure.event)

    # -- the procedures ----------------------------------------------------------------------------------------------
    def _execute_sql(self, arguments: Sequence[Argument], answer: Answer) -> None:
        sql = _text(arguments, 0, "sp_executesql", "@statement")
        declared = _declared(_text(arguments, 1, "sp_executesql", "@params")) if len(arguments) > 1 else ()
        self._go(Prepared(sql, declared), arguments[2:], answer)

    def _prepare(self, arguments: Sequence[Argument], answer: Answer) -> None:
        prepared = _statement(arguments, "sp_prepare")
        options = arguments[3].value if len(arguments) > 3 else RETURNS_COLUMNS
        nothing: list[Parameter] = [(one.name, one.type, None) for one in prepared.declared]
        if (options or 0) & RETURNS_COLUMNS and (columns := self.session.describe(prepared.sql, nothing)):
            answer.one(Columns(tuple(columns)))
        self._keep(prepared, arguments[0], answer)

    def _prepare_and_execute(self, arguments: Sequence[Argument], answer: Answer) -> None:
        prepared = _statement(arguments, "sp_prepexec")
        if arguments[0].value is not None:
            self._prepared.pop(int(arguments[0].value), None)
        self._keep(prepared, arguments[0], answer)
        self._go(prepared, arguments[3:], answer)

    def _execute(self, arguments: Sequence[Argument], answer: Answer) -> None:
        self._go(self._find(arguments, "sp_execute"), arguments[1:], answer)

    def _unprepare(self, arguments: Sequence[Argument], answer: Answer) -> None:
        self._find(arguments, "sp_unprepare")
        del self._prepared[int(arguments[0].value)]

    # -- what they are made of -----------------------------------------------------------------------------------------
    def _keep(self, prepared: Prepared, handle: Argument, answer: Answer) -> None:
        self._last += 1
        self._prepared[self._last] = prepared
        answer.one(ReturnValue(handle.name, INT, self._last))

    def _find(self, arguments: Sequence[Argument], procedure: str) -> Prepared:
        if not arguments:
            raise _missing(procedure, "@handle")
        handle = arguments[0].value
        if handle not in self._prepared:
            raise SqlFailure(8179, f"Could not find prepared statement with handle {handle or 0}.", state=2)
        return self._prepared[handle]

    def _go(self, prepared: Prepared, given: Sequence[Argument], answer: Answer) -> None:
        if self.stopped():
            return
        parameters = _matched(prepared, given)
        answer.add(self.session.execute(prepared.sql, parameters), self.stopped)


def _bare(procedure: str) -> str:
    return procedure.lower().replace("[", "").replace("]", "").removeprefix("master").lstrip(".").removeprefix("sys.")


def _missing(procedure: str, parameter: str) -> SqlFailure:
    message = f"Procedure or function '{procedure}' expects parameter '{parameter}', which was not supplied."
    return SqlFailure(201, message, state=10, procedure=procedure)


def _text(arguments: Sequence[Argument], at: int, procedure: str, name: str) -> str:
    if at >= len(arguments):
        raise _missing(procedure, name)
    value: Any = arguments[at].value
    if value is None:
        return ""
    if isinstance(value, str) and arguments[at].type.name in {"nvarchar", "nchar", "ntext"}:
        return value
    message = f"Procedure expects parameter '{name}' of type 'ntext/nchar/nvarchar'."
    raise SqlFailure(214, message, state=2, procedure=procedure)


def _declared(text: str) -> tuple[Declared, ...]:
    try:
        return tuple(declarations(text))
    except NotDeclared as error:
        raise SqlFailure(102, f"Incorrect syntax near '{error}'.", severity=15) from None


def _statement(arguments: Sequence[Argument], procedure: str) -> Prepared:
    if not arguments:
        raise _missing(procedure, "@handle")
    declared = _declared(_text(arguments, 1, procedure, "@params"))
    return Prepared(_text(arguments, 2, procedure, "@stmt"), declared)


def _matched(prepared: Prepared, given: Sequence[Argument]) -> list[Parameter]:
    """Declared parameters with their values: by name where the caller names them, else in their order."""
    declared = prepared.declared
    named = {one.name.lower(): one for one in given if one.name}
    if len(given) > len(declared):
        raise SqlFailure(8144, "Procedure or function has too many arguments specified.", state=2)
    if unknown := set(named) - {one.name.lower() for one in declared}:
        message = f"{named[min(unknown)].name} is not a parameter for procedure ."
        raise SqlFailure(8145, message)
    found: list[Parameter] = []
    for at, one in enumerate(declared):
        argument = named.get(one.name.lower()) or (given[at] if at < len(given) and not given[at].name else None)
        if argument is None or argument.default:
            query = f"({','.join(each.name for each in declared)}){prepared.sql}"[:60]
            message = f"The parameterized query '{query}' expects the parameter '{one.name}', which was not supplied."
            raise SqlFailure(8178, message)
        found.append((one.name, one.type, argument.value))
    return found
