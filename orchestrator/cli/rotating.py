"""Logs of a limited size: a full one is kept once as ``NAME.prev.log``, and begun anew."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

LOG_LIMIT_BYTES = 1_000_000


def rotating(path: Path, limit_bytes: int = LOG_LIMIT_BYTES, *, shared: bool = False) -> RotatingFileHandler:
    """A handler that writes to ``path`` (``NAME.log``, made at the first line) until it holds ``limit_bytes``.

    ``shared``: processes write side by side, so each line names its own, and the file is opened at once.

    Raises:
        OSError: it cannot be opened.
    """
    handler = RotatingFileHandler(path, maxBytes=limit_bytes, backupCount=1, encoding="utf-8", delay=not shared)
    handler.namer = lambda name: name.removesuffix(".1").removesuffix(".log") + ".prev.log"
    process = "%(process)d " if shared else ""
    handler.setFormatter(logging.Formatter(f"%(asctime)s {process}%(levelname)s %(message)s"))
    return handler


def send(log: logging.Logger, handlers: list[logging.Handler], level: int = logging.INFO) -> None:
    """The records of a logger go to these handlers alone; those of before are closed."""
    for old in log.handlers:
        old.close()
    log.handlers[:] = handlers
    log.setLevel(level)
    log.propagate = False
