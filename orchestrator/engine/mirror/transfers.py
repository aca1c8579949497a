"""Big files under way, a few at a time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestrator.engine.mirror.messages import Abort, Need, Opened, Sums
from orchestrator.engine.mirror.metadata import group_of
from orchestrator.engine.mirror.transfer import Transfer
from orchestrator.engine.mirror.wanted import Wanted

if TYPE_CHECKING:
    from orchestrator.engine.mirror.source import MirrorSource

MOST_TRANSFERS = 4


class Transfers:
    """The part of a MirrorSource that sends big files."""

    def __init__(self, source: MirrorSource) -> None:
        self._source = source
        self._transfers: dict[int, tuple[Transfer, Wanted]] = {}
        self._number = 0
        self._doomed: list[bytes] = []

    @property
    def idle(self) -> bool:
        """Whether no file is under way."""
        return not self._transfers

    def is_full(self) -> bool:
        """Whether another has to wait."""
        return len(self._transfers) >= MOST_TRANSFERS

    def start(self, path: bytes, fd: int, info: os.stat_result, wanted: Wanted) -> None:
        """Send a big file; the descriptor is ours from now on."""
        report = self._source.options.report_only
        if report and wanted.need is Need.WHOLE:
            os.close(fd)
            self._source.account.different(path, info.st_size, wanted.why)
            self._source.settle(path)
            return
        self.abandon(path)
        if not wanted.owed:
            wanted.owed = True
            self._source.changes.owe(path)
        self._number += 1
        whole = wanted.need is Need.WHOLE
        transfer = Transfer(self._number, path, fd, info, whole=whole, report=report)
        self._transfers[self._number] = (transfer, wanted)
        transfer.begin(self._source.put)
        self._source.sent(path, info, self._source.reading_up_to())

    def reply(self, reply: Opened | Sums) -> None:
        """The target opened a file, or told checksums of it; of a transfer that was given up it is late."""
        found = self._transfers.get(reply.transfer)
        if found is None:
            return
        if isinstance(reply, Opened):
            found[0].opened(reply.size)
        else:
            found[0].answered(reply)

    def step(self) -> bool:
        """Do one thing for one file; False if there was nothing to do."""
        for number, (transfer, wanted) in self._transfers.items():
            self._source.progress.current = transfer.path
            try:
                moved = transfer.step(self._source.put, self._source.buffers)
            except OSError as error:
                self._source.account.trouble(transfer.path, error.strerror or str(error))
                self._give_up(number)
                return True
            if transfer.done:
                self._completed(number, transfer, wanted)
                return True
            if moved:
                return True
        return False

    def _completed(self, number: int, transfer: Transfer, wanted: Wanted) -> None:
        del self._transfers[number]
        if transfer.report:
            self._source.put(Abort, (number,))
        transfer.close()
        self._source.settle(transfer.path)
        if transfer.different_count or transfer.sent_bytes or wanted.why not in {"", "time"}:
            blocks, count = transfer.different_blocks, transfer.different_count
            self._source.account.different(transfer.path, transfer.info.st_size, wanted.why or "content", blocks, count)
        else:
            self._source.account.same(transfer.path, transfer.info)

    def _give_up(self, number: int) -> None:
        transfer, _ = self._transfers.pop(number)
        transfer.close()
        self._source.put(Abort, (number,))
        self._source.settle(transfer.path)
        self._half_written(transfer)

    def _half_written(self, transfer: Transfer) -> None:
        """A file that was given up has the time of the writing, also by its other names: when this one is gone, another is sent again."""
        group = group_of(transfer.info)
        twin = self._source.links.twin_of(transfer.path, group) if group else b""
        if twin and self._source.absent(transfer.path, transfer.info):
            self._source.changes.again(twin)

    def abandon(self, path: bytes) -> None:
        """Give up what is on its way from this path or from below it."""
        below = path + b"/"
        for number, (transfer, _) in list(self._transfers.items()):
            if transfer.path == path or transfer.path.startswith(below):
                self._give_up(number)

    def name_taken(self, path: bytes) -> None:
        """An operation put something else at a path: what is on its way from there is given up with the next batch."""
        if self._transfers:
            self._doomed.append(path)

    def begin_batch(self) -> None:
        """Give up what operations made void."""
        for path in self._doomed:
            self.abandon(path)
        self._doomed.clear()

    def lost(self) -> list[bytes]:
        """The connection is gone: these paths start again."""
        again = [transfer.path for transfer, _ in self._transfers.values()]
        self.close()
        return again

    def close(self) -> None:
        """Give all descriptors back."""
        for transfer, _ in self._transfers.values():
            transfer.close()
        self._transfers.clear()
