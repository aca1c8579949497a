"""What a host says of its group of Storage Replica, read: the worst volume counts, and what is not understood is no state."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.replication.errors import ReplicationBroken
from orchestrator.replication.storage_replica_state import data_state, read, state_word


def replica(status: str, remaining: int = 0, age_s: float | None = 1.0) -> dict[str, Any]:
    return {"volume": "E:", "status": status, "size_bytes": 1000, "bytes_remaining": remaining, "in_sync_age_s": age_s}


def group(*replicas: dict[str, Any], role: str = "destination") -> Any:
    return read(({"group": "g", "role": role, "partner": "alpha", "replicas": list(replicas)},), "beta")


@pytest.mark.parametrize(
    ("status", "age_s", "state", "word"),
    [
        ("ContinuouslyReplicating", 1.0, "good", "Started"),
        ("ContinuouslyReplicating_InRPO", 1.0, "good", "Started"),
        ("ContinuouslyReplicatingNotInRPO", 1.0, "mirror_required", "Started"),
        ("InitialBlockCopy", None, "mirroring", "Started"),
        ("Recovering", 1.0, "mirror_required", "Started"),
        ("Suspended", 1.0, "good", "Paused"),
        ("ConnectingToSource", 5.0, "good", "Error"),
        ("ConnectingToSource", None, "mirroring", "Error"),
    ],
)
def test_statuses(status: str, age_s: float | None, state: str, word: str) -> None:
    receiver = group(replica(status, age_s=age_s))
    assert data_state(receiver) == state
    assert state_word(group(replica("ContinuouslyReplicating"), role="source"), receiver) == word


def test_the_worst_volume_counts() -> None:
    state = group(replica("ContinuouslyReplicating"), replica("InitialBlockCopy", 400, None))
    assert data_state(state) == "mirroring"
    assert state.bytes_remaining == 400
    assert state.percent == 80.0
    assert state.age_s is None


def test_age_is_that_of_the_oldest_volume_and_none_while_in_step() -> None:
    assert group(replica("ContinuouslyReplicating", age_s=90.0)).age_s == 0
    assert group(replica("ConnectingToSource", age_s=90.0), replica("Recovering", age_s=7.0)).age_s == 90.0


@pytest.mark.parametrize("lines", [(), ({}, {}), ({"group": 7},), ({"group": "g", "replicas": [{"volume": "E:"}]},)])
def test_what_is_not_understood_is_no_state(lines: tuple[Any, ...]) -> None:
    with pytest.raises(ReplicationBroken, match="beta says of Storage Replica"):
        read(lines, "beta")


def test_no_group_is_a_state() -> None:
    assert data_state(read(({"group": "", "role": "none", "replicas": []},), "beta")) == "not_ready"
