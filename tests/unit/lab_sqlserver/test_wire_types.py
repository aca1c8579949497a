"""Types and values on the wire: what is written is read again, whatever it is."""

from __future__ import annotations

import datetime as dt
import struct
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.sqlserver.engine.port import SqlType
from tests.lab.sqlserver.wire import kinds
from tests.lab.sqlserver.wire.collations import named, of
from tests.lab.sqlserver.wire.decoding import read_value
from tests.lab.sqlserver.wire.describing import described, read_type
from tests.lab.sqlserver.wire.encoding import encoder
from tests.lab.sqlserver.wire.reading import Fields, Malformed
from tests.unit.lab_sqlserver.wire_patience import patient

LATIN = named("SQL_Latin1_General_CP1_CI_AS")
TEXT = st.text(max_size=200)
LATIN_TEXT = st.text(st.characters(codec="cp1252", exclude_characters="\x81\x8d\x8f\x90\x9d"), max_size=200)
DATES = st.datetimes(dt.datetime(1753, 1, 1), dt.datetime(9999, 12, 30))


def whole(unit: int) -> Any:
    """Moments with parts of a second of so many microseconds."""
    return DATES.map(lambda one: one.replace(microsecond=one.microsecond // unit * unit))


def decimals(precision: int, scale: int) -> Any:
    return st.integers(-(10**precision) + 1, 10**precision - 1).map(lambda one: Decimal(one).scaleb(-scale))


CASES: list[tuple[SqlType, Any]] = [
    (SqlType("tinyint"), st.integers(0, 255)),
    (SqlType("smallint"), st.integers(-(1 << 15), (1 << 15) - 1)),
    (SqlType("int"), st.integers(-(1 << 31), (1 << 31) - 1)),
    (SqlType("int", nullable=False), st.integers(-(1 << 31), (1 << 31) - 1)),
    (SqlType("bigint"), st.integers(-(1 << 63), (1 << 63) - 1)),
    (SqlType("bit"), st.booleans()),
    (SqlType("bit", nullable=False), st.booleans()),
    (SqlType("float"), st.floats(allow_nan=False)),
    (SqlType("real"), st.floats(allow_nan=False, width=32)),
    (SqlType("decimal", precision=9, scale=2), decimals(9, 2)),
    (SqlType("decimal", precision=38, scale=10), decimals(28, 10)),
    (SqlType("decimal", precision=28), decimals(28, 0)),
    (SqlType("money"), decimals(18, 4)),
    (SqlType("smallmoney"), decimals(9, 4)),
    (SqlType("nvarchar", 200), TEXT.filter(lambda one: len(one.encode("utf-16-le")) <= 400)),
    (SqlType("nvarchar", -1), TEXT),
    (SqlType("nchar", 4000), TEXT),
    (SqlType("xml", -1), TEXT.filter(lambda one: not one.startswith("\ufeff"))),
    (SqlType("varchar", 200), LATIN_TEXT),
    (SqlType("varchar", -1), LATIN_TEXT),
    (SqlType("char", 8000), LATIN_TEXT),
    (SqlType("varbinary", 8000), st.binary(max_size=300)),
    (SqlType("varbinary", -1), st.binary(max_size=300)),
    (SqlType("binary", 300), st.binary(max_size=300)),
    (SqlType("uniqueidentifier"), st.uuids()),
    (SqlType("date"), st.dates()),
    (SqlType("datetime2", scale=7), st.datetimes()),
    (SqlType("datetime2", scale=3), whole(1000)),
    (SqlType("datetime2", scale=0), whole(1_000_000)),
    (SqlType("time", scale=7), st.times()),
    (SqlType("time", scale=6), st.times()),
    (SqlType("smalldatetime"), st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2079, 6, 5)).map(lambda one: one.replace(second=0, microsecond=0))),
    (SqlType("datetimeoffset", scale=7), DATES.flatmap(lambda one: st.integers(-840, 840).map(lambda minutes: one.replace(tzinfo=dt.timezone(dt.timedelta(minutes=minutes)))))),
    (SqlType("sql_variant"), st.one_of(st.booleans(), st.integers(-(1 << 63), (1 << 63) - 1), st.binary(max_size=99), st.uuids(), st.dates(), st.times(), TEXT, decimals(30, 6), st.floats(allow_nan=False))),
]  # fmt: skip


def there_and_back(type_: SqlType, value: Any) -> Any:
    raw = described(type_, LATIN) + encoder(type_, LATIN)(value)
    fields = Fields(raw)
    read = read_type(fields)
    found = read_value(fields, read)
    assert fields.left == 0
    assert read.type.name == type_.name
    return found


@pytest.mark.parametrize(("type_", "values"), CASES, ids=lambda one: getattr(one, "name", ""))
def test_every_type_there_and_back(type_: SqlType, values: Any) -> None:
    @patient
    @given(st.none() | values if type_.nullable else values)
    def one(value: Any) -> None:
        assert there_and_back(type_, value) == value

    one()


@patient
@given(DATES)
def test_datetime_is_exact_to_three_hundredths(moment: dt.datetime) -> None:
    found = there_and_back(SqlType("datetime"), moment)
    assert abs(found - moment) <= dt.timedelta(milliseconds=2.4)
    assert there_and_back(SqlType("datetime"), found) == found


def test_texts_may_stand_for_values() -> None:
    assert there_and_back(SqlType("int"), "17") == 17
    assert there_and_back(SqlType("datetime2", scale=7), "2026-01-02 03:04:05.5") == dt.datetime(
        2026, 1, 2, 3, 4, 5, 500000
    )
    assert there_and_back(SqlType("decimal", precision=10, scale=2), "1.005") == Decimal("1.01")
    assert there_and_back(SqlType("nvarchar", 20), 17) == "17"


def test_long_values_come_in_parts() -> None:
    text = "ä" * 100_000
    assert there_and_back(SqlType("nvarchar", -1), text) == text
    assert there_and_back(SqlType("varbinary", -1), b"x" * 100_000) == b"x" * 100_000


def test_a_number_that_does_not_fit_is_no_silent_rest() -> None:
    with pytest.raises((OverflowError, struct.error)):
        encoder(SqlType("decimal", precision=9, scale=0), LATIN)(Decimal(10) ** 30)
    with pytest.raises(struct.error):
        encoder(SqlType("int"), LATIN)(1 << 40)


@patient
@given(st.binary(max_size=60))
def test_noise_is_malformed_or_a_value(noise: bytes) -> None:
    fields = Fields(noise)
    try:
        read_value(fields, read_type(fields))
    except Malformed:
        return


@pytest.mark.parametrize(
    ("name", "codec", "lcid"),
    [
        ("SQL_Latin1_General_CP1_CI_AS", "cp1252", 0x0409),
        ("Latin1_General_100_CI_AS_SC_UTF8", "utf-8", 0x0409),
        ("Cyrillic_General_CI_AS", "cp1251", 0x0419),
        ("Japanese_CI_AS", "cp932", 0x0411),
        ("SQL_Latin1_General_CP850_BIN2", "cp1252", 0x0409),
        ("Nobody_Knows_It", "cp1252", 0x0409),
    ],
)
def test_collations(name: str, codec: str, lcid: int) -> None:
    collation = named(name)
    assert (collation.codec, int.from_bytes(collation.raw[:2], "little")) == (codec, lcid)
    assert of(collation.raw) == collation


def test_the_default_collation_is_as_sql_server_sends_it() -> None:
    assert LATIN.raw == bytes.fromhex("0904d00034")
    assert named("Latin1_General_CI_AS").raw == bytes.fromhex("0904d00000")
    assert LATIN.encode("ä→") == b"\xe4?"


def test_old_types_are_read() -> None:
    assert read_value(Fields(b"\x03abc"), read_type(Fields(bytes([kinds.VARCHAR_OLD, 10])))) == "abc"
    assert read_type(Fields(bytes([kinds.NULL]))).type.name == "nvarchar"
