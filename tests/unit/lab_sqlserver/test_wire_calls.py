"""Prepared statements and sp_executesql as drivers call them, and their errors."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.sqlserver.engine.port import Columns, Row, SqlType
from tests.lab.sqlserver.wire import tokens
from tests.lab.sqlserver.wire.collations import named
from tests.lab.sqlserver.wire.packets import Kind
from tests.lab.sqlserver.wire.reading import b_varchar, us_varchar, utf16
from tests.lab.sqlserver.wire.type_catalogue import datatype_info, of_batch
from tests.unit.lab_sqlserver.wire_client import RawCaller, with_headers
from tests.unit.lab_sqlserver.wire_server import Wire, wire

PREPARE, EXECUTE, PREPARE_AND_EXECUTE, UNPREPARE, EXECUTE_SQL = 11, 12, 13, 15, 10
LATIN = named("SQL_Latin1_General_CP1_CI_AS").raw
DECLARED, ASKED = "@a int, @b nvarchar(10)", "SELECT @a, @b"


def integer(value: int | None, name: str = "", flags: int = 0) -> bytes:
    raw = b"\0" if value is None else struct.pack("<Bi", 4, value)
    return b_varchar(name) + bytes([flags, 0x26, 4]) + raw


def text(value: str, name: str = "") -> bytes:
    raw = utf16(value)
    return b_varchar(name) + struct.pack("<BBH", 0, 0xE7, 8000) + LATIN + struct.pack("<H", len(raw)) + raw


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Wire]:
    with wire(tmp_path) as server:
        yield server


@pytest.fixture
def caller(served: Wire) -> Iterator[RawCaller]:
    with served.guest() as one:
        yield one


def call(caller: RawCaller, number: int, *arguments: bytes) -> bytes:
    body = struct.pack("<HHH", 0xFFFF, number, 0) + b"".join(arguments)
    return caller.ask(Kind.RPC, with_headers(body))


def error_in(answer: bytes) -> int:
    assert answer[0] == tokens.ERROR, answer.hex()
    return int(struct.unpack_from("<i", answer, 3)[0])


def handle_in(answer: bytes) -> int:
    """The value of the RETURNVALUE, which is the last before DONEPROC."""
    assert answer[-13] == tokens.DONE_PROCEDURE
    return int(struct.unpack_from("<i", answer, len(answer) - 17)[0])


def test_prepare_execute_unprepare(served: Wire, caller: RawCaller) -> None:
    answer = call(caller, PREPARE, integer(None, flags=1), text(DECLARED), text(ASKED), integer(1))
    assert answer[:3] == struct.pack("<BH", tokens.COLUMNS, 2)
    handle = handle_in(answer)
    for at in range(3):
        answer = call(caller, EXECUTE, integer(handle), integer(at), text("x"))
        assert struct.pack("<BBiH", tokens.ROW, 4, at, 2) + utf16("x") in answer
    assert served.instance.heard == [ASKED] * 3
    call(caller, UNPREPARE, integer(handle))
    assert error_in(call(caller, EXECUTE, integer(handle), integer(1), text("x"))) == 8179
    assert error_in(call(caller, UNPREPARE, integer(handle))) == 8179


def test_prepare_and_execute_in_one(caller: RawCaller) -> None:
    first = call(
        caller, PREPARE_AND_EXECUTE, integer(None, flags=1), text(DECLARED), text(ASKED), integer(1), text("x")
    )
    handle = handle_in(first)
    again = call(
        caller, PREPARE_AND_EXECUTE, integer(handle, flags=1), text(DECLARED), text(ASKED), integer(2), text("y")
    )
    assert handle_in(again) != handle
    assert error_in(call(caller, EXECUTE, integer(handle), integer(1), text("x"))) == 8179


def test_arguments_by_their_names(caller: RawCaller) -> None:
    answer = call(caller, EXECUTE_SQL, text(ASKED), text(DECLARED), text("x", "@B"), integer(5, "@a"))
    assert struct.pack("<BBiH", tokens.ROW, 4, 5, 2) + utf16("x") in answer


@pytest.mark.parametrize(
    ("number", "arguments", "error"),
    [
        pytest.param(EXECUTE_SQL, [text(ASKED), text(DECLARED), integer(1)], 8178, id="one is missing"),
        pytest.param(EXECUTE_SQL, [text(ASKED), text(DECLARED), integer(1), integer(2, flags=2)], 8178, id="default"),
        pytest.param(EXECUTE_SQL, [text(ASKED), text("@a int"), integer(1), integer(2)], 8144, id="too many"),
        pytest.param(EXECUTE_SQL, [text(ASKED), text("@a int"), integer(1, "@c")], 8145, id="another name"),
        pytest.param(EXECUTE_SQL, [text(ASKED), text("no declaration")], 102, id="no declaration"),
        pytest.param(EXECUTE_SQL, [integer(1)], 214, id="no text"),
        pytest.param(EXECUTE_SQL, [], 201, id="nothing"),
        pytest.param(EXECUTE, [], 201, id="no handle"),
        pytest.param(EXECUTE, [integer(None)], 8179, id="a handle of NULL"),
        pytest.param(PREPARE, [], 201, id="nothing to prepare"),
        pytest.param(2, [integer(None, flags=1), text(ASKED)], 2812, id="cursors"),
    ],
)
def test_errors_of_calls(caller: RawCaller, number: int, arguments: list[bytes], error: int) -> None:
    assert error_in(call(caller, number, *arguments)) == error
    assert call(caller, EXECUTE_SQL, text("SELECT @a"), text("@a int"), integer(1))[0] == tokens.COLUMNS


def test_a_connection_that_is_used_again_has_nothing_prepared(caller: RawCaller) -> None:
    handle = handle_in(call(caller, PREPARE, integer(None, flags=1), text(DECLARED), text(ASKED), integer(1)))
    body = struct.pack("<HHH", 0xFFFF, EXECUTE, 0) + integer(handle) + integer(1) + text("x")
    caller.say(Kind.RPC, with_headers(body), status=0x09)
    answer = caller.hear()
    assert answer is not None
    assert struct.pack("<i", 8179) in answer.body


# -- the catalogue of types -------------------------------------------------------------------------------------------
def names(events: Any) -> list[str]:
    assert isinstance(events[0], Columns)
    assert len(events[0].columns) == 20
    return [one.values[0] for one in events if isinstance(one, Row)]


def test_which_types_there_are() -> None:
    assert names(datatype_info(12, 3)) == ["varchar"]
    assert names(datatype_info(11, 2))[0] == "datetime2"
    assert len(names(datatype_info())) > 30
    assert {len(one.values) for one in datatype_info() if isinstance(one, Row)} == {20}


@pytest.mark.parametrize(
    ("batch", "found"),
    [
        ("sp_datatype_info_100 12,3", ["varchar"]),
        ("EXEC [sys].sp_datatype_info 4", ["int"]),
        ("exec sys.sp_datatype_info_90 -9, 3;", ["nvarchar", "sysname"][:1]),
    ],
)
def test_the_catalogue_in_a_batch(batch: str, found: list[str]) -> None:
    events = of_batch(batch)
    assert events is not None
    assert names(events)[:1] == found


@pytest.mark.parametrize("batch", ["SELECT 1", "SELECT 'sp_datatype_info 1'", "sp_datatype_info 1; SELECT 2", ""])
def test_other_batches_are_the_engines(batch: str) -> None:
    assert of_batch(batch) is None


def test_by_a_call(caller: RawCaller) -> None:
    body = us_varchar("[sys].sp_datatype_info_100") + b"\0\0" + integer(4) + integer(4, "@ODBCVer")
    answer = caller.ask(Kind.RPC, with_headers(body))
    assert utf16("TYPE_NAME") in answer
    assert SqlType("int").name.encode("utf-16-le") in answer
