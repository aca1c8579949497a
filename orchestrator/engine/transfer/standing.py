"""How a source connection stands, as one value made of what its parts know."""

from __future__ import annotations

from orchestrator.engine.transfer.messages import DataState, TargetStatus
from orchestrator.engine.transfer.ports import SourceStatus, TransmitState
from orchestrator.engine.transfer.protocol import Phase, SourceSession
from orchestrator.engine.transfer.tally import Tally


def status_of(
    core: SourceSession,
    tally: Tally,
    committed: int,
    *,
    state: TransmitState,
    since_s: float,
    error: str,
    mirror_kind: str | None,
) -> SourceStatus:
    """The status of a connection whose log ends with ``committed``; ``mirror_kind`` None: no mirror runs."""
    ack = core.ack
    return SourceStatus(
        transmit_state=state,
        connected=core.phase is Phase.STREAMING,
        since_s=since_s,
        target_data_state=ack.data_state if ack else DataState.NOT_READY,
        target_state=ack.status if ack else TargetStatus.NOT_LOADED,
        target_queue_full=ack.queue_full if ack else False,
        says=error or (ack.says if ack else ""),
        mirror_active=mirror_kind is not None,
        mirror_kind=mirror_kind or "",
        mirror_bytes_sent=tally.mirror.plain_bytes,
        mirror_packed_bytes=tally.mirror.packed_bytes,
        mirror_queue_operations=core.unsent_items,
        replication_bytes_sent=tally.replication.plain_bytes,
        replication_packed_bytes=tally.replication.packed_bytes,
        replication_operations_sent=tally.operations,
        sent_bytes=tally.total.plain_bytes,
        packed_bytes=tally.total.packed_bytes,
        last_path=tally.last_path,
        queue_operations=max(0, committed - core.acknowledged),
        committed_sequence=committed,
        sent_sequence=core.sent,
        acknowledged_sequence=core.acknowledged,
        acknowledged_time_ns=tally.acknowledged_time_ns,
        applied_sequence=core.applied,
        lag_s=tally.lag_s() if committed > core.acknowledged else 0.0,
        target_queue_bytes=ack.queue_bytes if ack else 0,
        verify_required=ack.verify_required if ack else False,
    )
