"""The only two failures a step knows, and what becomes of a step."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from orchestrator.errors import DtamError


class TryAgain(Exception):
    """Not yet: look again after ``after_s`` seconds. ``fraction`` (0 to 1) is progress where it is known."""

    def __init__(self, reason: str, *, after_s: float = 0.5, fraction: float | None = None) -> None:
        self.reason = reason
        self.after_s = after_s
        self.fraction = fraction
        super().__init__(reason)


class GiveUp(DtamError):
    """It will not come right by waiting. ``hint`` says what a person can do."""

    template = "{reason}"
    exit_code = 17
    hint_template = "{advice}"

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason=reason, advice=hint)


class UndoRefused(GiveUp):
    """Going back would lose something, and nothing was changed by trying: the run can still be resumed."""

    exit_code = 76


class Result(StrEnum):
    """How a step ended."""

    DONE = "done"
    ALREADY = "already"
    FAILED = "failed"
    UNDONE = "undone"
    SKIPPED = "skipped"


class Outcome(msgspec.Struct, frozen=True):
    """What became of one step; ``says`` is one sentence."""

    step: str
    result: Result
    says: str
    seconds: float = 0.0
    tries: int = 1
    hint: str = ""
