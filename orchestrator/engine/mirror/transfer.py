"""One big file on its way: whole, or only the blocks that differ.

It is written in place at the target, so that operations that travel between its pieces take effect on it. Each piece is read after
every operation sent before it had happened, and sent before any later one; the size is told last. Up to ``AHEAD`` regions of
checksums are asked for in advance, so that both sides compute at the same time.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Protocol

from orchestrator.engine.mirror.changes import How
from orchestrator.engine.mirror.messages import AskSums, Close, Data, Hole, Message, Open, Sums
from orchestrator.engine.mirror.metadata import meta_of, read_xattrs
from orchestrator.engine.mirror.options import BLOCK_BYTES, CHUNK_BYTES, REGION_BYTES
from orchestrator.engine.mirror.outbox import Again
from orchestrator.engine.mirror.reading import Buffers, block_sums, data_extents, differing, read_into

AHEAD = 8


class Emit(Protocol):
    """Sends a message."""

    def __call__(
        self, kind: type[Message], fields: tuple[object, ...], data_bytes: int = 0, again: Iterable[Again] = ()
    ) -> int:
        """Its fields after the serial; what it carries; what must be sent again if it is lost. The serial."""


class Transfer:
    """A file that is open at the source.

    Attributes:
        path: where it was when it was opened.
        info: what it was then.
        sent_bytes: data that travelled.
        different_blocks: offsets of those that differed, the first thousand.
    """

    def __init__(self, number: int, path: bytes, fd: int, info: os.stat_result, *, whole: bool, report: bool) -> None:
        self.number, self.path, self.fd, self.info = number, path, fd, info
        self.whole, self.report = whole, report
        self.sent_bytes = 0
        self.different_blocks: list[int] = []
        self.different_count = 0
        self.done = False
        self.twinned = False
        self._size = info.st_size
        self._comparable = 0 if whole else -1
        self._asked = 0
        self._awaited: deque[int] = deque()
        self._answers: deque[Sums] = deque()
        self._cursor = 0
        self._dense = info.st_blocks * 512 >= info.st_size
        self._extents: Iterator[tuple[int, int]] = iter(())
        self._extent = (0, 0)

    def begin(self, emit: Emit) -> None:
        """Announce the file."""
        emit(Open, (self.number, self.path, meta_of(self.info, read_xattrs(self.fd)), self.whole))

    def opened(self, size: int) -> None:
        """The target has it open; so many bytes of its file can be compared."""
        if not self.whole:
            self._comparable = -(-min(size, self._size) // BLOCK_BYTES) * BLOCK_BYTES
            self._cursor = self._comparable

    def answered(self, sums: Sums) -> None:
        """Checksums arrived."""
        self._answers.append(sums)

    def step(self, emit: Emit, buffers: Buffers) -> bool:
        """Do one thing; False when only an answer can help, or when it is done."""
        if self.done or self._comparable < 0:
            return False
        if self._asked < self._comparable and len(self._awaited) < AHEAD:
            self._ask(emit)
        elif self._answers:
            self._compare(self._answers.popleft(), emit, buffers)
        elif self._asked >= self._comparable and not self._rest_sent(emit):
            pass
        elif self._awaited or self._asked < self._comparable:
            return False
        else:
            self._finish(emit)
        return True

    def close(self) -> None:
        """Give the descriptor back."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _ask(self, emit: Emit) -> None:
        offset = self._asked
        length = min(REGION_BYTES, self._comparable - offset)
        self._asked = offset + length
        if not self._dense and not self.report and next(data_extents(self.fd, offset, offset + length), None) is None:
            emit(Hole, (self.number, offset, min(length, max(self._size - offset, 0))), 0)
            return
        self._awaited.append(offset)
        emit(AskSums, (self.number, offset, length), 0)

    def _compare(self, answer: Sums, emit: Emit, buffers: Buffers) -> None:
        self._awaited.popleft()
        length = max(0, min(REGION_BYTES, self._size - answer.offset, self._comparable - answer.offset))
        room = buffers.take(length)
        have = room[: read_into(self.fd, room, answer.offset)]
        for begin, end in differing(block_sums(have), answer.sums, len(have)):
            self._remember(answer.offset + begin, answer.offset + end)
            if not self.report:
                self._send(emit, answer.offset + begin, have[begin:end])

    def _remember(self, begin: int, end: int) -> None:
        blocks = range(begin, end, BLOCK_BYTES)
        self.different_count += len(blocks)
        self.different_blocks.extend(blocks[: 1000 - len(self.different_blocks)])

    def _rest_sent(self, emit: Emit) -> bool:
        """Send a piece of what the target has nothing comparable for; True when there is no more."""
        if self.report:
            return True
        if self._cursor >= self._extent[1] and not self._next_extent(emit):
            return True
        length = min(CHUNK_BYTES, self._extent[1] - self._cursor)
        have = os.pread(self.fd, length, self._cursor)
        if not have:
            self._cursor = self._size = self._extent[1]
            self._extents = iter(())
            return True
        self._send(emit, self._cursor, memoryview(have))
        self._cursor += len(have)
        return False

    def _next_extent(self, emit: Emit) -> bool:
        if self._dense:
            self._extent = (self._cursor, self._size)
        else:
            self._extent = next(data_extents(self.fd, self._cursor, self._size), (self._size, self._size))
        begin, end = self._extent
        if begin > self._cursor:
            emit(Hole, (self.number, self._cursor, begin - self._cursor), 0)
        self._cursor = begin
        return end > begin

    def _send(self, emit: Emit, offset: int, data: memoryview) -> None:
        self.sent_bytes += len(data)
        emit(Data, (self.number, offset, data), len(data))

    def _finish(self, emit: Emit) -> None:
        self.done = True
        if not self.report:
            meta = meta_of(os.fstat(self.fd), read_xattrs(self.fd))
            emit(Close, (self.number, meta), 0, [(self.path, How.SHALLOW)])
