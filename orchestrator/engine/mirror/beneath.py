"""Reach paths below a root without ever following a symbolic link.

They are walked part by part, so that neither a link that somebody planted nor the length of a path leads anywhere else.
"""

from __future__ import annotations

import contextlib
import os
import stat as st
from collections.abc import Generator, Iterator

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Root = int | str | bytes | os.PathLike[str]


def open_root(root: Root) -> int:
    """A descriptor of the root of our own: of a path, or of a directory that is already open (``int``)."""
    if isinstance(root, int):
        return os.open(".", DIRECTORY, dir_fd=root)
    return os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def open_directory(root_fd: int, path: bytes) -> int:
    """A descriptor of a directory below the root; the caller closes it.

    Raises:
        OSError: a part is missing, or is no directory (a link to one is none).
    """
    fd = os.dup(root_fd) if not path else -1
    at = root_fd
    for part in path.split(b"/") if path else ():
        try:
            fd = os.open(part, DIRECTORY, dir_fd=at)
        finally:
            if at != root_fd:
                os.close(at)
        at = fd
    return fd


@contextlib.contextmanager
def directory(root_fd: int, path: bytes) -> Iterator[int]:
    """A descriptor of a directory below the root, for the length of a ``with``."""
    fd = open_directory(root_fd, path)
    try:
        yield fd
    finally:
        os.close(fd)


def split(path: bytes) -> tuple[bytes, bytes]:
    """Directory and name."""
    above, _, name = path.rpartition(b"/")
    return above, name


def join(above: bytes, name: bytes) -> bytes:
    """The path of a name in a directory."""
    return above + b"/" + name if above else name


def look(root_fd: int, path: bytes) -> os.stat_result | None:
    """What is at a path, links not followed; None where nothing is."""
    if not path:
        return os.stat(root_fd)
    above, name = split(path)
    try:
        with directory(root_fd, above) as fd:
            return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno in NOT_THERE:
            return None
        raise


NOT_THERE = frozenset({2, 20, 40})
"""ENOENT, ENOTDIR, and ELOOP: a symbolic link stands where a directory was."""


def remove_tree(dir_fd: int, name: bytes) -> tuple[int, int, int]:
    """Remove whatever is at a name with all below; how many files, directories and bytes that were."""
    info = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    if not st.S_ISDIR(info.st_mode):
        os.unlink(name, dir_fd=dir_fd)
        return 1, 0, info.st_size
    files, directories, size = 0, 1, 0
    with directory(dir_fd, name) as fd:
        if info.st_mode & 0o700 != 0o700:
            os.fchmod(fd, 0o700)
        for inner in names_of(fd):
            more = remove_tree(fd, inner)
            files, directories, size = files + more[0], directories + more[1], size + more[2]
    os.rmdir(name, dir_fd=dir_fd)
    return files, directories, size


def names_of(fd: int) -> Generator[bytes]:
    """The names in an open directory, a few at a time."""
    with os.scandir(fd) as entries:
        for entry in entries:
            yield os.fsencode(entry.name)
