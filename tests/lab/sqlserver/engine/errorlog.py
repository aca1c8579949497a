"""The ERRORLOG of an instance: read by people and tests."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

from tests.lab.sqlserver.engine.port import SqlFailure

KEPT = 6


class ErrorLog:
    """Lines with their time. The last six starts are kept (ERRORLOG.1 ...)."""

    def __init__(self, directory: Path, platform: str) -> None:
        self.path = directory / ("errorlog" if platform == "linux" else "ERRORLOG")
        self._lock = threading.Lock()

    def rotate(self) -> None:
        """A start begins its own file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for number in range(KEPT - 1, 0, -1):
            old = self.path.with_name(f"{self.path.name}.{number}")
            if old.exists():
                old.rename(self.path.with_name(f"{self.path.name}.{number + 1}"))
        if self.path.exists():
            self.path.rename(self.path.with_name(f"{self.path.name}.1"))

    def write(self, text: str, source: str = "Server") -> None:
        """One message."""
        at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:22]
        with self._lock, self.path.open("a", encoding="utf-8") as out:
            out.write(f"{at} {source:<11} {text}\n")

    def error(self, failure: SqlFailure, source: str = "spid9s") -> None:
        """An error with its number."""
        self.write(f"Error: {failure.number}, Severity: {failure.severity}, State: {failure.state}.", source)
        self.write(failure.message, source)
