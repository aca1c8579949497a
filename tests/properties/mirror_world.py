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
import time
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
from orchestrator.engine.oplog.format import Kind, Operation
from tests.unit.mirror.loopback import picture

OWNER = (os.geteuid() << 32) | os.getegid()
NAMES = ["a", "b", "c", "d", "e"]
SIZES = [0, 1, 700, 5000, 65536, 65537, 150_000, 300_000]


class Source:
    """A directory that changes at random, and the log of it."""

    def __init__(self, root: Path, rng: random.Random, changes: int, *, many_links: bool = False) -> None:
        self.root, self.rng, self.left = root, rng, changes
        self.often = [self.link, self.link, self.rename, self.write, self.unlink] * 4 if many_links else []
        self.log: list[Operation] = []
        self.shipped_to = 0
        self.unsettled: set[int] = set()
        self._stamp = 1_600_000_000_000_000_000

    def end(self) -> int:
        return len(self.log)

    def shipped(self) -> int:
        return self.shipped_to

    def record(self, kind: Kind, path: Path, path2: bytes = b"", **more: object) -> None:
        self.log.append(Operation(kind, len(self.log) + 1, time.time_ns(), self.relative(path), path2, **more))

    def relative(self, path: Path) -> bytes:
        return os.fsencode(path.relative_to(self.root))

    def paths(self) -> list[Path]:
        return sorted(self.root.rglob("*"))

    def somewhere(self) -> Path:
        directories = [self.root, *(p for p in self.paths() if p.is_dir() and not p.is_symlink())]
        return self.rng.choice(directories) / self.rng.choice(NAMES)

    def a_file(self) -> Path | None:
        files = [p for p in self.paths() if p.is_file() and not p.is_symlink()]
        return self.rng.choice(files) if files else None

    def maybe_change(self, probability: float) -> None:
        """Now and then something happens."""
        while self.left > 0 and self.rng.random() < probability:
            self.change()

    def change(self) -> None:
        """One change, if the dice fall on something that is possible."""
        self.left -= 1
        deed = self.rng.choice(
            [
                self.write,
                self.write,
                self.write,
                self.truncate,
                self.create,
                self.create,
                self.mkdir,
                self.symlink,
                self.link,
                self.link,
                self.rename,
                self.rename,
                self.rename,
                self.unlink,
                self.unlink,
                self.rmdir,
                self.chmod,
                self.utimens,
                self.setxattr,
                self.punch,
                self.exchange,
                self.settle,
                *self.often,
            ]
        )
        with contextlib.suppress(OSError):
            deed()

    def write(self) -> None:
        path = self.a_file()
        if path is None:
            return
        size = path.stat().st_size
        offset = self.rng.randrange(size + 2000)
        data = self.rng.randbytes(self.rng.choice([1, 10, 4096, 20_000]))
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(data)
        self.record(Kind.WRITE, path, a=offset, data=data)
        self.touched(path)

    def touched(self, path: Path) -> None:
        """The time of a change is logged when the file is closed: now, or later."""
        if self.rng.random() < 0.6:
            self.log_times(path)
        else:
            self.unsettled.add(path.stat().st_ino)

    def log_times(self, path: Path) -> None:
        info = path.stat()
        self.unsettled.discard(info.st_ino)
        self.record(Kind.UTIMENS, path, a=info.st_atime_ns, b=info.st_mtime_ns)

    def settle(self) -> None:
        for path in self.paths():
            if path.is_file() and not path.is_symlink() and path.stat().st_ino in self.unsettled:
                self.log_times(path)

    def truncate(self) -> None:
        path = self.a_file()
        if path is not None:
            size = self.rng.choice(SIZES)
            os.truncate(path, size)
            self.record(Kind.TRUNCATE, path, a=size)
            self.touched(path)

    def create(self) -> None:
        path = self.somewhere()
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640))
        self.record(Kind.CREATE, path, a=path.stat().st_mode, b=OWNER)
        if self.rng.random() < 0.8:
            data = self.rng.randbytes(self.rng.choice(SIZES))
            path.write_bytes(data)
            self.record(Kind.WRITE, path, a=0, data=data)
        self.touched(path)

    def mkdir(self) -> None:
        path = self.somewhere()
        path.mkdir(mode=0o750)
        self.record(Kind.MKDIR, path, a=path.stat().st_mode, b=OWNER)

    def symlink(self) -> None:
        path = self.somewhere()
        path.symlink_to(self.rng.choice(NAMES))
        self.record(Kind.SYMLINK, path, os.readlink(os.fsencode(path)), b=OWNER)
        self.log_link_times(path)

    def log_link_times(self, path: Path) -> None:
        info = path.lstat()
        self.record(Kind.UTIMENS, path, a=info.st_atime_ns, b=info.st_mtime_ns)

    def link(self) -> None:
        path, path2 = self.a_file(), self.somewhere()
        if path is not None:
            os.link(path, path2)
            self.record(Kind.LINK, path, self.relative(path2))

    def rename(self) -> None:
        paths = self.paths()
        if not paths:
            return
        path, path2 = self.rng.choice(paths), self.somewhere()
        if path2 in [path, *path.parents] or self.same_file(path, path2):
            return
        os.rename(path, path2)
        self.record(Kind.RENAME, path, self.relative(path2))

    def same_file(self, path: Path, path2: Path) -> bool:
        """The kernel renames a file to another name of itself by doing nothing, and tells no file system."""
        return os.path.lexists(path2) and os.path.samestat(path.lstat(), path2.lstat())

    def exchange(self) -> None:
        paths = self.paths()
        if len(paths) < 2:
            return
        path, path2 = self.rng.sample(paths, 2)
        if path in path2.parents or path2 in path.parents or self.same_file(path, path2):
            return
        between = self.root / "~"
        os.rename(path, between)
        os.rename(path2, path)
        os.rename(between, path2)
        self.record(Kind.RENAME, path, self.relative(path2), a=2)

    def unlink(self) -> None:
        paths = [p for p in self.paths() if p.is_symlink() or not p.is_dir()]
        if paths:
            path = self.rng.choice(paths)
            path.unlink()
            self.record(Kind.UNLINK, path)

    def rmdir(self) -> None:
        empty = [p for p in self.paths() if p.is_dir() and not p.is_symlink() and not any(p.iterdir())]
        if empty:
            path = self.rng.choice(empty)
            path.rmdir()
            self.record(Kind.RMDIR, path)

    def chmod(self) -> None:
        path = self.a_file()
        if path is not None:
            path.chmod(self.rng.choice([0o600, 0o644, 0o400 if os.geteuid() == 0 else 0o700]))
            self.record(Kind.CHMOD, path, a=path.stat().st_mode & 0o7777)

    def utimens(self) -> None:
        path = self.a_file()
        if path is not None:
            self.utimens_of(path)

    def utimens_of(self, path: Path) -> None:
        """A time that no other file has."""
        self._stamp += 1_000_000_007
        os.utime(path, ns=(self._stamp, self._stamp))
        self.record(Kind.UTIMENS, path, a=self._stamp, b=self._stamp)
        self.unsettled.discard(path.stat().st_ino)

    def setxattr(self) -> None:
        path = self.a_file()
        if path is not None:
            value = self.rng.randbytes(3)
            os.setxattr(path, "user.note", value)
            self.record(Kind.SETXATTR, path, b"user.note", data=value)

    def punch(self) -> None:
        path = self.a_file()
        if path is not None and path.stat().st_size > 70_000:
            fd = os.open(path, os.O_RDWR)
            os.pwrite(fd, bytes(8192), 4096)
            os.close(fd)
            self.record(Kind.FALLOCATE, path, a=4096, b=8192, flags=3)
            self.touched(path)


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
