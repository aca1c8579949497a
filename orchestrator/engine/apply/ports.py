"""Who talks with a replica: the session above it, the mirror beside it; and its status as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from orchestrator.engine.transfer.events import Progress
from orchestrator.engine.transfer.messages import DataState, Refusal, Reply, TargetStatus


class MirrorHandler(Protocol):
    """The mirror's target side, as the applier calls it: in stream order, from one thread."""

    def handle(self, payload: bytes | memoryview) -> list[bytes]:
        """Do one mirror message; the replies. The payload is not looked at again afterwards."""


class Listener(Protocol):
    """The session that is open, if one is."""

    def logged(self, sequence: int) -> None:
        """Operations up to ``sequence`` are acknowledged."""

    def handled(self, replies: tuple[Reply, ...], payload_bytes: int) -> None:
        """A mirror item was done."""

    def stands(self, progress: Progress) -> None:
        """The replica moved on or changed its state."""

    def denied(self, reason: Refusal, says: str) -> None:
        """The session must end."""


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """How a replica stands; times in nanoseconds since 1970, of the source's clock (0: none yet)."""

    key: str
    source: str
    protection: str
    replication_set: str
    target_root: str
    purpose: str
    data_state: DataState
    target_state: TargetStatus
    says: str
    acknowledged_sequence: int
    acknowledged_time_ns: int
    applied_sequence: int
    applied_time_ns: int
    queue_operations: int
    queue_memory_bytes: int
    queue_disk_bytes: int
    queue_full: bool
    epoch: int
    promoted: bool
    verify_required: bool
    connected: bool
    intact: bool
    kept: str
    set_back_to: str
