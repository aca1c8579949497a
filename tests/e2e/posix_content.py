"""What may be done to the content of files: each case gets a directory, captured or bare."""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
from pathlib import Path

from tests.e2e.posix_calls import KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE, fallocate


def writes_anywhere(d: Path) -> None:
    with (d / "f").open("wb") as f:
        f.write(b"a" * 10000)
    with (d / "f").open("r+b") as f:
        f.seek(5000)
        f.write(b"b" * 100)
        f.seek(1 << 20)
        f.write(b"end")


def large_writes(d: Path) -> None:
    fd = os.open(d / "f", os.O_WRONLY | os.O_CREAT, 0o640)
    os.write(fd, b"12345" * (1 << 20))
    os.pwrite(fd, b"x" * (3 << 20), 123)
    os.close(fd)


def appends(d: Path) -> None:
    (d / "log").write_bytes(b"")
    fds = [os.open(d / "log", os.O_WRONLY | os.O_APPEND) for _ in range(2)]
    for i in range(20):
        os.write(fds[i % 2], b"%d\n" % i)
    for fd in fds:
        os.close(fd)


def appends_set_later(d: Path) -> None:
    fd = os.open(d / "f", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(fd, b"first")
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND)
    os.lseek(fd, 0, 0)
    os.write(fd, b"second")
    os.close(fd)


def appends_by_many_threads(d: Path) -> None:
    (d / "f").touch()

    def work() -> None:
        fd = os.open(d / "f", os.O_WRONLY | os.O_APPEND)
        for _ in range(50):
            os.write(fd, b"same line\n")
        os.close(fd)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def truncates(d: Path) -> None:
    (d / "f").write_bytes(b"x" * 9000)
    os.truncate(d / "f", 100)
    os.truncate(d / "f", 5000)
    with (d / "f").open("r+b") as f:
        f.truncate(4000)
        f.seek(3999)
        f.write(b"yz")
    (d / "f").open("wb").close()
    (d / "g").write_bytes(b"z" * 10)
    os.close(os.open(d / "g", os.O_RDWR | os.O_CREAT | os.O_TRUNC))


def allocates(d: Path) -> None:
    fd = os.open(d / "f", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(fd, b"x" * 65536)
    fallocate(fd, 0, 60000, 20000)
    fallocate(fd, KEEP_SIZE, 100000, 20000)
    fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 4096, 8192)
    fallocate(fd, ZERO_RANGE, 16384, 4096)
    os.close(fd)


def seeks_holes(d: Path) -> None:
    fd = os.open(d / "f", os.O_RDWR | os.O_CREAT, 0o600)
    os.pwrite(fd, b"x", 1 << 20)
    assert os.lseek(fd, 0, os.SEEK_DATA) == 1 << 20
    assert os.lseek(fd, 0, os.SEEK_HOLE) == 0
    os.close(fd)


def direct_io(d: Path) -> None:
    fd = os.open(d / "f", os.O_RDWR | os.O_CREAT | os.O_DIRECT, 0o600)
    page = mmap.mmap(-1, 8192)
    page.write(b"d" * 8192)
    os.write(fd, page)
    os.pwrite(fd, page, 16384)
    os.lseek(fd, 0, 0)
    back = mmap.mmap(-1, 8192)
    assert os.readv(fd, [back]) == 8192
    assert back[:] == page[:]
    os.close(fd)


def synchronous(d: Path) -> None:
    for flags in (os.O_SYNC, os.O_DSYNC):
        fd = os.open(d / f"f{flags}", os.O_WRONLY | os.O_CREAT | flags, 0o600)
        os.write(fd, b"durable")
        os.close(fd)


def shared_mapping(d: Path) -> None:
    (d / "f").write_bytes(b"\0" * 20000)
    fd = os.open(d / "f", os.O_RDWR)
    with mmap.mmap(fd, 20000) as view:
        view[5000:5005] = b"hello"
        view.flush()
        view[15000:15005] = b"later"
    os.close(fd)


def mapping_that_outlives_its_file(d: Path) -> None:
    (d / "f").write_bytes(b"\0" * 20000)
    fd = os.open(d / "f", os.O_RDWR)
    view = mmap.mmap(fd, 20000)
    os.close(fd)
    view[100:103] = b"abc"
    view.close()


def copies(d: Path) -> None:
    (d / "f").write_bytes(b"copy me" * 5000)
    source, target = os.open(d / "f", os.O_RDONLY), os.open(d / "g", os.O_WRONLY | os.O_CREAT, 0o600)
    done = 0
    while done < 35000:
        done += os.copy_file_range(source, target, 35000 - done)
    os.close(source)
    os.close(target)


def syncs(d: Path) -> None:
    fd = os.open(d / "f", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(fd, b"x")
    os.fsync(fd)
    os.fdatasync(fd)
    os.close(fd)
    folder = os.open(d, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    assert os.statvfs(d).f_blocks > 0


CASES = [
    writes_anywhere,
    large_writes,
    appends,
    appends_set_later,
    appends_by_many_threads,
    truncates,
    allocates,
    seeks_holes,
    direct_io,
    synchronous,
    shared_mapping,
    mapping_that_outlives_its_file,
    copies,
    syncs,
]
