"""What the demo found out: the table at the end, and demo-report.json in the current directory."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from demo.narrator import Step

FILE = Path("demo-report.json")


@dataclass(slots=True)
class Found:
    """Seconds, bytes and counts of one run; what was not reached keeps its empty value.

    ``outage_s`` and ``failback_outage_s`` are the longest time in which the client had no answer. ``lost_writes`` were answered
    by the source but not yet acknowledged by the target when the power went; ``missing_writes`` are acknowledged ones that
    cannot be found: there must be none.
    """

    capture: str = ""
    detection_s: float = 0.0
    failover_s: float = 0.0
    outage_s: float = 0.0
    failback_outage_s: float = 0.0
    requests_per_s: float = 0.0
    acknowledged_writes: int = 0
    lost_writes: list[dict[str, Any]] = field(default_factory=list)
    missing_writes: list[str] = field(default_factory=list)
    set_aside: list[str] = field(default_factory=list)
    reads: int = 0
    wrong_reads: list[str] = field(default_factory=list)
    mirrored_bytes: int = 0
    replicated_bytes: int = 0
    restored_bytes: int = 0
    files_compared: int = 0
    files_different: list[str] = field(default_factory=list)
    fenced_after_return: bool = False
    cut_ns: int = 0
    steps: list[Step] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether everything is as promised."""
        early = [lost for lost in self.lost_writes if (lost["after_last_acknowledged_s"] or 0) < 0]
        broken = (self.files_different, self.missing_writes, self.wrong_reads, early)
        return self.files_compared > 0 and self.fenced_after_return and not any(broken)

    @property
    def _lost_words(self) -> str:
        if self.capture == "fuse":
            return "the target had acknowledged none of them"
        return "each listed in the report; the watcher acknowledges no single write"

    def document(self) -> dict[str, Any]:
        """The report as JSON holds it: differences as a count, with their names beside."""
        whole = asdict(self)
        del whole["cut_ns"]
        return whole | {
            "files_different": len(self.files_different),
            "files_different_names": self.files_different[:50],
            "good": self.is_good,
        }

    def rows(self) -> list[tuple[str, str]]:
        """The table for people."""
        return [
            ("capture", self.capture),
            ("detection", f"{self.detection_s:.1f} s after the power went"),
            ("failover", f"{self.failover_s:.1f} s from the decision to the service answering through its name"),
            ("outage", f"{self.outage_s:.1f} s as the client saw it ({self.failback_outage_s:.1f} s at the failback)"),
            ("client", f"{self.requests_per_s:.0f} requests a second, {self.acknowledged_writes} writes answered"),
            ("lost writes", f"{len(self.lost_writes)} ({self._lost_words})"),
            ("mirrored", f"{self.mirrored_bytes:,} bytes"),
            ("replicated", f"{self.replicated_bytes:,} bytes before the power went"),
            ("restored", f"{self.restored_bytes:,} bytes at the failback, differences only"),
            ("compared", f"{self.files_compared} files and directories, {len(self.files_different)} different"),
            ("time", f"{sum(step.seconds for step in self.steps):.0f} s"),
        ]

    def save(self) -> None:
        """Write demo-report.json."""
        FILE.write_text(json.dumps(self.document(), indent=2) + "\n")
