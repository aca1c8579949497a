"""Alerts go to the host's system log as well: what a person must see even where nobody looks at dtam."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
from pathlib import Path


class _Quiet(logging.handlers.SysLogHandler):
    """What the system log does not take is not cried about."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the handler's name for it
        """Nothing."""


class SystemLog:
    """Writes to the socket of the system log; a host without one is none the worse for it."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def warn(self, sentence: str) -> None:
        """Say one sentence, with priority daemon.warning."""
        with contextlib.suppress(OSError):
            handler = _Quiet(str(self._socket), facility=logging.handlers.SysLogHandler.LOG_DAEMON)
            try:
                handler.emit(logging.LogRecord("dtengine", logging.WARNING, "", 0, f"dtengine: {sentence}", None, None))
            finally:
                handler.close()
