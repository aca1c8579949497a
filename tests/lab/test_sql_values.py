"""Values, and many of them, through both ODBC drivers over the wire of the simulated SQL Server; a tiny engine behind it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.lab.sqlserver.engine.port import Row, SqlType
from tests.lab.sqlserver.process import DRIVER_18, FREETDS
from tests.unit.lab_sqlserver.wire_engine import table
from tests.unit.lab_sqlserver.wire_server import Wire, connect, wire

Needs = Callable[[str], None]
LONG_TEXT, LONG_BYTES = "ä" * 9_000, b"\0\1" * 9_000
INT = SqlType("int")
NOON = dt.datetime.fromisoformat("2026-01-02T12:00:05")


@pytest.fixture
def served(tmp_path: Path, needs: Needs) -> Iterator[Wire]:
    needs("odbc")
    with wire(tmp_path) as server:
        server.instance.replies["SELECT 1"] = lambda *_: table({"": INT}, (1,))
        yield server


@pytest.fixture(params=["freetds", "driver 18"])
def driver(request: pytest.FixtureRequest) -> str:
    return FREETDS if request.param == "freetds" else DRIVER_18


# -- values -----------------------------------------------------------------------------------------------------------
VALUES: list[Any] = [
    *(0, -1, 1 << 40, 1.5, True, None, "", "text", "ä€😀", LONG_TEXT, b"", b"\0\xff", LONG_BYTES, Decimal("-12.340")),
    *(Decimal("12345678901234567890.123456"), dt.date(2026, 1, 2), NOON + dt.timedelta(milliseconds=678)),
    *(NOON.replace(year=1753), dt.time(3, 4, 5)),
]


def test_parameters_there_and_back(served: Wire, driver: str) -> None:
    with connect(served, driver) as connection:
        for value in VALUES:
            found = connection.execute("SELECT ?", value).fetchval()
            assert found == value or (value == b"" and found is None), repr(value)[:60]
        assert list(connection.execute("SELECT ?, ?, ?", 1, "two", None).fetchone()) == [1, "two", None]


def test_every_type_reaches_the_caller(served: Wire, driver: str) -> None:
    moment = NOON
    types = {
        "bit": True, "tinyint": 255, "smallint": -5, "int": 7, "bigint": 1 << 50, "real": 0.5, "float": 0.1,
        "money": Decimal("1.2345"), "smallmoney": Decimal("-1.5000"), "date": moment.date(), "datetime": moment,
        "smalldatetime": moment.replace(second=0), "uniqueidentifier": "6F9619FF-8B86-D011-B42D-00C04FC964FF",
        "text": "long", "ntext": "länger", "image": b"\1\2", "xml": "<x/>", "sysname": "name", "timestamp": b"\0" * 8,
    }  # fmt: skip
    columns = {name: SqlType(name, -1 if name in {"text", "ntext", "image", "xml"} else 0) for name in types}
    columns |= {
        "nvarchar": SqlType("nvarchar", 20),
        "varchar": SqlType("varchar", -1),
        "varbinary": SqlType("varbinary", 9),
    }
    columns |= {
        "decimal": SqlType("decimal", precision=20, scale=4),
        "datetime2": SqlType("datetime2", scale=7),
        "time": SqlType("time"),
    }
    types |= {
        "nvarchar": "ä",
        "varchar": "ö",
        "varbinary": b"\0",
        "decimal": Decimal("3.1416"),
        "datetime2": moment,
        "time": moment.time(),
    }
    served.instance.replies["types"] = lambda *_: table(columns, tuple(types.values()), (None,) * len(types))
    with connect(served, driver) as connection:
        first, second = connection.execute("types").fetchall()
    found = {name: getattr(first, name) for name in types}
    assert {name: found[name] for name in types if found[name] != types[name]} in ({}, {"time": "03:04:05"})
    assert set(second) == {None}


def test_a_variant_has_the_type_of_its_value(served: Wire, needs: Needs) -> None:
    # pyodbc knows no variants of int and no NULL among them, FreeTDS none at all
    given = ["text", Decimal("1.5"), b"\1", True, NOON, NOON.date(), 1.5]
    columns = {f"c{at}": SqlType("sql_variant") for at in range(len(given))}
    served.instance.replies["variants"] = lambda *_: table(columns, tuple(given))
    with connect(served, DRIVER_18) as connection:
        assert list(connection.execute("variants").fetchone()) == given


# -- much -------------------------------------------------------------------------------------------------------------
def test_many_rows_and_large_values(served: Wire, driver: str) -> None:
    begin, end = table({"n": INT, "text": SqlType("nvarchar", -1)})
    rows = (Row((at, LONG_TEXT if at % 1000 == 0 else None)) for at in range(20_000))
    served.instance.replies["many"] = lambda *_: (one for part in ([begin], rows, [end]) for one in part)
    with connect(served, driver) as connection:
        found = connection.execute("many").fetchall()
    assert [one.n for one in found] == list(range(20_000))
    assert sum(len(one.text or "") for one in found) == 20 * len(LONG_TEXT)


@pytest.mark.parametrize(
    "more",
    [
        *({"TDS_Version": one} for one in ("7.2", "7.3", "auto")),
        *({"PacketSize": one} for one in ("512", "32767")),
        {"PacketSize": "32000", "Encryption": "require"},
    ],
    ids=lambda more: " ".join(more.values()),
)
def test_older_protocols_and_other_sizes_of_packets(served: Wire, more: dict[str, str]) -> None:
    types = {"n": INT, "text": SqlType("nvarchar", -1), "nothing": INT}
    served.instance.replies["many"] = lambda *_: table(types, *((at, "ä" * at, None) for at in range(500)))
    with connect(served, FREETDS, **more) as connection:
        assert all(len(one.text) == one.n for one in connection.execute("many").fetchall())
        assert connection.execute("SELECT ?", LONG_TEXT).fetchval() == LONG_TEXT


def test_a_large_batch(served: Wire, driver: str) -> None:
    text = "SELECT 2 -- " + "ä" * 200_000
    served.instance.replies[text] = lambda *_: table({"": INT}, (2,))
    with connect(served, driver) as connection:
        assert connection.execute(text).fetchval() == 2


def test_many_callers_at_once(served: Wire, driver: str) -> None:
    def one(number: int) -> int:
        with connect(served, driver, autocommit=False) as connection:
            for at in range(20):
                assert connection.execute("SELECT ?", number * 1000 + at).fetchval() == number * 1000 + at
                connection.commit()
        return number

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(one, range(24))) == list(range(24))
    assert served.instance.heard.count("commit") >= 24 * 20
