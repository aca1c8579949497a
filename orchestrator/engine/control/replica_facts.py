"""What is to be seen of replicas: for the control API, for the executor, and for who wants their place. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from orchestrator.engine.apply.ports import ReplicaStatus as ReplicaNow
from orchestrator.engine.apply.replica import Replica
from orchestrator.engine.control.answers_connections import ReplicaStatus
from orchestrator.engine.monitor import ports as monitor_ports
from orchestrator.engine.transfer.messages import DataState

WORST_FIRST = (
    DataState.NOT_READY,
    DataState.MIRROR_REQUIRED,
    DataState.MIRRORING,
    DataState.RESTORE_REQUIRED,
    DataState.GOOD,
)


def summed_up(replicas: Sequence[Replica], heard_s: Callable[[str], float | None]) -> monitor_ports.ReplicaStatus:
    """Several replicas as one: the worst data state, the largest queue. ``heard_s`` is how long ago a replica's source was heard."""
    found = [replica.status() for replica in replicas]
    if not found:
        return monitor_ports.ReplicaStatus(DataState.NOT_READY)
    heard = [ago_s for one in found if (ago_s := heard_s(one.key)) is not None]
    return monitor_ports.ReplicaStatus(
        data_state=min((one.data_state for one in found), key=WORST_FIRST.index),
        queue_bytes=sum(one.queue_memory_bytes + one.queue_disk_bytes for one in found if one.queue_operations),
        acknowledged_sequence=min(one.acknowledged_sequence for one in found),
        applied_sequence=min(one.applied_sequence for one in found),
        acknowledged_time_ns=min(one.acknowledged_time_ns for one in found),
        last_heard_s=min(heard, default=None),
        falls_back=all(goes_back_to(replica) is not None for replica in replicas),
    )


def goes_back_to(replica: Replica) -> str | None:
    """The snapshot by which a replica is in a good state again; empty where it is in one, None where there is none.

    One that a person set back stays a person's affair.
    """
    record = replica.record
    if record.set_back_to:
        return None
    if record.data_state is DataState.GOOD or record.intact:
        return ""
    return record.kept or None


def is_fed(replica: Replica) -> bool:
    """Whether something is applied to it now, or stands in its queue to be."""
    now = replica.status()
    return now.connected or bool(now.queue_operations)


def as_answer(now: ReplicaNow) -> ReplicaStatus:
    """A replica as the control API shows it."""
    return ReplicaStatus(
        key=now.key,
        source=now.source,
        replication_set=now.replication_set,
        target_root=now.target_root,
        protection=None if now.protection in ("", now.key) else now.protection,
        data_state=now.data_state.value,
        acknowledged_sequence=now.acknowledged_sequence,
        acknowledged_time_ns=now.acknowledged_time_ns,
        applied_sequence=now.applied_sequence,
        applied_time_ns=now.applied_time_ns,
        queue_bytes=now.queue_memory_bytes + now.queue_disk_bytes,
        epoch=now.epoch,
        promoted=now.promoted,
        paused=now.target_state == "paused",
        connected=now.connected,
        intact=now.intact,
        kept=now.kept,
        set_back_to=now.set_back_to,
        last_error=now.says,
    )


def overlap(one: Path, other: Path) -> bool:
    """Whether one of two paths lies in the other."""
    return one.is_relative_to(other) or other.is_relative_to(one)
