"""Two trees compared by everything that a replica must have the same: kind, mode, owner, times, names, links, attributes, bytes.

Not compared: the time of a directory, which moves with its entries and is not carried for itself (docs/explanation/capture.md).
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

BLOCK_BYTES = 1 << 20


def _digest(path: Path) -> str:
    summed = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            summed.update(block)
    return summed.hexdigest()


def _seen(path: Path, *, times: bool) -> tuple[object, ...]:
    status = path.lstat()
    attributes = tuple(
        (name, os.getxattr(path, name, follow_symlinks=False))
        for name in sorted(os.listxattr(path, follow_symlinks=False))
    )
    common = (oct(status.st_mode), status.st_uid, status.st_gid, attributes)
    if stat.S_ISREG(status.st_mode):
        changed_ns = status.st_mtime_ns if times else 0
        return (*common, status.st_nlink, status.st_size, changed_ns, _digest(path))
    return (*common, os.readlink(path)) if stat.S_ISLNK(status.st_mode) else common


def tree(root: Path, *, times: bool = True) -> dict[str, tuple[object, ...]]:
    """Every path below ``root`` with what it is."""
    found = {".": _seen(root, times=times)}
    for directory, names, files in os.walk(root):
        for name in (*names, *files):
            path = Path(directory, name)
            found[str(path.relative_to(root))] = _seen(path, times=times)
    return found


def differences(one: Path, other: Path) -> list[str]:
    """What differs, a line each; empty for identical trees."""
    here, there = tree(one), tree(other)
    return [
        f"{path}: {here.get(path)} / {there.get(path)}"
        for path in sorted({*here, *there})
        if here.get(path) != there.get(path)
    ]
