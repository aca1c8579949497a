"""How a replica stands, told to its source and to people: values made of values."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.engine.apply.ports import ReplicaStatus
from orchestrator.engine.apply.record import ReplicaRecord
from orchestrator.engine.apply.works import Works
from orchestrator.engine.transfer.events import Progress
from orchestrator.engine.transfer.messages import TargetStatus


@dataclass(frozen=True, slots=True)
class Standing:
    """What a replica knows of itself at one moment."""

    record: ReplicaRecord
    works: Works | None
    paused: bool
    retrying: str | None
    connected: bool

    @property
    def target_status(self) -> TargetStatus:
        """What it is doing."""
        if self.paused:
            return TargetStatus.PAUSED
        return TargetStatus.RETRYING if self.retrying else TargetStatus.OK


def progress_of(now: Standing) -> Progress:
    """For the source."""
    record, works = now.record, now.works
    if works is None:
        return Progress(0, record.data_state, now.target_status, says=record.says)
    use = works.use()
    return Progress(
        works.position.applied,
        record.data_state,
        now.target_status,
        works.queue_full,
        use.memory_bytes + use.disk_bytes,
        record.verify_required,
        now.retrying or works.overflow_reason or record.says,
    )


def status_of(now: Standing) -> ReplicaStatus:
    """For people."""
    record, works = now.record, now.works
    state = works.writer.state if works else None
    return ReplicaStatus(
        key=record.key,
        source=record.source,
        protection=record.protection,
        replication_set=record.replication_set,
        target_root=record.root,
        purpose=record.purpose,
        data_state=record.data_state,
        target_state=now.target_status,
        says=progress_of(now).says,
        acknowledged_sequence=state.committed_sequence if state else 0,
        acknowledged_time_ns=works.acknowledged_time_ns if works else 0,
        applied_sequence=works.position.applied if works else 0,
        applied_time_ns=works.position.applied_time_ns if works else 0,
        queue_operations=works.backlog if works else 0,
        queue_memory_bytes=works.queue.memory_bytes if works else 0,
        queue_disk_bytes=state.disk_bytes if state else 0,
        queue_full=works.queue_full if works else False,
        epoch=record.epoch,
        promoted=record.promoted,
        verify_required=record.verify_required,
        connected=now.connected,
        intact=record.intact,
        kept=record.kept,
        set_back_to=record.set_back_to,
    )
