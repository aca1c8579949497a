"""The disk that the machine's own state lies on: one JSON file a part, each change whole and fsynced, so that a power cut loses nothing said."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

TRIES = 20


class Store:
    """Reads and writes the parts' files below one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._saving = threading.Lock()
        self.durable = (
            any(directory.glob("*.json")) if directory.exists() else False
        )  # the installation itself need not be
        directory.mkdir(parents=True, exist_ok=True)

    def load(self, name: str) -> dict[str, Any] | None:
        """The part as it was last saved; None before the first time."""
        path = self.directory / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else None

    def save(self, name: str, data: dict[str, Any]) -> None:
        """Replace the part's file in one step; several threads may save at once, and change while one saves."""
        with self._saving:
            self._save(self.directory / f"{name}.json", self._text(data))

    def _text(self, data: dict[str, Any]) -> str:
        for _ in range(TRIES):
            try:
                return json.dumps(data, indent=1)
            except RuntimeError:  # changed by another thread meanwhile
                continue
        return json.dumps(data, indent=1)

    def _save(self, path: Path, text: str) -> None:
        written = path.with_suffix(".json.new")
        with written.open("w") as file:
            file.write(text)
            file.flush()
            if self.durable:
                os.fsync(file.fileno())
        written.replace(path)
        if self.durable:
            self._sync()

    def _sync(self) -> None:
        descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
