"""Which files belong to a protected directory: everything below it, unless somebody overrides the generated rules."""

from __future__ import annotations

from typing import Any

from orchestrator.model.settings import Root, RuleSettings, Settings

GENERATED = (RuleSettings(path="", include=True, recursive=True),)


def rules(settings: Settings) -> tuple[RuleSettings, ...]:
    """The overriding rules, or the generated one."""
    return settings.advanced.rules if settings.advanced.override_generated_rules else GENERATED


def rules_of(settings: Settings, root: Root) -> list[dict[str, Any]]:
    """The rules of one directory, relative to it, as an engine takes them. Absolute paths elsewhere belong to other directories."""
    base = root.source_path.rstrip("/")
    taken: list[dict[str, Any]] = []
    for rule in rules(settings):
        relative = _relative(rule.path, base)
        if relative is not None:
            taken.append({"path": relative, "include": rule.include, "recursive": rule.recursive})
    return taken


def _relative(path: str, base: str) -> str | None:
    if not path.startswith("/"):
        return path.strip("/")
    if path.rstrip("/") == base:
        return ""
    return path.removeprefix(base + "/").rstrip("/") if path.startswith(base + "/") else None
