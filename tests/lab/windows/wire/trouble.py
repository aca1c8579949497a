"""Faults on request: what goes wrong on the wire, asked for through the control socket of the process."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass
class Wanted:
    """One fault. ``times``: how many answers it spoils, -1 for all; ``verb``: only answers to this operation, empty for any."""

    kind: str  # slow, reset, deny, unavailable
    times: int = 1
    verb: str = ""
    seconds: float = 0.0
    after_bytes: int = 0


class Trouble:
    """What is wanted now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: list[Wanted] = []
        self.healed = threading.Event()

    def want(self, wanted: Wanted) -> None:
        """From now on. Raises ValueError for a fault that is not known."""
        if wanted.kind not in {"slow", "reset", "deny", "unavailable"}:
            raise ValueError(wanted.kind)
        with self._lock:
            self.healed.clear()
            self._wanted.append(wanted)

    def heal(self) -> None:
        """Everything is well; who waits in a slow answer goes on."""
        with self._lock:
            self._wanted.clear()
            self.healed.set()

    def take(self, kind: str, verb: str) -> Wanted | None:
        """The fault of this kind that spoils this operation, if any; it has then been used once."""
        with self._lock:
            for one in self._wanted:
                if one.kind == kind and (not one.verb or one.verb == verb):
                    one.times -= 1
                    if one.times == 0:
                        self._wanted.remove(one)
                    return one
        return None
