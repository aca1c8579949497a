"""The log at its limits: memory, disk, a full disk, release, and what the application notices of it (nothing)."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import shutil
import subprocess
import threading
import time

import pytest

from orchestrator.engine.capture.mount import CaptureLimits
from tests.unit.capture.captured import Captured, assert_replay_is_true

SEGMENT = 256 << 10
UNLIMITED = 2**64 - 1


def limits(memory: int, disk: int, free: int = 0) -> CaptureLimits:
    return CaptureLimits(memory * SEGMENT, disk * SEGMENT if disk < UNLIMITED else disk, free, SEGMENT)


def fill(captured: Captured, segments: float) -> None:
    """Write about that many segments' worth."""
    with open(captured.path / "f", "ab", buffering=0) as file:
        file.writelines([b"f" * 16384] * int(segments * SEGMENT / 16384))


def segments(folder) -> list[int]:
    return sorted(int(name[:16], 16) for name in os.listdir(folder) if name.endswith(".seg"))


@pytest.fixture
def in_memory(needs, tmp_path):
    """A directory on a tmpfs of its own, where many files are made quickly."""
    needs("root")
    folder = tmp_path / "in-memory"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.covers("ENG-Q-01")
def test_memory_first_then_disk_and_the_order_is_kept(needs, tmp_path) -> None:
    needs("fuse")
    with Captured(tmp_path, limits(4, UNLIMITED)) as captured:
        fill(captured, 10)
        captured.settle()
        in_memory, on_disk = segments(captured.mem_dir), segments(captured.disk_dir)
        assert in_memory[0] == 1
        assert max(on_disk) > max(in_memory)  # one in memory may be made ready while another is begun on the disk
        assert sorted(in_memory + on_disk) == list(range(1, len(in_memory + on_disk) + 1))
        state = captured.mount.state
        assert state.memory_bytes <= 4 * SEGMENT
        assert state.disk_bytes >= 6 * SEGMENT
        assert not state.out_of_step
        assert_replay_is_true(captured)


@pytest.mark.covers("ENG-Q-01")
def test_spent_segments_are_deleted_and_memory_is_used_again(needs, tmp_path) -> None:
    needs("fuse")
    with Captured(tmp_path, limits(4, UNLIMITED)) as captured:
        fill(captured, 8)
        last = captured.settle()
        captured.mount.state.released_sequence = last
        deadline = time.monotonic() + 5
        while len(segments(captured.mem_dir) + segments(captured.disk_dir)) > 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert segments(captured.mem_dir) + segments(captured.disk_dir) == [captured.mount.state.last_segment]
        fill(captured, 4)  # the spare that was made on disk meanwhile is used first
        assert len(segments(captured.mem_dir)) >= 2


@pytest.mark.covers("ENG-Q-02")
@pytest.mark.parametrize(
    ("what", "chosen"),
    [
        ("no disk queue", limits(4, 0)),
        ("a disk limit", limits(2, 2)),
        ("minimum free space", limits(4, UNLIMITED, 2**60)),
    ],
)
def test_past_the_limit_the_application_goes_on_and_the_log_says_out_of_step(needs, tmp_path, what, chosen) -> None:
    needs("fuse")
    with Captured(tmp_path, chosen) as captured:
        fill(captured, 10)
        state = captured.mount.state
        assert os.path.getsize(captured.path / "f") == 10 * SEGMENT
        assert state.out_of_step, what
        assert state.out_of_step_sequence == state.committed_sequence + 1
        assert state.memory_bytes + state.disk_bytes <= 4 * SEGMENT
        assert [op.sequence for op in captured.operations()] == list(range(1, state.committed_sequence + 1))
        captured.mount.stop()
        assert captured.log_dir.joinpath("state").read_bytes()[88] & 4 == 0, "an incomplete log is never clean"


def test_restart_begins_another_log_and_step_is_kept_again(needs, tmp_path) -> None:
    needs("fuse")
    with Captured(tmp_path, limits(2, 0)) as captured:
        fill(captured, 6)
        state = captured.mount.state
        before = state.log_id
        assert state.out_of_step
        captured.wait_released()
        again = captured.mount.restart_log()
        assert again == state.log_id != before
        assert not state.out_of_step
        (captured.path / "g").write_text("x")
        assert captured.operations()[0].sequence == 1
        assert captured.operations()[0].path == b"g"


@pytest.mark.covers("ENG-Q-02")
def test_a_full_disk_under_the_log_never_stops_the_application(needs, tmp_path) -> None:
    needs("fuse")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=True)
    try:
        with Captured(tmp_path, limits(0, UNLIMITED)) as captured:
            captured.mount.stop()
            captured.disk_dir = small
            captured.start()
            fill(captured, 10)
            assert captured.mount.state.out_of_step
            assert os.path.getsize(captured.path / "f") == 10 * SEGMENT
            assert len(captured.operations()) > 10
            captured.mount.stop()
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_sleeping_reader_is_woken_once(needs, tmp_path) -> None:
    needs("fuse")
    with Captured(tmp_path) as captured:
        fifo = os.open(captured.log_dir / "wake", os.O_RDONLY | os.O_NONBLOCK)
        (captured.path / "unnoticed").write_text("x")
        captured.settle()
        assert not select.select([fifo], [], [], 0)[0]
        captured.mount.state.reader_waiting = 1
        (captured.path / "noticed").write_text("x")
        assert select.select([fifo], [], [], 5)[0]
        assert os.read(fifo, 10) == b"\x01"
        assert captured.mount.state.reader_waiting == 0
        os.close(fifo)


def test_the_heart_beats(needs, tmp_path) -> None:
    needs("fuse")
    with Captured(tmp_path) as captured:
        first = captured.mount.state.heartbeat_boottime_ns
        deadline = time.monotonic() + 5
        while captured.mount.state.heartbeat_boottime_ns == first:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def refused(deed) -> bool:
    try:
        deed()
    except OSError as error:
        return error.errno == errno.EROFS
    return False


def changes(captured: Captured, held: int) -> list:
    path = captured.path
    return [
        lambda: os.write(held, b"x"),
        lambda: os.ftruncate(held, 1),
        (path / "new").touch,
        (path / "dir").mkdir,
        lambda: os.symlink("x", path / "l"),
        lambda: os.link(path / "f", path / "h"),
        lambda: os.rename(path / "f", path / "g"),
        lambda: os.unlink(path / "f"),
        lambda: os.rmdir(path / "empty"),
        lambda: os.chmod(path / "f", 0o600),
        lambda: os.chown(path / "f", 1, 1),
        lambda: os.utime(path / "f"),
        lambda: os.setxattr(path / "f", "user.x", b"1"),
        lambda: os.truncate(path / "f", 0),
        lambda: os.posix_fallocate(held, 0, 100),
        lambda: os.mkfifo(path / "p"),
    ]


@pytest.mark.parametrize("how", ["fence", "lease"])
def test_a_fenced_source_refuses_every_change_and_goes_on_reading(needs, tmp_path, how) -> None:
    needs("fuse")
    with Captured(tmp_path) as captured:
        (captured.path / "f").write_text("readable")
        (captured.path / "empty").mkdir()
        held = os.open(captured.path / "f", os.O_RDWR)
        now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        if how == "fence":
            captured.mount.fence(on=True)
        else:
            captured.mount.state.lease_deadline_boottime_ns = now_ns - 1
        before = captured.mount.state.committed_sequence
        assert [refused(change) for change in changes(captured, held)] == [True] * 16
        assert captured.mount.state.committed_sequence == before
        assert captured.mount.status().refuses_changes
        assert (captured.path / "f").read_text() == "readable"
        captured.mount.fence(on=False)
        captured.mount.state.lease_deadline_boottime_ns = now_ns + 60 * 10**9
        os.write(held, b"again")
        os.close(held)


def test_the_source_fences_itself_when_its_lease_runs_out(needs, tmp_path) -> None:
    needs("fuse")
    with Captured(tmp_path) as captured:
        deadline_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) + 300_000_000
        captured.mount.state.lease_deadline_boottime_ns = deadline_ns
        last_good_ns = 0
        with open(captured.path / "f", "wb", buffering=0) as file:
            began_ns = last_good_ns
            while not refused(lambda: file.write(b"x")):
                last_good_ns, began_ns = began_ns, time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        assert 0 < last_good_ns <= deadline_ns


def test_a_fence_waits_for_the_changes_under_way(needs, tmp_path) -> None:
    needs("fuse")
    with Captured(tmp_path) as captured:
        stop = threading.Event()
        (captured.path / "f").touch()

        def write() -> None:
            with open(captured.path / "f", "r+b", buffering=0) as file:
                while not stop.is_set():
                    with contextlib.suppress(OSError):
                        file.write(b"x" * 100000)

        writers = [threading.Thread(target=write) for _ in range(3)]
        for writer in writers:
            writer.start()
        for _ in range(10):
            captured.mount.fence(on=True)
            before = captured.mount.state.committed_sequence, os.stat(captured.lower() / "f").st_mtime_ns
            time.sleep(0.01)  # time for a straggler to show
            assert before == (captured.mount.state.committed_sequence, os.stat(captured.lower() / "f").st_mtime_ns)
            captured.mount.fence(on=False)
        stop.set()
        for writer in writers:
            writer.join()


def test_a_fence_outlives_a_killed_program(needs, tmp_path) -> None:
    needs("fuse")
    with Captured(tmp_path) as captured:
        captured.mount.fence(on=True)
        captured.mount.abandon()
        captured.start()
        with pytest.raises(OSError, match="Read-only"):
            (captured.path / "f").touch()


def test_a_lease_of_another_boot_counts_as_run_out(needs, tmp_path) -> None:
    needs("fuse")
    with Captured(tmp_path) as captured:
        captured.mount.state.lease_deadline_boottime_ns = 2**62
        captured.mount.stop()
        with (captured.log_dir / "state").open("r+b") as page:
            page.seek(192)
            page.write(b"another boot's id"[:16])
        captured.start()
        with pytest.raises(OSError, match="Read-only"):
            (captured.path / "f").touch()


def test_a_hundred_thousand_files_cost_little_memory(needs, in_memory) -> None:
    needs("fuse")
    with Captured(in_memory) as captured:
        lower = captured.lower()
        for folder in range(100):
            (lower / f"{folder}").mkdir()
            for number in range(1000):
                os.close(os.open(lower / f"{folder}/some-file-{number}", os.O_CREAT | os.O_WRONLY))
        before = resident_bytes(captured)
        found = sum(
            1
            for _folder, _names, files in os.walk(captured.path)
            for name in files
            if os.stat(os.path.join(_folder, name))
        )
        assert found == 100_000
        assert captured.mount.status().nodes >= 100_000
        assert resident_bytes(captured) - before < 50 << 20
        assert len(os.listdir(f"/proc/{captured.mount.process.pid}/fd")) < 40


def resident_bytes(captured: Captured) -> int:
    with open(f"/proc/{captured.mount.process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.covers("ENG-Q-01")
def test_memory_that_is_full_before_its_limit_sends_the_log_to_the_disk(needs, tmp_path) -> None:
    needs("fuse")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", small], check=True)
    try:
        with Captured(tmp_path, limits(100, UNLIMITED)) as captured:
            captured.mount.stop()
            shutil.rmtree(captured.mem_dir)
            captured.mem_dir = small
            captured.start()
            fill(captured, 10)
            captured.settle()
            assert segments(small)
            assert segments(captured.disk_dir)
            assert not captured.mount.state.out_of_step
            assert_replay_is_true(captured)
            captured.mount.stop()
    finally:
        subprocess.run(["umount", small], check=True)
