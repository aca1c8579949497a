"""The captured directories of this engine: remembered, started again with the daemon, found again where they outlived it.

Each has a log directory of its own below STATE/logs and a directory for memory segments on a tmpfs. The capturing file system is
taken where it can be had; else, when ``auto`` was asked for, the watcher, and the status says that it is weaker.

Lock: one for the table; starting and stopping a capture happens under it, so that one path is never captured twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from orchestrator.engine.capture.mount import CapturePlaces
from orchestrator.engine.capture.state import UNLIMITED, StatePage
from orchestrator.engine.control import store
from orchestrator.engine.control.answers import MountStatus
from orchestrator.engine.control.edges import Capture, CaptureKind
from orchestrator.engine.control.errors import Conflict, Unknown
from orchestrator.engine.control.events import Events
from orchestrator.engine.control.fields import Request
from orchestrator.engine.control.layout import Layout
from orchestrator.engine.control.schema import MountRequest
from orchestrator.errors import DtamError

log = logging.getLogger(__name__)
WEAKER = "weaker: no write order"
LONG_PAST_NS = 1
Starter = Callable[[MountRequest, CaptureKind, CapturePlaces], Capture]


class MountRecord(Request):
    """The stored form of a captured directory: what was asked for, and what it became."""

    request: MountRequest
    kind: CaptureKind


class Mounts:
    """The captured directories by path. Callable from any thread.

    Args:
        layout: where records and logs are.
        memory: the tmpfs directory of this engine.
        start: starts capture (or finds a running one again).
        events: the journal.
        best: what ``auto`` means on this host.
    """

    def __init__(self, layout: Layout, memory: Path, start: Starter, events: Events, best: CaptureKind) -> None:
        self._layout = layout
        self._memory = memory
        self._start = start
        self._events = events
        self._best: CaptureKind = best
        self._lock = threading.RLock()
        self._captures: dict[str, Capture] = {}
        self._problems: dict[str, str] = {}
        records = store.load_all(layout.mounts, MountRecord)
        self._records = {record.request.path: record for record in records}
        self.in_use: Callable[[str], bool] = lambda _: False
        self.left_alone: Callable[[str], contextlib.AbstractContextManager[None]] = lambda _: contextlib.nullcontext()

    def start(self, boot_id: str) -> None:
        """Capture again what was captured; what cannot be is told and shown as failed. A deadline of another boot is over."""
        boot_file = self._layout.root / "boot"
        same_boot = boot_file.exists() and boot_file.read_text(encoding="ascii") == boot_id
        with self._lock:
            for path in self._records:
                if not same_boot:
                    self._end_deadline(path)
                self._start_again(path)
        store.write_text(boot_file, boot_id)

    def mount(self, request: MountRequest) -> MountStatus:
        """Capture a directory from now on; the same again changes its limits.

        Raises:
            MountRefused, MountFailed, BuildFailed: the capture says why not.
            Conflict: it overlaps with a directory that is captured already, or with a replica that is being applied.
        """
        watching = request.capture == "watcher"  # sees what is applied as it sees anybody's changes: a chain
        with contextlib.nullcontext() if watching else self.left_alone(request.path), self._lock:
            if request.path in self._captures:
                self._change_limits(request)
                return self._status(request.path)
            self._refuse_overlap(request.path)
            kind = self._best if request.capture == "auto" else request.capture
            self._captures[request.path] = self._start(request, kind, self._places(request))
            self._keep(MountRecord(request=request, kind=kind))
            self._problems.pop(request.path, None)
            status = self._status(request.path)
        self._events.tell("mount", f"{request.path} is captured by {kind}", says=status.says)
        return status

    def unmount(self, path: str) -> None:
        """Capture it no more.

        Raises:
            MountBusy: files in it are open; it stays captured.
            Conflict: a connection replicates it.
        """
        with self._lock:
            self._record(path)
            if self.in_use(path):
                raise Conflict(what=f"ending the capture of {path}", why="it is connected", hint="disconnect it first")
            capture = self._captures.get(path)
            if capture is not None:
                capture.stop()
                del self._captures[path]
            store.remove(self._layout.mounts / f"{key_of(path)}.json")
            self._records = {known: record for known, record in self._records.items() if known != path}
        self._events.tell("mount", f"{path} is captured no more")

    def listed(self) -> list[MountStatus]:
        """All captured directories."""
        with self._lock:
            return [self._status(path) for path in self._records]

    def in_a_sentence(self) -> str:
        """How many directories are captured, and how many could not be."""
        failed = f", {len(self._problems)} could not be" if self._problems else ""
        return f"{len(self._captures)} directories are captured{failed}"

    def capture(self, path: str) -> Capture | None:
        """The running capture over a directory, or None."""
        return self._captures.get(path)

    def covering(self, path: str) -> str | None:
        """The captured directory that ``path`` is, or lies in, or None."""
        wanted = Path(path)
        return next((known for known in self._captures if wanted.is_relative_to(known)), None)

    def fence(self, path: str, *, on: bool) -> None:
        """Refuse every change below a captured directory, or allow them again; nothing to do where it is not captured."""
        capture = self._captures.get(path)
        if capture is not None:
            capture.fence(on=on)

    def set_deadline(self, path: str, boottime_ns: int) -> None:
        """Let the capture refuse changes by itself from this instant (CLOCK_BOOTTIME) on; 0 takes the instant away."""
        capture = self._captures.get(path)
        if capture is not None:
            capture.state.lease_deadline_boottime_ns = boottime_ns

    def deadline(self, path: str) -> int:
        """The instant that was set, or 0."""
        capture = self._captures.get(path)
        return capture.state.lease_deadline_boottime_ns if capture is not None else 0

    def let_go(self) -> None:
        """The daemon ends; what can go on capturing does."""
        with self._lock:
            for capture in self._captures.values():
                capture.let_go()
            self._captures.clear()

    def places(self, path: str) -> CapturePlaces:
        """The directories of the log of a captured directory."""
        record = self._records.get(path)
        return self._places(record.request if record is not None else MountRequest(path=path))

    def _places(self, request: MountRequest) -> CapturePlaces:
        key = key_of(request.path)
        log_dir = self._layout.logs / key
        disk_dir = log_dir if request.disk_folder is None else Path(request.disk_folder) / key
        return CapturePlaces(log_dir=log_dir, mem_dir=self._memory / key, disk_dir=disk_dir)

    # -- under the lock

    def _end_deadline(self, path: str) -> None:
        """CLOCK_BOOTTIME began anew: an instant of before means nothing but that a lease was kept."""
        page_file = self.places(path).log_dir / "state"
        if not page_file.exists():
            return
        page = StatePage(page_file)
        if page.lease_deadline_boottime_ns:
            page.lease_deadline_boottime_ns = LONG_PAST_NS
        page.close()

    def _start_again(self, path: str) -> None:
        record = self._records[path]
        try:
            self._captures[path] = self._start(record.request, record.kind, self.places(path))
            self._problems.pop(path, None)
        except (DtamError, OSError) as error:
            self._problems[path] = str(error)
            self._events.tell("mount", f"{path} could not be captured again: {error}")
            log.exception("%s could not be captured again", path)

    def _change_limits(self, request: MountRequest) -> None:
        record = self._records[request.path]
        if request.disk_folder != record.request.disk_folder:
            hint = f"capture it anew: dtengine mounts remove {request.path}, then add it with the other folder"
            raise Conflict(what="moving a disk queue", why=f"{request.path} is captured with another folder", hint=hint)
        page = self._captures[request.path].state
        page.memory_limit_bytes = request.memory_limit_bytes
        page.disk_limit_bytes = UNLIMITED if request.disk_limit_bytes is None else request.disk_limit_bytes
        page.minimum_free_bytes = request.minimum_free_bytes
        self._keep(record.model_copy(update={"request": request}))

    def _refuse_overlap(self, path: str) -> None:
        wanted = Path(path)
        for known in self._records:
            if known != path and (wanted.is_relative_to(known) or Path(known).is_relative_to(wanted)):
                hint = "capture one directory that holds both, and choose by the rules of replication sets"
                raise Conflict(what=f"capturing {path}", why=f"{known} is captured already", hint=hint)

    def _keep(self, record: MountRecord) -> None:
        store.save(self._layout.mounts / f"{key_of(record.request.path)}.json", record)
        self._records = {**self._records, record.request.path: record}

    def _record(self, path: str) -> MountRecord:
        record = self._records.get(path)
        if record is None:
            raise Unknown(kind="captured directory", name=path, listing="mounts list")
        return record

    def _status(self, path: str) -> MountStatus:
        record, capture = self._records[path], self._captures.get(path)
        if capture is None:
            says = self._problems.get(path, "it is not captured")
            return MountStatus(path=path, capture=record.kind, state="failed", says=says, limits=record.request)
        return running_status(path, capture, record.request)


def running_status(path: str, capture: Capture, limits: MountRequest) -> MountStatus:
    """The status of a capture that was started."""
    page = capture.state
    state: Literal["capturing", "out_of_step", "failed"] = "out_of_step" if page.out_of_step else "capturing"
    return MountStatus(
        path=path,
        capture=capture.kind,
        state=state if capture.alive else "failed",
        says=capture.says + (f"; {WEAKER}" if capture.kind == "watcher" else ""),
        log_id=page.log_id.hex,
        pid=capture.pid,
        committed_sequence=page.committed_sequence,
        released_sequence=page.released_sequence,
        memory_bytes=page.memory_bytes,
        disk_bytes=page.disk_bytes,
        operations_total=page.operations_total,
        data_bytes_total=page.data_bytes_total,
        fenced=page.fenced,
        clean=page.clean,
        restarts=capture.restarts,
        limits=limits,
    )


def key_of(path: str) -> str:
    """The name under which a captured directory is remembered."""
    return hashlib.sha256(path.encode()).hexdigest()[:16]
