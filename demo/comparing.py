"""Source and target compared file by file: content, kind, mode, owner, size, modification time, link target."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many files and directories were compared, and the relative paths of those that differ."""

    compared: int
    different: tuple[str, ...]


def compare_trees(one: Path, other: Path) -> Comparison:
    """Compare two directories. Times of directories are left out: they change by looking at neither side's data."""
    paths = sorted({*_paths(one), *_paths(other)})
    return Comparison(len(paths), tuple(path for path in paths if _portrait(one / path) != _portrait(other / path)))


def _paths(top: Path) -> Iterator[str]:
    for directory, directories, files in os.walk(top):
        for name in (*directories, *files):
            yield os.path.relpath(os.path.join(directory, name), top)  # noqa: PTH118 - plain strings, many of them


def _portrait(path: Path) -> tuple[object, ...]:
    try:
        seen = path.lstat()
    except FileNotFoundError:
        return ("absent",)
    common = (stat.S_IFMT(seen.st_mode), stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid)
    if stat.S_ISLNK(seen.st_mode):
        return (*common, path.readlink())
    if stat.S_ISREG(seen.st_mode):
        return (*common, seen.st_size, seen.st_mtime_ns, _digest(path))
    return common


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
