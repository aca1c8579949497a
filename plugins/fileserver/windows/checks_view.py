"""What the checks of a Windows file server look at, and who serves."""

from __future__ import annotations

from orchestrator.model.servers import Where
from orchestrator.model.windows import Windows
from orchestrator.sdk.checks import View
from plugins.fileserver.checks_servers import serving

SOURCE, TARGET = Where.SOURCE, Where.TARGET
SIDES = (SOURCE, TARGET)


def windows_of(view: View, where: Where) -> Windows | None:
    """What a side says, where the protection is of a Windows file server and the side answers."""
    side = view.inventory.on(where)
    if view.settings.failover.windows is None or side.unreachable:
        return None
    return side.windows


def both(view: View) -> tuple[Windows, Windows] | None:
    """What both sides say, or None where one is silent."""
    ours, theirs = windows_of(view, SOURCE), windows_of(view, TARGET)
    return (ours, theirs) if ours is not None and theirs is not None else None


def name(view: View, where: Where) -> str:
    """A side's server by its name."""
    return str(view.inventory.on(where).name)


def failed_over(view: View) -> bool:
    """Whether the target serves."""
    return serving(view) is TARGET
