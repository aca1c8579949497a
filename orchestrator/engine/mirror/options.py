"""How a mirror compares and what it does with what only the target has: values that both ends know.

The five rows of the guide's table are combinations of ``kind``, ``only_newer``, ``checksum`` and ``checksum_all``.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

BLOCK_BYTES = 64 << 10
"""The unit of comparison: one xxh3_128 a block."""
SMALL_FILE_BYTES = 64 << 10
"""A file up to this size travels whole, many in one message."""
CHUNK_BYTES = 1 << 20
"""A bigger file travels in chunks of this size."""
REGION_BYTES = 4 << 20
"""So much of a file is compared by one message of checksums."""
LONGEST_DATA_PATH_BYTES = 4095
"""Longer paths are skipped and logged."""


class MirrorKind(StrEnum):
    """Everything, or only what differs."""

    FULL = "full"
    DIFFERENCE = "difference"


class OrphanAction(StrEnum):
    """What happens to what exists on the target and not on the source."""

    IGNORE = "ignore"
    LOG = "log"
    MOVE = "move"
    DELETE = "delete"


class OrphanPolicy(msgspec.Struct, frozen=True):
    """``older_than_s`` 0 means all; ``move_to`` is an absolute path of the target outside the replica."""

    action: OrphanAction = OrphanAction.IGNORE
    older_than_s: int = 0
    move_to: str = ""


class MirrorOptions(msgspec.Struct, frozen=True):
    """What to send.

    Attributes:
        kind: FULL sends every file; DIFFERENCE those whose size or modification time differs.
        checksum: of files flagged as different, only the differing blocks travel.
        checksum_all: every file is compared by checksum, whatever size and time say.
        only_newer: only files that are newer on the source. Not for databases.
        only_missing: only files that the target does not have at all (a restore that overwrites nothing).
        report_only: compare, change nothing (a verification).
        orphans: what only the target has.
        keeps_deleted: what the source removes meanwhile stays at the target.
        orphans_only: look for orphans in a target that is good, and compare nothing (orphans by hand).
    """

    kind: MirrorKind = MirrorKind.FULL
    checksum: bool = False
    checksum_all: bool = False
    only_newer: bool = False
    only_missing: bool = False
    report_only: bool = False
    orphans: OrphanPolicy = OrphanPolicy()
    keeps_deleted: bool = False
    orphans_only: bool = False

    @property
    def sends_all(self) -> bool:
        """Whether every file travels without being compared."""
        return self.kind is MirrorKind.FULL and not (self.only_missing or self.report_only or self.checksum_all)

    @property
    def by_evidence(self) -> bool:
        """Whether size, time and attributes alone decide, so that one digest can speak for a directory."""
        return self.kind is MirrorKind.DIFFERENCE and not (self.checksum_all or self.spares or self.orphans_only)

    @property
    def spares(self) -> bool:
        """Whether what the target has may stay though the source has something else."""
        return self.only_missing or self.only_newer or self.report_only
