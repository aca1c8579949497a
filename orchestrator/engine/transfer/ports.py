"""What a connection's source side works with: the log it reads, the mirror it feeds, its owner's hooks; and its status as a value."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from orchestrator.engine.oplog.format import Operation
from orchestrator.engine.oplog.reader import LogReader
from orchestrator.engine.transfer.messages import Apart, DataState, TargetStatus
from orchestrator.engine.transfer.tls import Peer

log = logging.getLogger(__name__)


class TransmitState(StrEnum):
    """What the sending does (the Linux guide, chapter 9, "Transmit Mode")."""

    STARTED = "Started"
    STOPPED = "Stopped"
    PAUSED = "Paused"
    SCHEDULED = "Scheduled"
    ERROR = "Error"


class SharedState(Protocol):
    """What is needed of the log's state page."""

    @property
    def committed_sequence(self) -> int:
        """The last complete record."""

    @property
    def out_of_step(self) -> bool:
        """Whether operations were lost."""


@dataclass(frozen=True, slots=True)
class LogAccess:
    """An opened log: opened anew for each session, because a restarted log is another one."""

    reader: LogReader
    state: SharedState
    log_id: str
    close: Callable[[], None] = lambda: None


class MirrorFeed(Protocol):
    """The mirror's source side, in bytes (``mirror`` wraps it); driven by the sending thread."""

    @property
    def finished(self) -> bool:
        """Whether nothing more is to be sent and every answer came."""

    def next_messages(self, budget_bytes: int) -> Sequence[bytes | Apart]:
        """The next messages; may be none when answers are awaited."""

    def on_reply(self, payload: bytes) -> None:
        """An answer of the target."""

    def note_operation(self, operation: Operation) -> None:
        """An operation that was shipped while the mirror runs."""


@dataclass(frozen=True, slots=True)
class MirrorJob:
    """A mirror to run: its feed, its kind for the records, and whether it makes the data good (a verification does not)."""

    feed: MirrorFeed
    kind: str
    changes_state: bool = True
    done: Callable[[bool, str], None] = lambda _complete, _says: None


@dataclass(frozen=True, slots=True)
class Route:
    """Where the target listens, and who it is."""

    address: str
    port: int
    peer: Peer


@dataclass(frozen=True, slots=True)
class SourceHooks:
    """What the connection asks of its owner. All are called from its threads and must not block for long.

    Attributes:
        released: the target has everything up to this sequence; by default the reader is told.
        mirror_due: a mirror has become necessary, for this reason; the mirror to run, or None to leave that to a person.
        moved_in: something came into the replication set by a rename or a link; the default is to call for a mirror.
        log_lost: the log lost operations; the owner restarts it (a new log id). False: it cannot.
        heard: the target holds the log of this id up to this sequence, and whether its data is good: told from the receiving
            thread, past all that is under way, because flushes wait for it.
        happened: a sentence for the log and the events.
    """

    released: Callable[[int], None] | None = None
    mirror_due: Callable[[str], MirrorJob | None] = lambda _says: None
    moved_in: Callable[[bytes], bool] = lambda _path: False
    log_lost: Callable[[], bool] = lambda: False
    heard: Callable[[str, int, bool], None] = lambda _log_id, _sequence, _good: None
    happened: Callable[[str], None] = log.warning


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How the connection stands; bytes are counted before encryption, packed ones after compression."""

    transmit_state: TransmitState
    connected: bool
    since_s: float
    target_data_state: DataState
    target_state: TargetStatus
    target_queue_full: bool
    says: str
    mirror_active: bool
    mirror_kind: str
    mirror_bytes_sent: int
    mirror_packed_bytes: int
    mirror_queue_operations: int
    replication_bytes_sent: int
    replication_packed_bytes: int
    replication_operations_sent: int
    sent_bytes: int
    packed_bytes: int
    last_path: bytes
    queue_operations: int
    committed_sequence: int
    sent_sequence: int
    acknowledged_sequence: int
    acknowledged_time_ns: int
    applied_sequence: int
    lag_s: float
    target_queue_bytes: int
    verify_required: bool
