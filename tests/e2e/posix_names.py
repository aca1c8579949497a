"""What may be done to names: made, removed, renamed, linked, replaced while open, and at their limits."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from tests.e2e.posix_calls import renameat2


def makes_and_removes(d: Path) -> None:
    for name in "abc":
        (d / name).mkdir()
        (d / name / "file").write_text(name)
    os.unlink(d / "a/file")
    os.rmdir(d / "a")
    with pytest.raises(OSError, match="not empty"):
        os.rmdir(d / "b")


def renames(d: Path) -> None:
    (d / "dir").mkdir()
    (d / "dir/f").write_text("f")
    (d / "other").mkdir()
    held = os.open(d / "dir/f", os.O_WRONLY | os.O_APPEND)
    os.rename(d / "dir", d / "moved")
    os.write(held, b" written after its directory moved")
    os.rename(d / "moved/f", d / "other/g")
    os.write(held, b" and after it moved")
    (d / "h").write_text("replaced")
    os.rename(d / "other/g", d / "h")
    os.write(held, b" and after it replaced another")
    os.close(held)


def exchanges(d: Path) -> None:
    (d / "a").write_text("a")
    (d / "dir").mkdir()
    (d / "dir/in").write_text("in")
    held = os.open(d / "a", os.O_WRONLY | os.O_APPEND)
    renameat2(d / "a", d / "dir", 2)
    os.write(held, b"+")
    os.close(held)
    (d / "a/in2").write_text("in2")


def does_not_replace(d: Path) -> None:
    (d / "a").write_text("a")
    (d / "b").write_text("b")
    with pytest.raises(OSError, match="exists"):
        renameat2(d / "a", d / "b", 1)
    renameat2(d / "a", d / "c", 1)


def hard_links(d: Path) -> None:
    (d / "sub").mkdir()
    (d / "a").write_text("one")
    os.link(d / "a", d / "sub/b")
    with (d / "sub/b").open("a") as f:
        f.write(" written by the second name")
    os.unlink(d / "a")
    with (d / "sub/b").open("a") as f:
        f.write(" and after the first was removed")
    os.link(d / "sub/b", d / "c")
    os.rename(d / "c", d / "sub/b")  # two names of one file: nothing happens


def hard_link_removed_while_open(d: Path) -> None:
    (d / "a").write_text("one")
    os.link(d / "a", d / "b")
    fd = os.open(d / "a", os.O_WRONLY | os.O_APPEND)
    os.unlink(d / "a")
    os.write(fd, b" two")
    os.close(fd)


def unlinked_while_open(d: Path) -> None:
    fd = os.open(d / "gone", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(fd, b"before")
    os.unlink(d / "gone")
    os.write(fd, b" after")
    os.ftruncate(fd, 8)
    os.fchmod(fd, 0o400)
    os.utime(fd, (1, 1))
    assert os.fstat(fd).st_size == 8
    assert os.pread(fd, 20, 0) == b"before a"
    (d / "gone").write_text("another of that name")
    os.write(fd, b"!")
    os.close(fd)


def replaced_while_open(d: Path) -> None:
    (d / "f").write_text("old")
    fd = os.open(d / "f", os.O_RDWR)
    (d / "new").write_text("new")
    os.rename(d / "new", d / "f")
    os.write(fd, b"lost")
    os.close(fd)


def numbers_used_again(d: Path) -> None:
    for i in range(50):
        (d / "f").write_text(f"round {i}")
        assert (d / "f").read_text() == f"round {i}"
        os.unlink(d / "f")
        (d / "dir").mkdir()
        os.rmdir(d / "dir")
    (d / "f").write_text("last")


def symlinks(d: Path) -> None:
    os.symlink("target that is not there", d / "l")
    os.lchown(d / "l", 12, 34)
    os.utime(d / "l", ns=(10**18, 10**18 + 7), follow_symlinks=False)
    (d / "f").write_text("x")
    os.symlink("f", d / "to-f")
    (d / "to-f").write_text("through the link")
    os.symlink("/etc/hostname", d / "outside")
    os.unlink(d / "to-f")


def special_files(d: Path) -> None:
    os.mkfifo(d / "fifo", 0o620)
    os.mknod(d / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(d / "socket"))
    os.mknod(d / "plain", stat.S_IFREG | 0o644)


def descend(d: Path, levels: int) -> int:
    """Make directories of 250 bytes below each other; a descriptor of the last."""
    here, name = os.open(d, os.O_RDONLY), "n" * 250
    for _ in range(levels):
        above = here
        try:
            os.mkdir(name, dir_fd=above)
            here = os.open(name, os.O_RDONLY, dir_fd=above)
        finally:
            os.close(above)
    return here


def long_names(d: Path) -> None:
    here = descend(d, 15)  # 15 * 251 + 200 < 4,096
    fd = os.open("f" * 200, os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=here)
    os.write(fd, b"deep")
    os.close(fd)
    os.close(here)


def names_of_any_bytes(d: Path) -> None:
    for name in (b"\xff\xfe", b"new\nline", "größe".encode(), b" ", b"\\"):
        with open(os.path.join(os.fsencode(d), name), "wb") as f:
            f.write(name)


def full_listing(d: Path) -> None:
    for i in range(1500):
        os.close(os.open(d / f"file-{i:05}", os.O_CREAT | os.O_WRONLY))
    assert len(os.listdir(d)) == 1500
    with os.scandir(d) as entries:
        for entry in entries:
            os.unlink(entry.path)
    (d / "kept").touch()


CASES = [
    makes_and_removes,
    renames,
    exchanges,
    does_not_replace,
    hard_links,
    hard_link_removed_while_open,
    unlinked_while_open,
    replaced_while_open,
    numbers_used_again,
    symlinks,
    special_files,
    long_names,
    names_of_any_bytes,
    full_listing,
]
