"""Writes a log from Python, the same bytes as the capture program: the target's queue, and the tests.

Words: *appended* records are in the segment files, *committed* ones are on the disk as well (fdatasync) and published in the state
page. Invariant: ``committed_sequence`` never runs ahead of what a power cut would leave; readers see committed records only.

Locks: ``_lock`` guards the end of the log (segment, offset, appended sequence) and the list of kept segments; it is never held
during fdatasync. ``append*`` and ``release`` may be called from any thread; ``commit`` from one at a time.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from pathlib import Path

from orchestrator.engine.capture.state import DEFAULT_SEGMENT_BYTES, StatePage
from orchestrator.engine.oplog.check import LogReport, check_end
from orchestrator.engine.oplog.errors import LogUnusable
from orchestrator.engine.oplog.format import LEAD, SMALLEST_RECORD_BYTES, Buffer, Operation, encode
from orchestrator.engine.oplog.segments import HEADER_BYTES, LogPlace, SegmentHeader, segment_name

STATE_NAME = "state"


class LogWriter:
    """The end of a log in one directory."""

    def __init__(self, directory: Path, state: StatePage, *, start: int, segment: int) -> None:
        """Use ``create`` or ``open``."""
        self.directory = directory
        self.state = state
        self.appended_sequence = start
        self.torn: str | None = None
        """Why the tail was dropped when the log was opened; None when it was whole."""
        self._lock = threading.Lock()
        self._number = segment
        self._file = -1
        self._offset = 0
        self._capacity = 0
        self._dirty = False
        self._sealed: list[int] = []
        self._kept: deque[tuple[int, int]] = deque()
        self._new_names = False
        self._failed: str | None = None

    @classmethod
    def create(
        cls, directory: Path, log_id: uuid.UUID, *, start: int = 0, segment_bytes: int = DEFAULT_SEGMENT_BYTES
    ) -> LogWriter:
        """Begin a log after the sequence ``start``; what was in the directory is removed.

        Raises:
            LogUnusable: the directory cannot be written.
        """
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in directory.glob("*.seg"):
                path.unlink()
            state = StatePage.create(directory / STATE_NAME, log_id)
        except OSError as error:
            raise LogUnusable(where=directory, why=error.strerror) from error
        state.segment_bytes, state.committed_sequence, state.released_sequence = segment_bytes, start, start
        state.first_segment = state.last_segment = 1
        state.flush()
        writer = cls(directory, state, start=start, segment=0)
        writer._rotate(0)
        writer.commit()
        return writer

    @classmethod
    def open(cls, directory: Path) -> LogWriter:
        """Go on with a log after a stop or a crash: a torn tail is cut off, the rest is put on the disk and committed.

        Raises:
            LogUnusable: records that had been committed are missing or damaged, or there is no log.
        """
        state = StatePage(directory / STATE_NAME)
        report = check_end(LogPlace(directory, directory), state.committed_sequence)
        if report.last_sequence < state.committed_sequence or report.log_id != state.log_id:
            found = f": {report.bad.why}" if report.bad else ""
            why = f"it ends with sequence {report.last_sequence}, but {state.committed_sequence} was committed{found}"
            raise LogUnusable(where=directory, why=why)
        writer = cls(directory, state, start=report.last_sequence, segment=report.end_segment)
        writer._resume(report)
        return writer

    def _resume(self, report: LogReport) -> None:
        place = LogPlace(self.directory, self.directory)
        for number in place.numbers():
            if number < report.end_segment:
                self._kept.append((number, place.header(number).first_sequence))
            if number > report.end_segment:
                (self.directory / segment_name(number)).unlink()
        if report.end_offset < HEADER_BYTES:  # the last segment never came to hold a record
            (self.directory / segment_name(report.end_segment)).unlink()
            self._number = report.end_segment - 1
            self._rotate(0)
        else:
            self._reopen(place, report)
        self.torn = report.bad.why if report.bad else None
        self.state.disk_bytes = sum(place.find(number).stat().st_size for number in place.numbers())
        self.commit()

    def _reopen(self, place: LogPlace, report: LogReport) -> None:
        self._file = os.open(place.find(report.end_segment), os.O_RDWR | os.O_CLOEXEC)
        self._offset, self._capacity = report.end_offset, os.fstat(self._file).st_size
        self._kept.append((report.end_segment, place.header(report.end_segment).first_sequence))
        if report.bad is not None:
            os.pwrite(self._file, bytes(self._capacity - self._offset), self._offset)
        self._dirty = self._new_names = True

    def append(self, operation: Operation) -> None:
        """Append one operation. Raises as ``append_records``."""
        self.append_records(memoryview(encode(operation)), operation.sequence)

    def append_records(self, records: Buffer, last: int) -> None:
        """Append verified records that lie one after the other, the last of them with the sequence ``last``.

        Raises:
            OSError: the disk does not take them (ENOSPC and the like). Call again with the same records: those that had
                been taken are passed over.
        """
        view = memoryview(records)
        with self._lock:
            view = view[_known_bytes(view, self.appended_sequence) :]
            while view.nbytes:
                fits, taken = self._fitting(view, last)
                if fits == 0:
                    self._rotate(LEAD.unpack_from(view)[0])
                    continue
                _write_all(self._file, view[:fits], self._offset)
                self._offset += fits
                view = view[fits:]
                self._dirty = True
                self.appended_sequence = self.state.operations_total = taken

    def _fitting(self, view: memoryview, last: int) -> tuple[int, int]:
        """How many bytes of whole records fit into what is left of the segment, and the last sequence among them."""
        room = self._capacity - self._offset
        if view.nbytes <= room:
            return view.nbytes, last
        fits, taken = 0, 0
        while True:
            total, _, _, sequence = LEAD.unpack_from(view, fits)
            if fits + total > room:
                return fits, taken
            fits, taken = fits + total, sequence

    def _rotate(self, record_bytes: int) -> None:
        """Start the next segment, large enough for a record of ``record_bytes``."""
        number, first = self._number + 1, self.appended_sequence + 1
        capacity = max(self.state.segment_bytes, HEADER_BYTES + record_bytes + SMALLEST_RECORD_BYTES)
        file = _new_segment(self.directory / segment_name(number), capacity)
        os.pwrite(file, SegmentHeader(self.state.log_id, number, first, time.time_ns()).pack(), 0)
        if self._file >= 0:
            self._sealed.append(self._file)
        self._file, self._number, self._offset, self._capacity = file, number, HEADER_BYTES, capacity
        self._kept.append((number, first))
        self._dirty = self._new_names = True
        self.state.last_segment = number
        self.state.disk_bytes += capacity

    def commit(self) -> int:
        """Put everything appended on the disk and publish it; the committed sequence.

        Raises:
            LogUnusable: the disk refused. What it holds is unknown from now on, so every later commit is refused as well.
        """
        if self._failed is not None:
            raise LogUnusable(where=self.directory, why=self._failed)
        with self._lock:
            sequence, sealed, names = self.appended_sequence, self._sealed, self._new_names
            files = [*sealed, self._file] if self._dirty else sealed
            self._sealed, self._new_names, self._dirty = [], False, False
        try:
            self._sync(files, names=names)
        except OSError as error:
            self._failed = error.strerror
            raise LogUnusable(where=self.directory, why=error.strerror) from error
        for file in sealed:
            os.close(file)
        self.state.committed_sequence = sequence
        return sequence

    def _sync(self, files: list[int], *, names: bool) -> None:
        for file in files:
            os.fdatasync(file)
        if names:
            directory = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    def release(self, sequence: int) -> None:
        """Delete the segments in which every record is at or before ``sequence``."""
        with self._lock:
            self.state.released_sequence = max(sequence, self.state.released_sequence)
            while len(self._kept) > 1 and self._kept[1][1] <= sequence + 1:
                number, _ = self._kept.popleft()
                self.state.first_segment = self._kept[0][0]
                self._delete(number)

    def _delete(self, number: int) -> None:
        path = self.directory / segment_name(number)
        with contextlib.suppress(FileNotFoundError):
            size = path.stat().st_size
            path.unlink()
            self.state.disk_bytes = max(0, self.state.disk_bytes - size)

    def close(self) -> None:
        """Commit and let go."""
        self.commit()
        with self._lock:
            os.close(self._file)
            self._file = -1
        self.state.flush()
        self.state.close()


class GroupCommit:
    """A thread that commits whenever something was appended: one fdatasync for all that came while the last one ran."""

    def __init__(
        self, writer: LogWriter, committed: Callable[[int], None], failed: Callable[[LogUnusable], None]
    ) -> None:
        """Call ``committed`` with each new committed sequence, ``failed`` once when the disk refuses: then the log is lost."""
        self._writer = writer
        self._committed = committed
        self._failed = failed
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def request(self) -> None:
        """Something was appended."""
        self._wanted.set()

    def stop(self) -> None:
        """Commit what is left, and end."""
        self._stopping.set()
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            ending = self._stopping.is_set()
            try:
                self._committed(self._writer.commit())
            except LogUnusable as error:
                self._failed(error)
                return
            if ending:
                return


def _new_segment(path: Path, capacity: int) -> int:
    """A preallocated file: a full disk is an error here, not later."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(file, 0, capacity)
    except OSError:
        os.close(file)
        path.unlink()
        raise
    return file


def _write_all(file: int, view: memoryview, offset: int) -> None:
    while view.nbytes:
        written = os.pwrite(file, view, offset)
        view, offset = view[written:], offset + written


def _known_bytes(view: memoryview, appended: int) -> int:
    """How many bytes at the start are records that were appended before."""
    offset = 0
    while offset < view.nbytes:
        total, _, _, sequence = LEAD.unpack_from(view, offset)
        if sequence > appended:
            break
        offset += total
    return offset
