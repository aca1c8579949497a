"""The logs of the utilities that this engine's scripts call, for people who look from elsewhere: their last lines, nothing else of the host."""

from __future__ import annotations

import os
from pathlib import Path

from orchestrator.engine.control.answers import LogText
from orchestrator.engine.control.errors import Unknown

LOGS = {"dfo": "names/dfo.log", "exchfailover": "names/exchfailover.log"}
"""Where each log lies below the state directory."""
READ_BYTES = 2 * 1024 * 1024


def read(state: Path, name: str, lines: int) -> LogText:
    """The last lines of a log, those of its ``.prev.log`` before them; a log that nobody wrote yet is empty.

    Raises:
        Unknown: there is no log of that name.
    """
    if name not in LOGS:
        raise Unknown(kind="log", name=name, listing=f"there are {', '.join(LOGS)}")
    path = state / LOGS[name]
    return LogText(name=name, path=str(path), lines=tail(path, lines))


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a log and of what was kept of it before; at most so many, and at most two megabytes of each file."""
    before = path.with_name(f"{path.name.removesuffix('.log')}.prev.log")
    found = [*_last(before), *_last(path)]
    return found[-lines:]


def _last(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = max(0, size - READ_BYTES)
            file.seek(start)
            content = file.read()
    except OSError:
        return []
    whole = content.partition(b"\n")[2] if start else content
    return whole.decode(errors="replace").splitlines()
