"""A connection as the control API shows it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Protocol

from orchestrator.engine.capture.synchronous import SynchronousState
from orchestrator.engine.control import schema
from orchestrator.engine.control.answers_connections import ConnectionStatus, Synchrony
from orchestrator.engine.control.edges import LinkNow
from orchestrator.engine.control.lines import Lines
from orchestrator.engine.control.peers import Peers
from orchestrator.engine.transfer.null_target import NOBODY

if TYPE_CHECKING:
    from orchestrator.engine.control.connections import ConnectionRecord


class Shown(Protocol):
    """What is told of a connection beside its link."""

    number: int
    record: ConnectionRecord
    problem: str


def as_synchrony(request: schema.ConnectionRequest, now: SynchronousState | None) -> Synchrony | None:
    """How a synchronous connection stands, as the control API shows it."""
    if now is None:
        return None
    return Synchrony(
        state=now.state,
        since=dt.datetime.fromtimestamp(now.since_ns / 1e9, dt.UTC).isoformat(),
        why=now.why,
        wait_s=request.synchronous_wait_s,
        when_late=request.when_late,
        flushes=now.flushes,
        mean_wait_ms=now.waited_ns / now.flushes / 1e6 if now.flushes else 0.0,
        waiting=now.waiting,
    )


def as_answer(held: Shown, now: LinkNow | None, peers: Peers, lines: Lines) -> ConnectionStatus:
    """A connection as the control API shows it."""
    record, request = held.record, held.record.request
    known = peers.find(request.target)
    address = request.route.address if request.route else (known.address if known else "")
    address = NOBODY.name if request.simulate else address
    line = lines.get(address or NOBODY.name)
    now = now or LinkNow(state="Error", last_error=held.problem)
    since = dt.datetime.fromtimestamp(now.since_ns / 1e9, dt.UTC).isoformat() if now.since_ns else ""
    return ConnectionStatus(
        id=held.number,
        key=record.key,
        replication_set=request.replication_set,
        target=request.target,
        target_address=address,
        purpose=request.purpose,
        protection=request.protection,
        epoch=request.epoch,
        state=now.state,
        transmit_state=now.transmit_state,
        mirror_state=now.mirror_state,
        replication_state=now.replication_state,
        target_data_state=now.target_data_state,
        target_state=now.target_state,
        mirror_bytes_sent=now.mirror_bytes_sent,
        mirror_bytes_total=now.mirror_bytes_total,
        mirror_bytes_skipped=now.mirror_bytes_skipped,
        mirror_bytes_remaining=now.mirror_bytes_remaining,
        mirror_percent=now.mirror_percent,
        mirror_files_compared=now.mirror_files_compared,
        mirror_files_different=now.mirror_files_different,
        mirror_compressed_bytes_sent=now.mirror_compressed_bytes_sent,
        mirror_queue_operations=now.mirror_queue_operations,
        replication_bytes_sent=now.replication_bytes_sent,
        replication_compressed_bytes_sent=now.replication_compressed_bytes_sent,
        replication_queue_bytes=now.replication_queue_bytes,
        replication_queue_operations=now.replication_queue_operations,
        queue_operations=now.queue_operations,
        queue_memory_bytes=now.queue_memory_bytes,
        queue_disk_bytes=now.queue_disk_bytes,
        sent_bytes=now.sent_bytes,
        compressed_bytes_sent=now.compressed_bytes_sent,
        target_queue_bytes=now.target_queue_bytes,
        target_queue_full=now.target_queue_full,
        commit_mode="Scheduled" if now.transmit_state == "Scheduled" else "Real-time",
        last_file=now.last_file,
        compression=line.compression,
        bandwidth_bytes_s=line.bandwidth.rate_bytes_s if line.bandwidth else None,
        simulated=request.simulate,
        acknowledged_sequence=now.acknowledged_sequence,
        acknowledged_time_ns=now.acknowledged_time_ns,
        committed_sequence=now.committed_sequence,
        applied_sequence=now.applied_sequence,
        lag_s=now.lag_s,
        last_error=now.last_error,
        since=since,
        says=now.says,
        terms=request.terms.model_copy(update={"compression": line.compression, "bandwidth": line.bandwidth}),
        mode=request.mode,
        synchrony=as_synchrony(request, now.synchrony),
    )
