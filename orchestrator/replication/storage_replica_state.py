"""What a host says of its group of Storage Replica, and what that means: pure.

A line of the script's answer: {"group", "role": source|destination|none, "partner", "left": bool, "replicas": [{"volume", "status",
"mode", "size_bytes", "bytes_remaining", "in_sync_age_s"}]}. Ages are seconds by the host's own clock, None where it never was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from orchestrator.replication.errors import ReplicationBroken

IN_STEP = ("ContinuouslyReplicating", "ContinuouslyReplicatingInSync", "ContinuouslyReplicatingInRPO")
COPYING = ("InitialBlockCopy", "Initializing")
SUSPENDED = ("Suspended", "ReplicationSuspended")
CUT_OFF = ("ConnectingToSource", "WaitingForDestination", "WaitingForSource", "Offline", "NotReachable")
"""``ReplicationStatus`` by its kinds, underscores left out. What is in none of them counts as catching up."""


class ReplicaState(msgspec.Struct, frozen=True):
    """A volume of a group, as its host says."""

    volume: str
    status: str
    mode: str = ""
    size_bytes: int = 0
    bytes_remaining: int = 0
    in_sync_age_s: float | None = None

    @property
    def kind(self) -> str:
        """in-step, copying, suspended, cut-off or catching-up."""
        word = self.status.replace("_", "")
        for kind, words in (("in-step", IN_STEP), ("copying", COPYING), ("suspended", SUSPENDED), ("cut-off", CUT_OFF)):
            if word.lower() in {one.lower() for one in words}:
                return kind
        return "catching-up"


class GroupState(msgspec.Struct, frozen=True):
    """A group on one host. ``left``: it left its partnership when the source was gone, and its volumes live on their own."""

    group: str = ""
    role: str = "none"
    partner: str = ""
    left: bool = False
    replicas: tuple[ReplicaState, ...] = ()

    @property
    def sends(self) -> bool:
        """It is the source of a partnership."""
        return self.role == "source"

    @property
    def receives(self) -> bool:
        """It is the destination of a partnership."""
        return self.role == "destination"

    @property
    def bytes_remaining(self) -> int:
        """What is left to be received, over all volumes."""
        return sum(one.bytes_remaining for one in self.replicas)

    @property
    def percent(self) -> float | None:
        """How much of the volumes is there, in percent."""
        size = sum(one.size_bytes for one in self.replicas)
        return round(100 * (1 - self.bytes_remaining / size), 1) if size else None

    @property
    def age_s(self) -> float | None:
        """How old the oldest volume's state is; 0 while all are in step, None where one never was."""
        ages = [0.0 if one.kind == "in-step" else one.in_sync_age_s for one in self.replicas]
        known = [age for age in ages if age is not None]
        return max(known) if known and len(known) == len(ages) else None


def read(lines: tuple[Mapping[str, Any], ...], host: str) -> GroupState:
    """The answer of one host.

    Raises:
        ReplicationBroken: it is not understood.
    """
    try:
        (line,) = lines
        return msgspec.convert(dict(line), GroupState)
    except (ValueError, msgspec.ValidationError) as error:
        reason = f"{host} says of Storage Replica what is not understood: {error}"
        raise ReplicationBroken(reason, "compare the version of the scripts there: dtam hosts install") from error


def data_state(state: GroupState) -> str:
    """good, mirroring, mirror_required or not_ready, as the port speaks of it; the worst volume counts."""
    kinds = {one.kind for one in state.replicas}
    if not kinds:
        return "not_ready"
    if "copying" in kinds or any(one.kind == "cut-off" and one.in_sync_age_s is None for one in state.replicas):
        return "mirroring"
    return "good" if kinds <= {"in-step", "suspended", "cut-off"} else "mirror_required"


def state_word(sender: GroupState, receiver: GroupState) -> str:
    """Started, Paused or Error, as the port speaks of it."""
    kinds = {one.kind for one in (*sender.replicas, *receiver.replicas)}
    if "suspended" in kinds:
        return "Paused"
    return "Error" if "cut-off" in kinds else "Started"
