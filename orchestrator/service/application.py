"""What `dtam serve` asks the application itself, where the target has no engine; the same programs as an engine would run, on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from orchestrator.engine.control.schema_application import ApplicationWatch
from orchestrator.engine.monitor.application import Answered, ApplicationHealth, Point, ask
from orchestrator.model.protections import Protection
from orchestrator.pipeline import Pipeline
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans.points import wanted

NOT_GATHERED = Answered(ok=False, says="nothing was gathered about the servers yet: dtam discover")


def ask_application(pipeline: Pipeline, protection: Protection) -> Answered:
    """One round of the protection's points, here and now."""
    inventory = pipeline.store.inventory(protection.id)
    plugin = pipeline.application(protection.application)
    if inventory is None:
        return NOT_GATHERED
    planning = Planning(protection, inventory, protection.epoch, names=protection.names)
    document = wanted(protection.settings, lambda: plugin.points(planning))
    if document is None:
        return Answered(ok=True, says="nobody wants the application to be asked")
    settings = ApplicationWatch.model_validate(document)
    points = [Point(one.name, tuple(one.command), one.reads) for one in settings.points]
    own = {"PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}", "DTAM_HOME": str(pipeline.home)}
    return ask(points, os.environ | own | settings.environment, settings.timeout_s, str(pipeline.home))


def health_of(kept: dict[str, Any] | None, protection: Protection) -> ApplicationHealth:
    """Where the counting goes on: by what is kept of the last round, with the limit of the settings."""
    tab = protection.settings.monitoring.application
    allowed = tab.errors if tab else 1
    told = kept or {}
    return ApplicationHealth(
        allowed,
        int(told.get("errors", 0)),
        bool(told.get("alarmed", False)),
        str(told.get("said", ApplicationHealth(allowed).says)),
    )


def as_kept(health: ApplicationHealth) -> dict[str, Any]:
    """What is kept of a round, and shown."""
    told = {"errors": health.errors, "allowed": health.allowed, "alarmed": health.alarmed}
    return told | {"said": health.says, "says": health.sentence}
