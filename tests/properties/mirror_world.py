"""A source that changes while it is mirrored, the stream that carries both, and a target that handles it: one seeded schedule.

The source is a real directory; each change is made there and recorded as an operation, as capture would. Changes happen between any
two system calls of the mirror's reader. The stream is made by the order rule, in each of the ways it allows; the target lags behind
by a random length of queue and its answers come late. The target does operations with the engine's own deeds, tolerant, as during a mirror.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from unittest import mock

from orchestrator.engine.apply.operations import FileOperations
from orchestrator.engine.apply.root import Root
from orchestrator.engine.mirror import beneath, reading, sending, walk
from orchestrator.engine.mirror.messages import End, decode_message, decode_reply, encode
from orchestrator.engine.mirror.options import MirrorOptions, OrphanAction
from orchestrator.engine.mirror.rules import RuleSet
from orchestrator.engine.mirror.source import MirrorSource
from orchestrator.engine.mirror.target import MirrorTarget
from orchestrator.engine.mirror.walk import Scan
from orchestrator.engine.oplog.format import Operation
from tests.properties.changing_source import Source
from tests.unit.mirror.loopback import picture

OWNER = (os.geteuid() << 32) | os.getegid()
NAMES = ["a", "b", "c", "d", "e"]
SIZES = [0, 1, 700, 5000, 65536, 65537, 150_000, 300_000]


class Schedule:
    """One run: see the module."""

    def __init__(
        self, root: Path, seed: int, options: MirrorOptions, changes: int, *, how: str, many_links: bool = False
    ) -> None:
        self.rng = random.Random(seed)
        self.many_links = many_links
        self.how = how
        self.options = options
        self.orphans_go = options.orphans.action is OrphanAction.DELETE
        self.source = Source(root / "source", self.rng, changes, many_links=many_links)
        self.target_root = root / "target"
        for place in (self.source.root, self.target_root):
            place.mkdir(parents=True)
        self._plant()
        self.mirror = MirrorSource(self.source.root, RuleSet(), options, self.source)
        self.target = MirrorTarget(self.target_root)
        self.deeds = FileOperations(Root(self.target_root))
        self.queue: deque[Operation | bytes] = deque()
        self.replies: deque[bytes] = deque()
        self.waiting: deque[tuple[int, list[bytes]]] = deque()
        self.ends = 0

    def _plant(self) -> None:
        """A tree, and at the target another that has some of it, some of it changed, and things of its own."""
        for _ in range(self.rng.randrange(30)):
            self.source.left = 1
            self.source.change()
        self.source.log.clear()
        self.source.unsettled.clear()
        self.source.left = self.rng.randrange(10, 60)
        if self.rng.random() < 0.7:
            apart = ["--no-preserve=links"] if self.many_links and self.rng.random() < 0.5 else []
            subprocess.run(["cp", "-a", *apart, f"{self.source.root}/.", str(self.target_root)], check=True)
            other = Source(self.target_root, self.rng, 0)
            other._stamp -= 500_000_000_000_000_000
            for _ in range(self.rng.randrange(12) if self.orphans_go else 0):
                other.left = 1
                other.change()
            for path in other.paths():
                if path.is_file() and not path.is_symlink() and self.rng.random() < 0.3:
                    path.write_bytes(self.rng.randbytes(path.stat().st_size))
            self._tell_apart(other)

    def _tell_apart(self, other: Source) -> None:
        """A clock that ticks every 4 ms must not give different files the same time."""
        for path in other.paths():
            if path.is_file() and not path.is_symlink():
                here = self.source.root / path.relative_to(other.root)
                if not here.is_file() or here.is_symlink() or here.read_bytes() != path.read_bytes():
                    other.utimens_of(path)

    def run(self) -> None:
        """Until the mirror has ended and everything was handled."""
        with self._disturbed():
            for _ in range(20_000):
                self.turn()
                if self.mirror.finished and not self.queue and self.source.left <= 0:
                    break
            else:
                raise AssertionError("the mirror does not end")
        self.source.settle()
        self.ship(self.source.end())
        while self.queue:
            self.handle_one()

    def turn(self) -> None:
        """The session's thread does one round; meanwhile the target does something."""
        self.source.maybe_change(0.3)
        if self.rng.random() < 0.5:
            self.ship(self.rng.randrange(self.source.shipped_to, self.limit() + 1))
        if self.rng.random() < 0.8:
            self.mirror_batch()
        self.release()
        for _ in range(self.rng.randrange(6)):
            self.handle_one()
        while self.replies and self.rng.random() < 0.7:
            self.mirror.on_reply(decode_reply(self.replies.popleft()))

    def limit(self) -> int:
        """Operations past the gate of a batch that still waits may not be shipped."""
        return min([self.source.end(), *(gate for gate, _ in self.waiting)])

    def mirror_batch(self) -> None:
        batch = [encode(message) for message in self.mirror.next_messages(self.rng.choice([1, 100_000, 4 << 20]))]
        if not batch:
            return
        if self.how == "at once":
            self.queue.extend(batch)
        else:
            self.waiting.append((self.mirror.gate, batch))

    def release(self) -> None:
        """Send what waits: when all operations up to its gate were shipped, or ("any") at any place before."""
        while self.waiting:
            gate, batch = self.waiting[0]
            if self.how == "gated" and self.rng.random() < 0.5:
                return
            upto = gate if self.how == "gated" else self.rng.randrange(self.source.shipped_to, self.limit() + 1)
            self.ship(upto)
            self.queue.extend(batch)
            self.waiting.popleft()

    def ship(self, upto: int) -> None:
        for operation in self.source.log[self.source.shipped_to : upto]:
            self.queue.append(operation)
            self.mirror.note_operation(operation)
            self.source.shipped_to = operation.sequence

    def handle_one(self) -> None:
        if not self.queue:
            return
        item = self.queue.popleft()
        if isinstance(item, Operation):
            with contextlib.suppress(OSError):
                self.deeds.perform(item, tolerant=True, mirrored=True)
            return
        message = decode_message(item)
        self.replies.extend(encode(reply) for reply in self.target.handle(message))
        self.deeds.root.forget_tree()
        self.ends += isinstance(message, End)

    @contextlib.contextmanager
    def _disturbed(self) -> Iterator[None]:
        """Changes happen before any system call that reads."""

        def before(real):
            def called(*args: object, **kwargs: object):
                self.source.maybe_change(0.08)
                return real(*args, **kwargs)

            return called

        scan = os.scandir
        with contextlib.ExitStack() as stack:
            stack.enter_context(mock.patch.object(os, "scandir", lambda *where: _Sorted(scan(*where))))
            for place, name in [
                (beneath, "open_directory"),
                (sending, "open_file"),
                (sending, "regular"),
                (sending, "read_xattrs"),
                (reading, "read_into"),
                (sending, "meta_of"),
                (walk.Walk, "next_page"),
                (beneath, "look"),
            ]:
                stack.enter_context(mock.patch.object(place, name, before(getattr(place, name))))
            yield

    def differences(self) -> list[str]:
        """Paths that differ, with both sides."""
        mine = picture(self.source.root, directory_times=False)
        theirs = picture(self.target_root, directory_times=False)
        return [
            f"{path}: {_short(mine.get(path))} | {_short(theirs.get(path))}"
            for path in sorted(mine.keys() | theirs.keys())
            if mine.get(path) != theirs.get(path)
        ]

    def close(self) -> None:
        self.mirror.stop()
        self.target.close()
        self.deeds.root.close()


class _Sorted:
    """``os.scandir`` in the order of names: that of the disk is another on each, and a seed shall mean the same everywhere."""

    def __init__(self, scan: Scan) -> None:
        self.scan = scan

    def __iter__(self) -> Iterator[os.DirEntry[str]]:
        return iter(sorted(self.scan, key=lambda entry: entry.name))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        self.scan.close()


def _short(entry: tuple | None) -> str:
    if entry is None:
        return "-"
    return ", ".join(
        f"{len(part)} bytes {hash(part) & 0xFFFF:x}" if isinstance(part, bytes) else str(part) for part in entry
    )
