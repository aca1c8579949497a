"""What the executor refuses (exit code 75)."""

from __future__ import annotations

from orchestrator.errors import DtamError


class FailoverRefused(DtamError):
    template = "{what} of {protection} is refused: {why}"
    exit_code = 75
    hint_template = "{next}"
