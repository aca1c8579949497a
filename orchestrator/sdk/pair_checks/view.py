"""What checks of two Windows servers look at."""

from __future__ import annotations

from orchestrator.model.servers import Where
from orchestrator.model.windows import Windows
from orchestrator.sdk.checks import View

SOURCE, TARGET = Where.SOURCE, Where.TARGET
SIDES = (SOURCE, TARGET)


def windows_of(view: View, where: Where) -> Windows | None:
    """What a side says, where it runs Windows and answers."""
    side = view.inventory.on(where)
    return side.windows if view.on_windows and not side.unreachable else None


def both(view: View) -> tuple[Windows, Windows] | None:
    """What both sides say, or None where one is silent."""
    ours, theirs = windows_of(view, SOURCE), windows_of(view, TARGET)
    return (ours, theirs) if ours is not None and theirs is not None else None


def name(view: View, where: Where) -> str:
    """A side's server by its name."""
    return str(view.inventory.on(where).name)


def failed_over(view: View) -> bool:
    """Whether the target serves."""
    return view.serving is TARGET
