"""What can go wrong with `dtam serve` itself, and with asking it."""

from __future__ import annotations

from orchestrator.errors import DtamError
from orchestrator.model.outcomes import GiveUp


class ServedAlready(DtamError):
    template = "another dtam serve works over {home}"
    exit_code = 25
    hint_template = "one state directory has one dtam serve: systemctl status dtam-serve, or give another DTAM_HOME"


class ServeSilent(DtamError):
    template = "dtam serve did not answer: {why}"
    exit_code = 35
    hint_template = "systemctl status dtam-serve; what it does stands in dtam history"


class ServeRefuses(GiveUp):
    """What it was asked does not fit now."""
