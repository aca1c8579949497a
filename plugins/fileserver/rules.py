"""Which files belong to a protected directory: everything below it, unless somebody overrides the generated rules."""

from __future__ import annotations

from typing import Any

from orchestrator.model.settings import Root, RuleSettings, Settings
from orchestrator.sdk.pair_plans.rules import relative

GENERATED = (RuleSettings(path="", include=True, recursive=True),)


def rules(settings: Settings) -> tuple[RuleSettings, ...]:
    """The overriding rules, or the generated one."""
    return settings.advanced.rules if settings.advanced.override_generated_rules else GENERATED


def rules_of(settings: Settings, root: Root) -> list[dict[str, Any]]:
    """The rules of one directory, relative to it, as an engine takes them. Absolute paths elsewhere belong to other directories."""
    return relative(rules(settings), root)
