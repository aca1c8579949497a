"""What can go wrong with `dtam serve` itself, and with asking it."""

from __future__ import annotations

from pathlib import Path

from orchestrator.model.outcomes import GiveUp


class ServedAlready(GiveUp):
    """One state directory has one `dtam serve`."""

    def __init__(self, home: Path) -> None:
        super().__init__(f"another dtam serve works over {home}", "systemctl status dtam-serve, or another DTAM_HOME")


class ServeSilent(GiveUp):
    """It did not answer, or went away in the middle."""

    def __init__(self, why: str) -> None:
        hint = "systemctl status dtam-serve; what it does stands in dtam history"
        super().__init__(f"dtam serve did not answer: {why}", hint)


class ServeRefuses(GiveUp):
    """What it was asked does not fit now."""
