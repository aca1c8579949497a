"""What the applier cannot do (exit codes 56 and 57)."""

from __future__ import annotations

from orchestrator.errors import DtamError


class ReplicaUnusable(DtamError):
    """A replica's own files cannot be read or written."""

    template = "the replica in {where} cannot be used: {why}"
    exit_code = 56
    hint_template = "look at the directory's rights and free space; removing it means mirroring again"


class ReplicaPromoted(DtamError):
    """The target's data is live after a failover; replication must not write under it."""

    template = "the replica of {source} in {root} is live since the failover; it takes no operations"
    exit_code = 57
    hint_template = "fail back, or demote it with 'dtengine replicas act KEY demote' and mirror again"
