"""Files that the target wants, and names that it should not have, on their way from the source.

A file is opened by its path when its turn comes: what stands there then is sent.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from typing import TYPE_CHECKING

from xxhash import xxh3_128_digest

from orchestrator.engine.mirror import beneath
from orchestrator.engine.mirror.asking import Asking
from orchestrator.engine.mirror.changes import How
from orchestrator.engine.mirror.messages import Attributes, Entry, Files, Gone, Need, SmallFile
from orchestrator.engine.mirror.metadata import group_of, meta_of, read_xattrs
from orchestrator.engine.mirror.options import CHUNK_BYTES, SMALL_FILE_BYTES
from orchestrator.engine.mirror.reading import is_small, open_file, regular
from orchestrator.engine.mirror.transfers import Transfers
from orchestrator.engine.mirror.walk import Node
from orchestrator.engine.mirror.wanted import Asked, Batch, Load, Wanted

if TYPE_CHECKING:
    from orchestrator.engine.mirror.source import MirrorSource

MOST_WANTED = 2048
FILES_A_MESSAGE = 256
GONE_A_MESSAGE = 512


class Sending:
    """The part of a MirrorSource that deals with files.

    Attributes:
        asking: what is asked about.
        transfers: big files under way.
        gone: paths that only the target has, to be told.
        after_gone: directories to which nothing is owed any more once that is told.
    """

    def __init__(self, source: MirrorSource) -> None:
        self.asking = Asking(source, self._want)
        self.transfers = Transfers(source)
        self.gone: list[bytes] = []
        self.after_gone: list[Node] = []
        self._source = source
        self._wanted: deque[Batch] = deque()
        self._wanted_count = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is asked, wanted or on its way."""
        return self.asking.idle and self.transfers.idle and not (self._wanted or self.gone or self.after_gone)

    @property
    def wants_more(self) -> bool:
        """Whether the walk may go on."""
        return self._wanted_count < MOST_WANTED and self.asking.count < MOST_WANTED

    def begin_batch(self, position: int) -> None:
        """A new batch of messages, with the stream at ``position``."""
        self.asking.begin_batch(position)
        self.transfers.begin_batch()

    def step(self) -> bool:
        """Do one thing; False if there was nothing to do."""
        return self._tell_gone() or self.transfers.step() or self._send_wanted()

    def name_taken(self, path: bytes, sequence: int) -> None:
        """An operation put something else at a path, or nothing."""
        self.transfers.name_taken(path)
        self.asking.name_taken(path, sequence)

    def lost(self) -> list[tuple[bytes, How]]:
        """The connection is gone: what was open starts again."""
        self.asking.lost()
        return [(path, How.SHALLOW) for path in self.transfers.lost()]

    def _tell_gone(self) -> bool:
        if self.gone:
            told, self.gone = self.gone[:GONE_A_MESSAGE], self.gone[GONE_A_MESSAGE:]
            told = [path for path in told if self._source.absent(path)]  # still: it may have been made meanwhile
            if told:
                self._source.put(Gone, (told,), 0, [(path, How.SHALLOW) for path in told])
                self.asking.displaced(set(told))
            return True
        if self.after_gone:
            self._source.directories.release(self.after_gone.pop())
            return True
        return False

    def _want(self, batch: Batch) -> None:
        if batch.files:
            self._wanted.append(batch)
            self._wanted_count += len(batch.files)
            if batch.node is not None:
                batch.node.owed += len(batch.files)

    def _send_wanted(self) -> bool:
        if not self._wanted or self.transfers.is_full():
            return False
        batch = self._wanted[0]
        load = Load(batch.directory)
        before = len(batch.files)
        try:
            with self._source.directory(batch.directory) as fd:
                size = self._fill(fd, batch, load)
        except (FileNotFoundError, NotADirectoryError):
            size = 0
            for file in batch.files:
                self._source.settle(beneath.join(batch.directory, file.name), owed=file.owed)
            batch.files.clear()
        finished = before - len(batch.files) - len(load.later)
        self._put_small(load, size)
        self._wanted_count -= finished
        batch.files.extend(load.later)
        self._wanted.popleft()
        if batch.files:
            self._wanted.insert(len(self._wanted) if load.later else 0, batch)
        for _ in range(finished):
            self._source.directories.release(batch.node)
        return finished > 0

    def _fill(self, dir_fd: int, batch: Batch, load: Load) -> int:
        """Send files until enough is together; the bytes of the small ones."""
        size = taken = 0
        while batch.files and size < CHUNK_BYTES and taken < FILES_A_MESSAGE and not self.transfers.is_full():
            size += self._send_file(dir_fd, batch.files.popleft(), load)
            taken += 1
        return size

    def _put_small(self, load: Load, size: int) -> None:
        if load.files:
            again = [(beneath.join(load.directory, file.name), How.SHALLOW) for file in load.files]
            self._source.put(Files, (load.directory, load.files), size, again)
            self._settle(load, again)
        if load.equal:
            again = [(beneath.join(load.directory, entry.name), How.SHALLOW) for entry in load.equal]
            self._source.put(Attributes, (load.directory, load.equal), 0, again)
            self._settle(load, again)
        for asked in load.linked:
            self.asking.ask(asked)

    def _settle(self, load: Load, told: list[tuple[bytes, How]]) -> None:
        for path, _ in told:
            self._source.settle(path, owed=beneath.split(path)[1] in load.owed)

    def _send_file(self, dir_fd: int, wanted: Wanted, load: Load) -> int:
        """Send a file, or begin to; how many bytes it put into the load."""
        directory = load.directory
        path = beneath.join(directory, wanted.name)
        try:
            fd = open_file(dir_fd, wanted.name)
        except OSError as error:
            if error.errno not in beneath.NOT_THERE and error.errno != errno.ENXIO:  # a socket took its place
                self._source.account.trouble(path, error.strerror or str(error))
            self._source.settle(path, owed=wanted.owed)
            return 0
        try:
            info = regular(fd)
            if self._linked_instead(fd, wanted, info, load):
                return 0
            if is_small(info):
                return self._send_small(fd, wanted, info, load)
            self.transfers.start(path, fd, info, wanted)
            fd = -1
        except OSError as error:
            self._source.account.trouble(path, error.strerror or str(error))
            self._source.settle(path, owed=wanted.owed)
        finally:
            if fd >= 0:
                os.close(fd)
        return 0

    def _linked_instead(self, fd: int, wanted: Wanted, info: os.stat_result, load: Load) -> bool:
        """A file with several names, of which the target has one: ask for a link first."""
        number = group_of(info)
        directory = load.directory
        path = beneath.join(directory, wanted.name)
        if not number or (wanted.insist and (self._source.options.spares or self._source.links.holds(path, number))):
            return False
        twin = self._source.links.twin_of(path, number)
        if not twin:
            waiting = self.asking.names.waiting(number)
            if waiting:
                load.later.append(wanted)  # the answer may tell of a twin
            return waiting
        entry = Entry(wanted.name, meta_of(info, read_xattrs(fd)), wanted.force, twin)
        ages = {0: self._source.links.age_of(number)}
        load.linked.append(
            Asked(None, directory, [entry], {0: info}, self._source.reading_up_to(), wanted.how, ages, wanted.owed)
        )
        return True

    def _send_small(self, fd: int, wanted: Wanted, info: os.stat_result, load: Load) -> int:
        data = os.read(fd, SMALL_FILE_BYTES + 1)
        if wanted.owed:
            load.owed.add(wanted.name)
        path = beneath.join(load.directory, wanted.name)
        meta = meta_of(info, read_xattrs(fd))
        self._source.sent(path, info, self._source.reading_up_to())
        if wanted.need is Need.SUM and xxh3_128_digest(data) == wanted.sum:
            self._source.account.same(path, info)
            load.equal.append(Entry(wanted.name, meta))
            return 0
        self._source.account.different(path, info.st_size, wanted.why or "content", [0], 1)
        if self._source.options.report_only:
            return 0
        load.files.append(SmallFile(wanted.name, meta, data))
        return len(data)
