"""Changes of names, attributes and bytes in an order that a seed decides: so the tree after deed K can be made again, and compared.

A deed knows beforehand which paths it touches; a tree that holds K deeds and part of deed K+1 differs from the tree made again only there.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LEDGER = "ledger"
MOST_FILES = 60
MOST_DIRECTORIES = 8


@dataclass(frozen=True, slots=True)
class Deed:
    """One change; ``do`` makes it below a root."""

    touched: frozenset[str]
    do: Callable[[Path], None]


class Churn:
    """The deeds of a seed, one after the other. The model: which names there are, and which of them are one file."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._files: dict[str, int] = {}
        self._directories: set[str] = set()
        self._made = 0
        self._kinds = (
            [self._make] * 4 + [self._append] * 4 + [self._overwrite] * 4 + [self._rename] * 4
            + [self._truncate, self._link, self._unlink, self._unlink, self._mkdir, self._rmdir, self._rename_directory]
            + [self._chmod, self._chown, self._attribute, self._symlink, self._allocate]
        )  # fmt: skip

    def next(self) -> Deed:
        """The next deed."""
        while True:
            deed = self._chance.choice(self._kinds)()
            if deed is not None:
                return deed

    # -- the model

    def _new_name(self) -> str:
        self._made += 1
        parent = self._chance.choice(["", *sorted(self._directories)])
        return f"{parent}/n{self._made}".lstrip("/")

    def _file(self) -> str | None:
        regular = sorted(path for path, inode in self._files.items() if inode >= 0)
        return self._chance.choice(regular) if regular else None

    def _names_of(self, path: str) -> frozenset[str]:
        return frozenset(name for name, inode in self._files.items() if inode == self._files[path])

    def _change(self, do: Callable[[Path], None]) -> Deed | None:
        path = self._file()
        return None if path is None else Deed(self._names_of(path), lambda root: do(root / path))

    # -- the deeds

    def _make(self) -> Deed | None:
        if len(self._files) >= MOST_FILES:
            return self._unlink()
        path, data = self._new_name(), self._chance.randbytes(self._chance.randrange(6000))
        self._files[path] = self._made
        return Deed(frozenset({path}), lambda root: _write(root / path, data))

    def _append(self) -> Deed | None:
        data = self._chance.randbytes(self._chance.randrange(1, 4000))
        return self._change(lambda path: _write_at(path, data, None))

    def _overwrite(self) -> Deed | None:
        data, offset = self._chance.randbytes(self._chance.randrange(1, 4000)), self._chance.randrange(9000)
        return self._change(lambda path: _write_at(path, data, offset))

    def _truncate(self) -> Deed | None:
        size = self._chance.randrange(5000)
        return self._change(lambda path: os.truncate(path, size))

    def _allocate(self) -> Deed | None:
        offset, size = self._chance.randrange(4000), self._chance.randrange(1, 8000)
        return self._change(lambda path: _allocate(path, offset, size))

    def _chmod(self) -> Deed | None:
        mode = self._chance.choice((0o600, 0o640, 0o4755, 0o444))
        return self._change(lambda path: path.chmod(mode))

    def _chown(self) -> Deed | None:
        owner, group = self._chance.randrange(3000), self._chance.randrange(3000)
        return self._change(lambda path: os.chown(path, owner, group))

    def _attribute(self) -> Deed | None:
        name, value = f"user.a{self._chance.randrange(3)}", self._chance.randbytes(20)
        return self._change(lambda path: os.setxattr(path, name, value))

    def _rename(self) -> Deed | None:
        """To a new name, or over another file; a name of the same file is left in peace, because the kernel does nothing then."""
        old = self._file()
        if old is None:
            return None
        other = self._file()
        over = other if other is not None and self._chance.random() < 0.3 else None
        new = over or self._new_name()
        if self._files.get(new) == self._files[old]:
            return None
        touched = self._names_of(old) | (self._names_of(new) if new in self._files else frozenset()) | {new}
        self._files[new] = self._files.pop(old)
        return Deed(touched, lambda root: os.rename(root / old, root / new))

    def _link(self) -> Deed | None:
        old = self._file()
        if old is None:
            return None
        new = self._new_name()
        touched = self._names_of(old) | {new}
        self._files[new] = self._files[old]
        return Deed(touched, lambda root: os.link(root / old, root / new))

    def _symlink(self) -> Deed:
        path, to = self._new_name(), f"n{self._chance.randrange(100)}"
        self._files[path] = -self._made
        return Deed(frozenset({path}), lambda root: os.symlink(to, root / path))

    def _unlink(self) -> Deed | None:
        if not self._files:
            return None
        path = self._chance.choice(sorted(self._files))
        touched = self._names_of(path)
        del self._files[path]
        return Deed(touched, lambda root: os.unlink(root / path))

    def _mkdir(self) -> Deed | None:
        if len(self._directories) >= MOST_DIRECTORIES:
            return None
        path = self._new_name()
        self._directories.add(path)
        return Deed(frozenset({path}), lambda root: (root / path).mkdir())

    def _rmdir(self) -> Deed | None:
        empty = sorted(one for one in self._directories if not self._below(one))
        if not empty:
            return None
        path = self._chance.choice(empty)
        self._directories.remove(path)
        return Deed(frozenset({path}), lambda root: (root / path).rmdir())

    def _rename_directory(self) -> Deed | None:
        if not self._directories:
            return None
        old = self._chance.choice(sorted(self._directories))
        self._made += 1
        new = f"n{self._made}"
        touched = frozenset({old, new, *self._below(old), *(_moved(path, old, new) for path in self._below(old))})
        self._files = {_moved(path, old, new): inode for path, inode in self._files.items()}
        self._directories = {_moved(path, old, new) for path in self._directories}
        return Deed(touched, lambda root: os.rename(root / old, root / new))

    def _below(self, directory: str) -> set[str]:
        return {path for path in (*self._files, *self._directories) if path.startswith(directory + "/")}


def _moved(path: str, old: str, new: str) -> str:
    return new + path.removeprefix(old) if path == old or path.startswith(old + "/") else path


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _write_at(path: Path, data: bytes, offset: int | None) -> None:
    handle = os.open(path, os.O_WRONLY | (os.O_APPEND if offset is None else 0))
    try:
        os.write(handle, data) if offset is None else os.pwrite(handle, data, offset)
    finally:
        os.close(handle)


def _allocate(path: Path, offset: int, size: int) -> None:
    handle = os.open(path, os.O_WRONLY)
    try:
        os.posix_fallocate(handle, offset, size)
    finally:
        os.close(handle)
