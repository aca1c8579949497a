"""A load that is a program of ours: started, told to end, killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.fire import diary

ROOT = Path(__file__).parents[3]


@dataclass
class Program:
    """The process and its diary; ``page`` is the state page of the log that its writes go through."""

    diary: Path
    page: Path
    process: subprocess.Popen[bytes] | None = field(default=None, kw_only=True)

    def run(self, module: str, *facts: object) -> None:
        """Start it; what it complains of is kept."""
        with self._complaints.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", module, *map(str, facts)], cwd=ROOT, stderr=log)

    @property
    def _complaints(self) -> Path:
        return self.diary.with_suffix(".log")

    def stop(self) -> None:
        """Let it end in order."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(60) == 0, self.said()
            self.process = None

    def kill(self) -> None:
        """SIGKILL, in the middle of a change as likely as not."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(60)
            self.process = None

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def said(self) -> str:
        return self._complaints.read_text()[-2000:] if self._complaints.exists() else ""

    def commits(self) -> list[diary.Commit]:
        """All that was answered to be durable."""
        return diary.read(self.diary)
