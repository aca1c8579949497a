"""How a link stands, in the words and figures of the Linux guide, chapter 9."""

from __future__ import annotations

import os
from typing import Protocol

from orchestrator.engine.capture.state import StatePage
from orchestrator.engine.capture.synchronous import SynchronousState
from orchestrator.engine.control.desk import MirrorDesk
from orchestrator.engine.control.edges import Capture, LinkNow
from orchestrator.engine.control.watchlink import Findings
from orchestrator.engine.oplog.format import HEADER_BYTES
from orchestrator.engine.transfer.messages import DataState
from orchestrator.engine.transfer.ports import SourceStatus, TransmitState


class Shown(Protocol):
    """What is looked at of a link."""

    desk: MirrorDesk

    @property
    def capture(self) -> Capture:
        """What is replicated."""

    @property
    def findings(self) -> Findings | None:
        """The watcher's findings, where there is no log."""

    @property
    def synchrony(self) -> SynchronousState | None:
        """How a synchronous connection stands."""

    @property
    def accepted(self) -> int | None:
        """The epoch that the target accepted."""

    @property
    def restore_required(self) -> bool:
        """Whether the target is live."""

    @property
    def replicating(self) -> bool:
        """Whether operations are sent."""


def link_now(link: Shown, status: SourceStatus) -> LinkNow:
    """A link's figures."""
    page, findings = link.capture.state, link.findings
    waiting = status.queue_operations
    last_file = (not status.mirror_active and status.last_path) or link.desk.progress.current
    return LinkNow(
        state=status.transmit_state.value,
        transmit_state=status.transmit_state.value,
        mirror_state=mirror_state(link, status),
        replication_state=replication_state(link, status),
        target_data_state=(DataState.RESTORE_REQUIRED if link.restore_required else status.target_data_state).value,
        target_state=status.target_state.value,
        mirror_bytes_sent=status.mirror_bytes_sent,
        mirror_bytes_total=link.desk.progress.total_bytes,
        mirror_bytes_skipped=link.desk.progress.skipped_bytes,
        mirror_bytes_remaining=link.desk.progress.remaining_bytes,
        mirror_percent=link.desk.progress.percent,
        mirror_files_compared=link.desk.progress.files_compared,
        mirror_files_different=link.desk.progress.files_different,
        replication_bytes_sent=status.replication_bytes_sent,
        mirror_compressed_bytes_sent=status.mirror_packed_bytes,
        mirror_queue_operations=status.mirror_queue_operations,
        replication_compressed_bytes_sent=status.replication_packed_bytes,
        replication_queue_bytes=waiting_bytes(page, waiting),
        replication_queue_operations=waiting,
        queue_operations=waiting + status.mirror_queue_operations,
        queue_memory_bytes=page.memory_bytes,
        queue_disk_bytes=page.disk_bytes,
        sent_bytes=status.sent_bytes,
        compressed_bytes_sent=status.packed_bytes,
        target_queue_bytes=status.target_queue_bytes,
        target_queue_full=status.target_queue_full,
        last_file=os.fsdecode(last_file),
        acknowledged_sequence=findings.done if findings else status.acknowledged_sequence,
        acknowledged_time_ns=findings.reported_ns if findings else status.acknowledged_time_ns,
        committed_sequence=findings.seen if findings else page.committed_sequence,
        applied_sequence=findings.done if findings else status.applied_sequence,
        lag_s=findings.lag_s() if findings else status.lag_s,
        last_error=status.says if status.transmit_state is TransmitState.ERROR else "",
        since_ns=int(status.since_s * 1e9),
        says=status.says,
        synchrony=link.synchrony,
        accepted_epoch=link.accepted,
    )


def waiting_bytes(page: StatePage, operations: int) -> int:
    """About how large so many operations are, by the mean of all that the log ever held."""
    mean = page.data_bytes_total // max(1, page.operations_total) + HEADER_BYTES
    return min(operations * mean, page.memory_bytes + page.disk_bytes)


def mirror_state(link: Shown, status: SourceStatus) -> str:
    """The guide's word for what the mirror does."""
    said = link.desk.state()
    return "Waiting" if said == "Idle" and status.target_data_state is DataState.MIRRORING else said


def replication_state(link: Shown, status: SourceStatus) -> str:
    """The guide's word for what replication does."""
    if not link.replicating:
        return "Stopped"
    if link.capture.state.out_of_step:
        return "Out of Memory"
    if not status.connected or status.target_data_state in {"mirror_required", "not_ready"}:
        return "Pending"
    return "Replicating" if status.queue_operations else "Ready"
