"""Directories under way at the source: what is owed to each, the names that only the target has, and the end of each."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from orchestrator.engine.mirror import beneath
from orchestrator.engine.mirror.changes import How
from orchestrator.engine.mirror.messages import DirectoryDone, Meta, Present, Scan
from orchestrator.engine.mirror.metadata import read_meta
from orchestrator.engine.mirror.options import OrphanAction
from orchestrator.engine.mirror.walk import Node

if TYPE_CHECKING:
    from orchestrator.engine.mirror.source import MirrorSource


class Directories:
    """The part of a MirrorSource that finishes directories. A directory is scanned once at a time."""

    def __init__(self, source: MirrorSource) -> None:
        self._source = source
        self._done: list[Node] = []
        self._unread: list[bytes] = []
        self._scans: dict[bytes, deque[Node]] = {}
        self._presents: deque[Present] = deque()

    @property
    def idle(self) -> bool:
        """Whether nothing is owed to any directory but what others still send."""
        return not (self._done or self._presents or self._scans)

    def present(self, reply: Present) -> None:
        """Names arrived; they are looked at when the next batch is made."""
        self._presents.append(reply)

    def lost(self) -> None:
        """The connection is gone: ask again."""
        self._presents.clear()
        self._unread = list(self._scans)

    def enough(self) -> None:
        """Look at no more names of the target, but for those of directories that operations made doubtful."""
        for path in [path for path, nodes in self._scans.items() if not any(node.force for node in nodes)]:
            del self._scans[path]
        self._unread = [path for path in self._unread if path in self._scans]

    def release(self, node: Node | None) -> None:
        """One thing less is owed to a directory."""
        if node is not None:
            node.owed -= 1
            if not node.owed:
                self._done.append(node)

    def walked(self, node: Node) -> None:
        """A directory's listing was sent: what the target has in it is looked at, if somebody wants to know."""
        if node.force or self._source.options.orphans.action is not OrphanAction.IGNORE:
            node.owed += 1
            nodes = self._scans.setdefault(node.path, deque())
            nodes.append(node)
            if len(nodes) == 1:
                self._unread.append(node.path)
        self.release(node)

    def step(self) -> bool:
        """Do one thing; False if there was nothing to do."""
        if self._done:
            self._directory_done(self._done.pop())
            return True
        if self._presents:
            self._present(self._presents.popleft())
            return True
        if not self._unread:
            return False
        self._source.put(Scan, (self._unread.pop(),))
        return True

    def _present(self, reply: Present) -> None:
        nodes = self._scans.get(reply.directory)
        if nodes is None:  # nobody wants to know any more
            return
        for name in reply.names:
            path = beneath.join(reply.directory, name)
            if self._source.rules.owns(path) and self._source.absent(path):
                self._only_there(path, force=nodes[0].force)
        if not reply.more:
            self._source.sending.after_gone.append(nodes.popleft())
        if nodes:
            self._unread.append(reply.directory)
        else:
            del self._scans[reply.directory]

    def _only_there(self, path: bytes, *, force: bool) -> None:
        """Only the target has this. Where operations moved directories meanwhile, it may have come with them.

        In a target that is good an operation on its way may be about to move it: that is waited for.
        """
        if force or self._source.options.orphans_only:
            self._source.changes.owe(path)
            self._source.vanished.add(path, orphan=not force)
            if not force:
                self._source.account.orphan(path)
        else:
            self._source.sending.gone.append(path)
            self._source.account.orphan(path)

    def _directory_done(self, node: Node) -> None:
        parent, path = node.parent, node.path
        if node.force or not (self._source.options.report_only or self._source.options.orphans_only):
            try:
                meta = self._directory_meta(path)
            except OSError:
                pass
            else:
                if meta.is_directory:
                    self._source.put(DirectoryDone, (path, meta), 0, [(path, How.SHALLOW)])
        self.release(parent)
        if parent is None:
            self._source.tree_sent(node)

    def _directory_meta(self, path: bytes) -> Meta:
        above, name = beneath.split(path)
        with beneath.directory(self._source.root_fd, above) as fd:
            return read_meta(fd, name or b".", self._source.remap)
