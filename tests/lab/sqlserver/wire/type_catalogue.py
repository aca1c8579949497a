"""sp_datatype_info: which types there are, as drivers ask it by themselves before they bind a parameter.

Columns and order as the documentation of sp_datatype_info has them; user types and types with identity are left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from tests.lab.sqlserver.engine.port import Column, Columns, Done, Event, Row, SqlType

_NAME, _SMALL, _INT = SqlType("nvarchar", 128, nullable=False), SqlType("smallint"), SqlType("int")
_SHORT = SqlType("varchar", 32)
COLUMNS = tuple(
    Column(name, type_)
    for name, type_ in (
        *(("TYPE_NAME", _NAME), ("DATA_TYPE", SqlType("smallint", nullable=False)), ("PRECISION", _INT)),
        *(("LITERAL_PREFIX", _SHORT), ("LITERAL_SUFFIX", _SHORT), ("CREATE_PARAMS", _SHORT), ("NULLABLE", _SMALL)),
        *(("CASE_SENSITIVE", _SMALL), ("SEARCHABLE", _SMALL), ("UNSIGNED_ATTRIBUTE", _SMALL), ("MONEY", _SMALL)),
        *(("AUTO_INCREMENT", _SMALL), ("LOCAL_TYPE_NAME", SqlType("nvarchar", 128)), ("MINIMUM_SCALE", _SMALL)),
        *(
            ("MAXIMUM_SCALE", _SMALL),
            ("SQL_DATA_TYPE", SqlType("smallint", nullable=False)),
            ("SQL_DATETIME_SUB", _SMALL),
        ),
        *(("NUM_PREC_RADIX", _INT), ("INTERVAL_PRECISION", _SMALL), ("USERTYPE", _SMALL)),
    )
)
SEARCHABLE, COMPARED, LIKE_ONLY = 3, 2, 1
_BATCH = re.compile(
    r"\s*(?:exec(?:ute)?\s+)?(?:\[?sys\]?\s*\.\s*)?\[?sp_datatype_info(?:_90|_100)?\]?\s*(-?\d+)?\s*(?:,\s*(\d+))?\s*;?\s*$",
    re.IGNORECASE,
)


class _Kind(NamedTuple):
    name: str
    code: int
    precision: int
    quotes: tuple[str | None, str | None] = (None, None)
    parameters: str | None = None
    searchable: int = COMPARED
    scales: tuple[int | None, int | None] = (None, None)
    radix: int | None = None
    user_type: int = 0
    datetime_code: int | None = None
    money: bool = False


_TEXT, _WIDE, _HEX = ("'", "'"), ("N'", "'"), ("0x", None)
_KINDS = (
    _Kind("datetimeoffset", -155, 34, _TEXT, "scale", SEARCHABLE, (0, 7), None, 0, 0),
    _Kind("time", -154, 16, _TEXT, "scale", SEARCHABLE, (0, 7), None, 0, 0),
    _Kind("xml", -152, 0, _WIDE, None, 0),
    _Kind("sql_variant", -150, 8000, searchable=COMPARED, scales=(0, 0), radix=10, user_type=39),
    _Kind("uniqueidentifier", -11, 36, _TEXT, user_type=37),
    _Kind("ntext", -10, 1073741823, _WIDE, None, LIKE_ONLY),
    _Kind("nvarchar", -9, 4000, _WIDE, "max length", SEARCHABLE),
    _Kind("sysname", -9, 128, _WIDE, None, SEARCHABLE, user_type=18),
    _Kind("nchar", -8, 4000, _WIDE, "length", SEARCHABLE),
    _Kind("bit", -7, 1, scales=(0, 0), user_type=16),
    _Kind("tinyint", -6, 3, scales=(0, 0), radix=10, user_type=5),
    _Kind("bigint", -5, 19, scales=(0, 0), radix=10),
    _Kind("image", -4, 2147483647, _HEX, None, 0, user_type=20),
    _Kind("varbinary", -3, 8000, _HEX, "max length", user_type=4),
    _Kind("binary", -2, 8000, _HEX, "length", user_type=3),
    _Kind("timestamp", -2, 8, _HEX, user_type=80),
    _Kind("text", -1, 2147483647, _TEXT, None, LIKE_ONLY, user_type=19),
    _Kind("char", 1, 8000, _TEXT, "length", SEARCHABLE, user_type=1),
    _Kind("numeric", 2, 38, parameters="precision,scale", scales=(0, 38), radix=10, user_type=10),
    _Kind("decimal", 3, 38, parameters="precision,scale", scales=(0, 38), radix=10, user_type=24),
    _Kind("money", 3, 19, ("$", None), scales=(4, 4), radix=10, user_type=11, money=True),
    _Kind("smallmoney", 3, 10, ("$", None), scales=(4, 4), radix=10, user_type=21, money=True),
    _Kind("int", 4, 10, scales=(0, 0), radix=10, user_type=7),
    _Kind("smallint", 5, 5, scales=(0, 0), radix=10, user_type=6),
    _Kind("float", 6, 53, radix=2, user_type=8),
    _Kind("real", 7, 24, radix=2, user_type=23),
    _Kind("varchar", 12, 8000, _TEXT, "max length", SEARCHABLE, user_type=2),
    _Kind("date", 91, 10, _TEXT, None, SEARCHABLE, (None, 0), None, 0, 1),
    _Kind("datetime2", 93, 27, _TEXT, "scale", SEARCHABLE, (0, 7), None, 0, 3),
    _Kind("datetime", 93, 23, _TEXT, None, SEARCHABLE, (3, 3), None, 12, 3),
    _Kind("smalldatetime", 93, 16, _TEXT, None, SEARCHABLE, (0, 0), None, 22, 3),
)
_VERSION_2 = {9: 91, 10: 92, 11: 93}
"""Codes of moments as ODBC 2 has them."""


def _row(kind: _Kind) -> tuple[Any, ...]:
    number = kind.radix is not None
    text = kind.quotes in {_TEXT, _WIDE} and kind.code in {-10, -9, -8, -1, 1, 12}
    signs = (int(kind.name == "tinyint"), int(kind.money), 0) if number else (None, 0, None)
    code = 9 if kind.datetime_code else kind.code
    return (
        *(kind.name, kind.code, kind.precision, *kind.quotes, kind.parameters, 1, int(text), kind.searchable, *signs),
        *(kind.name, *kind.scales, code, kind.datetime_code or None, kind.radix, None, kind.user_type),
    )


def datatype_info(code: int = 0, version: int = 2) -> list[Event]:
    """The types of a code of ODBC, all for 0."""
    wanted = _VERSION_2.get(code, code) if version < 3 else code
    rows = [Row(_row(one)) for one in _KINDS if wanted in {0, one.code}]
    return [Columns(COLUMNS), *rows, Done(len(rows), "SELECT")]


def is_datatype_info(procedure: str) -> bool:
    """Whether a bare name is that of the procedure, whatever its version."""
    return procedure in {"sp_datatype_info", "sp_datatype_info_90", "sp_datatype_info_100"}


def of_batch(text: str) -> Sequence[Event] | None:
    """The same where a batch is nothing but the call; None for every other batch."""
    match = _BATCH.match(text) if "sp_datatype_info" in text[:60].lower() else None
    return datatype_info(int(match[1] or 0), int(match[2] or 2)) if match else None
