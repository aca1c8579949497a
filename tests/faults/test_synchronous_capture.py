"""A flush over a synchronous connection is answered when its target has acknowledged it: asked of the real capture program.

The target is this test: it says what it holds, or says nothing.
"""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.engine.capture.synchronous import SynchronousFeed, SynchronousState, SynchronousTerms
from tests.unit.capture.captured import Captured, open_directory

LONG_S = 60.0
PROMPT_S = 0.3


class Target:
    """The feed of one connection, acknowledging by hand; the states it went through."""

    def __init__(self, captured: Captured, *, wait_s: float, keep_waiting: bool = False, key: str = "one") -> None:
        self.captured = captured
        self.states: list[SynchronousState] = []
        self._changed = threading.Condition()
        terms = SynchronousTerms(wait_s, keep_waiting)
        self.feed = SynchronousFeed(captured.log_dir, key, terms, self._note)
        self.feed.start()

    def _note(self, state: SynchronousState) -> None:
        with self._changed:
            self.states.append(state)
            self._changed.notify_all()

    def until(self, state: str) -> SynchronousState:
        """Wait until the connection is in this state."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.feed.now.state == state, LONG_S), self.feed.now
        return self.feed.now

    def acknowledge(self, *, good: bool = True) -> None:
        """Hold all there is."""
        page = self.captured.mount.state
        self.feed.heard(str(page.log_id), page.committed_sequence, good=good)

    def synchronous(self) -> Target:
        """Catch up; files that were just closed are still logged meanwhile."""
        until_s = time.monotonic() + LONG_S
        while self.feed.now.state != "synchronous":
            assert time.monotonic() < until_s, self.feed.now
            self.acknowledge()
            with self._changed:
                self._changed.wait_for(lambda: self.feed.now.state == "synchronous", 0.05)
        return self


class Flush:
    """Something that flushes, in a thread of its own."""

    def __init__(self, deed: Callable[[], None]) -> None:
        self.failure: BaseException | None = None
        self._deed = deed
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._deed()
        except BaseException as error:  # noqa: BLE001 - raised again in the thread of the test
            self.failure = error

    def is_answered(self, within_s: float) -> bool:
        """Whether it was answered by then; an error is the test's failure."""
        self._thread.join(within_s)
        if self.failure is not None:
            raise self.failure
        return not self._thread.is_alive()


@pytest.fixture
def captured(needs: Callable[..., None]) -> Iterator[Captured]:
    needs("fuse")
    with open_directory() as base, Captured(base) as one:
        yield one


def waits(captured: Captured, count: int = 1) -> None:
    until_s = time.monotonic() + LONG_S
    while captured.mount.status().flushes_waiting < count:
        assert time.monotonic() < until_s, "the flush did not come to wait"
        time.sleep(0.002)


def write_and_fsync(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"of worth")
        file.flush()
        os.fsync(file.fileno())


def write_synced(path: Path, flag: int = os.O_SYNC) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o644)
    try:
        os.write(fd, b"of worth")
    finally:
        os.close(fd)


def write_directly(path: Path) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_DSYNC | os.O_DIRECT, 0o644)
    try:
        with mmap.mmap(-1, 4096) as page:
            os.write(fd, page)
    finally:
        os.close(fd)


def store_and_msync(path: Path) -> None:
    """In a process of its own: mmap.flush() would keep all of this one's threads waiting."""
    words = "import mmap, sys; f = open(sys.argv[1], 'w+b', 0); f.truncate(4096); m = mmap.mmap(f.fileno(), 4096)"
    subprocess.run([sys.executable, "-c", words + "; m[:5] = b'worth'; m.flush()", str(path)], check=True)


def make_and_fsync_directory(path: Path) -> None:
    path.mkdir()
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def fdatasync(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        file.write(b"of worth")
        os.fdatasync(file.fileno())


FLUSHES = {
    "fsync": write_and_fsync,
    "fdatasync": fdatasync,
    "O_SYNC": write_synced,
    "O_DSYNC": lambda path: write_synced(path, os.O_DSYNC),
    "O_DSYNC and O_DIRECT": write_directly,
    "msync": store_and_msync,
    "fsync of a directory": make_and_fsync_directory,
}


@pytest.mark.covers("ENG-SYNC-01")
@pytest.mark.parametrize("kind", FLUSHES)
def test_every_flush_waits_for_the_target(captured: Captured, kind: str) -> None:
    target = Target(captured, wait_s=LONG_S).synchronous()
    flush = Flush(lambda: FLUSHES[kind](captured.path / "it"))
    try:
        while not flush.is_answered(0):  # O_SYNC through the page cache flushes twice
            waits(captured)
            assert not flush.is_answered(PROMPT_S / 3)
            target.acknowledge()
            flush.is_answered(PROMPT_S)
        assert target.feed.now.state == "synchronous"
    finally:
        target.feed.end()


@pytest.mark.covers("ENG-SYNC-01")
def test_what_is_no_flush_does_not_wait(captured: Captured) -> None:
    target = Target(captured, wait_s=LONG_S).synchronous()
    (captured.path / "closed").write_bytes(b"closing is no flush")
    (captured.path / "closed").rename(captured.path / "renamed")
    assert (captured.path / "renamed").read_bytes() == b"closing is no flush"
    target.feed.end()


@pytest.mark.covers("ENG-SYNC-01")
def test_others_work_while_many_flushes_wait(captured: Captured) -> None:
    target = Target(captured, wait_s=LONG_S).synchronous()
    flushes = [Flush(lambda name=name: write_and_fsync(captured.path / name)) for name in map(str, range(40))]  # type: ignore[misc]
    waits(captured, 40)
    (captured.path / "another").write_bytes(b"not held up")
    target.acknowledge()
    assert all(flush.is_answered(LONG_S) for flush in flushes)
    target.feed.end()


@pytest.mark.covers("ENG-SYNC-01")
def test_past_the_wait_it_goes_on_asynchronously_and_comes_back(captured: Captured) -> None:
    target = Target(captured, wait_s=0.2).synchronous()
    assert Flush(lambda: write_and_fsync(captured.path / "late")).is_answered(LONG_S)
    assert target.until("asynchronous").why == "the target did not answer in time"
    assert Flush(lambda: write_and_fsync(captured.path / "free")).is_answered(LONG_S)
    target.synchronous()
    assert [one.state for one in target.states] == ["synchronous", "asynchronous", "synchronous"]
    target.feed.end()


@pytest.mark.covers("ENG-SYNC-01")
def test_by_the_other_policy_the_application_waits(captured: Captured) -> None:
    target = Target(captured, wait_s=0.1, keep_waiting=True).synchronous()
    flush = Flush(lambda: write_and_fsync(captured.path / "late"))
    target.until("waiting")
    assert not flush.is_answered(PROMPT_S)
    target.acknowledge()
    assert flush.is_answered(LONG_S)
    target.until("synchronous")
    target.feed.end()


@pytest.mark.covers("ENG-SYNC-01")
def test_the_program_keeps_to_the_terms_without_the_daemon(captured: Captured) -> None:
    target = Target(captured, wait_s=0.5).synchronous()
    target.feed.stop()
    began_s = time.monotonic()
    assert Flush(lambda: write_and_fsync(captured.path / "late")).is_answered(LONG_S)
    assert time.monotonic() - began_s >= 0.5
    again = Target(captured, wait_s=0.5)
    again.synchronous()
    again.feed.end()


@pytest.mark.covers("ENG-SYNC-01")
def test_a_daemon_that_is_back_within_the_wait_answers_what_waited(captured: Captured) -> None:
    Target(captured, wait_s=LONG_S).synchronous().feed.stop()
    flush = Flush(lambda: write_and_fsync(captured.path / "kept"))
    waits(captured)
    target = Target(captured, wait_s=LONG_S)
    assert not flush.is_answered(PROMPT_S)
    target.acknowledge()
    assert flush.is_answered(LONG_S)
    assert {one.state for one in target.states} == {"synchronous"}
    target.feed.end()


@pytest.mark.covers("ENG-SYNC-01")
def test_while_changes_are_refused_nothing_late_is_called_safe(captured: Captured) -> None:
    target = Target(captured, wait_s=0.2).synchronous()
    flush = Flush(lambda: write_and_fsync(captured.path / "cut off"))
    waits(captured)
    captured.mount.fence(on=True)
    assert not flush.is_answered(1.0)
    captured.mount.fence(on=False)
    assert flush.is_answered(LONG_S)
    target.until("asynchronous")
    target.feed.end()


@pytest.mark.covers("ENG-SYNC-01")
def test_a_target_that_needs_a_mirror_is_not_waited_for(captured: Captured) -> None:
    target = Target(captured, wait_s=LONG_S, keep_waiting=True).synchronous()
    flush = Flush(lambda: write_and_fsync(captured.path / "one"))
    waits(captured)
    target.acknowledge(good=False)
    assert flush.is_answered(LONG_S)
    assert target.until("asynchronous").why == "the data of the target is not good"
    target.synchronous()
    captured.mount.restart_log()
    assert target.until("asynchronous").why == "another log began"
    target.feed.end()


@pytest.mark.covers("ENG-SYNC-01")
def test_the_end_of_the_mode_answers_what_waits(captured: Captured) -> None:
    target = Target(captured, wait_s=0.1, keep_waiting=True).synchronous()
    flush = Flush(lambda: write_and_fsync(captured.path / "one"))
    target.until("waiting")
    target.feed.end()
    assert flush.is_answered(LONG_S)


@pytest.mark.covers("ENG-SYNC-01")
def test_every_synchronous_connection_is_waited_for(captured: Captured) -> None:
    first, second = Target(captured, wait_s=LONG_S).synchronous(), Target(captured, wait_s=LONG_S, key="two")
    second.synchronous()
    flush = Flush(lambda: write_and_fsync(captured.path / "one"))
    waits(captured)
    first.acknowledge()
    assert not flush.is_answered(PROMPT_S)
    second.acknowledge()
    assert flush.is_answered(LONG_S)
    first.feed.end()
    second.feed.end()


@pytest.mark.covers("ENG-SYNC-01")
def test_a_process_that_waits_can_be_killed_and_other_signals_end_no_flush(captured: Captured) -> None:
    target = Target(captured, wait_s=0.1, keep_waiting=True).synchronous()
    words = "import os, signal, sys; signal.signal(signal.SIGUSR1, lambda *_: None); f = open(sys.argv[1], 'wb', 0)"
    words += "; f.write(b'x'); os.fsync(f)"
    process = subprocess.Popen([sys.executable, "-c", words, str(captured.path / "held")])
    target.until("waiting")
    process.send_signal(signal.SIGUSR1)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(PROMPT_S)
    process.kill()
    assert process.wait(LONG_S) == -signal.SIGKILL
    target.feed.end()
