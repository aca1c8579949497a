"""What happened, one JSON line each, numbered for ever, bounded in size.

Appended and flushed; when the file passes its limit it is rewritten with the newest half. A torn last line (power cut while
appending) is dropped at the next start: the journal tells stories, decisions rest on the state files.
"""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestrator.engine.control import store
from orchestrator.engine.control.answers import Event

KEPT = 2000
LIMIT_BYTES = 4 * 1024 * 1024


class Events:
    """The journal of an engine. Callable from any thread; the lock guards numbers, memory and file together."""

    def __init__(
        self, path: Path, now_ns: Callable[[], int] = time.time_ns, *, warn: Callable[[str], None] = lambda _: None
    ) -> None:
        """Go on with the journal at ``path``; ``warn`` takes what a person must see (the system log)."""
        self._path = path
        self._warn = warn
        self._now_ns = now_ns
        self._lock = threading.Lock()
        self._kept: collections.deque[Event] = collections.deque(_read(path), maxlen=KEPT)
        self._next = self._kept[-1].n + 1 if self._kept else 1
        self._rewrite()

    def tell(self, kind: str, sentence: str, **facts: Any) -> None:
        """Something happened."""
        with self._lock:
            event = Event(n=self._next, time_ns=self._now_ns(), kind=kind, sentence=sentence, facts=facts)
            self._next += 1
            self._kept.append(event)
            self._file.write(event.model_dump_json() + "\n")
            self._file.flush()
            if self._file.tell() > LIMIT_BYTES:
                self._file.close()
                for _ in range(len(self._kept) // 2):
                    self._kept.popleft()
                self._rewrite()

    def alert(self, kind: str, sentence: str) -> None:
        """Something happened that a person must see."""
        self.tell(kind, sentence)
        self._warn(sentence)

    def after(self, number: int) -> list[Event]:
        """The events with a larger number that are still kept, oldest first."""
        with self._lock:
            return [event for event in self._kept if event.n > number]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()

    def _rewrite(self) -> None:
        store.write_text(self._path, "".join(event.model_dump_json() + "\n" for event in self._kept))
        self._file = self._path.open("a", encoding="utf-8")


def _read(path: Path) -> list[Event]:
    if not path.exists():
        return []
    events = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            events.append(Event.model_validate_json(line))
        except ValidationError:
            break
    return events
