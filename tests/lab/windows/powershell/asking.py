"""What happens where somebody would have to answer."""

from __future__ import annotations

from tests.lab.windows.powershell.values import (
    ErrorRecord,
)


def not_interactive() -> ErrorRecord:
    """Nobody is there to answer."""
    message = "Windows PowerShell is in NonInteractive mode. Read and Prompt functionality is not available."
    return ErrorRecord(
        "InvalidOperation",
        message,
        "InvalidOperation",
        None,
        "System.Management.Automation.PSInvalidOperationException",
    )
