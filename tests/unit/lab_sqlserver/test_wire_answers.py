"""Whatever the engine says, its answer is one that a driver can read to its end."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.lab.sqlserver.engine.port import (
    Changed,
    Column,
    Columns,
    Done,
    Event,
    Failure,
    Info,
    ReturnStatus,
    ReturnValue,
    Row,
    SqlType,
)
from tests.lab.sqlserver.wire import tokens
from tests.lab.sqlserver.wire.answering import Answer, Standing
from tests.lab.sqlserver.wire.collations import named
from tests.lab.sqlserver.wire.packets import HEADER, Writing
from tests.unit.lab_sqlserver.wire_patience import patient
from tests.unit.lab_sqlserver.wire_tokens import tokens_of

VALUES = st.tuples(st.none() | st.integers(-5, 5), st.none() | st.text(max_size=9))
COLUMNS = Columns((Column("n", SqlType("int")), Column("t", SqlType("nvarchar", 20))))


@st.composite
def results(draw: Any) -> list[Event]:
    rows = [Row(one) for one in draw(st.lists(VALUES, max_size=4))]
    ends: list[Event] = draw(
        st.sampled_from(
            [
                [Done(len(rows), "SELECT")],
                [Failure(8134, 1, 16, "x")],
                [Failure(8134, 1, 16, "x"), Done(None, "SELECT")],
            ]
        )
    )
    return [COLUMNS, *rows, *ends]


SINGLE = st.sampled_from(
    [
        Info(0, 1, 0, "said"),
        Failure(547, 0, 16, "conflict"),
        Done(3, "UPDATE"),
        Done(None, "CREATE TABLE"),
        Changed("database", "a", "b"),
        Changed("transaction_begin", 7, 0),
        Changed("commit", 0, 7),
    ]
)

EVENTS = st.lists(st.one_of(results(), SINGLE.map(lambda one: [one])), max_size=6).map(
    lambda parts: [one for part in parts for one in part]
)


def answered(
    events: list[Event], in_procedure: bool = False, attention: bool = False, size: int = 4096
) -> list[tuple[str, Any]]:
    sent: list[bytes] = []
    standing = Standing("ALPHA", named("SQL_Latin1_General_CP1_CI_AS"), 0x74000004)
    answer = Answer(Writing(sent.append, size), standing, in_procedure)
    answer.add(events)
    if in_procedure:
        answer.end_call()
    answer.end(attention=attention)
    return list(tokens_of(without_headers(b"".join(sent))))


def without_headers(raw: bytes) -> bytes:
    body, at = b"", 0
    while at < len(raw):
        length = HEADER.unpack_from(raw, at)[2]
        body += raw[at + HEADER.size : at + length]
        at += length
    return body


def statuses(found: list[tuple[str, Any]]) -> list[int]:
    return [content[0] for name, content in found if name.startswith("done")]


def check(events: list[Event], found: list[tuple[str, Any]]) -> None:
    *before, last = statuses(found)
    assert found[-1][0].startswith("done")
    assert not last & tokens.MORE
    assert all(one & tokens.MORE for one in before)
    assert [content for name, content in found if name == "row"] == [
        one.values for one in events if isinstance(one, Row)
    ]
    names = [name for name, _ in found]
    assert names.count("error") == sum(isinstance(one, Failure) for one in events)
    for at, name in enumerate(names):  # a result ends before the next one begins
        if name == "columns":
            rest = names[at + 1 :]
            end = min(rest.index(one) for one in set(rest) if one.startswith("done"))
            assert "columns" not in rest[:end]


@patient
@given(EVENTS, st.sampled_from([512, 4096]))
def test_a_batch(events: list[Event], size: int) -> None:
    found = answered(events, size=size)
    check(events, found)
    failed = any(one & tokens.FAILED for one in statuses(found))
    assert failed == any(isinstance(one, Failure) for one in events)


@patient
@given(EVENTS, st.none() | st.integers(-9, 9))
def test_a_call(events: list[Event], status: int | None) -> None:
    given = [*events, ReturnValue("@o", SqlType("int"), 4), *([ReturnStatus(status)] if status is not None else [])]
    found = answered(given, in_procedure=True)
    check(events, found)
    assert [name for name, _ in found[-3:]] == ["status", "value", "done procedure"]
    assert found[-2][1] == ("@o", 4)
    if status is not None:
        assert found[-3][1] == status


@patient
@given(EVENTS)
def test_an_answer_that_was_stopped(events: list[Event]) -> None:
    found = answered(events, attention=True)
    check(events, found)
    assert statuses(found)[-1] & tokens.ATTENTION


def test_a_procedure_within_a_batch() -> None:
    found = answered([COLUMNS, Row((1, "x")), Done(1, "SELECT"), ReturnStatus(3), Done(2, "UPDATE")])
    assert [name for name, _ in found] == ["columns", "row", "done", "status", "done procedure", "done"]
