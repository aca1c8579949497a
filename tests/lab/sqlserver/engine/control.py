"""Variables, options, messages, transactions: what is neither data nor definition."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from typing import Any

from tests.lab.sqlserver.engine import queries, security
from tests.lab.sqlserver.engine.messages import MESSAGES, fail
from tests.lab.sqlserver.engine.port import Changed, Done, Event, Failure, Info, SqlFailure, SqlType
from tests.lab.sqlserver.engine.running import Frame, Leave, Return, Variable, handles
from tests.lab.sqlserver.engine.session import Session
from tests.lab.sqlserver.engine.statements import Simple, near
from tests.lab.sqlserver.engine.tokens import Token
from tests.lab.sqlserver.engine.values import cast, parse_type

ONOFF = {
    "NOCOUNT", "XACT_ABORT", "IMPLICIT_TRANSACTIONS", "QUOTED_IDENTIFIER", "ANSI_NULLS", "ANSI_PADDING", "ANSI_WARNINGS", "ARITHABORT", "ARITHIGNORE", "CONCAT_NULL_YIELDS_NULL", "NUMERIC_ROUNDABORT", "FMTONLY",
    "ANSI_NULL_DFLT_ON", "ANSI_NULL_DFLT_OFF", "ANSI_DEFAULTS", "CURSOR_CLOSE_ON_COMMIT", "NOEXEC", "PARSEONLY", "FORCEPLAN", "SHOWPLAN_TEXT", "SHOWPLAN_ALL", "SHOWPLAN_XML", "REMOTE_PROC_TRANSACTIONS",
    "NO_BROWSETABLE", "OFFSETS",
}  # fmt: skip
VALUED = {
    "TEXTSIZE",
    "LOCK_TIMEOUT",
    "ROWCOUNT",
    "DATEFIRST",
    "DATEFORMAT",
    "LANGUAGE",
    "DEADLOCK_PRIORITY",
    "QUERY_GOVERNOR_COST_LIMIT",
    "CONTEXT_INFO",
}
ISOLATION = {"READ UNCOMMITTED": 1, "READ COMMITTED": 2, "REPEATABLE READ": 3, "SERIALIZABLE": 4, "SNAPSHOT": 5}
PRINTF = re.compile(r"%([-+ #0]*)(\d*|\*)(?:\.(\d+|\*))?(I64|[hl])?([diouxXs%])")


def formatted(text: str, values: Sequence[Any]) -> str:
    """RAISERROR's way of printf."""
    rest = list(values)

    def one(match: re.Match[str]) -> str:
        if match[5] == "%":
            return "%"
        if not rest:
            return "(null)"
        value = rest.pop(0)
        if value is None:
            return "(null)"
        spec = f"%{match[1]}{match[2]}{'.' + match[3] if match[3] else ''}{match[5].replace('i', 'd')}"
        return str(spec % (value if match[5] == "s" else int(value)))

    return PRINTF.sub(one, text)


@handles("DECLARE")
def declare(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """DECLARE @x type [= value], ..."""
    words = statement.words[1:]
    if any(word.value in {"CURSOR", "TABLE"} and word.kind == "word" for word in words):
        raise fail(156, next(word.text for word in words if word.value in {"CURSOR", "TABLE"}))
    for part in split(words):
        if not part or part[0].kind != "variable":
            raise near(part[0] if part else statement.words[-1])
        name = part[0].text.lower()
        if name in frame.variables:
            raise fail(134, part[0].text)
        equals = next((at for at, word in enumerate(part) if word.kind == "mark" and word.value == "="), None)
        typed = [word for word in part[1:equals] if word.value != "AS"]
        if not typed:
            raise near(part[0])
        kind = parse_type("".join(word.text for word in typed))
        variable = frame.variables[name] = Variable(kind)
        if equals is not None:
            text = statement.text[part[equals].end - statement.words[0].start : part[-1].end - statement.words[0].start]
            variable.value = cast(queries.scalar(session, frame, text)[0], kind)
    return iter(())


def split(words: Sequence[Token]) -> list[list[Token]]:
    """At the commas outside parentheses."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for word in words:
        if word.kind == "mark":
            depth += {"(": 1, ")": -1}.get(word.value, 0)
            if word.value == "," and not depth:
                parts.append([])
                continue
        parts[-1].append(word)
    return parts


@handles("SET")
def set_(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """A variable or options."""
    words = statement.words[1:]
    if not words:
        raise near(statement.words[0])
    if words[0].kind == "variable":
        _set_variable(session, frame, statement, words)
        return
    name = words[0].value
    if name == "TRANSACTION" and len(words) > 3 and words[1].value == "ISOLATION":
        level = ISOLATION.get(" ".join(word.value for word in words[3:]))
        if level is None:
            raise near(words[3])
        session.options["isolation"] = level
    elif name == "IDENTITY_INSERT":
        _identity_insert(session, words)
    elif name in ONOFF:
        yield from _on_off(session, words)
    elif name in VALUED:
        yield from _valued(session, frame, words)
    elif name == "STATISTICS":
        return
    else:
        raise SqlFailure(195, f"'{words[0].text}' is not a recognized SET option.", severity=15)


def _set_variable(session: Session, frame: Frame, statement: Simple, words: Sequence[Token]) -> None:
    variable = frame.variables.get(words[0].text.lower())
    if variable is None:
        raise fail(137, words[0].text)
    if len(words) < 3 or words[1].kind != "mark" or not words[1].value.endswith("="):
        raise near(words[min(1, len(words) - 1)])
    text = statement.text[words[2].start - statement.words[0].start :]
    if words[1].value != "=":
        text = f"{words[0].text} {words[1].value[:-1]} ({text})"
    variable.value = cast(queries.scalar(session, frame, text)[0], variable.type)


def _identity_insert(session: Session, words: Sequence[Token]) -> None:
    from tests.lab.sqlserver.engine.metadata_databases import find_object

    name = "".join(word.text for word in words[1:-1])
    found = find_object(session, name, "U")
    if found is None:
        raise fail(4902, name)
    shown = f"{found[0].name}.{found[2]['schema']}.{found[2]['name']}"
    if words[-1].value == "ON" and session.options["identity_insert"] not in {None, shown}:
        raise SqlFailure(
            8107,
            f"IDENTITY_INSERT is already ON for table '{session.options['identity_insert']}'. Cannot perform SET operation for table '{name}'.",
        )
    session.options["identity_insert"] = shown if words[-1].value == "ON" else None


def _on_off(session: Session, words: Sequence[Token]) -> Iterator[Event]:
    if words[-1].value not in {"ON", "OFF"}:
        raise near(words[-1])
    for word in words[:-1]:
        if word.kind == "word":
            if word.value not in ONOFF:
                raise near(word)
            session.options[word.value.lower()] = words[-1].value == "ON"
    return iter(())


def _valued(session: Session, frame: Frame, words: Sequence[Token]) -> Iterator[Event]:
    name = words[0].value
    value: Any = words[-1].value
    if words[-1].kind == "variable":
        variable = frame.variables.get(words[-1].text.lower())
        if variable is None:
            raise fail(137, words[-1].text)
        value = variable.value
    if name == "LANGUAGE":
        known = {
            "US_ENGLISH": "us_english",
            "ENGLISH": "us_english",
            "DEUTSCH": "Deutsch",
            "GERMAN": "Deutsch",
            "FRENCH": "Français",
            "BRITISH": "British",
        }
        if str(value).upper() not in known:
            raise SqlFailure(2743, f"{value} is not an official language name or a language alias on this SQL Server.")
        old, session.language = session.language, known[str(value).upper()]
        yield Changed("language", session.language, old)
        yield Info(5703, 1, 10, f"Changed language setting to {session.language}.")
    elif name == "LOCK_TIMEOUT":
        session.lock_timeout_ms = int(value) * (-1 if words[-2].value == "-" else 1)
    elif name in {"TEXTSIZE", "ROWCOUNT", "DATEFIRST"}:
        session.options[name.lower()] = int(value)
    elif name == "DATEFORMAT":
        session.options["dateformat"] = str(value).lower()


@handles("USE")
def use(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """USE database."""
    if len(statement.words) != 2 or statement.words[1].kind not in {"word", "quoted"}:
        raise near(statement.words[-1])
    yield from session.enter(statement.words[1].name)


@handles("PRINT")
def print_(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """PRINT expression."""
    text = statement.text[5:].strip()
    if not text:
        raise near(statement.words[0])
    value = queries.scalar(session, frame, f"CAST(({text}) AS nvarchar(4000))")[0]
    yield Info(0, 1, 0, "" if value is None else str(value), statement.line)


@handles("RAISERROR")
def raiserror(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """RAISERROR (message, severity, state, values) [WITH ...]."""
    words = statement.words[1:]
    if not words or words[0].value != "(":
        raise near(words[0] if words else statement.words[0])
    close = max(at for at, word in enumerate(words) if word.value == ")")
    options = {word.value for word in words[close + 1 :]}
    values = [_argument(session, frame, statement, part) for part in split(words[1:close])]
    if len(values) < 3:
        raise near(words[close])
    number, text = 50000, str(values[0])
    if isinstance(values[0], int):
        number = values[0]
        found = session.instance.catalogue.get("message", number)
        if found is None and number not in MESSAGES:
            raise SqlFailure(
                18054,
                f"Error {number}, severity {values[1]}, state {values[2]} was raised, but no message with that error number was found in sys.messages.",
            )
        text = found["text"] if found else MESSAGES[number][1]
    severity, state = int(values[1]), int(values[2])
    if severity > 18 and not ("LOG" in options and security.is_sysadmin(session)):
        raise SqlFailure(
            2754,
            "Error severity levels greater than 18 can only be specified by members of the sysadmin role, using the WITH LOG option.",
        )
    message = formatted(text, values[3:])
    if "LOG" in options:
        session.instance.errorlog.write(
            f"Error: {number}, Severity: {severity}, State: {state}.\n{message}", f"spid{session.spid}"
        )
    if severity > 10:
        raise SqlFailure(number, message, severity=severity, state=state, line=statement.line)
    session.error = number if "SETERROR" in options else 0
    yield Info(number, state, severity, message, statement.line)


def _argument(session: Session, frame: Frame, statement: Simple, part: Sequence[Token]) -> Any:
    if not part:
        raise near(statement.words[-1])
    if len(part) == 1 and part[0].kind == "string":
        return part[0].value
    base = statement.words[0].start
    return queries.scalar(session, frame, statement.text[part[0].start - base : part[-1].end - base])[0]


@handles("THROW")
def throw(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """THROW [number, message, state]."""
    words = statement.words[1:]
    if not words:
        if not session.caught:
            raise SqlFailure(
                10704,
                "To rethrow an error, a THROW statement must be used inside a CATCH block. Insert the THROW statement inside a CATCH block, or add error parameters to the THROW statement.",
                severity=15,
            )
        raise session.caught[-1]
    values = [_argument(session, frame, statement, part) for part in split(words)]
    if len(values) != 3:
        raise near(words[-1])
    if int(values[0]) < 50000:
        raise SqlFailure(
            35100,
            f"Error number {values[0]} in the THROW statement is outside the valid range. Specify an error number in the valid range of 50000 to 2147483647.",
        )
    raise SqlFailure(int(values[0]), str(values[1]), state=int(values[2]), line=statement.line)
    yield  # pragma: no cover


@handles("BEGIN")
def begin(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """BEGIN TRANSACTION."""
    yield from session.begin()


@handles("COMMIT")
def commit(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """COMMIT."""
    yield from session.commit()


@handles("ROLLBACK")
def rollback(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """ROLLBACK."""
    words = [word.value for word in statement.words[1:] if word.value not in {"TRAN", "TRANSACTION", "WORK"}]
    if words and session.trancount and words[0].lower() in session.options.get("savepoints", ()):
        raise fail(102, "SAVE")
    yield from session.rollback()


@handles("SAVE")
def save(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """The simulation has no savepoints of the client's."""
    raise fail(156, "SAVE")
    yield  # pragma: no cover


@handles("RETURN")
def return_(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """RETURN [number]."""
    text = statement.text[6:].strip()
    raise Return(int(queries.scalar(session, frame, text)[0] or 0) if text else 0)
    yield  # pragma: no cover


@handles("BREAK", "CONTINUE")
def leave(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """Out of WHILE."""
    raise Leave(again=statement.kind == "CONTINUE")
    yield  # pragma: no cover


@handles("WAITFOR")
def waitfor(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """WAITFOR DELAY 'hh:mm:ss'."""
    if len(statement.words) != 3 or statement.words[1].value != "DELAY":
        raise near(statement.words[-1])
    parts = [float(part) for part in str(_argument(session, frame, statement, statement.words[2:])).split(":")]
    seconds = sum(part * factor for part, factor in zip(parts, (3600, 60, 1), strict=False))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        session.check_cancelled()
        time.sleep(min(0.05, max(0.0, until - time.monotonic())))
    return iter(())
    yield  # pragma: no cover


@handles("CHECKPOINT")
def checkpoint(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """The log into the file."""
    if not (security.is_owner(session, session.current) or security.may_in(session, session.current, "CHECKPOINT")):
        raise fail(262, "CHECKPOINT", session.current.name)
    with session.reading(session.current):
        if session.current not in session.enlisted:
            with session.instance.moments.held():
                session.current.data.checkpoint()
    return iter(())
    yield  # pragma: no cover


@handles("SHUTDOWN")
def shutdown(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """SHUTDOWN: the process closes the instance."""
    security.require(session, "SHUTDOWN", 15247)
    yield Info(6006, 1, 10, "Server shut down by request from login " + session.login_name + ".")
    session.instance.stopping = True


@handles("KILL")
def kill(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """KILL spid."""
    if len(statement.words) < 2 or statement.words[1].kind != "number":
        raise near(statement.words[-1])
    if not security.may(session, "ALTER ANY CONNECTION"):
        raise SqlFailure(6102, "User does not have permission to use the KILL statement.", severity=14)
    number = int(statement.words[1].value)
    if number == session.spid:
        raise fail(6104)
    victim = session.instance.sessions.get(number)
    if victim is None:
        raise fail(6106, number)
    victim.end()
    yield Done(None, "KILL")


def events_of(failures: Sequence[SqlFailure]) -> list[Failure | Info]:
    """As a batch tells them."""
    return [failure.event for failure in failures]


INT = SqlType("int")
