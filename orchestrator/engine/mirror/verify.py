"""Verification: whether the target's data is identical to the source's (Linux guide, chapter 11).

It is a mirror that only compares; with ``remirror`` what differs is sent as well, and the log tells the state before that. The log is
named after the set, lies on the source, and stops growing at its maximum length. A file that an application is writing right now may
show as different though it is not: the state is that of the moment when it was looked at.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orchestrator.engine.mirror.options import MirrorKind, MirrorOptions, OrphanAction, OrphanPolicy

DEFAULT_FILE_NAME = "DTVerify.log"
DEFAULT_MAXIMUM_BYTES = 1_048_576


class VerifyOptions(msgspec.Struct, frozen=True):
    """What a verification does.

    Attributes:
        remirror: send what differs.
        only_newer: of that, only what is newer on the source.
        checksum: compare the content of all files by blocks, not only size and time.
        orphans: what only the target has; without ``remirror`` it is logged at most.
    """

    remirror: bool = False
    only_newer: bool = False
    checksum: bool = False
    orphans: OrphanPolicy = OrphanPolicy(OrphanAction.LOG)

    def mirror_options(self) -> MirrorOptions:
        """The mirror that does this."""
        return MirrorOptions(
            kind=MirrorKind.DIFFERENCE,
            checksum=self.checksum,
            checksum_all=self.checksum,
            only_newer=self.only_newer,
            report_only=not self.remirror,
            orphans=self.orphans,
        )


@dataclass(slots=True)
class VerifyTotals:
    """What the end of the log sums up."""

    files: int = 0
    same: int = 0
    different: int = 0
    orphans: int = 0
    errors: int = 0
    size_bytes: int = 0


def log_path(folder: Path, set_name: str, file_name: str = DEFAULT_FILE_NAME) -> Path:
    """``UserData DTVerify.log`` for the set UserData."""
    return folder / f"{set_name} {file_name}"


class VerificationLog:
    """Writes one verification into the set's log; an Observer of the mirror.

    Args:
        path: see ``log_path``.
        maximum_bytes: beyond it nothing is written (the totals still count).
        append: keep earlier verifications.
        now: the local time.
    """

    hears_same = True

    def __init__(
        self,
        path: Path,
        *,
        maximum_bytes: int = DEFAULT_MAXIMUM_BYTES,
        append: bool = True,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_APPEND if append else os.O_TRUNC)
        self._fd = os.open(path, flags, 0o600)
        self._room = maximum_bytes - os.fstat(self._fd).st_size
        self._now = now
        self.totals = VerifyTotals()

    def begin(self, set_name: str, target: str, options: VerifyOptions) -> None:
        """The begin marker."""
        how = "block checksum" if options.checksum else "size and time"
        then = "differences are mirrored" if options.remirror else "report only"
        self._write(f"--- Verification Start {self._stamp()} set {set_name} target {target} ({how}; {then})")

    def end(self) -> VerifyTotals:
        """The end marker with the totals."""
        totals = self.totals
        self._write(
            f"--- Verification End {self._stamp()} files {totals.files} same {totals.same} different {totals.different} "
            f"orphans {totals.orphans} errors {totals.errors} bytes {totals.size_bytes}"
        )
        os.fsync(self._fd)
        os.close(self._fd)
        return totals

    def same(self, path: bytes, size: int) -> None:
        """Nothing differs: counted, and listed."""
        self._count(size)
        self.totals.same += 1
        self._write(f"same      {_shown(path)} {size} bytes")

    def different(self, path: bytes, size: int, why: str, blocks: list[int], block_count: int) -> None:
        """Listed with what differs."""
        self._count(size)
        self.totals.different += 1
        where = ""
        if block_count:
            first = ", ".join(str(offset) for offset in blocks[:20])
            where = f"; {block_count} blocks of 64 KiB, at {first}{', ...' if block_count > 20 else ''}"
        self._write(f"different {_shown(path)} {size} bytes: {why}{where}")

    def orphan(self, path: bytes) -> None:
        """Only the target has it."""
        self.totals.orphans += 1
        self._write(f"orphan    {_shown(path)}")

    def trouble(self, path: bytes, why: str) -> None:
        """It could not be compared."""
        self.totals.errors += 1
        self._write(f"error     {_shown(path)}: {why}")

    def _count(self, size: int) -> None:
        self.totals.files += 1
        self.totals.size_bytes += size

    def _write(self, line: str) -> None:
        data = (line + "\n").encode("utf-8", "surrogateescape")
        if len(data) <= self._room:
            self._room -= len(data)
            os.write(self._fd, data)
        else:
            self._room = 0

    def _stamp(self) -> str:
        return self._now().isoformat(timespec="seconds")


def _shown(path: bytes) -> str:
    """A path on one line."""
    return os.fsdecode(path).replace("\n", "\\n") or "."
