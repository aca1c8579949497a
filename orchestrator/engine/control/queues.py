"""Watches how full the source queues are, and says once when the percentage is crossed that a person chose."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from orchestrator.engine.capture.state import StatePage
from orchestrator.engine.control.mounts import Mounts
from orchestrator.engine.oplog.limits import QueueLimits, QueueUse, alert_due, used_percent

LOOK_S = 1.0
IDLE_SEGMENTS = 2
"""The segment that is written and the spare are there even when nothing waits."""


class QueueWatch:
    """Looks at every captured directory once a second. ``alert`` takes a sentence."""

    def __init__(self, mounts: Mounts, alert: Callable[[str], None]) -> None:
        self._mounts = mounts
        self._alert = alert
        self._percent: dict[str, int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="queue-watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_S):
            for mount in self._mounts.listed():
                capture = self._mounts.capture(mount.path)
                if capture is not None and capture.kind == "fuse":
                    self._look(mount.path, capture.state, mount.limits.alert_percent)

    def _look(self, path: str, page: StatePage, alert_percent: int) -> None:
        limits = QueueLimits(
            page.memory_limit_bytes, page.disk_limit_bytes, page.minimum_free_bytes, alert_percent=alert_percent
        )
        percent = source_percent(limits, page, os.statvfs(page.path.parent))
        if alert_due(limits, self._percent.get(path, 0), percent):
            self._alert(f"{percent} % of the queue of {path} are in use; past it, the target is mirrored again")
        self._percent[path] = percent


def source_percent(limits: QueueLimits, page: StatePage, disk: os.statvfs_result) -> int:
    """How much of a source queue is in use: of its disk, or of its memory where it has no disk queue."""
    if limits.disk_limit_bytes == 0:
        waiting = 0 if idle(page) else page.memory_bytes
        return min(100, waiting * 100 // max(1, limits.memory_limit_bytes))
    on_disk = 0 if idle(page) else page.disk_bytes
    return used_percent(limits, QueueUse(page.memory_bytes, on_disk, disk.f_bavail * disk.f_frsize))


def idle(page: StatePage) -> bool:
    """Whether all that was logged was released: whatever segments are there hold nothing that waits."""
    return page.last_segment - page.first_segment < IDLE_SEGMENTS and page.released_sequence >= page.committed_sequence
