"""Rules of a replication set, relative to one of its directories, as an engine takes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orchestrator.model.settings import Root, RuleSettings


def relative(rules: Iterable[RuleSettings], root: Root) -> list[dict[str, Any]]:
    """Those of the rules that speak of a directory. Absolute paths elsewhere belong to other directories."""
    base = root.source_path.rstrip("/")
    taken: list[dict[str, Any]] = []
    for rule in rules:
        path = _relative(rule.path, base)
        if path is not None:
            taken.append({"path": path, "include": rule.include, "recursive": rule.recursive})
    return taken


def _relative(path: str, base: str) -> str | None:
    if not path.startswith("/"):
        return path.strip("/")
    if path.rstrip("/") == base:
        return ""
    return path.removeprefix(base + "/").rstrip("/") if path.startswith(base + "/") else None
