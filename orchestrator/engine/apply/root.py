"""The target root, and the way to a name below it that no symbolic link can bend.

A path is walked one name at a time, each opened relative to the one before with O_NOFOLLOW, and directories and files that are in
use stay open, so that the thousandth write to a file costs one system call. Invariant: every descriptor handed out is an object
that was reached below the root without following a link.

One thread uses a root at a time (the applier); ``sync`` may be called from another.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from pathlib import Path

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC  # O_NONBLOCK: a FIFO must not hold us
_libc = ctypes.CDLL(None, use_errno=True)


class Root:
    """An open directory, and open things below it."""

    def __init__(self, path: Path, *, directories: int = 512, files: int = 256) -> None:
        """Open the root.

        Raises:
            OSError: it is absent or not a directory.
        """
        self.path = path
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._directories_limit = directories
        self._files_limit = files
        self._directories: dict[bytes, int] = {}
        self._files: dict[bytes, int] = {}
        self._filesystems: dict[int, int] = {os.fstat(self.fd).st_dev: self.fd}

    def split(self, path: bytes) -> tuple[int, bytes]:
        """The open parent directory of a path, and the last name; the root itself is its own ``.``.

        Raises:
            OSError: a parent is absent, no directory or a link (ENOENT, ENOTDIR, ELOOP), or the path leaves the root (EINVAL).
        """
        parent, slash, name = path.rpartition(b"/")
        if not parent:
            return self.fd, _name(name) if name and not slash else _root_name(path)
        return self._directory(parent), _name(name)

    def _directory(self, path: bytes) -> int:
        if not path:
            raise OSError(errno.EINVAL, "a path that begins with a slash")
        found = self._directories.get(path)
        if found is not None:
            return found
        parent, slash, name = path.rpartition(b"/")
        above = self._directory(parent) if parent or slash else self.fd
        opened = os.open(_name(name), _DIRECTORY, dir_fd=above)
        self._note_filesystem(opened)
        self._directories[path] = opened
        return opened

    def _note_filesystem(self, directory: int) -> None:
        device = os.fstat(directory).st_dev
        if device not in self._filesystems:
            self._filesystems[device] = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)

    def file(self, path: bytes) -> int:
        """The regular file at ``path``, open for writing; it stays open until it is forgotten.

        Raises:
            OSError: it is absent, no regular file (ENXIO), or may not be opened.
        """
        found = self._files.get(path)
        if found is not None:
            return found
        parent, name = self.split(path)
        opened = _open_writable(parent, name)
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            os.close(opened)
            raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))
        return self.keep(path, opened)

    def keep(self, path: bytes, opened: int) -> int:
        """Keep a file that was just opened or created."""
        self.forget_file(path)
        self._files[path] = opened
        return opened

    def forget_file(self, path: bytes) -> None:
        """The name no longer stands for the file that was open under it."""
        opened = self._files.pop(path, None)
        if opened is not None:
            os.close(opened)

    def forget_directory(self, path: bytes) -> None:
        """An empty directory went."""
        opened = self._directories.pop(path, None)
        if opened is not None:
            os.close(opened)

    def trim(self) -> None:
        """Close what is open too long. Called between operations: within one, every descriptor handed out stays valid."""
        if len(self._directories) > self._directories_limit:
            self._close_all(self._directories)
        while len(self._files) > self._files_limit:
            os.close(self._files.pop(next(iter(self._files))))

    def forget_tree(self) -> None:
        """A directory moved or went: no open path can be trusted."""
        self._close_all(self._files)
        self._close_all(self._directories)

    def _close_all(self, cache: dict[bytes, int]) -> None:
        for opened in cache.values():
            os.close(opened)
        cache.clear()

    def sync(self) -> None:
        """Put everything that was done below the root on the disk (syncfs on each file system touched).

        Raises:
            OSError: the disk refused.
        """
        for fd in list(self._filesystems.values()):
            if _libc.syncfs(fd) != 0:
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code))

    def close(self) -> None:
        """Close everything."""
        self.forget_tree()
        for fd in self._filesystems.values():
            os.close(fd)
        self._filesystems.clear()


def _root_name(path: bytes) -> bytes:
    if path:
        raise OSError(errno.EINVAL, "a path that begins with a slash")
    return b"."


def _name(name: bytes) -> bytes:
    if name in {b"", b".", b".."} or b"\0" in name:
        raise OSError(errno.EINVAL, "a path that leaves the root")
    return name


def _open_writable(parent: int, name: bytes) -> int:
    """Open for writing; where the owner's own mode forbids it (a read-only file being written), for a moment without it."""
    try:
        return os.open(name, _FILE, dir_fd=parent)
    except PermissionError:
        before = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if before.st_uid != os.geteuid() or not stat.S_ISREG(before.st_mode):
            raise
    handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    link = f"/proc/self/fd/{handle}"
    try:
        Path(link).chmod(stat.S_IMODE(before.st_mode) | stat.S_IWUSR | stat.S_IRUSR)
        return os.open(link, _FILE & ~os.O_NOFOLLOW)
    finally:
        Path(link).chmod(stat.S_IMODE(before.st_mode))
        os.close(handle)
