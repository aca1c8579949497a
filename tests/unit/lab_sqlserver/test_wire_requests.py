"""Calls, declarations and what SQL Browser is asked."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.sqlserver.browsing import Entry, answer
from tests.lab.sqlserver.engine.port import SqlType
from tests.lab.sqlserver.wire import requests
from tests.lab.sqlserver.wire.declaring import Declared, NotDeclared, declarations
from tests.lab.sqlserver.wire.reading import Malformed, b_varchar, us_varchar, utf16
from tests.unit.lab_sqlserver.wire_client import with_headers
from tests.unit.lab_sqlserver.wire_patience import patient

INT = bytes([0x26, 4])


def argument(name: str, value: int, flags: int = 0) -> bytes:
    return b_varchar(name) + bytes([flags]) + INT + struct.pack("<Bi", 4, value)


def test_a_batch() -> None:
    assert requests.batch(with_headers(utf16("SELECT 'ä'"), 77)) == (77, "SELECT 'ä'")
    with pytest.raises(Malformed):
        requests.batch(with_headers(b"x"))


def test_calls_by_name_and_by_number() -> None:
    body = us_varchar("sp_who") + struct.pack("<H", 0) + argument("@a", 1) + argument("", -2, requests.OUTPUT)
    body += b"\xff" + struct.pack("<HHH", 0xFFFF, 10, 0) + argument("@P1", 3)
    descriptor, calls = requests.calls(with_headers(body))
    assert descriptor == 0
    assert [one.procedure for one in calls] == ["sp_who", "sp_executesql"]
    assert [(one.name, one.value, one.output) for one in calls[0].arguments] == [("@a", 1, False), ("", -2, True)]
    assert calls[1].arguments[0].type == SqlType("int")


@pytest.mark.parametrize("number", [0, 16, 999])
def test_no_procedure_has_that_number(number: int) -> None:
    with pytest.raises(Malformed):
        requests.calls(with_headers(struct.pack("<HHH", 0xFFFF, number, 0)))


def test_an_encrypted_parameter_was_not_agreed_upon() -> None:
    with pytest.raises(Malformed):
        requests.calls(with_headers(us_varchar("p") + b"\0\0" + argument("@a", 1, requests.ENCRYPTED)))


def test_requests_of_transactions() -> None:
    begin = struct.pack("<HB", requests.BEGIN, 2) + b_varchar("t")
    assert requests.transaction(with_headers(begin)) == (0, requests.TransactionRequest(5, "t", 2))
    commit = struct.pack("<H", requests.COMMIT) + b_varchar("") + b"\1" + b"\x04" + b_varchar("")
    assert requests.transaction(with_headers(commit, 9)) == (9, requests.TransactionRequest(7, "", 4, True))
    rollback = struct.pack("<H", requests.ROLLBACK) + b_varchar("s") + b"\0"
    assert requests.transaction(with_headers(rollback)) == (0, requests.TransactionRequest(8, "s"))


@patient
@given(st.binary(max_size=80))
def test_noise_is_no_call(noise: bytes) -> None:
    for reads in (requests.calls, requests.transaction, requests.batch):
        try:
            reads(with_headers(noise))
        except Malformed:
            continue


# -- declarations -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("@P1 int", [Declared("@P1", SqlType("int"), False)]),
        (
            "@P1 nvarchar(4000),@P2 decimal(18,4) OUTPUT",
            [
                Declared("@P1", SqlType("nvarchar", 4000), False),
                Declared("@P2", SqlType("decimal", precision=18, scale=4), True),
            ],
        ),
        (" @a VARCHAR(MAX) , @b [sys].[sysname]", [Declared("@a", SqlType("varchar", -1), False), Declared("@b", SqlType("nvarchar", 128), False)]),
        ("@a datetime2, @b time(3)", [Declared("@a", SqlType("datetime2", scale=7), False), Declared("@b", SqlType("time", scale=3), False)]),
        ("@a as integer = 5 out", [Declared("@a", SqlType("int"), True)]),
        ("@a float(24), @b float", [Declared("@a", SqlType("real"), False), Declared("@b", SqlType("float"), False)]),
        ("@a varbinary", [Declared("@a", SqlType("varbinary", 1), False)]),
    ],
)  # fmt: skip
def test_declarations(text: str, found: list[Declared]) -> None:
    assert declarations(text) == found


@pytest.mark.parametrize("text", ["P1 int", "@a", "@a int @b int", "@a int;", "@a int) drop"])
def test_what_declares_nothing(text: str) -> None:
    with pytest.raises(NotDeclared):
        declarations(text)


# -- SQL Browser ------------------------------------------------------------------------------------------------------
def entry(name: str, port: int, **more: object) -> Entry:
    said = {
        "ServerName": "ALPHA",
        "InstanceName": name,
        "IsClustered": "No",
        "Version": "15.0.4322.2",
        "tcp": str(port),
    }
    return Entry(said, **more)  # type: ignore[arg-type]


ENTRIES = [entry("MSSQLSERVER", 1433), entry("SALES", 50123, dac=1434), entry("SECRET", 50999, hidden=True)]
DEFAULT = b"ServerName;ALPHA;InstanceName;MSSQLSERVER;IsClustered;No;Version;15.0.4322.2;tcp;1433;;"
SALES = b"ServerName;ALPHA;InstanceName;SALES;IsClustered;No;Version;15.0.4322.2;tcp;50123;;"


def said(text: bytes) -> bytes:
    return struct.pack("<BH", 5, len(text)) + text


@pytest.mark.parametrize(
    ("request_", "heard"),
    [
        (b"\x02", said(DEFAULT + SALES)),
        (b"\x03", said(DEFAULT + SALES)),
        (b"\x04SALES\0", said(SALES)),
        (b"\x04sales", said(SALES)),
        (b"\x04SECRET\0", None),
        (b"\x04NONE\0", None),
        (b"\x04" + b"x" * 40, None),
        (b"\x0f\x01SALES\0", struct.pack("<BHBH", 5, 6, 1, 1434)),
        (b"\x0f\x01MSSQLSERVER\0", None),
        (b"\x0f\x02SALES\0", None),
        (b"", None),
        (b"\x05", None),
        (b"\x02\x00", None),
    ],
)
def test_what_sql_browser_answers(request_: bytes, heard: bytes | None) -> None:
    assert answer(request_, ENTRIES) == heard


def test_where_all_are_hidden_nothing_is_said() -> None:
    assert answer(b"\x03", [entry("A", 1, hidden=True)]) is None


@patient
@given(st.binary(max_size=50))
def test_noise_is_not_answered_wrongly(noise: bytes) -> None:
    heard = answer(noise, ENTRIES)
    assert heard is None or heard[0] == 5
