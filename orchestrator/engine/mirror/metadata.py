"""What is kept of a file besides its data: read at the source, made so at the target.

A target that runs without root cannot give files away; what it may not change it leaves and reports once per kind of trouble.
"""

from __future__ import annotations

import errno
import os
import stat as st
from collections.abc import Callable
from functools import partial

from orchestrator.engine.mirror.messages import Meta, Xattrs

PERMISSIONS = 0o7777
NOT_OURS = ("trusted.overlay.",)
"""Attributes of another file system's inner workings."""
CANNOT = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.EINVAL, errno.ENODATA})
_UNSUPPORTED = frozenset({errno.EOPNOTSUPP, errno.ENOENT, errno.EPERM, errno.EACCES, errno.ELOOP})
_MASK = 2**64 - 1
OnTrouble = Callable[[str], None]


def group_of(info: os.stat_result) -> int:
    """The number that all names of one file share; 0 for a file with one name."""
    if info.st_nlink < 2 or not st.S_ISREG(info.st_mode):
        return 0
    return (info.st_ino ^ (info.st_dev * 0x9E3779B97F4A7C15)) & _MASK or 1


def read_xattrs(where: int | str) -> Xattrs:
    """The extended attributes (ACLs among them) of an open file, or of a path whose last part is not followed."""
    follow = isinstance(where, int)
    try:
        names = os.listxattr(where, follow_symlinks=follow)
        if not names:
            return ()
        kept = sorted(name for name in names if not name.startswith(NOT_OURS))
        return tuple((os.fsencode(name), os.getxattr(where, name, follow_symlinks=follow)) for name in kept)
    except OSError as error:
        if error.errno in _UNSUPPORTED or error.errno == errno.ENODATA:
            return ()
        raise


def meta_of(info: os.stat_result, xattrs: Xattrs = (), link: bytes = b"") -> Meta:
    """A file's ``stat`` as it travels."""
    mode = info.st_mode
    device = info.st_rdev if st.S_ISCHR(mode) or st.S_ISBLK(mode) else 0
    size = info.st_size if st.S_ISREG(mode) else 0
    return Meta(
        mode, info.st_uid, info.st_gid, size, info.st_atime_ns, info.st_mtime_ns, group_of(info), xattrs, link, device
    )


def read_meta(dir_fd: int, name: bytes, remap: Callable[[bytes], bytes]) -> Meta:
    """What a name of an open directory is; symbolic links are read, not followed.

    Raises:
        OSError: it is gone, or may not be read.
    """
    info = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    if st.S_ISLNK(info.st_mode):
        return meta_of(info, (), remap(os.readlink(name, dir_fd=dir_fd)))
    return meta_of(info, read_xattrs(f"/proc/self/fd/{dir_fd}/{os.fsdecode(name)}"))


def apply_meta(fd: int, meta: Meta, now: os.stat_result, trouble: OnTrouble, *, fresh: bool = False) -> None:
    """Make owner, mode, attributes and times of an open file what they are at the source.

    Args:
        fd: the file.
        meta: what the source has.
        now: what the file is at present.
        trouble: told what could not be changed.
        fresh: the file was just made in a directory without a default ACL: it has no attributes yet.
    """
    if (now.st_uid, now.st_gid) != (meta.uid, meta.gid):
        _permitted(lambda: os.fchown(fd, meta.uid, meta.gid), trouble, "owner")
        now = os.fstat(fd)
    if (now.st_mode ^ meta.mode) & PERMISSIONS:
        _permitted(lambda: os.fchmod(fd, meta.mode & PERMISSIONS), trouble, "mode")
    if meta.xattrs or not fresh:
        apply_xattrs(fd, meta.xattrs, trouble)
    os.utime(fd, ns=(meta.atime_ns, meta.mtime_ns))


def settle(fd: int, meta: Meta, trouble: OnTrouble) -> None:
    """The same where anything differs besides the time of the last access; else the file is left as it is, so that nothing must be written."""
    now = os.fstat(fd)
    if not (same_besides_data(meta, now) and meta.xattrs == read_xattrs(fd)):
        apply_meta(fd, meta, now, trouble)


def apply_xattrs(fd: int, wanted: Xattrs, trouble: OnTrouble) -> None:
    """Set what differs, remove what the source does not have."""
    present = dict(read_xattrs(fd))
    for name, value in wanted:
        if present.pop(name, None) != value:
            _permitted(partial(os.setxattr, fd, name, value), trouble, f"attribute {os.fsdecode(name)}")
    for name in present:
        _permitted(partial(os.removexattr, fd, name), trouble, f"attribute {os.fsdecode(name)}")


def apply_to_name(dir_fd: int, name: bytes, meta: Meta, trouble: OnTrouble) -> None:
    """The same for what cannot be opened: symbolic links, pipes, sockets, devices."""
    _permitted(lambda: os.chown(name, meta.uid, meta.gid, dir_fd=dir_fd, follow_symlinks=False), trouble, "owner")
    if not st.S_ISLNK(meta.mode):
        _permitted(lambda: os.chmod(name, meta.mode & PERMISSIONS, dir_fd=dir_fd), trouble, "mode")
    os.utime(name, ns=(meta.atime_ns, meta.mtime_ns), dir_fd=dir_fd, follow_symlinks=False)


def same_besides_data(meta: Meta, now: os.stat_result) -> bool:
    """Whether owner, mode and modification time agree (attributes are looked at apart)."""
    return (
        now.st_uid == meta.uid
        and now.st_gid == meta.gid
        and not (now.st_mode ^ meta.mode) & PERMISSIONS
        and now.st_mtime_ns == meta.mtime_ns
    )


def _permitted(change: Callable[[], None], trouble: OnTrouble, what: str) -> None:
    try:
        change()
    except OSError as error:
        if error.errno not in CANNOT:
            raise
        trouble(f"{what}: {error.strerror}")
