"""Alerts go to the host's system log as well: what a person must see even where nobody looks at dtam."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

DAEMON_WARNING = (3 << 3) | 4
"""Facility and severity of RFC 3164."""


class SystemLog:
    """Writes to the socket of the system log. A host without one, or with one that stands still, is none the worse for it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def warn(self, sentence: str) -> None:
        """Say one sentence, with priority daemon.warning. Never waits: what the log does not take now is not said there."""
        line = f"<{DAEMON_WARNING}>dtengine[{os.getpid()}]: {sentence}"
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto(line.encode(), str(self._path))
