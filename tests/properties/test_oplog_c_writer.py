"""The C program writes what the Python reader reads: random operations, many threads, any segment size.

A seeded worker does what applications do, at random, and is not told what failed. Afterwards every record must be sound and in
order, and replaying them must give the very tree. A second reading of the format, with ``struct`` alone, guards against a mistake
that writer and reader share.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import struct
import threading
from pathlib import Path

import pytest
from xxhash import xxh3_64_intdigest

from orchestrator.engine.capture.mount import CaptureLimits
from orchestrator.engine.oplog.check import check_log
from orchestrator.engine.oplog.format import encode
from orchestrator.engine.oplog.segments import LogPlace
from tests.unit.capture.captured import Captured, assert_replay_is_true

LIBC = ctypes.CDLL(None, use_errno=True)


class RandomApplication:
    """Does random things below a directory, from one seed."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.dice = root, random.Random(seed)
        self.held: list[int] = []

    def run(self, steps: int) -> None:
        for folder in ("a", "b", "a/c", "b/d", "b/d/a"):
            with contextlib.suppress(OSError):
                (self.root / folder).mkdir()
        deeds = [self.write] * 6 + [
            self.hold,
            self.let_go,
            self.write_held,
            self.truncate,
            self.punch,
            self.make_directory,
        ]
        deeds += [
            self.rename,
            self.rename,
            self.exchange,
            self.link,
            self.symlink,
            self.unlink,
            self.rmdir,
            self.attributes,
            self.xattr,
        ]
        for _ in range(steps):
            with contextlib.suppress(OSError):
                self.dice.choice(deeds)()
        for fd in self.held:
            os.close(fd)

    def path(self) -> Path:
        depth = self.dice.choice((1, 1, 2, 2, 3))
        folders = [self.dice.choice("abcd") for _ in range(depth - 1)]
        return self.root.joinpath(*folders, self.dice.choice("abcdefgh"))

    def content(self) -> bytes:
        return self.dice.randbytes(self.dice.choice((0, 1, 7, 100, 4096, 70000)))

    def write(self) -> None:
        fd = os.open(self.path(), os.O_RDWR | os.O_CREAT | self.dice.choice((0, os.O_TRUNC, os.O_APPEND)), 0o644)
        os.pwrite(fd, self.content(), self.dice.randrange(100000))
        os.close(fd)

    def hold(self) -> None:
        self.held.append(os.open(self.path(), os.O_RDWR | os.O_CREAT | self.dice.choice((0, os.O_APPEND)), 0o600))

    def let_go(self) -> None:
        if self.held:
            os.close(self.held.pop(self.dice.randrange(len(self.held))))

    def write_held(self) -> None:
        if self.held:
            os.write(self.dice.choice(self.held), self.content())

    def truncate(self) -> None:
        os.truncate(self.path(), self.dice.randrange(120000))

    def punch(self) -> None:
        if self.held:
            LIBC.fallocate(
                self.dice.choice(self.held), self.dice.choice((0, 1, 3, 16)), ctypes.c_int64(4096), ctypes.c_int64(9000)
            )

    def make_directory(self) -> None:
        self.path().mkdir()

    def rename(self) -> None:
        self.path().rename(self.path())

    def exchange(self) -> None:
        LIBC.renameat2(-100, os.fsencode(self.path()), -100, os.fsencode(self.path()), 2)

    def link(self) -> None:
        os.link(self.path(), self.path())

    def symlink(self) -> None:
        self.path().symlink_to(self.dice.choice("abcd"))

    def unlink(self) -> None:
        self.path().unlink()

    def rmdir(self) -> None:
        self.path().rmdir()

    def attributes(self) -> None:
        path = self.path()
        os.lchown(path, self.dice.randrange(3), self.dice.randrange(3))
        os.utime(path, ns=(1, self.dice.randrange(10**18)), follow_symlinks=False)
        path.chmod(self.dice.randrange(0o10000) | 0o600)

    def xattr(self) -> None:
        path = self.path()
        if self.dice.random() < 0.7:
            os.setxattr(path, f"trusted.{self.dice.choice('xy')}", self.content()[:2000])
        else:
            os.removexattr(path, f"trusted.{self.dice.choice('xy')}")


def records_by_hand(captured: Captured) -> int:
    """Walk the segments with nothing but the written format; how many records there are."""
    state, expected = captured.mount.state, 1
    for number in range(state.first_segment, state.last_segment + 1):
        name = f"{number:016x}.seg"
        file = captured.mem_dir / name if (captured.mem_dir / name).exists() else captured.disk_dir / name
        data = file.read_bytes()
        assert struct.unpack_from("<8sHHI", data) == (b"DTOPLOG1", 1, 64, 0)
        assert data[16:32] == state.log_id.bytes
        assert struct.unpack_from("<QQ", data, 32) == (number, expected)
        assert struct.unpack_from("<Q", data, 56)[0] == xxh3_64_intdigest(data[:56])
        expected = walk_by_hand(data, expected)
    return expected - 1


def walk_by_hand(data: bytes, expected: int) -> int:
    offset = 64
    while len(data) - offset >= 64:
        total, _kind, _flags, sequence = struct.unpack_from("<IHHQ", data, offset)
        if total == 0:
            break
        path, path2 = struct.unpack_from("<II", data, offset + 24)
        size, reserved = struct.unpack_from("<II", data, offset + 48)
        assert total == (56 + path + path2 + size + 7) // 8 * 8 + 8
        assert (sequence, reserved) == (expected, 0)
        body = data[offset : offset + total - 8]
        assert struct.unpack_from("<Q", data, offset + total - 8)[0] == xxh3_64_intdigest(body, sequence)
        offset, expected = offset + total, expected + 1
    return expected


def assert_log_is_sound(captured: Captured) -> None:
    committed = captured.mount.state.committed_sequence
    report = check_log(LogPlace(captured.mem_dir, captured.disk_dir), committed)
    assert report.bad is None
    assert committed > 300
    assert report.last_sequence == committed == records_by_hand(captured)


@pytest.fixture
def segment_bytes(request):
    return request.param


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "segment_bytes", [5 << 20, 100_000], ids=["usual segments", "segments smaller than some records"]
)
def test_random_operations_replay_to_the_same_tree(needs, tmp_path, seed, segment_bytes) -> None:
    needs("fuse")
    limits = CaptureLimits(memory_limit_bytes=10 << 20, segment_bytes=segment_bytes)
    with Captured(tmp_path, limits) as captured:
        RandomApplication(captured.path, seed).run(2000)
        captured.settle()
        assert_log_is_sound(captured)
        assert_replay_is_true(captured)
        captured.mount.stop()


@pytest.mark.parametrize("seed", range(3))
def test_many_threads_and_a_rename_storm_replay_to_the_same_tree(needs, tmp_path, seed) -> None:
    needs("fuse")
    with Captured(tmp_path) as captured:
        applications = [RandomApplication(captured.path, seed * 100 + i) for i in range(4)]
        threads = [threading.Thread(target=application.run, args=(1000,)) for application in applications]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        captured.settle()
        assert_log_is_sound(captured)
        assert_replay_is_true(captured, times=False)  # threads race for a file's last time
        captured.mount.stop()


def test_python_encodes_the_very_bytes_that_c_wrote(needs, tmp_path) -> None:
    needs("fuse")
    with Captured(tmp_path) as captured:
        RandomApplication(captured.path, 7).run(300)
        captured.settle()
        written = (captured.mem_dir / f"{1:016x}.seg").read_bytes()
        again = b"".join(map(encode, captured.reading()))
        assert len(again) > 10000
        assert written[64 : 64 + len(again)] == again[: len(written) - 64]
