"""Both ends of a mirror in one process, joined by the bytes of their messages."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from orchestrator.engine.mirror.messages import Begin, decode_message, decode_reply, encode
from orchestrator.engine.mirror.options import MirrorOptions
from orchestrator.engine.mirror.rules import Rule, RuleSet
from orchestrator.engine.mirror.source import MirrorSource
from orchestrator.engine.mirror.target import MirrorTarget


def exchange(source: MirrorSource, target: MirrorTarget, budget_bytes: int = 4 << 20, rounds: int = 100_000) -> list:
    """Carry messages and replies to and fro until the mirror has ended; all messages that travelled."""
    sent = []
    for _ in range(rounds):
        if source.finished:
            return sent
        batch = [encode(message) for message in source.next_messages(budget_bytes)]
        replies = []
        for data in batch:
            message = decode_message(data)
            sent.append(message)
            replies.extend(encode(reply) for reply in target.handle(message))
        assert batch or replies, "nobody has anything to say"
        for data in replies:
            source.on_reply(decode_reply(data))
    raise AssertionError("the mirror does not end")


def mirror(source: Path, target: Path, options: MirrorOptions | None = None, rules=None, **more: object):
    """A whole mirror; the source's end, and what travelled."""
    ruleset = RuleSet(rules) if rules is not None else RuleSet([Rule()])
    keeper = more.pop("keeper", None)
    end = MirrorTarget(target, keeper)
    begin = MirrorSource(source, ruleset, options or MirrorOptions(), **more)
    sent = exchange(begin, end)
    end.close()
    assert isinstance(sent[0], Begin)
    return begin, sent


def picture(root: Path, *, directory_times: bool = True, hard_links: bool = True) -> dict[str, tuple]:
    """Everything that two equal trees have in common, by path."""
    found: dict[str, tuple] = {}
    groups: dict[int, str] = {}
    paths = [root]
    for above, directories, files in os.walk(root):
        paths.extend(Path(above) / name for name in directories + files)
    for path in sorted(paths):
        info = path.lstat()
        kind = stat.S_IFMT(info.st_mode)
        entry = [oct(info.st_mode), info.st_uid, info.st_gid]
        if kind != stat.S_IFDIR or directory_times:
            entry.append(info.st_mtime_ns)
        if kind == stat.S_IFLNK:
            entry.append(os.readlink(path))
        else:
            names = os.listxattr(path, follow_symlinks=False)
            entry.append([(name, os.getxattr(path, name)) for name in sorted(names)])
        if kind == stat.S_IFREG:
            entry.append(path.read_bytes())
            if info.st_nlink > 1 and hard_links:
                entry.append("same as " + groups.setdefault(info.st_ino, str(path.relative_to(root))))
        if kind in (stat.S_IFBLK, stat.S_IFCHR):
            entry.append(info.st_rdev)
        found[str(path.relative_to(root))] = tuple(entry)
    return found
