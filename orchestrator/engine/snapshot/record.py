"""What is remembered of one snapshot: a small JSON file that is written whole or not at all.

A snapshot exists when its record does. Content without a record is rubbish that the next sweep removes.
"""

from __future__ import annotations

import re
import secrets
import time
from enum import StrEnum
from pathlib import Path

import msgspec

from orchestrator.engine.mirror.durable import write_durably

ID_PATTERN = r"^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}$"
_ID = re.compile(ID_PATTERN)
GOOD = "good"


class Kind(StrEnum):
    """How it was taken."""

    BTRFS = "btrfs"
    REFLINK = "reflink"
    COPY = "copy"


class Reason(StrEnum):
    """Why it was taken."""

    BY_HAND = "by hand"
    PERIODIC = "periodic"
    BEFORE_REMIRROR = "before remirror"
    BEFORE_FAILOVER = "before failover"


class SnapshotRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot. ``data_state``: what the files were worth when it was taken; ``position``: the last operation that is in it.

    ``size_bytes`` is what the files take, counted while they were copied; None where they were not looked at one by one (btrfs).
    ``held_s`` is how long the applier stood still for it.
    """

    id: str
    root: str
    kind: Kind
    reason: Reason
    time_ns: int
    data_state: str
    position: int
    log_id: str = ""
    position_time_ns: int = 0
    epoch: int = 0
    replica: str = ""
    protection: str = ""
    source: str = ""
    replication_set: str = ""
    label: str = ""
    size_bytes: int | None = None
    held_s: float = 0.0
    mounted_at: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it is a state that the source really was in."""
        return self.data_state == GOOD


def new_id(now_ns: int | None = None) -> str:
    """A name for snapshots that are taken together: the time in UTC and a few random letters."""
    seconds = (time.time_ns() if now_ns is None else now_ns) // 10**9
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(seconds))}-{secrets.token_hex(3)}"


def is_id(text: str) -> bool:
    """Whether a text can be the name of a snapshot."""
    return _ID.match(text) is not None


def save(directory: Path, record: SnapshotRecord) -> None:
    """Write the record; durable when this returns."""
    write_durably(directory / f"{record.id}.json", msgspec.json.format(msgspec.json.encode(record), indent=1))


def load(path: Path) -> SnapshotRecord:
    """Read a record.

    Raises:
        OSError: it cannot be read.
        msgspec.MsgspecError: it is none.
    """
    return msgspec.json.decode(path.read_bytes(), type=SnapshotRecord)
