"""Put things where they belong at the target: below its root, over whatever stood there, never through a symbolic link."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat as st
from collections.abc import Callable, Iterator

from orchestrator.engine.mirror import beneath
from orchestrator.engine.mirror.messages import Meta
from orchestrator.engine.mirror.metadata import OnTrouble, apply_to_name

TEMPORARY = b".dtam-mirror-"
"""A file that is being placed has such a name for a moment; one that a killed engine left is removed when its directory is scanned."""
BEFORE_DATA = 0o600
BUSY_DIRECTORY = 0o700
_number = itertools.count()

Keep = Callable[[bytes], None]
"""Told a path just before what is there is changed or removed."""


def nothing(_path: bytes) -> None:
    """Keeps nothing."""


def make_directories(root_fd: int, path: bytes, keep: Keep) -> int:
    """A descriptor of a directory below the root, made with all above it where they are missing.

    What stands in the way, a file or a symbolic link, is removed: at the source there is a directory.
    """
    at = os.dup(root_fd)
    done = b""
    for part in path.split(b"/") if path else ():
        done = beneath.join(done, part)
        try:
            following = os.open(part, beneath.DIRECTORY, dir_fd=at)
        except OSError as error:
            if error.errno not in beneath.NOT_THERE:
                os.close(at)
                raise
            clear(at, part, done, keep)
            os.mkdir(part, BUSY_DIRECTORY, dir_fd=at)
            following = os.open(part, beneath.DIRECTORY, dir_fd=at)
        os.close(at)
        at = following
    return at


@contextlib.contextmanager
def parents(root_fd: int, path: bytes, keep: Keep) -> Iterator[int]:
    """A directory, made where it is missing, for the length of a ``with``."""
    fd = make_directories(root_fd, path, keep)
    try:
        yield fd
    finally:
        os.close(fd)


def clear(dir_fd: int, name: bytes, path: bytes, keep: Keep) -> None:
    """Remove what stands at a name, if anything does."""
    try:
        os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return
    keep(path)
    beneath.remove_tree(dir_fd, name)


def look(dir_fd: int, name: bytes) -> os.stat_result | None:
    """What is at a name, links not followed; None where nothing is."""
    try:
        return os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def write_all(fd: int, data: bytes | memoryview, offset: int) -> None:
    """Write everything, however the kernel cuts it."""
    done = os.pwrite(fd, data, offset)
    while done < len(data):
        done += os.pwrite(fd, data[done:], offset + done)


def temporary_name() -> bytes:
    """A name that nobody else has."""
    return TEMPORARY + b"%d-%d" % (os.getpid(), next(_number))


def create(dir_fd: int, name: bytes) -> int:
    """A new empty file, open for reading and writing.

    Raises:
        FileExistsError: something has that name.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, BEFORE_DATA, dir_fd=dir_fd)


def open_writable(dir_fd: int, name: bytes) -> int:
    """An existing file, open for reading and writing even if its mode forbids that to its owner."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        return os.open(name, flags, dir_fd=dir_fd)
    except PermissionError:
        os.chmod(name, BEFORE_DATA, dir_fd=dir_fd)
        return os.open(name, flags, dir_fd=dir_fd)


def same_special(meta: Meta, now: os.stat_result, dir_fd: int, name: bytes) -> bool:
    """Whether a symbolic link, pipe, socket or device is already there."""
    if st.S_IFMT(meta.mode) != st.S_IFMT(now.st_mode):
        return False
    if st.S_ISLNK(meta.mode):
        return os.readlink(name, dir_fd=dir_fd) == meta.link
    return not meta.device or now.st_rdev == meta.device


def place_special(dir_fd: int, path: bytes, meta: Meta, keep: Keep, trouble: OnTrouble) -> None:
    """Make a symbolic link, pipe, socket or device, in the place of whatever is there."""
    name = beneath.split(path)[1]
    now = look(dir_fd, name)
    if now is None or not same_special(meta, now, dir_fd, name):
        clear(dir_fd, name, path, keep)
        try:
            _make_special(dir_fd, name, meta)
        except OSError as error:
            if error.errno != errno.EPERM:
                raise
            trouble(f"device: {error.strerror}")
            return
    apply_to_name(dir_fd, name, meta, trouble)


def _make_special(dir_fd: int, name: bytes, meta: Meta) -> None:
    if st.S_ISLNK(meta.mode):
        os.symlink(meta.link, name, dir_fd=dir_fd)
    else:
        os.mknod(name, st.S_IFMT(meta.mode) | BEFORE_DATA, meta.device, dir_fd=dir_fd)
