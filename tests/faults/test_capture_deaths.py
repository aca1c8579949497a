"""The capture program dies, ends, is started again: what is lost, what goes on, and what is said about it."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import threading
import time
from typing import Self

import pytest

from orchestrator.engine.capture.control import ControlClient
from orchestrator.engine.capture.errors import CaptureSilent, MountBusy, MountFailed, MountRefused
from orchestrator.engine.capture.mount import Mount
from orchestrator.engine.capture.mounts import captured_directories, is_captured, is_dead
from orchestrator.engine.capture.supervisor import Death, DeathPolicy, OnDeath, Supervisor
from tests.unit.capture.captured import Captured, assert_replay_is_true


@pytest.fixture
def captured(needs, tmp_path):
    needs("fuse")
    with Captured(tmp_path) as captured:
        yield captured


class Watched:
    """A captured directory under a supervisor that writes down every death."""

    def __init__(self, captured: Captured, policy: DeathPolicy | None = None) -> None:
        self.captured = captured
        self.deaths: list[Death] = []
        self._told = threading.Condition()
        self.supervisor = Supervisor(captured.mount, captured.start, self._note, policy)

    def _note(self, death: Death) -> None:
        with self._told:
            self.deaths.append(death)
            self._told.notify_all()

    def wait(self, count: int) -> Death:
        with self._told:
            assert self._told.wait_for(lambda: len(self.deaths) >= count, timeout=10)
        return self.deaths[-1]

    def __enter__(self) -> Self:
        self.supervisor.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self.supervisor.stop()


def test_without_a_supervisor_a_killed_program_leaves_a_dead_directory(captured) -> None:
    captured.mount.process.kill()
    assert captured.mount.process.wait(5)
    assert is_dead(captured.path)
    with pytest.raises(CaptureSilent):
        captured.mount.status()


@pytest.mark.covers("ENG-CAP-09")
def test_a_killed_program_is_mounted_again_within_a_second(captured) -> None:
    (captured.path / "before").write_text("x")
    log_before = captured.mount.state.log_id
    held = os.open(captured.path / "before", os.O_WRONLY)
    with Watched(captured) as watched:
        began_s = time.monotonic()
        captured.mount.process.kill()
        death = watched.wait(1)
        (captured.path / "after").write_text("y")
        assert time.monotonic() - began_s < 1.0
    assert (death.captured_again, death.clean, death.why_bare) == (True, False, "")
    assert captured.mount.state.log_id != log_before
    assert not captured.mount.status().previous_clean
    assert next(op.path for op in captured.operations() if op.path) == b"after"
    with pytest.raises(OSError) as lost:
        os.write(held, b"lost")
    assert lost.value.errno in {errno.ENOTCONN, errno.EIO}
    os.close(held)


def test_the_policy_may_be_to_uncover(captured) -> None:
    (captured.path / "f").write_text("kept")
    with Watched(captured, DeathPolicy(OnDeath.UNCOVER)) as watched:
        captured.mount.process.kill()
        death = watched.wait(1)
    assert (death.captured_again, death.clean) == (False, False)
    assert not is_captured(captured.path)
    assert (captured.path / "f").read_text() == "kept"


def test_a_program_that_dies_again_and_again_is_given_up_and_the_directory_is_bare(captured) -> None:
    with Watched(captured, DeathPolicy(most_remounts=2)) as watched:
        for count in (1, 2, 3):
            watched.supervisor.mount.process.kill()
            death = watched.wait(count)
    assert not death.captured_again
    assert "more than 2 times" in death.why_bare
    (captured.path / "f").write_text("the application goes on")


def test_killed_under_load_the_log_ends_with_a_sound_record_and_never_claims_to_be_clean(captured) -> None:
    stop = threading.Event()

    def write() -> None:
        with contextlib.suppress(OSError), open(captured.path / "f", "wb", buffering=0) as file:
            while not stop.is_set():
                file.write(b"x" * 5000)

    writer = threading.Thread(target=write)
    writer.start()
    while captured.mount.state.committed_sequence < 500:
        time.sleep(0.01)
    captured.mount.process.kill()
    assert captured.mount.process.wait(5)
    stop.set()
    writer.join()
    operations = captured.operations()
    assert [op.sequence for op in operations] == list(range(1, len(operations) + 1))
    assert not captured.mount.state.clean


@pytest.mark.covers("ENG-Q-07")
def test_an_orderly_end_sets_the_clean_mark_and_the_log_goes_on(captured) -> None:
    (captured.path / "a").write_text("1")
    log_id, path = captured.mount.state.log_id, captured.mount.places.log_dir / "state"
    captured.mount.stop()
    assert path.read_bytes()[88] & 4
    captured.start()
    status = captured.mount.status()
    assert (status.previous_clean, status.continued) == (True, True)
    assert captured.mount.state.clean, "nothing was written since"
    (captured.path / "b").write_text("2")
    assert not captured.mount.state.clean
    assert captured.mount.state.log_id == log_id
    assert_replay_is_true(captured)


@pytest.mark.parametrize("damage", ["missing", "flipped"])
def test_a_clean_log_whose_segments_are_damaged_is_not_continued(captured, damage) -> None:
    (captured.path / "a").write_text("1")
    captured.mount.stop()
    segment = captured.mem_dir / f"{1:016x}.seg"
    if damage == "missing":
        segment.unlink()
    else:
        with segment.open("r+b") as file:
            file.seek(100)
            file.write(b"\xff")
    captured.start()
    assert not captured.mount.status().continued


def test_a_clean_log_that_was_wholly_released_goes_on_without_its_segments(captured) -> None:
    (captured.path / "a").write_text("1")
    last = captured.settle()
    captured.mount.state.released_sequence = last
    captured.mount.stop()
    (captured.mem_dir / f"{1:016x}.seg").unlink()
    captured.start()
    assert captured.mount.status().continued
    (captured.path / "b").write_text("2")
    assert captured.settle() > last
    assert captured.operations()[0].sequence == last + 1


def test_a_mount_in_use_is_not_taken_away(captured) -> None:
    with (captured.path / "f").open("w"), pytest.raises(MountBusy):
        captured.mount.stop()
    assert captured.mount.alive
    (captured.path / "g").write_text("still captured")
    captured.settle()
    captured.mount.stop()


def test_a_terminate_signal_ends_in_order(captured) -> None:
    os.kill(captured.mount.process.pid, 15)
    assert captured.mount.process.wait(5)
    assert captured.mount.state.clean
    assert not is_captured(captured.path)


def test_a_later_daemon_finds_the_running_program_again(captured) -> None:
    found = Mount.attach(captured.path, captured.log_dir, captured.mem_dir, captured.disk_dir)
    assert found.process.pid == captured.mount.process.pid
    assert found.alive
    (captured.path / "f").write_text("x")
    assert (found.lower_path / "f").read_text() == "x"
    lower = found.open_lower()
    found.stop()
    assert os.listdir(lower) == ["f"]
    os.close(lower)


@pytest.mark.covers("ENG-CAP-09")
def test_mounts_are_listed_and_the_root_is_refused(captured) -> None:
    assert captured.path in [found.path for found in captured_directories()]
    places = (captured.log_dir, captured.mem_dir, captured.disk_dir)
    with pytest.raises(MountRefused, match="root"):
        Mount.start(captured.path.__class__("/"), *places)
    with pytest.raises(MountRefused, match="already"):
        Mount.start(captured.path, *places)
    with pytest.raises(MountRefused, match="not a directory"):
        Mount.start(captured.base / "absent", *places)
    with pytest.raises(MountRefused, match="inside"):
        Mount.start(captured.base, *places)


def test_two_programs_never_share_a_log(captured) -> None:
    other = captured.base / "other"
    other.mkdir()
    with pytest.raises(MountFailed, match="in use"):
        Mount.start(other, captured.log_dir, captured.mem_dir, captured.disk_dir)
    assert captured.mount.status().pid == captured.mount.process.pid


def test_nonsense_on_the_control_socket_is_answered_and_harmless(captured) -> None:
    client = ControlClient(captured.log_dir)
    for request in ({}, {"do": "dance"}, {"do": None}, {"x" * 800: 1}):
        with pytest.raises(CaptureSilent):
            client._ask(**request)
    assert client.status().pid == captured.mount.process.pid


def test_a_mount_taken_away_by_somebody_is_covered_again_with_a_new_log(captured) -> None:
    (captured.path / "f").write_text("x")
    before = captured.mount.state.log_id
    with Watched(captured) as watched:
        subprocess.run(["umount", captured.path], check=True)
        death = watched.wait(1)
    assert (death.captured_again, death.clean) == (True, True)
    assert captured.mount.state.log_id != before, "nobody knows what changed while it was bare"
