"""The system procedures that the simulation knows. Every other one is 2812."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from tests.lab.sqlserver.engine import queries, security
from tests.lab.sqlserver.engine.calling import Argument, run_text
from tests.lab.sqlserver.engine.data import result
from tests.lab.sqlserver.engine.database import Database
from tests.lab.sqlserver.engine.functions import NVARCHAR
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import Column, Event, ReturnStatus, SqlFailure
from tests.lab.sqlserver.engine.running import Frame, Variable, describe
from tests.lab.sqlserver.engine.session import Session
from tests.lab.sqlserver.engine.values import cast, guess, parse_type, type_text

Procedure = Callable[[Session, Frame, list[Argument], Database], Iterable[Event]]
PROCEDURES: dict[str, Procedure] = {}


def procedure(*names: str) -> Callable[[Procedure], Procedure]:
    """Registers a procedure."""

    def register(what: Procedure) -> Procedure:
        for name in names:
            PROCEDURES[name.lower()] = what
        return what

    return register


def taken(name: str, arguments: Sequence[Argument], *parameters: str) -> dict[str, Any]:
    """The values by the names of the parameters (without @); ``name!`` must be given. SqlFailure 201, 8144, 8145."""
    plain = [parameter.rstrip("!") for parameter in parameters]
    values: dict[str, Any] = dict.fromkeys(plain)
    given: set[str] = set()
    for at, argument in enumerate(arguments):
        if argument.name:
            key = argument.name.lstrip("@").lower()
            if key not in plain:
                raise fail(8145, argument.name, name)
        elif at < len(plain):
            key = plain[at]
        else:
            raise fail(8144, name)
        if not argument.default:
            values[key] = argument.value
            given.add(key)
    for parameter in parameters:
        if parameter.endswith("!") and parameter[:-1] not in given:
            raise fail(201, name, "@" + parameter[:-1], state=4)
    return values


def rows(session: Session, names: str, found: Iterable[Sequence[Any]], types: str = "") -> Iterator[Event]:
    """A result of a procedure."""
    listed = [tuple(row) for row in found]
    kinds = [parse_type(kind) for kind in types.split(";")] if types else []
    columns = tuple(
        Column(name, kinds[at] if kinds else guess([row[at] for row in listed]) if listed else NVARCHAR)
        for at, name in enumerate(names.split())
    )
    yield from result(session, columns, listed)


# -- texts and descriptions --------------------------------------------------------------------------------------------------------


def _declared(text: str) -> list[tuple[str, str, bool]]:
    from tests.lab.sqlserver.engine.control import split
    from tests.lab.sqlserver.engine.tokens import tokenize

    found = []
    for part in split(tokenize(text or "")[:-1]):
        if part:
            output = part[-1].value in {"OUTPUT", "OUT"}
            words = [word for word in part[1 : -1 if output else None] if word.value != "AS"]
            found.append((part[0].text, "".join(word.text for word in words), output))
    return found


@procedure("sp_executesql")
def sp_executesql(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """A text with parameters."""
    if not arguments:
        raise fail(201, "sp_executesql", "@statement", state=10)
    text = str(arguments[0].value or "")
    declared = _declared(str(arguments[1].value or "")) if len(arguments) > 1 else []
    given = {argument.name.lower(): argument for argument in arguments[2:] if argument.name}
    positional = [argument for argument in arguments[2:] if not argument.name]
    variables: dict[str, Variable] = {}
    outputs: list[tuple[Variable, Variable]] = []
    for at, (name, kind, output) in enumerate(declared):
        argument = given.get(name.lower()) or (positional[at] if at < len(positional) else None)
        if argument is None:
            raise fail(8178, text[:50], name)
        made = variables[name.lower()] = Variable(parse_type(kind), cast(argument.value, parse_type(kind)))
        if output and argument.variable.output:
            outputs.append((made, argument.variable))
    yield from run_text(session, text, variables)
    for made, outer in outputs:
        outer.value = cast(made.value, outer.type)
    yield ReturnStatus(0)


@procedure("sp_describe_first_result_set")
def sp_describe_first_result_set(
    session: Session, frame: Frame, arguments: list[Argument], _: Database
) -> Iterator[Event]:
    """The columns of a text's first result."""
    from tests.lab.sqlserver.engine.database_views import TYPES, byte_length

    values = taken("sp_describe_first_result_set", arguments, "tsql!", "params", "browse_information_mode")
    parameters = [(name, parse_type(kind), None) for name, kind, _output in _declared(str(values["params"] or ""))]
    try:
        columns = describe(session, str(values["tsql"]), parameters)
    except SqlFailure as failure:
        raise fail(11501) from failure
    found = []
    for at, column in enumerate(columns, 1):
        kind = column.type
        system, _user, size, precision, scale = TYPES[kind.name]
        length = byte_length({"name": kind.name, "length": kind.length, "precision": kind.precision}, size)
        found.append(
            (
                0,
                at,
                column.name or None,
                int(kind.nullable),
                system,
                type_text(kind),
                length,
                kind.precision or precision,
                kind.scale or scale,
            )
        )
    yield from rows(
        session,
        "is_hidden column_ordinal name is_nullable system_type_id system_type_name max_length precision scale",
        found,
        "bit;int;sysname;bit;int;nvarchar(256);smallint;tinyint;tinyint",
    )
    yield ReturnStatus(0)


@procedure("sp_describe_undeclared_parameters")
def sp_describe_undeclared_parameters(
    session: Session, frame: Frame, arguments: list[Argument], _: Database
) -> Iterator[Event]:
    """The types that parameters of a text should have: of the columns that they meet."""
    from tests.lab.sqlserver.engine.database_views import TYPES, byte_length
    from tests.lab.sqlserver.engine.guessing import undeclared

    values = taken("sp_describe_undeclared_parameters", arguments, "tsql!", "params")
    declared = {name.lower() for name, _kind, _output in _declared(str(values["params"] or ""))}
    found = []
    for at, (name, kind) in enumerate(undeclared(session, str(values["tsql"]), declared), 1):
        system, user, size, precision, scale = TYPES[kind.name]
        length = byte_length({"name": kind.name, "length": kind.length, "precision": kind.precision}, size)
        found.append(
            (
                at,
                name,
                system,
                type_text(kind),
                length,
                kind.precision or precision,
                kind.scale or scale,
                user,
                None,
                None,
                None,
                None,
                None,
                0,
                0,
                0,
                0,
                None,
                1,
                0,
                kind.name,
                length,
                kind.precision or precision,
                kind.scale or scale,
            )
        )
    names = (
        "parameter_ordinal name suggested_system_type_id suggested_system_type_name suggested_max_length suggested_precision suggested_scale suggested_user_type_id suggested_user_type_database"
        " suggested_user_type_schema suggested_user_type_name suggested_assembly_qualified_type_name suggested_xml_collection_id suggested_xml_collection_database suggested_xml_collection_schema"
        " suggested_xml_collection_name suggested_is_xml_document suggested_is_case_sensitive suggested_is_fixed_length_clr_type suggested_is_input suggested_is_output formal_parameter_name suggested_tds_type_id suggested_tds_length"
    )
    types = "int;sysname;int;nvarchar(256);smallint;tinyint;tinyint;int;sysname;sysname;sysname;nvarchar(4000);int;sysname;sysname;sysname;bit;bit;bit;bit;bit;sysname;int;int"
    made = [
        (*row[:8], None, None, None, None, None, None, None, None, 0, 0, 0, 1, 0, None, row[2], row[4]) for row in found
    ]
    yield from rows(session, names, made, types)
    yield ReturnStatus(0)


@procedure("sp_who", "sp_who2")
def sp_who(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """Sessions."""
    every = security.may(session, "VIEW SERVER STATE")
    found = [
        (
            one.spid,
            0,
            "runnable" if one is session else "sleeping",
            one.login_name,
            one.request.host,
            "0",
            one.current.name,
            "AWAITING COMMAND",
            0,
        )
        for one in list(session.instance.sessions.values())
        if every or one is session
    ]
    yield from rows(
        session,
        "spid ecid status loginame hostname blk dbname cmd request_id",
        found,
        "smallint;smallint;nchar(30);nvarchar(128);nvarchar(128);char(5);nvarchar(128);nvarchar(26);int",
    )
    yield ReturnStatus(0)


@procedure("sp_helptext")
def sp_helptext(session: Session, frame: Frame, arguments: list[Argument], database: Database) -> Iterator[Event]:
    """The text of a procedure or a view."""
    from tests.lab.sqlserver.engine.metadata_databases import find_object

    values = taken("sp_helptext", arguments, "objname!", "columnname")
    found = find_object(session, str(values["objname"]))
    if found is None:
        raise SqlFailure(
            15009,
            f"The object '{values['objname']}' does not exist in database '{database.name}' or is invalid for this operation.",
        )
    if not found[2].get("definition"):
        raise fail(15197, values["objname"])
    yield from rows(session, "Text", [(line + "\n",) for line in found[2]["definition"].split("\n")], "nvarchar(255)")
    yield ReturnStatus(0)


@procedure("sp_reset_connection")
def sp_reset_connection(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """For the wire, which usually calls ``reset``."""
    session.reset()
    yield ReturnStatus(0)


@procedure("sp_getapplock", "sp_releaseapplock")
def sp_getapplock(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """The simulation has no application locks."""
    raise fail(2812, "sp_getapplock", state=62)
    yield  # pragma: no cover


from tests.lab.sqlserver.engine import (  # noqa: E402 - they register themselves
    procedures_agent,
    procedures_databases,
    procedures_drivers,
    procedures_extended,
    procedures_server,
)

__all__ = [
    "procedures_agent",
    "procedures_databases",
    "procedures_drivers",
    "procedures_extended",
    "procedures_server",
    "queries",
]
