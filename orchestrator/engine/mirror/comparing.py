"""What the target needs of a file of which it may have something already: the rows of the guide's table (chapter 10)."""

from __future__ import annotations

import os
import stat as st

from orchestrator.engine.mirror.messages import Entry, Need, Verdict
from orchestrator.engine.mirror.options import SMALL_FILE_BYTES, MirrorOptions


def flagged(entry: Entry, now: os.stat_result, options: MirrorOptions) -> str:
    """Why a file that both sides have counts as different; empty if it does not."""
    if options.only_missing:
        return ""
    if options.only_newer:
        return "newer" if entry.meta.mtime_ns > now.st_mtime_ns else ""
    if entry.meta.size != now.st_size:
        return "size"
    return "time" if entry.meta.mtime_ns != now.st_mtime_ns else ""


def judge(index: int, entry: Entry, now: os.stat_result | None, options: MirrorOptions) -> Verdict | None:
    """What is needed of a regular file; None if nothing is.

    Args:
        index: of the entry in its message.
        entry: what the source has.
        now: what the target has at the same path.
        options: of the mirror.
    """
    if now is None or not st.S_ISREG(now.st_mode):
        return Verdict(index, Need.WHOLE, why="missing" if now is None else "kind")
    why = "changed meanwhile" if entry.force else flagged(entry, now, options)
    every = options.checksum_all and not (options.only_missing or options.only_newer)
    if entry.force or every:
        return _by_checksum(index, now, why)
    if not (why or options.sends_all):
        return None
    if (options.checksum or options.report_only) and not options.sends_all:
        return _by_checksum(index, now, why)
    return Verdict(index, Need.WHOLE, why=why)


def leaves_alone(entry: Entry, now: os.stat_result, options: MirrorOptions) -> bool:
    """Whether the target's own file counts, with all its attributes."""
    return options.only_missing or (options.only_newer and now.st_mtime_ns > entry.meta.mtime_ns)


def _by_checksum(index: int, now: os.stat_result, why: str) -> Verdict:
    need = Need.SUM if now.st_size <= SMALL_FILE_BYTES else Need.BLOCKS
    return Verdict(index, need, why=why)
