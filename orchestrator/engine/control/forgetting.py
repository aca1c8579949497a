"""When a person may let a replica be forgotten: nobody sends to it any more, and nothing that was changed in it is lost unsaid."""

from __future__ import annotations

from orchestrator.engine.apply.replica import Replica
from orchestrator.engine.control.errors import Conflict
from orchestrator.engine.control.schema import ReplicaAction


def refuse_unless_over(replica: Replica, action: ReplicaAction) -> None:
    """Its data stays where it is; what is forgotten is that it belongs to a source.

    Raises:
        Conflict: its source is connected, or it is live since a failover and its changes were not let go.
    """
    record, what = replica.record, f"forgetting {replica.record.root}"
    if replica.status().connected:
        hint = f"end the connection at {record.source}: that forgets it here, too"
        raise Conflict(what=what, why=f"{record.source} sends to it", hint=hint)
    if record.promoted and not action.discard_changes:
        hint = "restore it to its source, or let its changes go with discard_changes"
        raise Conflict(what=what, why="it is live since a failover", hint=hint)
