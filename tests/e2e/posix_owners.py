"""Who a file belongs to, who may do what, and what lies beside its content."""

from __future__ import annotations

import fcntl
import os
import stat
import struct
from pathlib import Path

import pytest

from tests.e2e.posix_calls import NOBODY, as_user


def modes_owners_times(d: Path) -> None:
    (d / "f").write_text("x")
    (d / "dir").mkdir()
    for path in (d / "f", d / "dir"):
        os.chmod(path, 0o751)
        os.chown(path, 1000, 2000)
        os.chown(path, -1, 3000)
        os.utime(path, ns=(1234567890123456789, 987654321098765432))
    os.utime(d / "f", ns=(-1500000000, -500000001))
    os.chmod(d / "f", 0o6755)
    os.chown(d / "f", 7, 7)
    os.chmod(d, 0o1777)


def set_user_id_is_cleared_by_writes_of_others(d: Path) -> None:
    (d / "f").write_text("x" * 100)
    os.chmod(d / "f", 0o6777)

    def write() -> None:
        with open(d / "f", "r+b") as f:
            f.write(b"y")

    os.chmod(d, 0o777)
    as_user(NOBODY, NOBODY, write)
    assert stat.S_IMODE(os.stat(d / "f").st_mode) == 0o777
    (d / "g").write_text("x" * 100)
    os.chmod(d / "g", 0o4777)
    as_user(NOBODY, NOBODY, lambda: os.truncate(d / "g", 3))
    assert stat.S_IMODE(os.stat(d / "g").st_mode) == 0o777


def capability_is_dropped_by_writes(d: Path) -> None:
    (d / "f").write_text("x" * 100)
    os.setxattr(d / "f", "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0))
    with open(d / "f", "r+b") as f:
        f.write(b"y")
    assert os.listxattr(d / "f") == []


def belongs_to_the_caller(d: Path) -> None:
    os.chmod(d, 0o777)
    (d / "shared").mkdir()
    os.chown(d / "shared", 0, 4242)
    os.chmod(d / "shared", 0o2777)

    def make() -> None:
        os.umask(0o027)
        (d / "f").write_text("mine")
        (d / "dir").mkdir()
        os.symlink("x", d / "l")
        os.mkfifo(d / "p")
        (d / "shared/f").write_text("the group's")
        (d / "shared/dir").mkdir()
        os.close(os.open(d / "s", os.O_CREAT | os.O_WRONLY, 0o4755))

    as_user(1234, 1235, make)
    seen = os.stat(d / "f")
    assert (seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode)) == (1234, 1235, 0o640)
    assert os.stat(d / "shared/f").st_gid == 4242


def permissions_hold(d: Path) -> None:
    (d / "secret").write_text("x")
    os.chmod(d / "secret", 0o600)

    def read() -> None:
        with pytest.raises(PermissionError):
            (d / "secret").read_text()
        with pytest.raises(PermissionError):
            (d / "new").write_text("x")
        with pytest.raises(PermissionError):
            os.chmod(d / "secret", 0o666)

    as_user(NOBODY, NOBODY, read)


ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", *e)
    for e in ((1, 6, 2**32 - 1), (2, 4, NOBODY), (4, 0, 2**32 - 1), (16, 6, 2**32 - 1), (32, 0, 2**32 - 1))
)


def access_lists(d: Path) -> None:
    (d / "f").write_text("listed")
    os.chmod(d / "f", 0o640)
    os.setxattr(d / "f", "system.posix_acl_access", ACL)
    as_user(NOBODY, NOBODY, (d / "f").read_text)
    os.chmod(d / "f", 0o600)  # narrows the mask

    def denied() -> None:
        with pytest.raises(PermissionError):
            (d / "f").read_text()

    as_user(NOBODY, NOBODY, denied)
    (d / "dir").mkdir()
    os.setxattr(d / "dir", "system.posix_acl_default", ACL)
    os.umask(0o077)
    (d / "dir/inherits").write_text("x")
    (d / "dir/sub").mkdir()
    os.umask(0o022)
    assert "system.posix_acl_access" in os.listxattr(d / "dir/inherits")
    os.removexattr(d / "f", "system.posix_acl_access")


def extended_attributes(d: Path) -> None:
    (d / "f").write_text("x")
    os.setxattr(d / "f", "user.a", b"1")
    os.setxattr(d / "f", "user.a", b"2" * 1000, os.XATTR_REPLACE)
    os.setxattr(d / "f", "user.empty", b"")
    os.setxattr(d, "user.root", b"root")
    os.symlink("f", d / "l")
    os.setxattr(d / "l", "trusted.t", b"t", follow_symlinks=False)
    with pytest.raises(FileExistsError):
        os.setxattr(d / "f", "user.a", b"3", os.XATTR_CREATE)
    os.setxattr(d / "f", "user.b", b"gone")
    os.removexattr(d / "f", "user.b")
    with pytest.raises(OSError):
        os.getxattr(d / "f", "user.b")


def locks(d: Path) -> None:
    (d / "f").write_text("x")
    first, second = os.open(d / "f", os.O_RDWR), os.open(d / "f", os.O_RDWR)
    fcntl.flock(first, fcntl.LOCK_EX)
    with pytest.raises(BlockingIOError):
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(first, fcntl.LOCK_UN)
    fcntl.lockf(first, fcntl.LOCK_EX)
    child = os.fork()
    if child == 0:
        try:
            fcntl.lockf(os.open(d / "f", os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)
            os._exit(1)
        except BlockingIOError:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    os.close(first)
    os.close(second)


CASES = [
    modes_owners_times,
    set_user_id_is_cleared_by_writes_of_others,
    capability_is_dropped_by_writes,
    belongs_to_the_caller,
    permissions_hold,
    access_lists,
    extended_attributes,
    locks,
]
