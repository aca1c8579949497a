"""Trees copied and removed, however wide and deep they are: no directory is held in memory, and few descriptors are open.

A copy keeps what makes a file what it is: content, holes, owner, mode, ACLs and other extended attributes, times, and which names
are one file. Directories that wait are noted in a file without a name; the first name of a file with several is noted by a link.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat as st
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from orchestrator.engine.mirror import beneath
from orchestrator.engine.mirror.metadata import apply_meta, apply_to_name, meta_of, read_meta, read_xattrs

FICLONE = 0x40049409
_ROOM_BYTES = 16 << 20
_NO_CLONE = frozenset({errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ETXTBSY})
_NO_RANGE = frozenset({errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOSYS})
Check = Callable[[], None]
"""Called again and again during long work; raises what shall end it."""


class Copying:
    """One copy of a tree.

    Args:
        source: the root of what is copied.
        to: the directory to be made; its parent exists.
        clone: share blocks where the file system lets us.
        check: ends the work by raising.
    """

    def __init__(self, source: Path, to: Path, *, clone: bool, check: Check) -> None:
        self._source, self._to = source, to
        self._clone = clone
        self._check = check
        self._links = to / f".links-{secrets.token_hex(8)}"
        self._links_fd = -1
        self.size_bytes = 0
        self.troubles: set[str] = set()

    def run(self) -> None:
        """Copy all. Raises OSError, or what ``check`` raises; what was copied until then stays for the caller to remove."""
        self._to.mkdir(mode=0o700, exist_ok=True)
        self._links.mkdir(mode=0o700)
        with (
            _opened(self._links) as self._links_fd,
            _opened(self._source) as source,
            _opened(self._to) as to,
            _Waiting(self._to) as waiting,
        ):
            waiting.put(b"")
            for path in waiting:
                self._directory(source, to, path, waiting)
            remove(self._links)
            self._attributes(source, to)

    def _directory(self, source: int, to: int, path: bytes, waiting: _Waiting) -> None:
        with (
            beneath.directory(source, path) as from_fd,
            beneath.directory(to, path) as to_fd,
            contextlib.closing(beneath.names_of(from_fd)) as names,
        ):
            for name in names:
                self._check()
                info = os.stat(name, dir_fd=from_fd, follow_symlinks=False)
                if st.S_ISDIR(info.st_mode):
                    os.mkdir(name, 0o700, dir_fd=to_fd)
                    waiting.put(beneath.join(path, name))
                elif st.S_ISREG(info.st_mode):
                    self._file(from_fd, to_fd, name, info)
                else:
                    self._special(from_fd, to_fd, name)
            if path:
                self._attributes(from_fd, to_fd)

    def _attributes(self, from_fd: int, to_fd: int) -> None:
        meta = meta_of(os.fstat(from_fd), read_xattrs(from_fd))
        apply_meta(to_fd, meta, os.fstat(to_fd), self.troubles.add)

    def _file(self, from_fd: int, to_fd: int, name: bytes, info: os.stat_result) -> None:
        first = f"{info.st_dev:x}-{info.st_ino:x}" if info.st_nlink > 1 else ""
        if first and self._linked(first, to_fd, name):
            return
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=from_fd)
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            copy = os.open(name, flags, 0o600, dir_fd=to_fd)
            try:
                self._content(source, copy)
                self._attributes(source, copy)
            finally:
                os.close(copy)
        finally:
            os.close(source)
        self.size_bytes += info.st_blocks * 512
        if first:
            os.link(name, first, src_dir_fd=to_fd, dst_dir_fd=self._links_fd, follow_symlinks=False)

    def _linked(self, first: str, to_fd: int, name: bytes) -> bool:
        try:
            os.link(first, name, src_dir_fd=self._links_fd, dst_dir_fd=to_fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def _content(self, source: int, copy: int) -> None:
        if self._clone:
            try:
                fcntl.ioctl(copy, FICLONE, source)
            except OSError as error:
                if error.errno not in _NO_CLONE:
                    raise
            else:
                return
        size = os.fstat(source).st_size
        os.ftruncate(copy, size)
        for begin, end in _data(source, size):
            self._range(source, copy, begin, end)

    def _range(self, source: int, copy: int, begin: int, end: int) -> None:
        while begin < end:
            self._check()
            done = _copy_some(source, copy, begin, min(end - begin, _ROOM_BYTES))
            if done == 0:
                return
            begin += done

    def _special(self, from_fd: int, to_fd: int, name: bytes) -> None:
        meta = read_meta(from_fd, name, lambda link: link)
        if st.S_ISLNK(meta.mode):
            os.symlink(meta.link, name, dir_fd=to_fd)
        else:
            os.mknod(name, meta.mode, meta.device, dir_fd=to_fd)
        apply_to_name(to_fd, name, meta, self.troubles.add)


class _Waiting:
    """The directories that are still to be copied, in a file without a name."""

    def __init__(self, beside: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=beside)  # noqa: SIM115  # closed by the with block
        self._end = 0
        self._at = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def put(self, path: bytes) -> None:
        """Another one."""
        entry = len(path).to_bytes(4, "little") + path
        self._file.seek(self._end)
        self._file.write(entry)
        self._end += len(entry)

    def __iter__(self) -> Iterator[bytes]:
        while self._at < self._end:
            self._file.seek(self._at)
            length = int.from_bytes(self._file.read(4), "little")
            self._at += 4 + length
            yield self._file.read(length)


def _data(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """The parts of a file that are no holes."""
    at = 0
    while at < size:
        try:
            begin = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        at = os.lseek(fd, begin, os.SEEK_HOLE)
        yield begin, at


def _copy_some(source: int, copy: int, offset: int, count: int) -> int:
    try:
        return os.copy_file_range(source, copy, count, offset, offset)
    except OSError as error:
        if error.errno not in _NO_RANGE:
            raise
    return os.pwrite(copy, os.pread(source, min(count, 1 << 20), offset), offset)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def allocated_bytes(root: Path, check: Check) -> int:
    """What the files of a tree take on their disk; a file with several names once for each."""
    total = 0
    with _opened(root) as fd, _Waiting(root.parent if os.access(root.parent, os.W_OK) else Path("/tmp")) as waiting:  # noqa: S108  # a file without a name
        waiting.put(b"")
        for path in waiting:
            with beneath.directory(fd, path) as at, contextlib.closing(beneath.names_of(at)) as names:
                for name in names:
                    check()
                    info = os.stat(name, dir_fd=at, follow_symlinks=False)
                    total += info.st_blocks * 512
                    if st.S_ISDIR(info.st_mode):
                        waiting.put(beneath.join(path, name))
    return total


def remove(path: Path) -> None:
    """Remove a tree, or whatever is there; its absence is fine. Directories within are brought to the top first, so depth costs nothing."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    clear(path)
    path.rmdir()


def clear(path: Path) -> None:
    """Remove all that is in a directory."""
    with _opened(path) as top:
        os.fchmod(top, os.fstat(top).st_mode & 0o7777 | 0o700)
        while _removed_some(top):
            pass


def _removed_some(top: int) -> bool:
    found = False
    for name in beneath.names_of(top):
        found = True
        if _unlinked(top, name):
            continue
        with beneath.directory(top, name) as inner:
            os.fchmod(inner, 0o700)
            _emptied(inner, top)
        os.rmdir(name, dir_fd=top)
    return found


def _emptied(inner: int, top: int) -> None:
    """Files go; directories move to the top, where their turn comes."""
    left = True
    while left:
        left = False
        for name in beneath.names_of(inner):
            left = True
            if not _unlinked(inner, name):
                os.rename(name, f".going-{secrets.token_hex(8)}", src_dir_fd=inner, dst_dir_fd=top)


def _unlinked(dir_fd: int, name: bytes) -> bool:
    """Remove a name; False when it is a directory."""
    try:
        os.unlink(name, dir_fd=dir_fd)
    except (IsADirectoryError, PermissionError):
        if st.S_ISDIR(os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode):
            return False
        raise
    return True
