"""Real file systems of other kinds for tests: in a sparse file, mounted through a loop device, gone with the test."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

SIZE_BYTES = 512 << 20
MAKE = {"btrfs": ["mkfs.btrfs", "-q"], "xfs": ["mkfs.xfs", "-q"], "ext4": ["mkfs.ext4", "-q"]}


@contextlib.contextmanager
def volume(kind: str, directory: Path, size_bytes: int = SIZE_BYTES) -> Iterator[Path]:
    """An empty file system of a kind, mounted below ``directory``."""
    image, at = directory / f"{kind}.image", directory / f"{kind}-volume"
    with image.open("xb") as file:
        file.truncate(size_bytes)
    at.mkdir()
    subprocess.run([*MAKE[kind], str(image)], check=True, capture_output=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(at)], check=True, capture_output=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", "--recursive", "--lazy", str(at)], check=True, capture_output=True)
        image.unlink()
