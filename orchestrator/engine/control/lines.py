"""The ways from this engine to target addresses: their compression and bandwidth, remembered, and changed while they are used.

Lock: one for the table; lines have their own.
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

from orchestrator.engine.control import store
from orchestrator.engine.control.events import Events
from orchestrator.engine.control.schema_lines import LineSettings
from orchestrator.engine.control.schema_terms import ConnectionTerms
from orchestrator.engine.transfer import compression
from orchestrator.engine.transfer.line import Line


class Lines:
    """The lines by address. Callable from any thread."""

    def __init__(self, directory: Path, events: Events) -> None:
        self._directory = directory
        self._events = events
        self._lock = threading.Lock()
        self._lines: dict[str, Line] = {}
        self._settings: dict[str, LineSettings] = {}
        for settings in store.load_all(directory, LineSettings):
            self._take(settings)

    def to(self, address: str) -> Line:
        """The line that all connections to an address use."""
        with self._lock:
            return self._lines.setdefault(address, Line())

    def get(self, address: str) -> LineSettings:
        """How data travels to an address: plainly and freely where nobody said anything."""
        return self._settings.get(address) or LineSettings(address=address)

    def listed(self) -> list[LineSettings]:
        """All lines that somebody set."""
        return list(self._settings.values())

    def save(self, settings: LineSettings) -> LineSettings:
        """Send to an address like this from now on."""
        with self._lock:
            if settings == self.get(settings.address):
                return settings
            store.save(self._directory / f"{_key(settings.address)}.json", settings)
            self._take(settings)
        rate = f"{settings.bandwidth.rate_bytes_s} bytes a second" if settings.bandwidth else "no limit"
        self._events.tell("line", f"to {settings.address}: compression {settings.compression}, {rate}")
        return settings

    def carry(self, address: str, terms: ConnectionTerms) -> None:
        """As a connection wants it; what it says nothing of stays as it is."""
        wanted = {"compression": terms.compression, "bandwidth": terms.bandwidth}
        given = {name: value for name, value in wanted.items() if value is not None}
        self.save(self.get(address).model_copy(update=given))

    def _take(self, settings: LineSettings) -> None:
        line = self._lines.setdefault(settings.address, Line())
        rate = settings.bandwidth.rate_bytes_s if settings.bandwidth else None
        line.set(compression.Level(settings.compression), rate)
        self._settings = {**self._settings, settings.address: settings}


def _key(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()[:16]
