"""Where a share's data lies on the target, whatever serves the share."""

from __future__ import annotations

from typing import Protocol

from orchestrator.model.paths import moved
from orchestrator.model.settings import Settings
from orchestrator.sdk.sides import root_of


class Placed(Protocol):
    """A share of either platform."""

    @property
    def name(self) -> str:
        """What clients call it."""
        ...

    @property
    def path(self) -> str:
        """Its directory."""
        ...


def target_path(settings: Settings, share: Placed) -> str | None:
    """Where a share's data lies on the target; None when no protected directory holds it."""
    root = root_of(settings, share.path)
    return moved(share.path, root.source_path, root.on_target) if root else None
