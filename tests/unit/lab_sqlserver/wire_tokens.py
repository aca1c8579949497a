"""Answers of the server read token by token, as a driver reads them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from tests.lab.sqlserver.wire import tokens
from tests.lab.sqlserver.wire.decoding import read_value
from tests.lab.sqlserver.wire.describing import Described, read_type
from tests.lab.sqlserver.wire.reading import Fields

DONES = {tokens.DONE: "done", tokens.DONE_PROCEDURE: "done procedure", tokens.DONE_IN_PROCEDURE: "done in procedure"}
COUNTED = {tokens.ERROR: "error", tokens.INFO: "info", tokens.CHANGE: "change"}


def tokens_of(body: bytes) -> Iterator[tuple[str, Any]]:
    """Name and content of each token. Raises AssertionError or Malformed for what is none."""
    fields, columns = Fields(body), list[Described]()
    while fields.left:
        kind = fields.u8()
        if kind in DONES:
            status, _, rows = struct.unpack("<HHQ", fields.take(12))
            yield DONES[kind], (status, rows)
        elif kind in COUNTED:
            yield COUNTED[kind], fields.take(fields.u16())
        elif kind == tokens.COLUMNS:
            columns = [_column(fields) for _ in range(fields.u16())]
            yield "columns", len(columns)
        elif kind == tokens.ROW:
            yield "row", tuple(read_value(fields, one) for one in columns)
        elif kind == tokens.ROW_WITH_NULLS:
            yield "row", tuple(_with_bitmap(fields, columns))
        elif kind == tokens.RETURN_STATUS:
            yield "status", fields.i32()
        else:
            assert kind == tokens.RETURN_VALUE, f"a token {kind:#x}"
            yield "value", _returned(fields)


def _column(fields: Fields) -> Described:
    fields.take(6)
    found = read_type(fields)
    fields.b_varchar()
    return found


def _with_bitmap(fields: Fields, columns: list[Described]) -> Iterator[Any]:
    bitmap = int.from_bytes(fields.take((len(columns) + 7) // 8), "little")
    for at, one in enumerate(columns):
        yield None if bitmap >> at & 1 else read_value(fields, one)


def _returned(fields: Fields) -> Any:
    fields.u16()
    name = fields.b_varchar()
    fields.take(7)
    return name, read_value(fields, read_type(fields))
