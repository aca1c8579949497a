"""The copies of a replicated volume: what changed up to one moment is sent, and kept at the destination until that becomes the source.

A source remembers what it sent last (an ``Image``), so that only what differs travels, blocks of large files included. The destination keeps a
tree; each change is on its disk as a whole before it is made there, and making it twice gives the same, so that a power cut leaves a whole moment.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TRIES = 5
BLOCK = 4096
RACY_NS = 50_000_000
"""A file changed so shortly before it was read may change again within the same tick of the clock: it is read again the next time."""


@dataclass(frozen=True)
class Entry:
    """A file, directory or link as it was; ``stamp`` tells whether it must be read again."""

    kind: str  # file directory link
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    target: str = ""
    data: bytes = b""
    stamp: tuple[int, int, int, int] | None = None

    @property
    def looks(self) -> tuple[object, ...]:
        """All but its bytes."""
        times = 0 if self.kind == "directory" else self.mtime_ns
        return (self.kind, self.mode, self.uid, self.gid, times, self.target)


@dataclass(frozen=True)
class Image:
    """A tree as of one moment."""

    entries: dict[str, Entry]
    token: str = field(default_factory=lambda: uuid.uuid4().hex)


NOTHING = Image({}, "")


def _below(root: Path, at: str = ".") -> Iterator[tuple[str, os.stat_result]]:
    yield at, os.stat(root / at, follow_symlinks=False)
    for one in sorted(os.scandir(root / at), key=lambda found: found.name):
        path = f"{at}/{one.name}"
        if one.is_dir(follow_symlinks=False):
            yield from _below(root, path)
        else:
            with contextlib.suppress(FileNotFoundError):
                yield path, one.stat(follow_symlinks=False)


def _stamp(status: os.stat_result) -> tuple[int, int, int, int]:
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _entry(file: Path, status: os.stat_result, known: Entry | None) -> Entry:
    about = (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns)
    if stat.S_ISDIR(status.st_mode):
        return Entry("directory", *about)
    if stat.S_ISLNK(status.st_mode):
        return Entry("link", *about, target=str(file.readlink()))
    if known is not None and known.stamp == _stamp(status):
        return known
    is_racy = time.time_ns() - status.st_mtime_ns < RACY_NS
    return Entry("file", *about, data=file.read_bytes(), stamp=None if is_racy else _stamp(status))


def taken(root: Path, known: Image = NOTHING) -> Image:
    """The tree as of one moment: looked at again while it changes under the reader (a few times). Programs that say when they write do not."""
    for left in reversed(range(TRIES)):
        with contextlib.suppress(FileNotFoundError):
            seen = dict(_below(root))
            entries = {path: _entry(root / path, status, known.entries.get(path)) for path, status in seen.items()}
            after = {path: _stamp(status) for path, status in _below(root)}
            if not left or after == {path: _stamp(status) for path, status in seen.items()}:
                return Image(entries)
    return known


def _parts(before: bytes, now: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    for at in range(0, len(now), BLOCK):
        block = now[at : at + BLOCK]
        if block == before[at : at + BLOCK]:
            continue
        if found and found[-1][0] + len(found[-1][1]) == at:
            found[-1] = (found[-1][0], found[-1][1] + block)
        else:
            found.append((at, block))
    return found


def difference(known: Image, now: Image) -> bytes | None:
    """What makes the tree ``now`` of the tree ``known``; None when nothing must be done."""
    gone = [path for path in known.entries if path not in now.entries]
    changed = []
    blobs: list[bytes] = []
    for path, entry in now.entries.items():
        old = known.entries.get(path)
        if old is not None and old.looks == entry.looks and old.data == entry.data:
            continue
        parts = _parts(old.data if old is not None and old.kind == "file" else b"", entry.data)
        blobs += [data for _, data in parts]
        changed.append(
            {
                "path": path,
                "about": [entry.kind, entry.mode, entry.uid, entry.gid, entry.mtime_ns, entry.target],
                "size": len(entry.data),
                "parts": [[at, len(data)] for at, data in parts],
            }
        )
    if not gone and not changed and known.token:
        return None
    head = {"base": known.token, "token": now.token, "gone": gone, "changed": changed}
    return json.dumps(head).encode() + b"\n" + b"".join(blobs)


class Kept:
    """What a destination keeps of a volume, below ``place``."""

    def __init__(self, place: Path) -> None:
        self.tree = place
        self._coming = place.with_suffix(".coming")
        self._token = place.with_suffix(".token")
        place.parent.mkdir(parents=True, exist_ok=True)
        if self._coming.exists():  # the power went while it was made
            self._make(self._coming.read_bytes())

    def take(self, change: bytes) -> bool:
        """Keep a change, in one step and on the disk; False when it is not a change of what is kept."""
        head = json.loads(change.partition(b"\n")[0])
        if head["base"] and head["base"] != (self._token.read_text() if self._token.exists() else ""):
            return False
        fresh = self._coming.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(change)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._coming)
        self._make(change)
        return True

    def _make(self, change: bytes) -> None:
        text, _, blobs = change.partition(b"\n")
        head = json.loads(text)
        if not head["base"]:
            shutil.rmtree(self.tree, ignore_errors=True)
        self.tree.mkdir(exist_ok=True)
        for path in head["gone"]:
            _remove(self.tree / path)
        at = 0
        for one in head["changed"]:
            size = sum(length for _, length in one["parts"])
            _put(self.tree / one["path"], one, blobs[at : at + size])
            at += size
        for one in reversed(head["changed"]):
            _dress(self.tree / one["path"], one["about"])
        self._token.write_text(head["token"])
        self._coming.unlink(missing_ok=True)


def _remove(file: Path) -> None:
    if file.is_dir() and not file.is_symlink():
        shutil.rmtree(file)
    else:
        file.unlink(missing_ok=True)


def _put(file: Path, one: dict[str, Any], data: bytes) -> None:
    kind, *_, target = one["about"]
    is_same_kind = not file.is_symlink() and (file.is_file() if kind == "file" else file.is_dir())
    if not is_same_kind or kind == "link":
        _remove(file)
    if kind == "link":
        file.symlink_to(target)
    elif kind == "directory":
        file.mkdir(exist_ok=True)
    else:
        file.touch()
        with file.open("r+b") as out:
            out.truncate(one["size"])
            at = 0
            for offset, length in one["parts"]:
                out.seek(offset)
                out.write(data[at : at + length])
                at += length


def _dress(file: Path, about: list[Any]) -> None:
    kind, mode, uid, gid, mtime_ns, _ = about
    os.chown(file, uid, gid, follow_symlinks=False)
    if kind != "link":
        file.chmod(mode)
    os.utime(file, ns=(mtime_ns, mtime_ns), follow_symlinks=False)


def put_in_place(root: Path, place: Path) -> None:
    """Make ``root`` the tree that is kept; doing it twice gives the same (a power cut in between is mended so)."""
    for one in root.iterdir():
        _remove(one)
    if place.exists():
        shutil.copytree(place, root, symlinks=True, dirs_exist_ok=True)
        for one in (place, *place.rglob("*")):
            status = one.lstat()
            os.chown(root / one.relative_to(place), status.st_uid, status.st_gid, follow_symlinks=False)
