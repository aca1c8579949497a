"""What the control API says of connections: the source's end, and the target's."""

from __future__ import annotations

from typing import Literal

from orchestrator.engine.control.fields import Answer
from orchestrator.engine.control.schema_terms import ConnectionTerms


class Synchrony(Answer):
    """How a synchronous connection stands: ``state`` is synchronous, asynchronous (behind), or waiting (the application stands still).

    ``flushes`` were held back until the targets of the directory's synchronous connections had them, ``mean_wait_ms`` each on average.
    """

    state: Literal["synchronous", "asynchronous", "waiting"]
    since: str
    why: str
    wait_s: float
    when_late: Literal["continue", "wait"]
    flushes: int = 0
    mean_wait_ms: float = 0.0
    waiting: int = 0


class ConnectionStatus(Answer):
    """The source's end of a connection. ``id`` counts from one since the daemon started; ``key`` stays.

    Byte figures count frames before encryption since the daemon began with the connection, ``compressed`` ones what was really sent;
    ``queue_memory_bytes`` and ``queue_disk_bytes`` are those of the directory's log, which other connections may share;
    ``replication_queue_bytes`` is an estimate from the mean size of an operation. ``lag_s`` is the age of the oldest operation not yet
    acknowledged.
    """

    id: int
    key: str
    replication_set: str
    target: str
    target_address: str
    purpose: Literal["protect", "restore"]
    protection: str | None
    epoch: int
    state: Literal["Started", "Stopped", "Paused", "Scheduled", "Error"]
    transmit_state: str
    mirror_state: str
    replication_state: str
    target_data_state: str
    target_state: str
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
    commit_mode: Literal["Real-time", "Scheduled"] = "Real-time"
    last_file: str = ""
    compression: str = "off"
    bandwidth_bytes_s: int | None = None
    simulated: bool = False
    acknowledged_sequence: int = 0
    acknowledged_time_ns: int = 0
    committed_sequence: int = 0
    applied_sequence: int = 0
    lag_s: float = 0.0
    last_error: str = ""
    since: str = ""
    says: str = ""
    terms: ConnectionTerms = ConnectionTerms()
    mode: Literal["asynchronous", "synchronous"] = "asynchronous"
    synchrony: Synchrony | None = None


class ReplicaStatus(Answer):
    """The target's end of a connection.

    ``intact``: good no longer, but nothing was written since; ``kept``: the snapshot of the last good state while a mirror overwrites
    it; ``set_back_to``: the snapshot that it stands at until somebody resumes it.
    """

    key: str
    source: str
    replication_set: str
    target_root: str
    protection: str | None = None
    data_state: Literal["good", "mirroring", "mirror_required", "restore_required", "not_ready"]
    acknowledged_sequence: int = 0
    acknowledged_time_ns: int = 0
    applied_sequence: int = 0
    applied_time_ns: int = 0
    queue_bytes: int = 0
    epoch: int = 0
    promoted: bool = False
    restored: bool = False
    paused: bool = False
    connected: bool = False
    last_error: str = ""
    set_aside: list[str] = []
    intact: bool = False
    kept: str = ""
    set_back_to: str = ""
