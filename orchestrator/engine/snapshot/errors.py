"""What can go wrong with a snapshot."""

from __future__ import annotations

from orchestrator.errors import DtamError


class SnapshotFailed(DtamError):
    template = "{deed} {root}: {why}"
    exit_code = 125
    hint_template = "look at free space and rights there; delete snapshots that nobody needs: dtengine snapshots list"


class SnapshotCancelled(SnapshotFailed):
    """Somebody needed the replica more; nothing is left of the snapshot."""
