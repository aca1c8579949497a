"""What a logged-in caller asks: batches, calls and transactions; [MS-TDS] 2.2.6.6, 2.2.6.7 and 2.2.6.9."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.lab.sqlserver.engine.port import SqlType
from tests.lab.sqlserver.wire.decoding import read_value
from tests.lab.sqlserver.wire.describing import read_type
from tests.lab.sqlserver.wire.reading import Fields, Malformed

PROCEDURES = (
    *(
        "",
        "sp_cursor",
        "sp_cursoropen",
        "sp_cursorprepare",
        "sp_cursorexecute",
        "sp_cursorprepexec",
        "sp_cursorunprepare",
    ),
    *(
        "sp_cursorfetch",
        "sp_cursoroption",
        "sp_cursorclose",
        "sp_executesql",
        "sp_prepare",
        "sp_execute",
        "sp_prepexec",
    ),
    *("sp_prepexecrpc", "sp_unprepare"),
)
BY_NUMBER = 0xFFFF
BATCH_FLAG, NO_EXECUTION = 0xFF, 0xFE
OUTPUT, DEFAULT, ENCRYPTED = 0x01, 0x02, 0x08
TRANSACTION_DESCRIPTOR = 2
BEGIN, COMMIT, ROLLBACK, SAVE = 5, 7, 8, 9


@dataclass(frozen=True, slots=True)
class Argument:
    """A parameter of a call."""

    name: str
    type: SqlType
    value: Any
    output: bool = False
    default: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a procedure."""

    procedure: str
    arguments: tuple[Argument, ...]
    without_columns: bool = False


@dataclass(frozen=True, slots=True)
class TransactionRequest:
    """What the transaction manager is asked for. ``begins``: after a commit or rollback, another one begins."""

    kind: int
    name: str = ""
    isolation: int = 0
    begins: bool = False


def headers(fields: Fields) -> int | None:
    """ALL_HEADERS are read over; the descriptor of the transaction that they name. Raises Malformed."""
    total = fields.u32()
    block = Fields(fields.take(total - 4))
    descriptor = None
    while block.left:
        length = block.u32()
        one = Fields(block.take(length - 4))
        if one.u16() == TRANSACTION_DESCRIPTOR:
            descriptor = one.u64()
    return descriptor


def batch(body: bytes) -> tuple[int | None, str]:
    """The transaction's descriptor, and the text."""
    fields = Fields(body)
    descriptor = headers(fields)
    if fields.left % 2:
        raise Malformed("a batch with half a character")
    return descriptor, fields.text(fields.left // 2)


def is_bulk_insert(text: str) -> bool:
    """Whether a batch announces bulk data, which the simulation does not take."""
    return text[:40].lower().split()[:2] == ["insert", "bulk"]


def calls(body: bytes) -> tuple[int | None, list[Call]]:
    """The transaction's descriptor, and the calls in their order. Raises Malformed."""
    fields = Fields(body)
    descriptor, found = headers(fields), []
    while fields.left:
        found.append(_call(fields))
    if not found:
        raise Malformed("a message of calls without a call")
    return descriptor, found


def _call(fields: Fields) -> Call:
    length = fields.u16()
    if length == BY_NUMBER:
        number = fields.u16()
        if not 0 < number < len(PROCEDURES):
            raise Malformed(f"a procedure of number {number}")
        name = PROCEDURES[number]
    else:
        name = fields.text(length)
    flags, arguments = fields.u16(), []
    while fields.left and fields.peek() not in {BATCH_FLAG, NO_EXECUTION}:
        arguments.append(_argument(fields))
    if fields.left:
        fields.u8()
    return Call(name, tuple(arguments), bool(flags & 2))


def _argument(fields: Fields) -> Argument:
    name, flags = fields.b_varchar(), fields.u8()
    if flags & ENCRYPTED:
        raise Malformed("an encrypted parameter that nobody agreed upon")
    described = read_type(fields)
    value = read_value(fields, described)
    return Argument(name, described.type, value, bool(flags & OUTPUT), bool(flags & DEFAULT))


def transaction(body: bytes) -> tuple[int | None, TransactionRequest]:
    """The transaction's descriptor, and what is asked for."""
    fields = Fields(body)
    descriptor, kind = headers(fields), fields.u16()
    match kind:
        case 5:  # begin
            return descriptor, TransactionRequest(kind, isolation=fields.u8(), name=fields.b_varchar())
        case 7 | 8:  # commit, rollback
            name, begins = fields.b_varchar(), bool(fields.u8() & 1)
            isolation = fields.u8() if begins else 0
            return descriptor, TransactionRequest(kind, name, isolation, begins)
        case 9:  # save
            return descriptor, TransactionRequest(kind, fields.b_varchar())
        case _:
            return descriptor, TransactionRequest(kind)
