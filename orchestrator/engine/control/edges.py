"""What the daemon needs of the rooms it puts together, as small protocols: so that each can be built and tested without the others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from orchestrator.engine.capture.mount import CapturePlaces
from orchestrator.engine.capture.state import StatePage
from orchestrator.engine.capture.synchronous import SynchronousState

if TYPE_CHECKING:
    from orchestrator.engine.control.connections import ConnectionRecord
    from orchestrator.engine.control.schema import MirrorOptions, Orphans, ReplicationSet

CaptureKind = Literal["fuse", "watcher"]
ConnectionState = Literal["Started", "Stopped", "Paused", "Scheduled", "Error"]


class Capture(Protocol):
    """A directory whose changes go into an ordered log."""

    kind: CaptureKind
    path: Path
    places: CapturePlaces

    @property
    def state(self) -> StatePage:
        """The log's state page."""
        ...

    @property
    def alive(self) -> bool:
        """Whether changes are captured now."""
        ...

    @property
    def pid(self) -> int | None:
        """The process that captures."""
        ...

    @property
    def restarts(self) -> int:
        """How often capture died and was started again since the daemon started."""
        ...

    @property
    def says(self) -> str:
        """One sentence: how it is."""
        ...

    @property
    def lower_path(self) -> Path:
        """Where the files can be read (and written by a restore) without being captured."""
        ...

    def fence(self, *, on: bool) -> None:
        """Refuse every change, or allow them again."""
        ...

    def mark(self) -> int:
        """The sequence in the log behind all that was changed until now, and behind what follows from it a moment later."""
        ...

    def restart_log(self) -> None:
        """Drop the log and begin another."""
        ...

    def stop(self) -> None:
        """End capture in order."""
        ...

    def let_go(self) -> None:
        """The daemon ends; capture goes on where it can."""
        ...


@dataclass(frozen=True, slots=True)
class LinkNow:
    """How the link of a connection stands."""

    state: ConnectionState = "Stopped"
    transmit_state: str = "Stopped"
    mirror_state: str = "Idle"
    replication_state: str = "Stopped"
    target_data_state: str = "not_ready"
    target_state: str = "unknown"
    mirror_bytes_sent: int = 0
    mirror_bytes_total: int | None = None
    mirror_bytes_skipped: int = 0
    mirror_bytes_remaining: int | None = None
    mirror_percent: float | None = None
    mirror_files_compared: int = 0
    mirror_files_different: int = 0
    mirror_compressed_bytes_sent: int = 0
    mirror_queue_operations: int = 0
    replication_bytes_sent: int = 0
    replication_compressed_bytes_sent: int = 0
    replication_queue_bytes: int = 0
    replication_queue_operations: int = 0
    queue_operations: int = 0
    queue_memory_bytes: int = 0
    queue_disk_bytes: int = 0
    sent_bytes: int = 0
    compressed_bytes_sent: int = 0
    target_queue_bytes: int = 0
    target_queue_full: bool = False
    last_file: str = ""
    acknowledged_sequence: int = 0
    acknowledged_time_ns: int = 0
    committed_sequence: int = 0
    applied_sequence: int = 0
    lag_s: float = 0.0
    last_error: str = ""
    since_ns: int = 0
    says: str = ""
    synchrony: SynchronousState | None = None
    accepted_epoch: int | None = None


class Link(Protocol):
    """The source's end of one connection: it connects by itself, resumes, mirrors."""

    def start(self) -> None:
        """Begin."""
        ...

    def stop(self) -> None:
        """End the session; the connection goes on with the next daemon."""
        ...

    def disconnect(self, *, unwatched: bool = False) -> None:
        """End for good, and tell the target; ``unwatched``: it need not watch this server for failure any more."""
        ...

    def now(self) -> LinkNow:
        """How it stands; never waits."""
        ...

    def mark(self) -> int:
        """Something to wait for: all that was changed until now."""
        ...

    def reached(self, mark: int) -> bool:
        """Whether the target has applied all up to a mark."""
        ...

    def start_mirror(self, options: MirrorOptions) -> None:
        """Mirror from now on."""
        ...

    def stop_mirror(self) -> None:
        """Give the mirror up; the target needs another."""
        ...

    def pause_mirror(self, *, on: bool) -> None:
        """Hold the mirror, or let it go on."""
        ...

    def replicate(self, *, on: bool) -> None:
        """Send operations, or none."""
        ...

    def pause(self, *, on: bool) -> None:
        """Hold all sending, or let it go on."""
        ...

    def verify(self, options: MirrorOptions, *, remirror: bool) -> None:
        """Compare and report; send what differs only if that is asked for."""
        ...

    def remove_orphans(self, wanted: Orphans | None) -> bool:
        """Deal with what only the target has; None: look for no more. False if none were looked for."""
        ...

    @property
    def capture(self) -> Capture:
        """What is replicated."""
        ...

    def follow(self, record: ConnectionRecord) -> None:
        """Go on as the record says now: its terms may have changed."""
        ...

    def log_changed(self, *, resumable: bool, why: str) -> None:
        """The log is another one, or operations are missing from it."""
        ...


class LinkFactory(Protocol):
    """Makes the link of a connection."""

    def __call__(self, replication_set: ReplicationSet, record: ConnectionRecord, *, fresh: bool) -> Link:
        """A link that was not started yet; ``fresh``: the target has not seen it. Raises DtamError when it cannot be made now."""
        ...
