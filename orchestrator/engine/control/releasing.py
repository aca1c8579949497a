"""How far a log may be forgotten: up to what the slowest of its connections has acknowledged; all of it where there is none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from orchestrator.engine.control.keeping import write_acknowledged
from orchestrator.engine.control.mounts import Mounts

LOOK_S = 1.0


class Releases:
    """The acknowledged sequences by log and connection. One lock."""

    def __init__(self, mounts: Mounts) -> None:
        self._mounts = mounts
        self._lock = threading.Lock()
        self._acknowledged: dict[Path, dict[str, int]] = {}
        self._arrived: dict[tuple[Path, str], Callable[[], int]] = {}
        self._written: dict[Path, int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._tidy, name="releases", daemon=True)

    def start(self) -> None:
        """Begin to let go of logs that nobody reads."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()

    def hold(self, path: Path, key: str, arrived_ns: Callable[[], int]) -> None:
        """A connection reads this log from now on: nothing more is forgotten until it acknowledges.

        ``arrived_ns`` tells up to which instant every change arrived, 0 when that is not known.
        """
        with self._lock:
            self._acknowledged.setdefault(path, {}).setdefault(key, 0)
            self._arrived[path, key] = arrived_ns

    def acknowledged(self, path: Path, key: str, sequence: int) -> None:
        """A connection's target has everything up to a sequence."""
        with self._lock:
            known = self._acknowledged.setdefault(path, {})
            known[key] = sequence
            self._release(path, min(known.values()))

    def forget(self, path: Path, key: str) -> None:
        """A connection is over."""
        with self._lock:
            known = self._acknowledged.get(path, {})
            known.pop(key, None)
            self._arrived.pop((path, key), None)
            if known:
                self._release(path, min(known.values()))

    def _release(self, path: Path, sequence: int) -> None:
        capture = self._mounts.capture(str(path))
        if capture is not None and capture.state.released_sequence < sequence <= capture.state.committed_sequence:
            capture.state.released_sequence = sequence

    def _tidy(self) -> None:
        while not self._stopping.wait(LOOK_S):
            for mount in self._mounts.listed():
                with self._lock:
                    if not self._acknowledged.get(Path(mount.path)):
                        self._release(Path(mount.path), mount.committed_sequence)
            self.write_down()

    def write_down(self) -> None:
        """Remember how far each log's changes have arrived everywhere."""
        with self._lock:
            asked = list(self._arrived.items())
        arrived: dict[Path, int] = {}
        for (path, _), arrived_ns in asked:
            now_ns = arrived_ns()
            arrived[path] = min(arrived.get(path, now_ns), now_ns)
        for path, now_ns in arrived.items():
            if now_ns and self._written.get(path) != now_ns:
                write_acknowledged(self._mounts.places(str(path)).log_dir, now_ns)
                self._written[path] = now_ns
