"""Capture where FUSE cannot be had: a watcher that says "look here again", one thread a directory.

There is a log (its id is what sessions are joined by) and it stays empty: what changed travels as mirror messages. Nothing can be
refused here, so a fence is the services' alone. Weaker: no write order, and no prefix is claimed.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from orchestrator.engine.capture.dirty import Dirty, DirtySet
from orchestrator.engine.capture.mount import CapturePlaces
from orchestrator.engine.capture.state import StatePage
from orchestrator.engine.capture.watcher import Watcher
from orchestrator.engine.control.edges import CaptureKind
from orchestrator.engine.control.schema import MountRequest
from orchestrator.engine.oplog.writer import LogWriter
from orchestrator.errors import DtamError

log = logging.getLogger(__name__)
SLICE_S = 0.1
RIPENS_NS = 550_000_000
"""A change older than this has been reported, even if its file is written without end."""
Heard = Callable[[list[Dirty], int], None]
"""Told (what is to be looked at, the instant in ns of CLOCK_REALTIME before which every change was reported)."""


class WatchCapture:
    """A watched directory. A new log id at each start: what happened in between was not seen."""

    kind: CaptureKind = "watcher"

    def __init__(self, request: MountRequest, places: CapturePlaces) -> None:
        """Begin to watch.

        Raises:
            WatchesExhausted: the kernel's limit of watches is reached.
            OSError: the directory cannot be read.
        """
        self.path = Path(request.path)
        self.path.stat()
        self.places = places
        self.restarts = 0
        self.says = "files are watched"
        self._dirty = DirtySet()
        self._watcher = Watcher(os.fsencode(self.path), self._dirty)
        self._writer = self._new_log()
        self._listeners: list[Heard] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"watch {self.path}", daemon=True)
        self._thread.start()

    @property
    def state(self) -> StatePage:
        """The page of the empty log."""
        return self._writer.state

    @property
    def alive(self) -> bool:
        """Whether somebody watches."""
        return self._thread.is_alive()

    @property
    def pid(self) -> int | None:
        """This process."""
        return os.getpid()

    @property
    def lower_path(self) -> Path:
        """The directory itself."""
        return self.path

    @property
    def unreported(self) -> int:
        """How many changed paths were seen and not yet reported."""
        return len(self._dirty)

    def listen(self, heard: Heard) -> None:
        """Report to ``heard`` from now on."""
        self._listeners = [*self._listeners, heard]

    def forget(self, heard: Heard) -> None:
        """Report to it no more."""
        self._listeners = [known for known in self._listeners if known != heard]

    def fence(self, *, on: bool) -> None:
        """A watcher refuses nobody."""
        self.says = "files are watched; the fence is the services' alone" if on else "files are watched"

    def mark(self) -> int:
        """The log stays empty: what changed is told by instants."""
        return self.state.committed_sequence

    def restart_log(self) -> None:
        """Begin another log, so that every connection mirrors."""
        before, self._writer = self._writer, self._new_log()
        before.close()

    def _new_log(self) -> LogWriter:
        """An empty log with a new id. The lease's deadline is the host's, not the log's: it is kept."""
        page_file, deadline_ns = self.places.log_dir / "state", 0
        if page_file.exists():
            page = StatePage(page_file)
            deadline_ns = page.lease_deadline_boottime_ns
            page.close()
        writer = LogWriter.create(self.places.log_dir, uuid.uuid4())
        writer.state.lease_deadline_boottime_ns = deadline_ns
        return writer

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        self._thread.join()
        self._watcher.close()
        self._writer.close()

    def let_go(self) -> None:
        """End: nobody watches while the daemon is away."""
        self.stop()

    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                found = self._watcher.wait(SLICE_S)
            except (DtamError, OSError) as error:
                self.says = f"not watched: {error}"
                log.exception("%s is watched no more", self.path)
                return
            reported_ns = time.time_ns() - RIPENS_NS
            for heard in self._listeners:
                heard(found, reported_ns)
