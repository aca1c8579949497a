"""The copies of a replicated volume: taken at one moment, sent as one archive, kept there until the destination becomes the source."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path

TRIES = 5


def fingerprint(root: Path) -> tuple[tuple[str, int, int, int], ...]:
    """What tells whether anything below changed: names, sizes, times of change."""
    found = []
    for path in sorted(root.rglob("*")):
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue
        found.append(
            (
                str(path.relative_to(root)),
                status.st_size if path.is_file() else 0,
                status.st_mtime_ns,
                status.st_ctime_ns,
            )
        )
    return tuple(found)


def taken(root: Path) -> bytes:
    """The tree as of one moment: taken again while it changes under the reader (a few times), so that no half state is sent."""
    data = b""
    for _ in range(TRIES):
        before = fingerprint(root)
        buffer = io.BytesIO()
        try:
            with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
                archive.add(root, arcname=".")
        except FileNotFoundError:
            continue
        data = buffer.getvalue()
        if fingerprint(root) == before:
            break
    return data


def kept(place: Path, data: bytes) -> None:
    """Keep the archive as the last consistent state, in one step and on the disk."""
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(place)


def put_in_place(root: Path, place: Path) -> None:
    """Make ``root`` the tree of the kept archive; doing it twice gives the same (a power cut in between is mended so)."""
    for one in root.iterdir():
        shutil.rmtree(one) if one.is_dir() and not one.is_symlink() else one.unlink()
    if place.exists():
        with tarfile.open(place) as archive:
            archive.extractall(root, filter="fully_trusted")
