"""Whole directories by one digest each: the quick way of a mirror that compares by size and time.

The walk offers each directory. One that is plain and beyond doubt is told by its digest, many in a message; nothing more is said of it
where the target's is the same. Where it differs, and wherever there is a doubt (rules that name one of its entries, a file that an
operation touched meanwhile or that is young while operations are under way, a name of a file with several), it is read
name by name like any other. Why that is right: the target compares in the place of the stream where it would compare the names, and
for each of them it would have said that nothing is needed.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from orchestrator.engine.mirror import beneath
from orchestrator.engine.mirror.messages import Handled, Survey, Surveyed
from orchestrator.engine.mirror.options import LONGEST_DATA_PATH_BYTES
from orchestrator.engine.mirror.survey import Seen, available, survey
from orchestrator.engine.mirror.walk import Node, Page, Walk

if TYPE_CHECKING:
    from orchestrator.engine.mirror.source import MirrorSource

NAMES_A_MESSAGE = 2000
MOST_UNANSWERED = 20_000
"""So many names may be on their way in digests."""
LONGEST_NAME = 255
NAME_BYTES = 1024
"""What a name counts of a batch, though it does not travel: reading it took time."""


class Surveying:
    """The part of a MirrorSource that speaks of whole directories. It begins when the target has said that it understands."""

    def __init__(self, source: MirrorSource) -> None:
        self._source = source
        self._begin = 0
        self._able: bool | None = False
        self._untold: list[tuple[Node, Seen]] = []
        self._untold_names = 0
        self._asked: dict[int, list[tuple[Node, Seen]]] = {}
        self._unanswered = 0
        self._differing: deque[Node] = deque()
        self._reading: Walk | None = None

    @property
    def idle(self) -> bool:
        """Whether every answer came and was dealt with."""
        return not (self._untold or self._asked or self._differing or self._reading)

    @property
    def may_walk(self) -> bool:
        """Whether the walk may go on: it waits for the target's word whether it understands, and for answers."""
        return self._able is not None and self._unanswered < MOST_UNANSWERED

    def begin(self, serial: int) -> None:
        """A mirror begins, or goes on after a new connection, with this message."""
        self._begin = serial
        observer = self._source.account.observer
        each = observer is not None and observer.hears_same
        self._able = None if self._source.options.by_evidence and not each and available() else False

    def handled(self, reply: Handled) -> None:
        """The target's word on its beginning, among others."""
        if self._able is None and reply.serial >= self._begin:
            self._able = reply.surveys and reply.serial == self._begin

    def takes(self, node: Node) -> list[bytes] | None:
        """See ``walk.Quick``."""
        if not self._able or node.force or not self._source.rules.takes_all(node.path):
            return None
        seen = self._look(node.path)
        if seen is None or self._is_doubtful(node.path, seen):
            return None
        self._source.sending.asking.surveyed(node.path)
        node.owed += 1
        self._untold.append((node, seen))
        self._untold_names += seen.names
        self._unanswered += seen.names
        if self._untold_names >= NAMES_A_MESSAGE:
            self.tell()
        return seen.subdirectories

    def passed(self, node: Node) -> None:
        """See ``walk.Quick``."""
        self._source.directories.release(node)

    def tell(self) -> None:
        """Ask about what was surveyed."""
        if self._untold:
            paths, digests = [node.path for node, _ in self._untold], b"".join(seen.digest for _, seen in self._untold)
            serial = self._source.put(Survey, (paths, digests), NAME_BYTES * self._untold_names)
            self._asked[serial] = self._untold
            self._untold, self._untold_names = [], 0

    def answer(self, reply: Surveyed) -> None:
        """Which directories differ."""
        differing = set(reply.differing)
        for index, (node, seen) in enumerate(self._asked.pop(reply.serial, ())):
            self._unanswered -= seen.names
            if index in differing:
                self._differing.append(node)
            else:
                self._source.account.all_same(seen.files, seen.size_bytes)
                self._source.directories.release(node)

    def read_differing(self) -> bool:
        """Tell the next names of a directory that differs; False if there are none.

        Its subdirectories may be under way already: one that the target makes only now is finished once more.
        """
        page = self._differing_page()
        if page is None:
            return False
        self._source.tell_page(page)
        for name in page.directories:
            self._source.directories.release(Node(beneath.join(page.node.path, name), page.node, force=False))
        return True

    def _differing_page(self) -> Page | None:
        while self._reading is not None or self._differing:
            if self._reading is None:
                self._reading = self._names_of(self._differing.popleft())
            page = self._reading.next_page()
            if page is not None:
                return page
            self._reading = None
        return None

    def _names_of(self, node: Node) -> Walk:
        source = self._source
        walked, troubled = source.directories.walked, source.account.trouble
        return Walk(source.root_fd, source.rules, node, walked, troubled, below=False)

    def lost(self) -> None:
        """The connection is gone: what was on its way is read name by name."""
        self._differing.extend(node for asked in self._asked.values() for node, _ in asked)
        self._asked.clear()
        self._unanswered = 0

    def close(self) -> None:
        """Give all descriptors back."""
        if self._reading is not None:
            self._reading.close()
        self._reading = None
        self._differing.clear()

    def _look(self, path: bytes) -> Seen | None:
        if len(path) + 1 + LONGEST_NAME > LONGEST_DATA_PATH_BYTES or self._source.changes.touched_in(path):
            return None
        try:
            with self._source.directory(path) as fd:
                return survey(fd)
        except OSError:
            return None

    def _is_doubtful(self, path: bytes, seen: Seen) -> bool:
        return (
            (bool(seen.links) and self._source.remaps)
            or self._source.is_young(seen.youngest_ns, self._source.reading_up_to())
            or not self._source.links.surely_none_in(path)
        )
