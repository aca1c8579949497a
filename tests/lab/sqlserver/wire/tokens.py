"""Tokens of answers; [MS-TDS] 2.2.7."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from tests.lab.sqlserver.engine.port import Column, Failure, Info, ReturnValue, Row
from tests.lab.sqlserver.wire.collations import Collation
from tests.lab.sqlserver.wire.describing import described
from tests.lab.sqlserver.wire.encoding import Encoder, encoder
from tests.lab.sqlserver.wire.prelogin import version_bytes
from tests.lab.sqlserver.wire.reading import b_varchar, us_varchar

RETURN_STATUS, COLUMNS, ERROR, INFO, RETURN_VALUE, LOGIN_ACK, FEATURES = 0x79, 0x81, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE
ROW, ROW_WITH_NULLS, CHANGE, SSPI = 0xD1, 0xD2, 0xE3, 0xED
DONE, DONE_PROCEDURE, DONE_IN_PROCEDURE = 0xFD, 0xFE, 0xFF
MORE, FAILED, IN_TRANSACTION, COUNTED, ATTENTION, SEVERE = 0x01, 0x02, 0x04, 0x10, 0x20, 0x100
NULLABLE, UNKNOWN_UPDATES = 0x01, 0x08
COMMANDS = {
    "SELECT": 0xC1, "INSERT": 0xC3, "DELETE": 0xC4, "UPDATE": 0xC5, "CREATE TABLE": 0xC6, "DROP TABLE": 0xC7, "MERGE": 0x117,
    "ABORT": 0xD2, "ROLLBACK": 0xD2, "BEGIN": 0xD4, "COMMIT": 0xD5, "CREATE DATABASE": 0xCB, "DROP DATABASE": 0xCC, "USE": 0xDA,
    "GRANT": 0xD0, "REVOKE": 0xD1, "EXECUTE": 0xE0, "EXEC": 0xE0, "SET": 0xF9, "TRUNCATE": 0xE4, "DBCC": 0xE6,
}  # fmt: skip
CHANGES = {
    "database": 1, "language": 2, "packet_size": 4, "collation": 7, "transaction_begin": 8, "commit": 9, "rollback": 10, "reset": 18,
}  # fmt: skip


def done(kind: int, status: int = 0, command: str = "", rows: int | None = None) -> bytes:
    """DONE, DONEPROC or DONEINPROC."""
    status |= COUNTED if rows is not None else 0
    return struct.pack("<BHHQ", kind, status, COMMANDS.get(command.upper(), 0), rows or 0)


def message(event: Failure | Info, server: str) -> bytes:
    """ERROR or INFO."""
    head = struct.pack("<iBB", event.number, event.state & 0xFF, event.severity)
    body = head + us_varchar(event.message[:2047]) + b_varchar(server) + b_varchar(event.procedure)
    body += struct.pack("<i", event.line)
    return struct.pack("<BH", ERROR if isinstance(event, Failure) else INFO, len(body)) + body


def changed(kind: str, new: str | int, old: str | int) -> bytes:
    """ENVCHANGE with texts, or with the descriptors of transactions."""
    if kind in {"transaction_begin", "commit", "rollback"}:
        body = _descriptor(int(new) if kind == "transaction_begin" else 0)
        body += _descriptor(0 if kind == "transaction_begin" else int(old))
    elif kind == "reset":
        body = b"\0\0"
    else:
        body = b_varchar(str(new)) + b_varchar(str(old))
    return struct.pack("<BHB", CHANGE, len(body) + 1, CHANGES[kind]) + body


def _descriptor(number: int) -> bytes:
    return b"\x08" + struct.pack("<Q", number) if number else b"\0"


def collation_changed(new: Collation) -> bytes:
    """ENVCHANGE of the server's collation."""
    return struct.pack("<BHB", CHANGE, 8, CHANGES["collation"]) + b"\x05" + new.raw + b"\0"


def login_ack(tds: int, version: str) -> bytes:
    """LOGINACK."""
    body = b"\x01" + struct.pack(">I", tds) + b_varchar("Microsoft SQL Server") + version_bytes(version)[:4]
    return struct.pack("<BH", LOGIN_ACK, len(body)) + body


def features(acknowledged: Mapping[int, bytes]) -> bytes:
    """FEATUREEXTACK."""
    blocks = b"".join(struct.pack("<BI", kind, len(data)) + data for kind, data in acknowledged.items())
    return bytes([FEATURES]) + blocks + b"\xff"


def sspi(token: bytes) -> bytes:
    """SSPI: the server's turn in the exchange."""
    return struct.pack("<BH", SSPI, len(token)) + token


def return_status(value: int) -> bytes:
    """RETURNSTATUS."""
    return struct.pack("<Bi", RETURN_STATUS, value)


def return_value(event: ReturnValue, ordinal: int, collation: Collation) -> bytes:
    """RETURNVALUE of an output parameter."""
    head = struct.pack("<BH", RETURN_VALUE, ordinal) + b_varchar(event.name) + struct.pack("<BIH", 1, 0, NULLABLE)
    nullable = type(event.type)(event.type.name, event.type.length, event.type.precision, event.type.scale)
    return head + described(nullable, collation) + encoder(nullable, collation)(event.value)


def columns(given: Sequence[Column], collation: Collation) -> bytes:
    """COLMETADATA."""
    out = bytearray(struct.pack("<BH", COLUMNS, len(given)))
    for one in given:
        flags = UNKNOWN_UPDATES | (NULLABLE if one.type.nullable else 0)
        out += struct.pack("<IH", 80 if one.type.name in {"timestamp", "rowversion"} else 0, flags)
        out += described(one.type, collation)
        if one.type.name in {"text", "ntext", "image"}:
            out += b"\0"  # no name of a table: parts of none
        out += b_varchar(one.name)
    return bytes(out)


class Rows:
    """Rows of one result: ROW, or NBCROW where something is NULL and the caller knows it."""

    def __init__(self, given: Sequence[Column], collation: Collation, knows_bitmaps: bool) -> None:
        self._encoders: list[Encoder] = [encoder(one.type, collation) for one in given]
        self._names = [one.name for one in given]
        self._knows_bitmaps = knows_bitmaps

    def token(self, row: Row) -> bytes:
        """One row. Raises ValueError for one that does not fit the columns."""
        values = row.values
        if self._knows_bitmaps and None in values:
            return self._with_bitmap(values)
        out = bytearray([ROW])
        for encode, value in zip(self._encoders, values, strict=True):
            out += encode(value)
        return bytes(out)

    def _with_bitmap(self, values: Sequence[Any]) -> bytes:
        bitmap = 0
        out = bytearray()
        for at, (encode, value) in enumerate(zip(self._encoders, values, strict=True)):
            if value is None:
                bitmap |= 1 << at
            else:
                out += encode(value)
        return bytes([ROW_WITH_NULLS]) + bitmap.to_bytes((len(values) + 7) // 8, "little") + out
