"""Reads a log while another process writes it: checked records, in order, as views into mapped segments.

Words: the *position* is the last sequence handed out; a *run* is a stretch of records that lie one after the other in one
segment, and is shipped without decoding. Invariant: nothing past ``committed_sequence`` is looked at, and every record handed out
has its checksum verified and follows the one before it.

One thread uses a reader at a time; several readers may read one log.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from xxhash import xxh3_64_intdigest

from orchestrator.engine.oplog.errors import CorruptRecord, LogUnusable, TornRecord
from orchestrator.engine.oplog.format import (
    CHECKSUM,
    HEADER,
    LEAD,
    Kind,
    Operation,
    decode_verified,
    measure,
)
from orchestrator.engine.oplog.segments import HEADER_BYTES, LogPlace, MappedSegment
from orchestrator.engine.oplog.waking import Sleeper, barrier

LOOK_S = 0.02
"""How often a reader looks that nobody wakes."""


class LogState(Protocol):
    """What a reader needs of the state page (``capture.state.StatePage`` has it)."""

    @property
    def committed_sequence(self) -> int:
        """The last complete record."""

    @property
    def first_segment(self) -> int:
        """The oldest segment that is kept."""

    @property
    def last_segment(self) -> int:
        """The segment that is being written."""

    released_sequence: int
    reader_waiting: int


@dataclass(frozen=True, slots=True)
class Run:
    """Records ``first`` to ``last`` as they lie in a segment; ``data`` is valid as long as it is held."""

    data: memoryview
    first: int
    last: int
    count: int


class LogReader:
    """A place in a log, moving forward."""

    def __init__(self, mem_dir: Path, disk_dir: Path, state: LogState, *, wake: Path | None = None) -> None:
        """Begin before the first record that is kept.

        Args:
            mem_dir: where memory segments are.
            disk_dir: where disk segments are; may be the same.
            state: the log's state page.
            wake: the FIFO that the writer writes to when somebody waits; without it ``wait`` looks every ``LOOK_S``.
        """
        self._place = LogPlace(mem_dir, disk_dir)
        self._state = state
        self._sleeper = None if wake is None else Sleeper(wake)
        self._segment: MappedSegment | None = None
        self._offset = 0
        self.position = 0

    @property
    def committed(self) -> int:
        """The last sequence that can be read now."""
        return self._state.committed_sequence

    def first_available(self) -> int:
        """The first sequence that is still kept.

        Raises:
            LogUnusable: not one segment is there.
        """
        for _ in range(8):  # the writer may delete the first segment between our two looks
            with contextlib.suppress(LogUnusable):
                return self._place.header(self._state.first_segment or 1).first_sequence
        raise LogUnusable(where=self._place.disk, why="its first segment is gone")

    def seek(self, position: int) -> None:
        """Go to just after the sequence ``position``; the next read begins with ``position + 1``.

        Raises:
            LogUnusable: that record is no longer kept.
            CorruptRecord: the log is damaged before it.
        """
        self._segment = MappedSegment(self._place, self._segment_of(position + 1))
        self._offset = HEADER_BYTES
        self.position = self._segment.header.first_sequence - 1
        while self.position < position:
            run = self.read_run(1 << 20, position)
            if run is None:
                raise LogUnusable(where=self._place.disk, why=f"sequence {position} is not in it yet")

    def _segment_of(self, sequence: int) -> int:
        """The segment in which ``sequence`` is or will be: the last that begins at or before it."""
        low, high = self._state.first_segment or 1, max(1, self._state.last_segment)
        for number in range(high, low - 1, -1):
            if self._place.header(number).first_sequence <= sequence:
                return number
        raise LogUnusable(where=self._place.disk, why=f"sequence {sequence} is no longer kept")

    def read_run(self, limit_bytes: int, up_to: int | None = None) -> Run | None:
        """The next records as one view, at most ``limit_bytes`` (one record may be larger) and not past ``up_to``.

        Raises:
            CorruptRecord: a record that was committed is damaged.
            LogUnusable: a segment is gone.
        """
        committed = self._state.committed_sequence
        last = committed if up_to is None else min(committed, up_to)
        while self.position < last:
            segment = self._segment or self._open_first()
            run = self._walk(segment, limit_bytes, last)
            if run is not None:
                return run
            self._next_segment(segment)
        return None

    def _open_first(self) -> MappedSegment:
        self.seek(self.position or self.first_available() - 1)
        if self._segment is None:
            raise LogUnusable(where=self._place.disk, why="no segment is there")
        return self._segment

    def _next_segment(self, segment: MappedSegment) -> None:
        following = MappedSegment(self._place, segment.number + 1)
        if following.header.first_sequence != self.position + 1:
            why = f"it begins with sequence {following.header.first_sequence}, expected was {self.position + 1}"
            raise CorruptRecord(where=following.name, why=why)
        if following.header.log_id != segment.header.log_id:
            raise CorruptRecord(where=following.name, why="it belongs to another log")
        self._segment, self._offset = following, HEADER_BYTES

    def _walk(self, segment: MappedSegment, limit_bytes: int, last: int) -> Run | None:
        view, start, position, count = segment.view, self._offset, self.position, 0
        offset, stop = start, start + limit_bytes
        while position < last:
            total = self._measure(segment, offset)
            if total == 0 or (count and offset + total > stop):
                break
            position = self._checked(segment, offset, total, position)
            offset += total
            count += 1
        if not count:
            return None
        run = Run(view[start:offset], self.position + 1, position, count)
        self._offset, self.position = offset, position
        return run

    def _measure(self, segment: MappedSegment, offset: int) -> int:
        try:
            return measure(segment.view, offset)
        except (TornRecord, CorruptRecord) as error:
            raise CorruptRecord(where=f"{segment.name}:{offset}", why=error.facts["why"]) from error

    def _checked(self, segment: MappedSegment, offset: int, total: int, position: int) -> int:
        """The sequence of the record at ``offset``, after its checksum and its place in the order were verified."""
        view = segment.view
        _, kind, _, sequence = LEAD.unpack_from(view, offset)
        end = offset + total - CHECKSUM.size
        if xxh3_64_intdigest(view[offset:end], sequence) != CHECKSUM.unpack_from(view, end)[0]:
            raise CorruptRecord(where=f"{segment.name}:{offset}", why=f"checksum of sequence {sequence} does not agree")
        first = HEADER.unpack_from(view, offset)[7] if kind == Kind.SKIP else sequence
        if first != position + 1:
            raise CorruptRecord(where=f"{segment.name}:{offset}", why=f"sequence {first} where {position + 1} is due")
        return int(sequence)

    def next_time_ns(self) -> int:
        """When the next operation was made (CLOCK_REALTIME of the source); 0 when there is none."""
        segment = self._segment
        if segment is None or self.position >= self._state.committed_sequence:
            return 0
        total, _, _, _, time_ns, *_ = HEADER.unpack_from(
            segment.view, min(self._offset, len(segment.view) - HEADER.size)
        )
        return time_ns if total else 0

    def read_batch(self, limit_bytes: int) -> list[memoryview]:
        """The next records, one view each, verified and undecoded. Raises as ``read_run``."""
        run = self.read_run(limit_bytes)
        return [] if run is None else list(split(run.data))

    def operations(self, limit_bytes: int, up_to: int | None = None) -> list[Operation]:
        """The next operations, decoded. Raises as ``read_run``."""
        run = self.read_run(limit_bytes, up_to)
        return [] if run is None else [decode_verified(record) for record in split(run.data)]

    def wait(self, timeout_s: float, also: Sequence[int] = ()) -> bool:
        """Sleep until there is something to read, a descriptor of ``also`` can be read, or the time is over.

        Returns whether there is something to read.
        """
        self._state.reader_waiting = 1
        barrier()  # else the writer may not see the word, nor we the record that it has just written
        if self._state.committed_sequence > self.position:
            return True
        if self._sleeper is not None:
            self._sleeper.sleep(timeout_s, also)
        else:
            select.select(list(also), [], [], min(timeout_s, LOOK_S))
        return self._state.committed_sequence > self.position

    def release(self, sequence: int) -> None:
        """Say that no record up to ``sequence`` is needed any more; the writer deletes whole segments."""
        self._state.released_sequence = max(self._state.released_sequence, sequence)

    def close(self) -> None:
        """Let go of the segment and the FIFO. Views handed out stay valid."""
        self._segment = None
        if self._sleeper is not None:
            self._sleeper.close()
            self._sleeper = None


def split(data: memoryview) -> list[memoryview]:
    """The records of a verified run, one view each."""
    records, offset, end = [], 0, len(data)
    while offset < end:
        total = LEAD.unpack_from(data, offset)[0]
        records.append(data[offset : offset + total])
        offset += total
    return records
