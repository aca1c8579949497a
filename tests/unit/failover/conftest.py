"""Snapshots for the decisions of the failover room, from a few words each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.engine.client import ConnectionStatus, ProtectionState, ReplicaStatus, ServiceStatus
from orchestrator.engine.control.answers import FenceStatus, MonitorStatus
from orchestrator.failover.snapshot import Side, Snapshot

ID = "fileprint_alpha_beta"


def state(role: str, **given: Any) -> ProtectionState:
    fence = FenceStatus(held=given.pop("fenced", False), reason=given.pop("fence_reason", ""))
    monitor = MonitorStatus(enabled=given.pop("monitor", True), colour=given.pop("colour", "green"))
    values = {"id": ID, "epoch": 1, "phase": "idle", "fence": fence, "monitor": monitor}
    return ProtectionState.model_validate({**values, "role": role, **given})


def service(running: bool) -> ServiceStatus:
    word = "running" if running else "stopped"
    return ServiceStatus(name="files", protection=ID, backend="command", state=word)


def connection(**given: Any) -> ConnectionStatus:
    values: dict[str, Any] = {
        "id": 1, "key": "k", "replication_set": "s", "target": "beta", "target_address": "127.0.0.3", "purpose": "protect",
        "protection": ID, "epoch": 1, "state": "Started", "transmit_state": "Active", "mirror_state": "Idle",
        "replication_state": "Replicating", "target_data_state": "good", "target_state": "Online",
    }  # fmt: skip
    return ConnectionStatus.model_validate({**values, **given})


def replica(**given: Any) -> ReplicaStatus:
    values = {"key": "k", "source": "alpha", "replication_set": "s", "target_root": "/t", "data_state": "good"}
    return ReplicaStatus.model_validate({**values, "protection": ID, **given})


@pytest.fixture
def build() -> Callable[..., Snapshot]:
    """A healthy pair, but for what is given: source, target, silent, connection, replica, serving."""

    def make(
        *,
        source: dict[str, Any] | None = None,
        target: dict[str, Any] | None = None,
        silent: str = "",
        known: str = "both",
        serving: str = "source",
        link: dict[str, Any] | None = None,
        data: str = "good",
        kept: str = "",
    ) -> Snapshot:
        sides = {}
        for role, name, words in (("source", "alpha", source), ("target", "beta", target)):
            if silent in {role, "both"}:
                sides[role] = Side(name, silence=f"engine {name} cannot be reached: connection refused")
                continue
            if known not in {role, "both"}:
                sides[role] = Side(name)
                continue
            sides[role] = Side(
                name,
                state=state(role, **(words or {})),
                services=(service(serving in {role, "both"}),),
                connections=(connection(**(link or {})),) if role == "source" and link != {"gone": True} else (),
                replicas=(replica(data_state=data, kept=kept),) if role == "target" else (),
            )
        return Snapshot(ID, sides["source"], sides["target"])

    return make
