"""The settings of a protection, grouped as the guide's tabs: Failover, Monitoring, Connection, Advanced.

Every option has its default, its unit at the end of its name, and its limits. Defaults and limits are the guide's (chapter 6 of
the Application Manager guide) where it has them. Unknown keys are refused. Where each value came from is kept beside the
settings (``Protection.origins``), not in them, so that equal settings compare equal.
"""

from __future__ import annotations

from typing import Self

from pydantic import ValidationInfo, model_validator

from orchestrator.model.fields import ClientName, ShortName, Tab, chosen_now
from orchestrator.model.settings_advanced import (
    AdvancedTab,
    CreateSettings,
    RuleSettings,
    ScriptSettings,
    SilencedCheck,
)
from orchestrator.model.settings_application import ApplicationMonitoring
from orchestrator.model.settings_cluster import ClusterSettings, ResourceSettings
from orchestrator.model.settings_connection import ConnectionTab, OrphanSettings, QueueSettings, Root, Route
from orchestrator.model.settings_failover import FailoverTab, Item
from orchestrator.model.settings_monitoring import MonitoringTab
from orchestrator.model.settings_services import HealthSettings, ServiceCommands, ServiceSettings
from orchestrator.model.settings_snapshots import SnapshotsTab

__all__ = [
    "AdvancedTab",
    "ApplicationMonitoring",
    "ClusterSettings",
    "ConnectionTab",
    "CreateSettings",
    "FailoverTab",
    "HealthSettings",
    "Item",
    "MonitoringTab",
    "OrphanSettings",
    "QueueSettings",
    "ResourceSettings",
    "Root",
    "Route",
    "RuleSettings",
    "ScriptSettings",
    "ServiceCommands",
    "ServiceSettings",
    "Settings",
    "SilencedCheck",
    "SnapshotsTab",
]


class Settings(Tab):
    """All settings of one protection. ``name`` is the full DNS name that clients use."""

    application: ShortName
    source: ShortName
    target: ShortName
    name: ClientName
    failover: FailoverTab = FailoverTab()
    monitoring: MonitoringTab = MonitoringTab()
    connection: ConnectionTab = ConnectionTab()
    snapshots: SnapshotsTab = SnapshotsTab()
    advanced: AdvancedTab = AdvancedTab()

    @model_validator(mode="after")
    def _two_servers(self) -> Self:
        if self.source.lower() == self.target.lower():
            msg = f"source and target are the same server, {self.source}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _application_can_be_asked(self, info: ValidationInfo) -> Self:
        watch, tab = self.monitoring.application, self.failover
        asks = tab.health.url or tab.health.command or tab.sql is not None or tab.shares_files
        if chosen_now(info) and watch is not None and watch.points == "built-in" and not asks:
            msg = "monitoring.application has nothing to ask: give failover.health, or points: custom with a script"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _rules_or_selection(self, info: ValidationInfo) -> Self:
        sql = self.failover.sql
        both = self.advanced.override_generated_rules and sql is not None and sql.mode == "instance" and sql.databases
        if chosen_now(info) and both:
            msg = "advanced.override_generated_rules says what travels, so failover.sql.databases chooses nothing: leave one of the two out"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _fits_a_cluster(self, info: ValidationInfo) -> Self:
        if not chosen_now(info) or self.failover.cluster is None:
            return self
        if self.monitoring.application is not None:
            msg = "monitoring.application is not available for a cluster: leave it out, or failover.cluster"
            raise ValueError(msg)
        if not self.monitoring.cushion_s:
            msg = "a cluster needs monitoring.cushion_s: how many seconds its group takes to move between nodes"
            raise ValueError(msg)
        return self

    @property
    def is_watched(self) -> bool:
        """Whether the target watches the source; never one whose data nothing carries."""
        make = self.advanced.create
        return self.monitoring.enabled and make.monitor and make.connection

    @property
    def replication_set(self) -> str:
        """The name of the replication set; by default application_source_target, as the guide names it, which allows no period."""
        return self.advanced.replication_set or f"{self.application}_{self.source}_{self.target}".replace(".", "-")

    def set_name(self, position: int) -> str:
        """The set of the root at ``position``: each captured directory keeps its own order, so each has its own set."""
        return self.replication_set if position == 0 else f"{self.replication_set}_{position + 1}"
