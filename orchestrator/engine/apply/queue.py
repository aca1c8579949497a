"""What the applier still has to do, in stream order: operations in memory up to a limit, beyond it only a note of how far the log goes.

Invariant: an entry is handed out only when its operations are in the log on the disk (``committed``), and stays at the head until
it is done, so that a pause loses nothing.

Lock: one condition guards everything; it is notified when something may be done, was done, or is woken. Any thread may call anything.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from orchestrator.engine.transfer.messages import MirrorItem, Operations


@dataclass(frozen=True, slots=True)
class InLog:
    """Operations up to ``last`` that are to be read from the log."""

    last: int


Entry = Operations | InLog | MirrorItem


class StreamQueue:
    """The queue of one replica."""

    def __init__(self, memory_limit_bytes: int, *, committed: int = 0) -> None:
        self._limit = memory_limit_bytes
        self._entries: deque[Entry] = deque()
        self._changed = threading.Condition()
        self._notes = 0
        self.committed = committed
        self.memory_bytes = 0
        """How much of the operations is held in memory."""
        self.queued = committed
        """The last operation that was put."""

    def put_operations(self, operations: Operations) -> None:
        """Operations arrived. They are kept in memory while the limit allows it, else they will be read from the log."""
        with self._changed:
            size = len(operations.data)
            self.queued = operations.last
            if self.memory_bytes + size <= self._limit:
                self.memory_bytes += size
                self._entries.append(operations)
            else:
                self._note(operations.last)
            if self._ready():  # else ``commit`` is what the applier waits for
                self._changed.notify_all()

    def put_backlog(self, last: int) -> None:
        """Operations up to ``last`` are in the log since before the daemon started."""
        with self._changed:
            self.queued = last
            self._note(last)
            self._changed.notify_all()

    def _note(self, last: int) -> None:
        if self._entries and isinstance(self._entries[-1], InLog):
            self._entries.pop()
        else:
            self._notes += 1
        self._entries.append(InLog(last))

    def put_item(self, item: MirrorItem) -> None:
        """A mirror item arrived."""
        with self._changed:
            self._entries.append(item)
            self._changed.notify_all()

    def commit(self, sequence: int) -> None:
        """Operations up to ``sequence`` are in the log on the disk."""
        with self._changed:
            self.committed = max(self.committed, sequence)
            self._changed.notify_all()

    def head(self, timeout_s: float) -> Entry | None:
        """The first entry that may be done; None when there is none within the time. It stays until ``done``."""
        with self._changed:
            if not self._ready():
                self._changed.wait(timeout_s)
            return self._entries[0] if self._ready() else None

    def _ready(self) -> bool:
        if not self._entries:
            return False
        head = self._entries[0]
        return not isinstance(head, Operations) or head.last <= self.committed

    def done(self, entry: Entry) -> None:
        """The entry was done; it leaves the queue (unless the queue was cleared, or grew at its head meanwhile)."""
        with self._changed:
            if self._entries and self._entries[0] is entry:
                self._entries.popleft()
                if isinstance(entry, Operations):
                    self.memory_bytes -= len(entry.data)
                elif isinstance(entry, InLog):
                    self._notes -= 1
            self._changed.notify_all()

    def drop_items(self) -> None:
        """Forget the mirror items: their numbering is over."""
        with self._changed:
            self._entries = deque(entry for entry in self._entries if not isinstance(entry, MirrorItem))
            self._changed.notify_all()

    def clear(self) -> None:
        """Forget everything."""
        with self._changed:
            self._entries.clear()
            self.memory_bytes = self._notes = 0
            self._changed.notify_all()

    @property
    def overflows(self) -> bool:
        """Whether some operations are in the log alone, no longer in memory."""
        return self._notes > 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to do."""
        return not self._entries

    def wait_changed(self, timeout_s: float) -> None:
        """Sleep until something changes."""
        with self._changed:
            self._changed.wait(timeout_s)

    def wake(self) -> None:
        """Let everyone who waits look again."""
        with self._changed:
            self._changed.notify_all()
