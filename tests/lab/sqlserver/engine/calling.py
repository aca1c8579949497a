"""EXEC: procedures known to the simulation, procedures of users, texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.lab.sqlserver.engine import queries, security, statements
from tests.lab.sqlserver.engine.control import split
from tests.lab.sqlserver.engine.database import Database
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import Event, ReturnStatus, SqlFailure, SqlType
from tests.lab.sqlserver.engine.running import Frame, Return, Variable, handles, run_block
from tests.lab.sqlserver.engine.session import Session
from tests.lab.sqlserver.engine.statements import Simple, near
from tests.lab.sqlserver.engine.tokens import Token
from tests.lab.sqlserver.engine.values import cast, parse_type

NVARCHAR = SqlType("nvarchar", 4000)
DEEPEST = 32


@dataclass
class Argument:
    """One value of a call; the name may be empty."""

    name: str
    variable: Variable
    default: bool = False

    @property
    def value(self) -> Any:
        """As kept."""
        return self.variable.value


@handles("EXEC", "EXECUTE")
def execute(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """EXEC [@r =] name arguments, EXEC ('text'), EXECUTE AS."""
    words = list(statement.words)
    if words[0].kind == "word" and words[0].value in {"EXEC", "EXECUTE"}:
        words = words[1:]
    if not words:
        raise near(statement.words[0])
    if words[0].value == "AS" and words[0].kind == "word":
        _execute_as(session, words[1:])
        return
    if words[0].kind == "mark" and words[0].value == "(":
        close = max(at for at, word in enumerate(words) if word.value == ")")
        if len(words) > close + 1:
            raise (
                SqlFailure(7411, f"Server '{words[-1].name}' is not configured for RPC.")
                if words[close + 1].value == "AT"
                else near(words[close + 1])
            )
        base = statement.words[0].start
        text = statement.text[words[1].start - base : words[close].start - base]
        yield from run_text(session, str(queries.scalar(session, frame, text)[0] or ""), {})
        return
    status: str | None = None
    if words[0].kind == "variable" and len(words) > 1 and words[1].value == "=":
        status, words = words[0].text.lower(), words[2:]
    name, rest = _name(words)
    if words[0].kind == "variable" and name.startswith("@"):
        variable = frame.variables.get(name.lower())
        if variable is None:
            raise fail(137, name)
        name = str(variable.value)
    arguments = [_argument(session, frame, statement, part) for part in split(_without_options(rest)) if part]
    returned = 0
    for event in call_procedure(session, frame, name, arguments):
        if isinstance(event, ReturnStatus):
            returned = event.value
        else:
            yield event
    if status is not None:
        if status not in frame.variables:
            raise fail(137, status)
        frame.variables[status].value = returned
    session.error = 0


def _without_options(words: Sequence[Token]) -> list[Token]:
    cut = next((at for at, word in enumerate(words) if word.kind == "word" and word.value == "WITH"), len(words))
    return list(words[:cut])


def _name(words: Sequence[Token]) -> tuple[str, list[Token]]:
    parts, at = [words[0].name if words[0].kind != "variable" else words[0].text], 1
    if words[0].kind not in {"word", "quoted", "variable"}:
        raise near(words[0])
    while at < len(words) and words[at].kind == "mark" and words[at].value == ".":
        at += 1
        if at < len(words) and words[at].kind in {"word", "quoted"}:
            parts.append(words[at].name)
            at += 1
        else:
            parts.append("")
    return ".".join(parts), list(words[at:])


def _argument(session: Session, frame: Frame, statement: Simple, part: Sequence[Token]) -> Argument:
    name = ""
    words = list(part)
    if len(words) > 2 and words[0].kind == "variable" and words[1].value == "=":
        name, words = words[0].text, words[2:]
    output = words[-1].kind == "word" and words[-1].value in {"OUTPUT", "OUT"} and len(words) > 1
    if output:
        words = words[:-1]
    if len(words) == 1 and words[0].kind == "variable" and not words[0].text.startswith("@@"):
        variable = frame.variables.get(words[0].text.lower())
        if variable is None:
            raise fail(137, words[0].text)
        if output:
            variable.output = True
            return Argument(name, variable)
        return Argument(name, Variable(variable.type, variable.value))
    if len(words) == 1 and words[0].kind == "word":
        if words[0].value == "DEFAULT":
            return Argument(name, Variable(NVARCHAR), default=True)
        if words[0].value != "NULL":
            return Argument(name, Variable(NVARCHAR, words[0].text))
    if len(words) == 1 and words[0].kind == "quoted":
        return Argument(name, Variable(NVARCHAR, words[0].value))
    if len(words) > 2 or (len(words) == 2 and words[0].value not in {"-", "+"}):
        raise near(words[1])
    base = statement.words[0].start
    value, column = queries.scalar(session, frame, statement.text[words[0].start - base : words[-1].end - base])
    return Argument(name, Variable(column.type, value))


def call_procedure(session: Session, frame: Frame, name: str, arguments: list[Argument]) -> Iterable[Event]:
    """What a procedure of a name does. SqlFailure 2812."""
    from tests.lab.sqlserver.engine.procedures import PROCEDURES

    parts = [part.strip("[]").strip('"') for part in name.split(".")]
    short = parts[-1].lower()
    if len(parts) == 4:
        if session.instance.catalogue.named("linked", parts[0]) is None:
            raise fail(7202, parts[0])
        raise fail(7411, parts[0], "RPC")
    database = session.current
    if len(parts) == 3 and parts[0]:
        database = session.instance.databases.get(parts[0])
        session.check_access(database)
    schema = parts[-2] if len(parts) > 1 and parts[-2] else "dbo"
    found = database.objects().get((schema.lower(), short))
    if found is None and short in PROCEDURES and schema.lower() in {"dbo", "sys"}:
        return PROCEDURES[short](session, frame, arguments, database)
    if found is None or found[1]["type"] != "P":
        raise fail(2812, name, state=62)
    if not security.may_in(session, database, "EXECUTE", object_id=found[0]):
        raise fail(229, "EXECUTE", found[1]["name"], database.name, found[1]["schema"], state=5)
    return _user_procedure(session, database, found[1], arguments)


def _user_procedure(
    session: Session, database: Database, document: dict[str, Any], arguments: list[Argument]
) -> Iterator[Event]:
    variables: dict[str, Variable] = {}
    outputs: list[tuple[Variable, Variable]] = []
    named = {argument.name.lower(): argument for argument in arguments if argument.name}
    positional = [argument for argument in arguments if not argument.name]
    if len(positional) > len(document["parameters"]):
        raise fail(8144 if document["parameters"] else 8146, document["name"])
    for at, parameter in enumerate(document["parameters"]):
        given = named.pop(parameter["name"].lower(), None) or (positional[at] if at < len(positional) else None)
        kind = parse_type(parameter["type"])
        if given is None or given.default:
            if parameter["default"] is None:
                raise fail(201, document["name"], parameter["name"], state=4)
            value = queries.scalar(session, Frame(), parameter["default"])[0]
        else:
            value = given.value
        made = variables[parameter["name"].lower()] = Variable(kind, cast(value, kind))
        if given is not None and given.variable.output:
            outputs.append((made, given.variable))
    for name in named:
        raise fail(8145, name, document["name"])
    inner = Frame(variables, procedure=document["name"])
    status = 0
    before = session.current
    session.current = database
    try:
        yield from _inside(session, inner, document["body"])
    except Return as returned:
        status = returned.value
    finally:
        session.current = before
    for made, outer in outputs:
        outer.value = cast(made.value, outer.type)
    yield ReturnStatus(status)


def _inside(session: Session, frame: Frame, text: str) -> Iterator[Event]:
    if session.nesting >= DEEPEST:
        raise fail(217)
    session.nesting += 1
    try:
        yield from run_block(session, frame, statements.parse(text))
    finally:
        session.nesting -= 1


def run_text(session: Session, text: str, variables: dict[str, Variable]) -> Iterator[Event]:
    """EXEC ('text') and sp_executesql inside a batch."""
    before = session.current
    try:
        yield from _inside(session, Frame(variables), text)
    except Return:
        return
    except SqlFailure as failure:
        failure.from_inside = True  # type: ignore[attr-defined]
        raise
    finally:
        if session.current is not before and before.online:
            session.current = before


def _execute_as(session: Session, words: Sequence[Token]) -> None:
    if len(words) < 3 or words[0].value not in {"LOGIN", "USER"} or words[1].value != "=":
        raise near(words[0])
    name = words[2].value
    if words[0].value == "LOGIN":
        found = session.instance.catalogue.named("login", name)
        if found is None or not (security.is_sysadmin(session) or security.may(session, "IMPERSONATE ANY LOGIN")):
            raise fail(15406, name)
        sid, number, shown = found[1]["sid"], found[0], found[1]["name"]
    else:
        user = session.current.catalogue.named("principal", name)
        if user is None or user[1]["type"] not in "SU" or not security.is_owner(session, session.current):
            raise fail(15517, name)
        login = next(
            ((number, one) for number, one in session.instance.catalogue.all("login") if one["sid"] == user[1]["sid"]),
            None,
        )
        sid, number, shown = user[1]["sid"], login[0] if login else 0, login[1]["name"] if login else name
    session.impersonated.append((session.login_name, session.sids, session.login_id))
    session.login_name, session.sids, session.login_id = shown, (sid,), number


@handles("REVERT")
def revert(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """REVERT."""
    if session.impersonated:
        session.login_name, session.sids, session.login_id = session.impersonated.pop()
    return iter(())
