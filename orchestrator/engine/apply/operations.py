"""Each kind of operation, done to the files below a root: system calls and nothing else.

An operation fails with OSError; what follows from that is decided by the applier. Where the files may legitimately differ from the
log (``tolerant``: during a mirror, or while a crash is replayed) an operation makes it so: what is in the way is replaced.
Sources: renameat2(2), fallocate(2), utimensat(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from orchestrator.engine.apply.root import Root
from orchestrator.engine.oplog.format import UNCHANGED, Kind, Operation, UnlinkFlag, UtimensFlag

T = TypeVar("T")
RENAME_EXCHANGE = 2
FALLOC_FL_KEEP_SIZE = 1
FALLOC_FL_PUNCH_HOLE = 2
FALLOC_FL_ZERO_RANGE = 16
IN_THE_WAY = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.EISDIR, errno.ENOTDIR})
NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_SIGN = 1 << 63
_ZEROS = bytes(1 << 20)
_libc = ctypes.CDLL(None, use_errno=True)

BeforeChange = Callable[[bytes, Kind], None]
"""Called with the path and the kind before an operation overwrites, moves or removes something (the mirror's set-aside)."""


class FileOperations:
    """The deeds, by kind."""

    def __init__(
        self, root: Root, *, before_change: BeforeChange | None = None, owner_kept: bool | None = None
    ) -> None:
        """``owner_kept``: whether owners can be set here (root can); without that, a refusal to set one is borne."""
        self.root = root
        self.before_change = before_change
        self._owner_kept = os.geteuid() == 0 if owner_kept is None else owner_kept
        self._deeds: dict[Kind, Callable[[Operation, bool], None]] = {
            Kind.WRITE: self._write,
            Kind.TRUNCATE: self._truncate,
            Kind.CREATE: self._create,
            Kind.MKDIR: self._mkdir,
            Kind.SYMLINK: self._symlink,
            Kind.MKNOD: self._mknod,
            Kind.LINK: self._link,
            Kind.RENAME: self._rename,
            Kind.UNLINK: self._unlink,
            Kind.RMDIR: self._rmdir,
            Kind.CHMOD: self._chmod,
            Kind.CHOWN: self._chown,
            Kind.UTIMENS: self._utimens,
            Kind.SETXATTR: self._setxattr,
            Kind.REMOVEXATTR: self._removexattr,
            Kind.FALLOCATE: self._fallocate,
        }

    def perform(self, operation: Operation, *, tolerant: bool, mirrored: bool = False) -> None:
        """Do it.

        Args:
            operation: what to do.
            tolerant: what is in the way is replaced.
            mirrored: a mirror sends what is missing here: a rename takes the old name away all the same. Never while operations
                are replayed after a crash: there the old name may be another file by now.

        Raises:
            OSError: it could not be done.
        """
        deed = self._deeds.get(operation.kind)
        if deed is None:
            return
        self.root.trim()
        if self.before_change is not None:
            self.before_change(operation.path2 if operation.kind is Kind.RENAME else operation.path, operation.kind)
        if mirrored and operation.kind is Kind.RENAME:
            operation = self._possible(operation)
        deed(operation, tolerant)

    def inode(self, path: bytes) -> int:
        """The inode that a path names; 0 where there is none."""
        try:
            parent, name = self.root.split(path)
            return os.stat(name, dir_fd=parent, follow_symlinks=False).st_ino
        except OSError as error:
            if error.errno not in NOT_THERE:
                raise
            return 0

    # --- content

    def _write(self, op: Operation, tolerant: bool) -> None:  # noqa: ARG002, FBT001 - one signature for all deeds
        fd = self.root.file(op.path)
        done = os.pwrite(fd, op.data, op.a)
        while done < len(op.data):
            done += os.pwrite(fd, memoryview(op.data)[done:], op.a + done)

    def _truncate(self, op: Operation, tolerant: bool) -> None:  # noqa: ARG002, FBT001
        os.ftruncate(self.root.file(op.path), op.a)

    def _fallocate(self, op: Operation, tolerant: bool) -> None:  # noqa: ARG002, FBT001
        fd = self.root.file(op.path)
        if _libc.fallocate(fd, op.flags, ctypes.c_int64(op.a), ctypes.c_int64(op.b)) == 0:
            return
        code = ctypes.get_errno()
        if code != errno.EOPNOTSUPP:
            raise OSError(code, os.strerror(code))
        _fallocate_by_hand(fd, op)

    # --- names

    def _create(self, op: Operation, tolerant: bool) -> None:  # noqa: FBT001
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        opened = self._made(op.path, tolerant, lambda parent, name: os.open(name, flags, 0o600, dir_fd=parent))
        self.root.keep(op.path, opened)
        self._give(opened, op.b)
        os.fchmod(opened, stat.S_IMODE(op.a))

    def _mkdir(self, op: Operation, tolerant: bool) -> None:  # noqa: FBT001
        if not (tolerant and self._is_directory(op.path)):
            self._made(op.path, tolerant, lambda parent, name: os.mkdir(name, 0o700, dir_fd=parent))
        self._own(op)

    def _is_directory(self, path: bytes) -> bool:
        parent, name = self.root.split(path)
        with contextlib.suppress(FileNotFoundError):
            return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
        return False

    def _symlink(self, op: Operation, tolerant: bool) -> None:  # noqa: FBT001
        self._made(op.path, tolerant, lambda parent, name: os.symlink(op.path2, name, dir_fd=parent))
        self._give_name(op.path, op.b)

    def _mknod(self, op: Operation, tolerant: bool) -> None:  # noqa: FBT001
        device = int.from_bytes(op.data[:8], "little")
        self._made(op.path, tolerant, lambda parent, name: os.mknod(name, op.a, device, dir_fd=parent))
        self._own(op)

    def _made(self, path: bytes, tolerant: bool, make: Callable[[int, bytes], T]) -> T:  # noqa: FBT001
        """Make a name; where the files may differ, what is in its way is removed first."""
        try:
            return make(*self.root.split(path))
        except FileExistsError:
            if not tolerant:
                raise
        self.remove_tree(path)
        return make(*self.root.split(path))

    def _own(self, op: Operation) -> None:
        self._give_name(op.path, op.b)
        _chmod(*self.root.split(op.path), stat.S_IMODE(op.a))

    def _link(self, op: Operation, tolerant: bool) -> None:  # noqa: FBT001
        if tolerant and (there := self.inode(op.path2)):
            if there == (wanted := self.inode(op.path)):
                return
            if wanted:
                self.remove_tree(op.path2)
        parent, name = self.root.split(op.path)
        parent2, name2 = self.root.split(op.path2)
        os.link(name, name2, src_dir_fd=parent, dst_dir_fd=parent2, follow_symlinks=False)

    def _rename(self, op: Operation, tolerant: bool) -> None:  # noqa: FBT001
        parent, name = self.root.split(op.path)
        moved = os.stat(name, dir_fd=parent, follow_symlinks=False)
        try:
            self._move(op)
        except OSError as error:
            if not tolerant or error.errno not in IN_THE_WAY:
                raise
            self.remove_tree(op.path2)
            self._move(op)
        if stat.S_ISDIR(moved.st_mode) or op.a & RENAME_EXCHANGE:
            self.root.forget_tree()
        else:
            self.root.forget_file(op.path)
            self.root.forget_file(op.path2)

    def _possible(self, op: Operation) -> Operation:
        """A rename that takes the old name away, whatever is missing here: nobody else would, for the source has it no more.

        Of an exchange one side may be missing; so may the directory of the new name; and both names may be one file already.
        """
        here, there = self.inode(op.path), self.inode(op.path2)
        if op.a & RENAME_EXCHANGE and not (here and there):
            op = msgspec.structs.replace(op, a=op.a & ~RENAME_EXCHANGE)
            if there:
                op, here, there = msgspec.structs.replace(op, path=op.path2, path2=op.path), there, here
        if here:
            self._make_above(op.path2)
        if here == there and here and not op.a & RENAME_EXCHANGE and not self._is_directory(op.path):
            self.remove_tree(op.path2)
        return op

    def _make_above(self, path: bytes) -> None:
        """Make the directories above a path that are missing, in the place of what is no directory."""
        above = path.rpartition(b"/")[0]
        if not above:
            return
        self._make_above(above)
        if self._is_directory(above):
            return
        if self.before_change is not None:
            self.before_change(above, Kind.MKDIR)
        self.remove_tree(above)
        parent, name = self.root.split(above)
        os.mkdir(name, 0o700, dir_fd=parent)

    def _move(self, op: Operation) -> None:
        parent, name = self.root.split(op.path)
        parent2, name2 = self.root.split(op.path2)
        if not op.a & RENAME_EXCHANGE:
            os.rename(name, name2, src_dir_fd=parent, dst_dir_fd=parent2)
        elif _libc.renameat2(parent, name, parent2, name2, RENAME_EXCHANGE) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    def _unlink(self, op: Operation, tolerant: bool) -> None:  # noqa: ARG002, FBT001
        if op.flags & UnlinkFlag.TREE:
            self.remove_tree(op.path)
            return
        parent, name = self.root.split(op.path)
        os.unlink(name, dir_fd=parent)
        self.root.forget_file(op.path)

    def _rmdir(self, op: Operation, tolerant: bool) -> None:  # noqa: ARG002, FBT001
        parent, name = self.root.split(op.path)
        os.rmdir(name, dir_fd=parent)
        self.root.forget_directory(op.path)

    def remove_tree(self, path: bytes) -> None:
        """Remove whatever is at a path, with all below it; nothing there is fine. Descriptors handed out before are closed."""
        self.root.forget_tree()
        with contextlib.suppress(FileNotFoundError):
            _remove(*self.root.split(path))

    # --- attributes

    def _chmod(self, op: Operation, tolerant: bool) -> None:  # noqa: ARG002, FBT001
        parent, name = self.root.split(op.path)
        _chmod(parent, name, stat.S_IMODE(op.a))

    def _chown(self, op: Operation, tolerant: bool) -> None:  # noqa: ARG002, FBT001
        parent, name = self.root.split(op.path)
        uid = -1 if op.a == UNCHANGED else op.a
        gid = -1 if op.b == UNCHANGED else op.b
        with self._owners_borne():
            os.chown(name, uid, gid, dir_fd=parent, follow_symlinks=False)

    def _give(self, fd: int, owner: int) -> None:
        with self._owners_borne():
            os.fchown(fd, owner >> 32, owner & 0xFFFFFFFF)

    def _give_name(self, path: bytes, owner: int) -> None:
        parent, name = self.root.split(path)
        with self._owners_borne():
            os.chown(name, owner >> 32, owner & 0xFFFFFFFF, dir_fd=parent, follow_symlinks=False)

    def _owners_borne(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self._owner_kept else contextlib.suppress(PermissionError)

    def _utimens(self, op: Operation, tolerant: bool) -> None:  # noqa: ARG002, FBT001
        parent, name = self.root.split(op.path)
        atime, mtime = _signed(op.a), _signed(op.b)
        if op.flags:
            now = os.stat(name, dir_fd=parent, follow_symlinks=False)
            atime = now.st_atime_ns if op.flags & UtimensFlag.ATIME_OMITTED else atime
            mtime = now.st_mtime_ns if op.flags & UtimensFlag.MTIME_OMITTED else mtime
        os.utime(name, ns=(atime, mtime), dir_fd=parent, follow_symlinks=False)

    def _setxattr(self, op: Operation, tolerant: bool) -> None:  # noqa: FBT001
        parent, name = self.root.split(op.path)
        flags = 0 if tolerant else op.a
        os.setxattr(_reachable(parent, name), op.path2, bytes(op.data), flags, follow_symlinks=False)

    def _removexattr(self, op: Operation, tolerant: bool) -> None:  # noqa: FBT001
        parent, name = self.root.split(op.path)
        try:
            os.removexattr(_reachable(parent, name), op.path2, follow_symlinks=False)
        except OSError as error:
            if not tolerant or error.errno != errno.ENODATA:
                raise


def _signed(value: int) -> int:
    return value - (_SIGN << 1) if value & _SIGN else value


def _reachable(parent: int, name: bytes) -> bytes:
    """A path for calls that know no directory descriptor."""
    return b"/proc/self/fd/%d/%s" % (parent, name)


def _chmod(parent: int, name: bytes, mode: int) -> None:
    """Change a mode without following a link (chmod by descriptor; a link has no mode of its own: ELOOP)."""
    handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        if stat.S_ISLNK(os.fstat(handle).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        Path(f"/proc/self/fd/{handle}").chmod(mode)
    finally:
        os.close(handle)


def _fallocate_by_hand(fd: int, op: Operation) -> None:
    """What fallocate means to a reader of the file, where the file system lacks it."""
    size = os.fstat(fd).st_size
    end = op.a + op.b
    if op.flags & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE):
        _write_zeros(fd, op.a, min(end, size))
    elif op.flags & ~FALLOC_FL_KEEP_SIZE:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    if not op.flags & FALLOC_FL_KEEP_SIZE and end > size:
        os.ftruncate(fd, end)


def _write_zeros(fd: int, start: int, end: int) -> None:
    while start < end:
        start += os.pwrite(fd, memoryview(_ZEROS)[: end - start], start)


def _remove(parent: int, name: bytes) -> None:
    try:
        os.unlink(name, dir_fd=parent)
    except (IsADirectoryError, PermissionError):
        directory = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            with os.scandir(directory) as entries:
                names = [os.fsencode(entry.name) for entry in entries]
            for below in names:
                _remove(directory, below)
        finally:
            os.close(directory)
        os.rmdir(name, dir_fd=parent)
