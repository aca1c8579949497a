"""What a watcher found, on its way to the target: collected, sent by small mirrors one after the other, counted when done.

Called by the watcher's thread (``heard``) and by the connection's (``_done``); the lock guards the lists and counts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from orchestrator.engine.capture.dirty import Dirty
from orchestrator.engine.control.desk import MirrorDesk
from orchestrator.engine.control.watching import WatchCapture
from orchestrator.engine.transfer.ports import MirrorJob


class Findings:
    """The findings of one connection."""

    def __init__(self, capture: WatchCapture, desk: MirrorDesk, start: Callable[[MirrorJob], bool]) -> None:
        self._capture = capture
        self._desk = desk
        self._start = start
        self._lock = threading.Lock()
        self._waiting: list[Dirty] = []
        self._under_way: list[Dirty] = []
        self._under_way_ns = 0
        self.active = True
        self._seen = 0
        self.done = 0
        self.reported_ns = 0
        """Every change before this instant (CLOCK_REALTIME) is at the target."""

    @property
    def seen(self) -> int:
        """How many changed paths were seen, whether reported yet or not."""
        return self._seen + self._capture.unreported

    def listen(self) -> None:
        """Begin."""
        self._capture.listen(self.heard)

    def end(self) -> None:
        """End."""
        self._capture.forget(self.heard)

    def heard(self, found: list[Dirty], reported_ns: int) -> None:
        """The watcher reports, also when it found nothing."""
        if not self.active:
            return
        with self._lock:
            self._seen += len(found)
            self._waiting.extend(found)
            if self._under_way:
                return
            if not self._waiting:
                if self._desk.feed is None:
                    self.reported_ns = max(self.reported_ns, reported_ns)
                return
            if self._desk.feed is not None:
                return  # a mirror of everything is under way; what waits is looked at after it
            self._under_way, self._waiting, self._under_way_ns = self._waiting, [], reported_ns
            batch = list(self._under_way)
        self._start(self._desk.look_again(batch, self._ended))

    def _ended(self, complete: bool) -> None:  # noqa: FBT001  # the desk's signature
        with self._lock:
            batch, self._under_way = self._under_way, []
            if complete:
                self.done += len(batch)
                self.reported_ns = max(self.reported_ns, self._under_way_ns)
            else:
                self._waiting = batch + self._waiting

    def mark(self) -> int:
        """All that was changed until now."""
        return time.time_ns()

    def reached(self, mark: int) -> bool:
        """Whether everything changed before a mark is at the target."""
        return self.reported_ns >= mark

    def lag_s(self) -> float:
        """How old the oldest change may be that is not at the target; 0 when none is known."""
        if not self._waiting and not self._under_way and self.seen == self.done:
            return 0.0
        return max(0.0, (time.time_ns() - self.reported_ns) / 1e9)
