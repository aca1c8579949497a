"""A real directory that changes at random, by a seed; each change is made there and recorded as an operation, as capture would."""

from __future__ import annotations

import contextlib
import os
import random
import time
from pathlib import Path

from orchestrator.engine.oplog.format import Kind, Operation

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
