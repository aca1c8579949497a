"""The conditions of a pair by name; detection always runs, recovery is separate (orchestrator.failover)."""

from __future__ import annotations

from enum import StrEnum


class Condition(StrEnum):
    """What is so, as seen from the target's site. The response to each is decided in orchestrator.failover."""

    HEALTHY = "healthy"
    SOURCE_SILENT = "source_silent"
    SOURCE_DOWN = "source_down"
    SERVICE_DOWN = "service_down"
    LINK_DOWN = "link_down"
    TARGET_DOWN = "target_down"
    REPLICA_STALE = "replica_stale"
    REPLICA_NOT_READY = "replica_not_ready"
    WITNESS_SILENT = "witness_silent"
    WAITING_FOR_PERSON = "waiting_for_person"
    FAILED_OVER = "failed_over"
    HALF_APPLIED = "half_applied"


class Stage(StrEnum):
    """Where a protection stands for dtam."""

    CONFIGURED = "configured"
    ENABLED = "enabled"
    FAILED_OVER = "failed_over"
    RESTORED = "restored"
    DISABLED = "disabled"
