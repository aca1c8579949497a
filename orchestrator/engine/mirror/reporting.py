"""What a verification tells of names: the target compares and changes nothing."""

from __future__ import annotations

import stat as st
from collections.abc import Callable, Iterator

from orchestrator.engine.mirror import beneath, placing
from orchestrator.engine.mirror.comparing import judge, leaves_alone
from orchestrator.engine.mirror.messages import Entries, Entry, Need, Verdict
from orchestrator.engine.mirror.metadata import same_besides_data
from orchestrator.engine.mirror.options import MirrorOptions

SumOf = Callable[[int, bytes], bytes]
"""The checksum of a small file in an open directory."""


def report(root_fd: int, message: Entries, options: MirrorOptions, sum_of: SumOf) -> Iterator[Verdict]:
    """What differs, or has to be compared by its content."""
    try:
        with beneath.directory(root_fd, message.directory) as fd:
            for index, entry in enumerate(message.entries):
                verdict = _report_one(fd, index, entry, options, sum_of)
                if verdict is not None:
                    yield verdict
    except OSError as error:
        if error.errno not in beneath.NOT_THERE:
            raise
        for index in range(len(message.entries)):
            yield Verdict(index, Need.WHOLE, why="missing")


def _report_one(dir_fd: int, index: int, entry: Entry, options: MirrorOptions, sum_of: SumOf) -> Verdict | None:
    now = placing.look(dir_fd, entry.name)
    if now is None or st.S_IFMT(now.st_mode) != st.S_IFMT(entry.meta.mode):
        return Verdict(index, Need.WHOLE, why="missing" if now is None else "kind")
    if not entry.meta.is_file:
        same = entry.meta.is_directory or placing.same_special(entry.meta, now, dir_fd, entry.name)
        return None if same else Verdict(index, Need.WHOLE, why="link")
    verdict = judge(index, entry, now, options)
    if verdict is not None and verdict.need is Need.SUM:
        return Verdict(index, Need.SUM, sum_of(dir_fd, entry.name), verdict.why)
    if verdict is None and not (same_besides_data(entry.meta, now) or leaves_alone(entry, now, options)):
        return Verdict(index, Need.ATTRIBUTES, why="owner or mode")
    return verdict
