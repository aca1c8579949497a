"""Walks a log from its first kept segment to its end and names the first record that is wrong: where, and why.

A *torn tail* is a bad place after which nothing valid follows: the writer was cut off there, and nothing behind it was
acknowledged. Anything else is *corrupt*. Nothing is changed by looking.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from orchestrator.engine.oplog.errors import CorruptRecord, LogUnusable, TornRecord
from orchestrator.engine.oplog.format import HEADER, Kind, decode, measure
from orchestrator.engine.oplog.segments import HEADER_BYTES, LogPlace, MappedSegment, SegmentHeader, segment_name


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


def check_end(place: LogPlace, committed: int) -> LogReport:
    """As ``check_log``, but of what was committed only the segments' headers are read, so that a start takes no longer for a longer log.

    Damage inside a committed segment is found when it is read: each record has its checksum.
    """
    numbers = place.numbers()
    walk = _Walk(place)
    begins = {number: first for number in numbers if (first := _first_of(place, number)) is not None}
    start = max((number for number, first in begins.items() if first <= committed), default=0)
    for number in numbers:
        if walk.bad is not None:
            break
        if number < start:
            walk.pass_over(number, begins.get(number + 1))
        else:
            walk.segment(number)
    return walk.report(is_last=not numbers or walk.end_segment == numbers[-1])


def _first_of(place: LogPlace, number: int) -> int | None:
    try:
        return place.header(number).first_sequence
    except (CorruptRecord, LogUnusable):
        return None


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
            self._follow(mapped.header, mapped.name, previous)
            self._offset = HEADER_BYTES
            while self._record():
                pass
        except (CorruptRecord, TornRecord, LogUnusable) as error:
            self.bad = str(error.facts["why"])

    def pass_over(self, number: int, next_first: int | None) -> None:
        """Look at a committed segment's header only; it ends where the next one begins."""
        previous, self.end_segment, self._offset = self.end_segment, number, 0
        try:
            self._follow(self._place.header(number), segment_name(number), previous)
        except (CorruptRecord, LogUnusable) as error:
            self.bad = str(error.facts["why"])
        if next_first is None:
            self.bad = self.bad or f"segment {number + 1} is missing or damaged"
        else:
            self._last = next_first - 1

    def _follow(self, header: SegmentHeader, name: str, previous: int) -> None:
        if self._log_id is None:
            self._log_id, self._first, self._last = header.log_id, header.first_sequence, header.first_sequence - 1
        if header.log_id != self._log_id:
            raise CorruptRecord(where=name, why="the segment belongs to another log")
        if previous and header.number != previous + 1:
            raise CorruptRecord(where=name, why=f"segment {previous + 1} is missing")
        if header.first_sequence != self._last + 1:
            why = f"the segment begins with sequence {header.first_sequence}, expected was {self._last + 1}"
            raise CorruptRecord(where=name, why=why)

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
