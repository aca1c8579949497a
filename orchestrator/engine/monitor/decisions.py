"""Why the target did, or did not, fail over: one record a decision, with its inputs, votes, rule, and when it looks again (AM-28).

A record is written when the rule, the condition or the deed differs from the one before, so an hour of health is one line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

KEEP_BYTES = 1024 * 1024


class Decision(msgspec.Struct, frozen=True):
    """One decision. ``act`` is one of nothing, begin, advance, cancel; ``looks_again_s`` from ``time_ns`` on."""

    time_ns: int
    protection: str
    epoch: int
    condition: str
    rule: str
    act: str
    says: str
    looks_again_s: float
    votes: tuple[str, ...] = ()
    inputs: dict[str, Any] = {}
    run_id: str = ""

    @property
    def kind(self) -> tuple[str, str, str, str]:
        """What makes two decisions the same for the record."""
        return (self.condition, self.rule, self.act, self.run_id)


class DecisionLog:
    """The newest decisions in memory, all that changed something in a file (and one older file beside it)."""

    def __init__(self, path: Path | None = None, keep: int = 200) -> None:
        self._path = path
        self._keep = keep
        self._recent: list[Decision] = []
        self.latest: Decision | None = None

    def note(self, decision: Decision) -> bool:
        """Take a decision; True when it was new enough to be recorded. A log that cannot be written stops nothing."""
        before, self.latest = self.latest, decision
        if before is not None and before.kind == decision.kind:
            return False
        self._recent = [*self._recent, decision][-self._keep :]
        if self._path is not None:
            self._append(self._path, decision)
        return True

    def recent(self) -> tuple[Decision, ...]:
        """The recorded ones, oldest first."""
        return tuple(self._recent)

    @staticmethod
    def _append(path: Path, decision: Decision) -> None:
        try:
            if path.exists() and path.stat().st_size > KEEP_BYTES:
                path.replace(path.with_suffix(path.suffix + ".1"))
            with path.open("ab") as file:
                file.write(msgspec.json.encode(decision) + b"\n")
        except OSError:
            return
