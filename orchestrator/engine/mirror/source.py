"""The source's end of a mirror: walks, compares by what the target says, sends, and sends again what operations made doubtful.

Driven by the session's thread, never by one of its own: ``next_messages`` reads and returns, ``on_reply`` takes note, ``note_operation``
sees what else travels. Order rule: the messages of one call are sent before any operation later than ``gate``, which is the end of the
log as it was before anything of them was read; operations up to ``gate`` may be sent before or after them. docs/explanation/mirror.md
has the argument why both sides end identical.
"""

from __future__ import annotations

import os
import stat as st
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from itertools import islice

from orchestrator.engine.mirror import beneath
from orchestrator.engine.mirror.changes import Changes, How
from orchestrator.engine.mirror.directories import Directories
from orchestrator.engine.mirror.hardlinks import ALTERING, HardLinks, LostNames
from orchestrator.engine.mirror.logs import Log, NoLog
from orchestrator.engine.mirror.mapping import RemapLink
from orchestrator.engine.mirror.messages import (
    Abort,
    Begin,
    Data,
    End,
    Ended,
    Files,
    Handled,
    Message,
    MirrorMessage,
    MirrorReply,
    Opened,
    Present,
    Stop,
    Sums,
    Surveyed,
    Trouble,
    Verdicts,
)
from orchestrator.engine.mirror.metadata import group_of
from orchestrator.engine.mirror.options import MirrorKind, MirrorOptions
from orchestrator.engine.mirror.outbox import Outbox
from orchestrator.engine.mirror.progress import Account, Observer, Progress
from orchestrator.engine.mirror.reading import Buffers
from orchestrator.engine.mirror.rules import RuleSet
from orchestrator.engine.mirror.sending import Sending
from orchestrator.engine.mirror.surveying import Surveying
from orchestrator.engine.mirror.vanished import Vanished
from orchestrator.engine.mirror.walk import Node, Page, Walk
from orchestrator.engine.oplog.format import Kind, Operation

DEFAULT_BUDGET_BYTES = 4 << 20
SLACK_NS = 2_000_000_000
"""Change times tick, and an operation's time is taken beside it: within this, nothing is said about before and after."""
_CARRYING = frozenset({Data, Files})


def _unchanged(link: bytes) -> bytes:
    return link


class MirrorSource:
    """One mirror of one replication set.

    Args:
        root: of the set: a path, or an open directory below the capturing mount.
        rules: what is selected.
        options: how to compare.
        log: the ordered log of this root, to know when the target is exact.
        remap: RemapLink.
        observer: hears about each file.
        walk: False begins with nothing to do; paths are added with ``again`` (a subtree moved into the set; a watcher's findings).
        totals: files and bytes, when the size was calculated before.
        now_ns: CLOCK_REALTIME.

    Attributes:
        gate: see the order rule.
        finished: END was sent and the target has answered it.
        progress: how far it has come.
    """

    def __init__(
        self,
        root: beneath.Root,
        rules: RuleSet,
        options: MirrorOptions,
        log: Log | None = None,
        *,
        remap: RemapLink | None = None,
        observer: Observer | None = None,
        walk: bool = True,
        totals: tuple[int, int] | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.options = options
        self.rules = rules
        self.root_fd = beneath.open_root(root)
        self.gate = 0
        self._read_up_to = 0
        self.finished = False
        self.paused = False
        self.progress = Progress()
        if totals is not None:
            self.progress.total_files, self.progress.total_bytes = totals
        self.remap = remap.remap if remap is not None else _unchanged
        self.remaps = remap is not None
        self.now_ns = now_ns
        self.outbox = Outbox()
        self.buffers = Buffers()
        evidence = options.kind is MirrorKind.DIFFERENCE or options.only_missing
        self.changes = Changes(rules, evidence=evidence, settled=not walk or options.orphans_only)
        self.links = HardLinks()
        self._lost_names = LostNames()
        self._reached_ns = 0
        self.account = Account(self.progress, observer)
        self._log = log or NoLog()
        self.sending = Sending(self)
        self._walks: list[Walk] = []
        self.directories = Directories(self)
        self.vanished = Vanished(self)
        self.surveying = Surveying(self)
        self._begun = self._resumed = self._stopped = self._ended = False
        if walk:
            self._walk(Node(b"", None, force=False))

    # what the session calls

    def next_messages(self, budget_bytes: int = DEFAULT_BUDGET_BYTES) -> list[MirrorMessage]:
        """What to send next; nothing while only a reply or the progress of the stream can help.

        Data in the messages lies in buffers that the next call uses again: encode them before.
        """
        self.outbox.begin_batch()
        self.buffers.recycle()
        if self._ended and self.changes.redo:
            self._ended = False
        if self.finished or self.paused or self._ended:
            return []
        self.gate = self._log.end()
        self.changes.advance(self._log.shipped())
        self.sending.begin_batch(self.changes.position)
        self._begin()
        read = False
        while not self._stopped and self.outbox.room(budget_bytes) and self._step():
            read = True
        self.surveying.tell()
        if read:
            self._read_up_to = self._log.end()
        self._maybe_end()
        return self.outbox.messages

    def on_reply(self, reply: MirrorReply) -> None:
        """Take note of an answer; replies come in order."""
        match reply:
            case Handled():
                self.outbox.handled(reply.serial)
                self.surveying.handled(reply)
            case Surveyed():
                self.surveying.answer(reply)
            case Verdicts():
                self.sending.asking.verdicts(reply)
            case Sums() | Opened():
                self.sending.transfers.reply(reply)
            case Present():
                self.directories.present(reply)
            case Trouble():
                self.account.trouble(reply.path, reply.why)
            case Ended():
                self._take_end(reply)

    def note_operation(self, operation: Operation) -> None:
        """See an operation that the stream passes, also one that the rules leave out.

        To be called for each in order, when it is sent (or left out).
        """
        if self.finished or self.options.report_only:
            self.changes.position = max(self.changes.position, operation.sequence)
            return
        exact = self.changes.note(operation)
        self._reached_ns = operation.time_ns
        for path in self._lost_names.note(operation):
            self.changes.again(path)
        kind = operation.kind
        if kind in (Kind.RENAME, Kind.LINK, Kind.UNLINK, Kind.RMDIR):
            self._names_moved(operation, exact=exact)
        else:
            if self.sending.asking.unsure(operation):
                self.changes.again(operation.path)
            if kind in ALTERING and self.changes.unsettled(operation.path):
                self.links.doubt(operation.path)

    def again(self, path: bytes, *, deep: bool = True) -> None:
        """Send a path, with all below it, whatever was sent before; what is no more at the source is an orphan at the target."""
        self.changes.again(path, How.DEEP if deep else How.SHALLOW)
        self._ended = self.finished = False

    def pause(self) -> None:
        """Send nothing more until ``resume``; what was sent stays sent."""
        self.paused = True

    def resume(self) -> None:
        """Go on where it was."""
        self.paused = False

    def enough(self) -> None:
        """Look for no more orphans; what is under way is brought to its end, so that the target stays as good as it is."""
        for walk in self._walks:
            walk.close()
        self._walks.clear()
        self.directories.enough()

    def stop(self) -> None:
        """Send nothing more but the word that it is over; a new mirror starts over."""
        self._stopped = True
        self._ended = False
        self.paused = False
        self.close()

    def reconnected(self) -> None:
        """The connection was lost and is back: what was on its way is sent again, the rest goes on where it was."""
        for path, how in self.outbox.lost() + self.sending.lost() + self.vanished.lost():
            self.changes.again(path, how)
        self.directories.lost()
        self.surveying.lost()
        self.changes.lost()
        self._ended = False
        self._resumed = self._begun
        self._begun = False

    def close(self) -> None:
        """Give all descriptors back."""
        for walk in self._walks:
            walk.close()
        self._walks.clear()
        self.surveying.close()
        self.sending.transfers.close()
        if self.root_fd >= 0:
            os.close(self.root_fd)
            self.root_fd = -1

    # what its parts call

    def sent(self, path: bytes, info: os.stat_result, read_up_to: int) -> None:
        """A file reached the target as it was when ``info`` was taken, when the log's end was not after ``read_up_to``."""
        young = info.st_ctime_ns > self.now_ns() - SLACK_NS
        if self.is_young(info.st_ctime_ns, read_up_to):
            young = True
            if info.st_nlink == 1:
                self._lost_names.read(path, read_up_to)
        self.sending.asking.belongs(path, group_of(info))
        self.links.sent(path, info, read_up_to, young=young)

    def is_young(self, changed_ns: int, read_up_to: int) -> bool:
        """Whether operations that are still under way may have changed a file, which was last changed then."""
        behind = read_up_to > self.changes.position
        return behind and changed_ns > min(self.now_ns(), self._reached_ns) - SLACK_NS

    def settle(self, *paths: bytes, owed: bool = True) -> None:
        """These were read just now, or are gone, and the messages about them were made."""
        gate = self._log.end()
        for path in paths:
            self.changes.sent(path, gate, owed=owed)

    def tree_sent(self, node: Node) -> None:
        """Nothing is owed to a directory where a walk began; what is still on its way from below it is owed by itself."""
        if node.force:
            self.settle(node.path)
        else:
            self.changes.walked(self._log.end())

    def reading_up_to(self) -> int:
        """What is read now may show the effect of operations up to this one."""
        return self._log.end()

    def put(
        self,
        kind: type[Message],
        fields: tuple[object, ...],
        data_bytes: int = 0,
        again: Iterable[tuple[bytes, How]] = (),
    ) -> int:
        """Send a message; its serial."""
        if kind in _CARRYING:
            self.progress.sent_bytes += data_bytes
        return self.outbox.put(kind, fields, data_bytes, again)

    def directory(self, path: bytes) -> AbstractContextManager[int]:
        """A directory of the source, open."""
        return beneath.directory(self.root_fd, path)

    # its own steps, each does one thing and says whether there was anything to do

    def _begin(self) -> None:
        if self._begun or self._stopped:
            if self._stopped and not self._ended:
                self.put(Stop, ())
                self._ended = self.finished = True
            return
        self._begun = True
        self.surveying.begin(self.put(Begin, (self.options, self._resumed)))

    def _step(self) -> bool:
        return (
            self.sending.step()
            or self.vanished.step()
            or self._redo_some()
            or self.directories.step()
            or (self.sending.wants_more and (self.surveying.read_differing() or self._walk_on()))
        )

    def _redo_some(self) -> bool:
        if not self.changes.redo or not self.sending.wants_more:
            return False
        for path in list(islice(self.changes.redo, 64)):
            self._redo(path, self.changes.take(path))
        return True

    def _redo(self, path: bytes, how: How) -> None:
        self.sending.transfers.abandon(path)
        info = beneath.look(self.root_fd, path)
        if info is None:
            self.vanished.add(path)
            return
        if How.DEEP in how and st.S_ISDIR(info.st_mode):
            self.changes.owe(path)
            self._walk(Node(path, None, force=True))
        self.sending.asking.one(path, how)

    def _walk(self, node: Node) -> None:
        walked, troubled = self.directories.walked, self.account.trouble
        self._walks.append(Walk(self.root_fd, self.rules, node, walked, troubled, quick=self.surveying))

    def _walk_on(self) -> bool:
        if not self._walks or not self.surveying.may_walk:
            return False
        page = self._walks[-1].next_page()
        if page is None:
            self._walks.pop()
        else:
            self.tell_page(page)
        return True

    def tell_page(self, page: Page) -> None:
        """Deal with some names of a directory."""
        self.progress.current = page.node.path
        compared = page.node.force or not self.options.orphans_only
        if compared and (page.directories or page.others):
            self.sending.asking.page(page)

    def absent(self, path: bytes, file: os.stat_result | None = None) -> bool:
        """Whether the source surely does not have a path now, or not for this file."""
        try:
            now = beneath.look(self.root_fd, path)
        except OSError:
            return False
        return now is None or (file is not None and not os.path.samestat(now, file))

    def _names_moved(self, operation: Operation, *, exact: bool) -> None:
        taken = [operation.path2] if operation.kind is Kind.LINK else [operation.path, operation.path2]
        kept = self.links.made_by(operation) if exact else {}
        for path in taken:
            if path:
                again = self.links.removed(path, operation.sequence)
                if again:
                    self.changes.again(again)
                self.sending.name_taken(path, operation.sequence)
        self.links.follow(kept, operation.sequence)

    # the end

    def _maybe_end(self) -> None:
        if self._ended or self.finished or not self._idle():
            return
        for path in self.links.changed_since(self.root_fd):
            self.changes.again(path)
        if self.changes.redo:
            return
        self.changes.round_ended(self._read_up_to)
        if self.changes.settled:
            self._ended = True
            self.put(End, (self._read_up_to,))

    def _idle(self) -> bool:
        parts = (self.directories, self.sending, self.surveying, self.vanished)
        busy = self._walks or self.changes.redo or not all(part.idle for part in parts)
        return self._begun and not busy

    def _take_end(self, reply: Ended) -> None:
        self.account.orphans(reply.orphan_files, reply.orphan_directories, reply.orphan_bytes)
        if self._idle():
            self.finished = True

    def abort(self, number: int) -> None:
        """Tell the target that a transfer is given up."""
        self.put(Abort, (number,))
