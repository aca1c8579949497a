"""The source tells names of directories and hears what the target needs of each.

Everything is by path and looked at anew when it is told: what stood at a path when it was listed may be something else by now, and that
is told then. What vanished is left out; the operation that removed it travels too.
"""

from __future__ import annotations

import contextlib
import os
import stat as st
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.engine.mirror import beneath
from orchestrator.engine.mirror.changes import How
from orchestrator.engine.mirror.hardlinks import AskedNames
from orchestrator.engine.mirror.messages import DirectoryDone, Entries, Entry, Meta, Need, Verdict, Verdicts
from orchestrator.engine.mirror.metadata import meta_of, read_meta, read_xattrs
from orchestrator.engine.mirror.reading import is_small
from orchestrator.engine.mirror.walk import Page
from orchestrator.engine.mirror.wanted import Asked, Batch, Decided, Wanted
from orchestrator.engine.oplog.format import Kind, Operation

if TYPE_CHECKING:
    from orchestrator.engine.mirror.source import MirrorSource

_TOUCHING = frozenset({Kind.WRITE, Kind.TRUNCATE, Kind.UTIMENS, Kind.FALLOCATE})


class Asking:
    """The part of a MirrorSource that asks.

    Args:
        source: whose part it is.
        want: told the files of a directory that the target needs.

    Attributes:
        names: of files with several, about which the target was asked.
        count: entries that wait for an answer.
    """

    def __init__(self, source: MirrorSource, want: Callable[[Batch], None]) -> None:
        self.names = AskedNames()
        self.count = 0
        self._source = source
        self._want = want
        self._asked: dict[int, Asked] = {}
        self._decided: deque[Decided] = deque()

    @property
    def idle(self) -> bool:
        """Whether every answer came."""
        return not self._asked

    def begin_batch(self, position: int) -> None:
        """A new batch of messages. What was decided for one is beyond doubt when the stream has passed its gate."""
        while self._decided and self._decided[0].gate <= position:
            self._decided.popleft()
        if not self._decided or self._decided[-1].gate != self._source.gate:
            self._decided.append(Decided(self._source.gate))

    def page(self, page: Page) -> None:
        """Deal with some names of a directory."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self._source.directory(page.node.path) as fd:
            entries = Asked(page.node, page.node.path, [], {}, self._source.reading_up_to())
            for name in page.directories:
                self._look(fd, name, entries)
            at_once = self._source.options.sends_all
            later = Batch(page.node, page.node.path)
            for name, is_file in page.others:
                if at_once and is_file:
                    later.files.append(Wanted(name, Need.WHOLE, force=page.node.force))
                else:
                    self._look(fd, name, entries)
            entries.read_up_to = self._source.reading_up_to()
            self.ask(entries)
            self._want(later)

    def one(self, path: bytes, how: How) -> None:
        """Send one path again, by content."""
        directory, name = beneath.split(path)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self._source.directory(directory) as fd:
            info = os.stat(name or b".", dir_fd=fd, follow_symlinks=False)
            if st.S_ISREG(info.st_mode):
                if self._source.rules.selects(path):
                    self._want(
                        Batch(None, directory, deque([Wanted(name, _content(info), how=how, force=True, owed=True)]))
                    )
                    return
            elif st.S_ISDIR(info.st_mode) or self._source.rules.selects(path):
                self._tell(fd, path, how, directory=st.S_ISDIR(info.st_mode))
        self._source.settle(path)

    def _tell(self, above_fd: int, path: bytes, how: How, *, directory: bool) -> None:
        """Tell a directory or a special file; nothing of the answer is needed."""
        above, name = beneath.split(path)
        asked = Asked(None, above, [], {}, self._source.reading_up_to(), how)
        if name:
            self._look(above_fd, name, asked)
            asked.read_up_to = self._source.reading_up_to()
        self.ask(asked)
        if directory and How.DEEP not in how:
            meta = read_meta(above_fd, name or b".", self._source.remap)
            self._source.put(DirectoryDone, (path, meta), 0, [(path, how)])

    def _look(self, fd: int, name: bytes, asked: Asked) -> None:
        path = beneath.join(asked.directory, name)
        try:
            meta, info = self._meta(fd, name)
        except OSError as error:
            if error.errno not in beneath.NOT_THERE:
                self._source.account.trouble(path, error.strerror or str(error))
            return
        changes = self._source.changes
        if info is not None:
            asked.infos[len(asked.entries)] = info
        force = asked.node is None or asked.node.force or changes.touched(path)
        force = force or (bool(meta.group) and changes.any_touched)
        twin = self._source.links.twin_of(path, meta.group) if meta.group else b""
        if twin:
            asked.ages[len(asked.entries)] = self._source.links.age_of(meta.group)
        asked.entries.append(Entry(name, meta, force, twin))

    def _meta(self, fd: int, name: bytes) -> tuple[Meta, os.stat_result | None]:
        info = os.stat(name, dir_fd=fd, follow_symlinks=False)
        if st.S_ISREG(info.st_mode):
            return meta_of(info, read_xattrs(f"/proc/self/fd/{fd}/{os.fsdecode(name)}")), info
        return read_meta(fd, name, self._source.remap), None

    def ask(self, asked: Asked) -> None:
        """Ask about some names of a directory."""
        if not asked.entries:
            return
        decided = self._decided[-1]
        for entry in asked.entries:
            path = beneath.join(asked.directory, entry.name)
            if not entry.force:
                decided.unforced.add(hash(path))
            if entry.twin:
                decided.twins.append((path, entry.twin))
        self._displace(asked)
        if asked.node is not None:
            asked.node.owed += 1
        again = [(beneath.join(asked.directory, entry.name), asked.how) for entry in asked.entries]
        size = 64 * len(asked.entries)
        serial = self._source.put(Entries, (asked.directory, asked.entries), size, again)
        self._asked[serial] = asked
        for index in asked.infos:
            if asked.entries[index].meta.group:
                path = beneath.join(asked.directory, asked.entries[index].name)
                entry = asked.entries[index]
                self.names.asked(path, serial, entry.meta.group, force=entry.force)
        if asked.node is None and not asked.owed:
            asked.owed = True
            for index in asked.infos:
                self._source.changes.owe(beneath.join(asked.directory, asked.entries[index].name))
        self.count += len(asked.entries)

    def verdicts(self, reply: Verdicts) -> None:
        """The target told what it needs."""
        asked = self._asked.pop(reply.serial, None)
        if asked is None:
            return
        self.count -= len(asked.entries)
        needs = {verdict.index: verdict for verdict in reply.verdicts}
        batch = Batch(asked.node, asked.directory)
        for index, info in asked.infos.items():
            path, force = beneath.join(asked.directory, asked.entries[index].name), asked.entries[index].force
            if self.names.asked_anew(path, reply.serial, force=force):  # two that take turns would never come to an end
                self._check_twin(asked.entries[index], needs.get(index))
                wanted = None
            else:
                self._remember_name(reply.serial, asked, index, info, needs.get(index))
                wanted = self._judge(asked, index, info, needs.get(index))
            if wanted is not None:
                wanted.owed = asked.owed
                batch.files.append(wanted)
            elif asked.node is None:
                self._source.settle(path)
        self._want(batch)
        if self._source.options.report_only:
            self._report_others(asked, reply.verdicts)
        self._source.directories.release(asked.node)

    def _report_others(self, asked: Asked, verdicts: list[Verdict]) -> None:
        """Directories, links and the like that a verification found different."""
        for verdict in verdicts:
            if verdict.index not in asked.infos:
                self._source.account.different(
                    beneath.join(asked.directory, asked.entries[verdict.index].name), 0, verdict.why
                )

    def _remember_name(
        self, serial: int, asked: Asked, index: int, info: os.stat_result, verdict: Verdict | None
    ) -> None:
        """A name of a file with several is at the target now, unless an operation took it away since it was asked about."""
        entry, links = asked.entries[index], self._source.links
        path = beneath.join(asked.directory, entry.name)
        if entry.meta.group and not self.names.answered(path, serial):
            return
        group = entry.meta.group
        if verdict is not None and verdict.need is Need.LINKED:
            self.belongs(path, group)
            links.linked(path, group, asked.ages[index], asked.read_up_to)
            return
        self._check_twin(entry, verdict)
        if verdict is None:
            self._source.sent(path, info, asked.read_up_to)

    def _check_twin(self, entry: Entry, verdict: Verdict | None) -> None:
        """A twin to which nothing was linked is not at the target, or is another file there."""
        linked = verdict is not None and verdict.need is Need.LINKED
        if not linked and self._source.links.holds(entry.twin, entry.meta.group) and not self._source.options.spares:
            self._source.links.forget(entry.twin)
            self._source.changes.again(entry.twin)

    def _judge(self, asked: Asked, index: int, info: os.stat_result, verdict: Verdict | None) -> Wanted | None:
        entry, links = asked.entries[index], self._source.links
        path = beneath.join(asked.directory, entry.name)
        if verdict is not None and verdict.need is Need.LINKED:
            joined = links.holds(path, entry.meta.group)
            if joined and not entry.force and links.unchanged(info):
                self._source.account.same(path, info)
                return None
            return Wanted(entry.name, _content(info), how=asked.how, insist=joined, force=True)
        if verdict is None:
            if self._stands_alone(path, entry.meta.group):
                return Wanted(entry.name, _content(info), how=asked.how, force=entry.force)
            self._source.account.same(path, info)
            return None
        if verdict.need is Need.ATTRIBUTES:
            self._source.account.different(path, info.st_size, verdict.why)
            return None
        alone = bool(entry.twin) and self._source.options.spares
        return Wanted(entry.name, verdict.need, verdict.sum, verdict.why, asked.how, insist=alone, force=entry.force)

    def _stands_alone(self, path: bytes, group: int) -> bool:
        """Whether the target has a file of its own where the source has a further name of one that it has already."""
        links = self._source.links
        return group != 0 and not links.holds(path, group) and not self._source.options.spares

    def unsure(self, operation: Operation) -> bool:
        """Whether size and time of an entry on its way prove nothing, because this operation may travel before it."""
        if operation.kind not in _TOUCHING:
            return False
        mark, directory = hash(operation.path), hash(beneath.split(operation.path)[0])
        return any(
            operation.sequence <= decided.gate and (mark in decided.unforced or directory in decided.surveyed)
            for decided in self._decided
        )

    def surveyed(self, directory: bytes) -> None:
        """Whether a directory differs is asked by its digest: sizes and times of all in it count."""
        self._decided[-1].surveyed.add(hash(directory))

    def name_taken(self, path: bytes, sequence: int) -> None:
        """An operation put something else at a path, or nothing."""
        below = path + b"/"
        self.names.taken_below(path)
        for decided in self._decided:
            for name, twin in decided.twins if sequence <= decided.gate else ():
                if twin == path or twin.startswith(below):
                    self._source.changes.again(name)

    def displaced(self, paths: set[bytes]) -> None:
        """From here in the stream on the target has none of the files at these paths and below them.

        Operations by these names that are still under way will miss them. Whatever else they are names of is sent again for that.
        """
        self.names.taken_at(paths)
        if self._source.options.report_only:
            return
        for path in paths:
            again = self._source.links.removed(path, self._source.changes.position + 1)
            if again:
                self._source.changes.again(again)

    def _displace(self, asked: Asked) -> None:
        """A directory takes the place of a file, anything else that of a file or of a directory with all in it."""
        displaced = set()
        for entry in asked.entries:
            if not entry.meta.is_file:
                path = beneath.join(asked.directory, entry.name)
                if not entry.meta.is_directory:
                    displaced.add(path)
                self.belongs(path, 0)
        if displaced:
            self.displaced(displaced)

    def belongs(self, path: bytes, group: int) -> None:
        """From here in the stream on this is a name of such a group."""
        if {self.names.group(path), self._source.links.group(path)} - {0, group}:
            self.displaced({path})

    def lost(self) -> None:
        """The connection is gone: no answer will come."""
        for asked in self._asked.values():
            self._source.directories.release(asked.node)
        self._asked.clear()
        self.names.clear()
        self.count = 0


def _content(info: os.stat_result) -> Need:
    return Need.WHOLE if is_small(info) else Need.BLOCKS
