"""The target's end of a mirror: makes its tree what the messages say. Called by the applier, in the order of the stream.

``handle`` does all of a message before it returns. When it cannot (no space, no right, read-only), it raises the OSError and the
applier, which holds the order meanwhile, hands the same message in again later: doing one twice is the same as once. Nothing is synced
until the end, when one syncfs makes the whole mirror durable; a mirror that was cut short starts again, by checksum after a crash.
"""

from __future__ import annotations

import logging
import os
import stat as st
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from xxhash import xxh3_128_digest

from orchestrator.engine.mirror import beneath, placing, survey
from orchestrator.engine.mirror.bigfiles import BigFiles
from orchestrator.engine.mirror.claims import Claims
from orchestrator.engine.mirror.comparing import judge, leaves_alone
from orchestrator.engine.mirror.flushing import EarlyFlush, syncfs
from orchestrator.engine.mirror.messages import (
    Abort,
    AskSums,
    Attributes,
    Begin,
    Close,
    Data,
    DirectoryDone,
    End,
    Ended,
    Entries,
    Entry,
    Files,
    Gone,
    Handled,
    Hole,
    MirrorMessage,
    MirrorReply,
    Need,
    Open,
    Present,
    Scan,
    Stop,
    Survey,
    Surveyed,
    Trouble,
    Verdict,
    Verdicts,
)
from orchestrator.engine.mirror.metadata import apply_meta, read_xattrs, same_besides_data, settle
from orchestrator.engine.mirror.options import SMALL_FILE_BYTES, MirrorOptions, OrphanPolicy
from orchestrator.engine.mirror.orphans import Orphans, removing
from orchestrator.engine.mirror.reading import room
from orchestrator.engine.mirror.reporting import report
from orchestrator.engine.mirror.scans import Scans
from orchestrator.engine.mirror.smallfiles import SmallFiles

_LOG = logging.getLogger(__name__)


class Keeper(Protocol):
    """Puts a copy aside of what a restore is about to change."""

    def keep(self, path: bytes) -> None:
        """Called just before what is at the path is changed or removed; may be called again for the same path."""


class MirrorTarget:
    """One mirror's effect on one root.

    Args:
        root: of the replica: a path, or an open directory.
        keeper: puts aside what a restore would destroy.
        log: told one line about each orphan.
        now_s: CLOCK_REALTIME.

    Attributes:
        begun: a mirror is under way.
        ended: END was handled: the tree is complete and durable.
    """

    def __init__(
        self,
        root: beneath.Root,
        keeper: Keeper | None = None,
        log: Callable[[str], None] = _LOG.info,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.root_fd = beneath.open_root(root)
        self.begun = False
        self.ended = False
        self._keep = keeper.keep if keeper is not None else placing.nothing
        self._log = log
        self._now_s = now_s
        self._options = MirrorOptions()
        self._orphans, self._vanished = self._orphans_of(self._options), self._vanished_of(self._options)
        self._claims = Claims()
        self._early = EarlyFlush(self.root_fd)
        self._big = BigFiles(self.root_fd, self._claims, self._keep, self._trouble, self._early)
        self._small = SmallFiles(self.root_fd, self._claims, self._keep, self._trouble, self._early)
        self._scans = Scans(self.root_fd)
        self._fresh: dict[bytes, int] = {}
        self._troubles: dict[str, bytes] = {}
        self._buffer = bytearray(SMALL_FILE_BYTES)
        self._doers: dict[type, Callable[..., MirrorReply | None]] = {
            Begin: self._begin,
            Entries: self._entries,
            Files: self._small.place,
            Attributes: self._attributes,
            Open: self._big.open,
            AskSums: self._big.sums,
            Data: self._big.data,
            Hole: self._big.hole,
            Close: self._big.finish,
            Abort: self._big.abort,
            DirectoryDone: self._directory_done,
            Gone: self._gone,
            Scan: self._scan,
            End: self._end,
            Stop: self._stop,
            Survey: self._survey,
        }

    def handle(self, message: MirrorMessage) -> list[MirrorReply]:
        """Do what a message says and answer.

        Raises:
            OSError: it cannot be done now; hand the same message in again later.
        """
        answer = self._doers[type(message)](message)
        replies: list[MirrorReply] = [Trouble(path, why) for why, path in self._troubles.items() if path]
        for why in self._troubles:
            self._troubles[why] = b""
        if answer is not None:
            replies.append(answer)
        begins = isinstance(message, Begin)
        replies.append(Handled(message.serial, begins and self._options.by_evidence and survey.available()))
        return replies

    def close(self) -> None:
        """Give all descriptors back."""
        self._close_all()
        if self.root_fd >= 0:
            os.close(self.root_fd)
            self.root_fd = -1

    # begin and end

    def _begin(self, message: Begin) -> None:
        self._close_all()
        self._options = message.options
        self._big.report_only = message.options.report_only
        if not message.resumed:
            self._orphans, self._vanished = self._orphans_of(message.options), self._vanished_of(message.options)
            self._claims.clear()
            self._fresh.clear()
        self.begun, self.ended = True, False

    def _end(self, message: End) -> Ended:
        self._close_all()
        if not self._options.report_only:
            syncfs(self.root_fd)
        self.begun, self.ended = False, True
        count = self._orphans.count
        if count.files or count.directories:
            self._log(
                f"orphans ({self._options.orphans.action}): {count.files} files, {count.directories} directories, "
                f"{count.size_bytes} bytes"
            )
        return Ended(message.log_end, count.files, count.directories, count.size_bytes)

    def _stop(self, _message: Stop) -> None:
        self._close_all()
        self.begun = False

    def _close_all(self) -> None:
        self._big.close()
        self._early.close()
        self._scans.close()

    def _orphans_of(self, options: MirrorOptions) -> Orphans:
        return Orphans(self.root_fd, options.orphans, self._now_s, self._log, self._keep)

    def _vanished_of(self, options: MirrorOptions) -> Orphans:
        place = str(Path(f"/proc/self/fd/{self.root_fd}").readlink())
        policy = OrphanPolicy() if options.keeps_deleted else removing(options.orphans, place)
        return Orphans(self.root_fd, policy, self._now_s, self._log, self._keep)

    # names of a directory

    def _entries(self, message: Entries) -> Verdicts:
        if self._options.report_only:
            return Verdicts(message.serial, list(report(self.root_fd, message, self._options, self._sum_of)))
        verdicts: list[Verdict] = []
        with self._directory(message.directory) as fd:
            for index, entry in enumerate(message.entries):
                path = beneath.join(message.directory, entry.name)
                if entry.meta.is_directory:
                    self._make_directory(fd, entry.name, path)
                elif entry.meta.is_file:
                    verdict = self._compare(fd, index, entry, path)
                    if verdict is not None:
                        verdicts.append(verdict)
                else:
                    placing.place_special(fd, path, entry.meta, self._keep, self._trouble(path))
        return Verdicts(message.serial, verdicts)

    def _survey(self, message: Survey) -> Surveyed:
        return Surveyed(message.serial, survey.differing(self.root_fd, message.directories, message.digests))

    def _make_directory(self, dir_fd: int, name: bytes, path: bytes) -> None:
        now = placing.look(dir_fd, name)
        if now is not None and st.S_ISDIR(now.st_mode):
            if now.st_mode & placing.BUSY_DIRECTORY != placing.BUSY_DIRECTORY:
                os.chmod(name, now.st_mode & 0o7777 | placing.BUSY_DIRECTORY, dir_fd=dir_fd)
            return
        placing.clear(dir_fd, name, path, self._keep)
        os.mkdir(name, placing.BUSY_DIRECTORY, dir_fd=dir_fd)
        if self._options.orphans.action != "ignore":
            self._fresh[path] = os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_ino

    def _compare(self, dir_fd: int, index: int, entry: Entry, path: bytes) -> Verdict | None:
        now = placing.look(dir_fd, entry.name)
        if entry.twin and not (now and self._options.spares) and self._link(dir_fd, entry, path, now):
            return Verdict(index, Need.LINKED)
        if (
            now is not None
            and st.S_ISREG(now.st_mode)
            and not self._claims.belongs(now, entry.meta.group, dir_fd, entry.name)
        ):
            return Verdict(index, Need.WHOLE, why="links")
        verdict = judge(index, entry, now, self._options)
        if verdict is None:
            if now is not None and not leaves_alone(entry, now, self._options):
                self._settle(dir_fd, entry, now, path)
            return None
        if verdict.need is Need.SUM:
            return Verdict(index, Need.SUM, self._sum_of(dir_fd, entry.name), verdict.why)
        return verdict

    def _settle(self, dir_fd: int, entry: Entry, now: os.stat_result, path: bytes) -> None:
        """The content is right: make the rest right."""
        self._claims.claim(entry.meta.group, dir_fd, entry.name)
        if same_besides_data(entry.meta, now) and entry.meta.xattrs == _xattrs_of(dir_fd, entry.name):
            return
        fd = placing.open_writable(dir_fd, entry.name)
        try:
            apply_meta(fd, entry.meta, os.fstat(fd), self._trouble(path))
        finally:
            os.close(fd)

    def _attributes(self, message: Attributes) -> None:
        with self._directory(message.directory) as fd:
            for entry in message.entries:
                now = placing.look(fd, entry.name)
                if now is None or not st.S_ISREG(now.st_mode):
                    continue
                if self._claims.belongs(now, entry.meta.group, fd, entry.name):
                    self._settle(fd, entry, now, beneath.join(message.directory, entry.name))

    def _sum_of(self, dir_fd: int, name: bytes) -> bytes:
        with _reading(dir_fd, name) as fd:
            return xxh3_128_digest(room(fd, 0, SMALL_FILE_BYTES, self._buffer))

    # files with several names

    def _link(self, dir_fd: int, entry: Entry, path: bytes, now: os.stat_result | None) -> bool:
        """Make a name a link to its twin; False if that is not there, or another file by now: an operation took its name."""
        above, name = beneath.split(entry.twin)
        try:
            with beneath.directory(self.root_fd, above) as fd:
                twin = os.stat(name, dir_fd=fd, follow_symlinks=False)
                if not (st.S_ISREG(twin.st_mode) and self._claims.claimed(entry.meta.group, fd, name)):
                    return False
                if now is None or now.st_ino != twin.st_ino:
                    placing.clear(dir_fd, entry.name, path, self._keep)
                    os.link(name, entry.name, src_dir_fd=fd, dst_dir_fd=dir_fd, follow_symlinks=False)
        except OSError as error:
            if error.errno in beneath.NOT_THERE:
                return False
            raise
        return True

    # directories and orphans

    def _directory_done(self, message: DirectoryDone) -> None:
        try:
            with beneath.directory(self.root_fd, message.path) as fd:
                settle(fd, message.meta, self._trouble(message.path))
        except OSError as error:
            if error.errno not in beneath.NOT_THERE:
                raise

    def _gone(self, message: Gone) -> None:
        if not self._options.report_only:
            for path in message.paths:
                (self._vanished if message.removed else self._orphans).deal_with(path)

    def _scan(self, message: Scan) -> Present:
        made = self._fresh.pop(message.directory, 0)
        now = beneath.look(self.root_fd, message.directory) if made else None
        if now is not None and now.st_ino == made:
            return Present(message.directory, [], False)  # we made it ourselves: nothing in it is an orphan
        names, more = self._scans.page(message.directory)
        return Present(message.directory, names, more)

    def _directory(self, path: bytes) -> AbstractContextManager[int]:
        return placing.parents(self.root_fd, path, self._keep)

    def _trouble(self, path: bytes) -> Callable[[str], None]:
        def tell(why: str) -> None:
            self._troubles.setdefault(why, path)

        return tell


def _xattrs_of(dir_fd: int, name: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return read_xattrs(f"/proc/self/fd/{dir_fd}/{os.fsdecode(name)}")


@contextmanager
def _reading(dir_fd: int, name: bytes) -> Iterator[int]:
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=dir_fd)
    try:
        yield fd
    finally:
        os.close(fd)
