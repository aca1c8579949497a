"""Walks a log from its first kept segment to its end and names the first record that is wrong: where, and why.

A *torn tail* is a bad place after which nothing valid follows: the writer was cut off there, and nothing behind it was
acknowledged. Anything else is *corrupt*. Nothing is changed by looking.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from orchestrator.engine.oplog.errors import CorruptRecord, LogUnusable, TornRecord
from orchestrator.engine.oplog.format import HEADER, Kind, decode, measure
from orchestrator.engine.oplog.segments import HEADER_BYTES, LogPlace, MappedSegment


@dataclass(frozen=True, slots=True)
class BadRecord:
    """The first wrong place; ``torn`` when it is only the cut-off end."""

    segment: int
    offset: int
    why: str
    torn: bool


@dataclass(frozen=True, slots=True)
class LogReport:
    """What a walk found. The end is the segment and the offset where the next record would be."""

    log_id: uuid.UUID | None
    records: int
    first_sequence: int
    last_sequence: int
    end_segment: int
    end_offset: int
    bad: BadRecord | None


def check_log(place: LogPlace, expected_last: int | None = None) -> LogReport:
    """Walk the log; with ``expected_last`` (the committed sequence) also an end that comes too early is found."""
    numbers = place.numbers()
    walk = _Walk(place)
    for number in numbers:
        if walk.bad is None:
            walk.segment(number)
    report = walk.report(is_last=not numbers or walk.end_segment == numbers[-1])
    if report.bad is None and expected_last is not None and report.last_sequence < expected_last:
        why = f"the log ends with sequence {report.last_sequence}, but {expected_last} was committed"
        bad = BadRecord(report.end_segment, report.end_offset, why, torn=False)
        return replace(report, bad=bad)
    return report


class _Walk:
    """The state of one walk."""

    def __init__(self, place: LogPlace) -> None:
        self._place = place
        self._log_id: uuid.UUID | None = None
        self._records = 0
        self._first = 0
        self._last = 0
        self._view = memoryview(b"")
        self.end_segment = 0
        self._offset = 0
        self.bad: str | None = None

    def segment(self, number: int) -> None:
        """Walk one segment, or note what is wrong with it."""
        previous, self.end_segment, self._offset = self.end_segment, number, 0
        try:
            mapped = MappedSegment(self._place, number)
            self._view = mapped.view
            self._follow(mapped, previous)
            self._offset = HEADER_BYTES
            while self._record():
                pass
        except (CorruptRecord, TornRecord, LogUnusable) as error:
            self.bad = str(error.facts["why"])

    def _follow(self, mapped: MappedSegment, previous: int) -> None:
        header = mapped.header
        if self._log_id is None:
            self._log_id, self._first, self._last = header.log_id, header.first_sequence, header.first_sequence - 1
        if header.log_id != self._log_id:
            raise CorruptRecord(where=mapped.name, why="the segment belongs to another log")
        if previous and header.number != previous + 1:
            raise CorruptRecord(where=mapped.name, why=f"segment {previous + 1} is missing")
        if header.first_sequence != self._last + 1:
            why = f"the segment begins with sequence {header.first_sequence}, expected was {self._last + 1}"
            raise CorruptRecord(where=mapped.name, why=why)

    def _record(self) -> bool:
        total = measure(self._view, self._offset)
        if total == 0:
            if bytes(self._view[self._offset :]).strip(b"\0"):
                raise CorruptRecord(where="", why="there are bytes after the end of the records")
            return False
        operation = decode(self._view, self._offset)
        first = operation.a if operation.kind == Kind.SKIP else operation.sequence
        if first != self._last + 1:
            raise CorruptRecord(where="", why=f"sequence {first} where {self._last + 1} is due")
        self._last = operation.sequence
        self._records += 1
        self._offset += total
        return True

    def report(self, *, is_last: bool) -> LogReport:
        """What was found."""
        bad = None
        if self.bad is not None:
            torn = is_last and not _valid_after(self._view, self._offset + 8, self._last)
            bad = BadRecord(self.end_segment, self._offset, self.bad, torn)
        return LogReport(self._log_id, self._records, self._first, self._last, self.end_segment, self._offset, bad)


def _valid_after(view: memoryview, offset: int, last: int) -> bool:
    """Whether a whole record with a later sequence lies anywhere after ``offset``."""
    for at in range(max(offset, HEADER_BYTES), len(view) - HEADER.size, 8):
        try:
            if decode(view, at).sequence > last:
                return True
        except (CorruptRecord, TornRecord):
            continue
    return False
