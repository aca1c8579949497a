"""What an engine says about snapshots."""

from __future__ import annotations

from typing import Literal

from orchestrator.engine.control.fields import Answer
from orchestrator.engine.control.schema_snapshots import SnapshotSettings


class SnapshotStatus(Answer):
    """One snapshot. ``good``: a state that the source was in; ``path``: where its content lies; ``needed`` says why it stays."""

    id: str
    kind: Literal["btrfs", "reflink", "copy"]
    reason: str
    label: str = ""
    time_ns: int
    data_state: str
    good: bool
    position: int = 0
    position_time_ns: int = 0
    epoch: int = 0
    size_bytes: int | None = None
    held_s: float = 0.0
    path: str = ""
    mounted_at: str = ""
    needed: str = ""


class SnapshotShelf(Answer):
    """The snapshots of one replica. ``kind``: how the next is taken, ``why_not_better``; ``under_way``: what is being done now.

    ``last_id`` and ``last_problem`` are about the newest deed; ``next_ns``: when the next periodic one is due.
    """

    replica: str
    protection: str = ""
    replication_set: str = ""
    root: str
    kind: Literal["btrfs", "reflink", "copy", "unknown"] = "unknown"
    why_not_better: str = ""
    settings: SnapshotSettings = SnapshotSettings()
    settings_by_hand: bool = False
    next_ns: int | None = None
    under_way: str = ""
    last_id: str = ""
    last_problem: str = ""
    set_back_to: str = ""
    snapshots: list[SnapshotStatus] = []
