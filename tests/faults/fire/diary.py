"""What a load knows to be durable: after each commit its number, and where the log stood when the commit was answered.

A line is ``NUMBER LOG_ID SEQUENCE``. The fsync of the commit was answered before the log's end was read, so the whole commit lies at
or before that sequence. The file lies outside the captured directory and survives whatever is killed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

LOG_ID = slice(16, 32)
COMMITTED = slice(32, 40)


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit that was answered."""

    number: int
    log_id: str
    sequence: int


def log_end(page: Path) -> tuple[str, int]:
    """The id of a log and the sequence of its last whole record, from its state page."""
    with page.open("rb", buffering=0) as file:
        head = file.read(COMMITTED.stop)
    return head[LOG_ID].hex(), int.from_bytes(head[COMMITTED], "little")


class Diary:
    """The diary of one load, for appending."""

    def __init__(self, path: Path, page: Path) -> None:
        self._page = page
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def note(self, number: int) -> None:
        """A commit was answered."""
        log_id, sequence = log_end(self._page)
        os.write(self._file, f"{number} {log_id} {sequence}\n".encode())

    def close(self) -> None:
        os.close(self._file)


def read(path: Path) -> list[Commit]:
    """All whole lines of a diary."""
    if not path.exists():
        return []
    lines = path.read_text().split("\n")[:-1]
    return [Commit(int(number), log_id, int(sequence)) for number, log_id, sequence in map(str.split, lines)]


def owed(commits: list[Commit], log_id: str, sequence: int) -> int:
    """The largest number that a replica must hold which is good and stands at ``sequence`` of ``log_id``.

    A commit of an earlier log was on the disk before the present log began, and the mirror of the present log has read it.
    """
    return max((one.number for one in commits if one.log_id != log_id or one.sequence <= sequence), default=0)
