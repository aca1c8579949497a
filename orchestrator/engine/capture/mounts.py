"""The mounts of capture programs on this machine: listing them, and taking a dead one away.

A directory whose capture program was killed answers ENOTCONN to everything until the dead mount is detached.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

MOUNT_TYPE = "fuse.dtcapture"
_MNT_DETACH = 2
_UMOUNT_NOFOLLOW = 8
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class CapturedDirectory:
    """A directory with a capture program's mount over it."""

    path: Path
    options: str


def captured_directories() -> list[CapturedDirectory]:
    """All mounts of capture programs that this process can see, in the order they were made."""
    text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    return [found for found in map(_parsed, text.splitlines()) if found]


def is_captured(path: Path) -> bool:
    """Whether a capture program's mount, alive or dead, lies on exactly this directory."""
    wanted = os.path.abspath(path)  # noqa: PTH100 -- Path.resolve would ask the dead mount
    return any(str(found.path) == wanted for found in captured_directories())


def is_dead(path: Path) -> bool:
    """Whether the directory answers only that its file system's program is gone."""
    try:
        os.statvfs(path)  # not stat: the kernel would answer from what it remembers of the dead program's root
    except OSError as error:
        return error.errno == errno.ENOTCONN
    return False


def detach(path: Path) -> None:
    """Uncover the directory at once; files open through the mount keep pointing into it.

    Raises:
        OSError: there is no mount, or it may not be taken away.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(os.fsencode(path), _MNT_DETACH | _UMOUNT_NOFOLLOW) == 0:
        return
    code = ctypes.get_errno()
    if code != errno.EPERM:
        raise OSError(code, os.strerror(code), str(path))
    subprocess.run(["fusermount3", "-u", "-z", "--", str(path)], check=True, capture_output=True)


def _parsed(line: str) -> CapturedDirectory | None:
    before, _, after = line.partition(" - ")
    fields = before.split()
    if not after.startswith(MOUNT_TYPE + " "):
        return None
    return CapturedDirectory(path=Path(_unescaped(fields[4])), options=fields[5])


def _unescaped(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
