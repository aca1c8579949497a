"""A target file that is locked, in use, read-only or denied is tried again with the reason; what comes after it waits."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from orchestrator.engine.apply.applier import RetryPolicy
from orchestrator.engine.apply.replica import Replica
from orchestrator.engine.apply.works import ReplicaSettings
from orchestrator.engine.oplog.format import Kind
from tests.faults.test_apply_kills import queued
from tests.faults.transfer_pair import SourceLog

PATIENCE_S = 60.0
GETFLAGS, SETFLAGS, IMMUTABLE = 0x80086601, 0x40086602, 0x10


@contextlib.contextmanager
def immutable(file: Path) -> Iterator[None]:
    """Denied to everybody, root included (chattr +i)."""

    def mark(*, on: bool) -> None:
        with file.open("rb") as opened:
            flags = struct.unpack("i", fcntl.ioctl(opened, GETFLAGS, bytes(4)))[0]
            fcntl.ioctl(opened, SETFLAGS, struct.pack("i", flags | IMMUTABLE if on else flags & ~IMMUTABLE))

    try:
        mark(on=True)
    except OSError as error:
        pytest.skip(f"files cannot be made immutable here: {error}")
    try:
        yield
    finally:
        mark(on=False)


@contextlib.contextmanager
def running(file: Path) -> Iterator[None]:
    """A program that runs cannot be written to."""
    process = subprocess.Popen([file, "600"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def read_only(file: Path) -> Iterator[None]:
    """The file system of the replica takes no changes."""
    place = str(file.parent)
    subprocess.run(["mount", "-o", "remount,ro", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", place], check=True)


OBSTACLES = {
    "denied": (immutable, "Operation not permitted"),
    "in use": (running, "Text file busy"),
    "read-only": (read_only, "Read-only file system"),
}


@pytest.fixture
def replica_root(tmp_path: Path, needs: Callable[..., None]) -> Iterator[Path]:
    """A file system of the replica's own, with a program in it."""
    needs("root")
    root = tmp_path / "replica"
    root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(root)], check=True)
    shutil.copy(shutil.which("sleep") or "/bin/sleep", root / "program")
    yield root
    subprocess.run(["umount", "-l", str(root)], check=True)


def changes(tmp_path: Path) -> Path:
    """A replica that is to write to the program and to make a file after that."""
    log = SourceLog(tmp_path / "log")
    log.op(Kind.WRITE, b"program", a=0, data=b"changed")
    log.op(Kind.CREATE, b"after", a=0o100644)
    return queued(tmp_path, log)


def until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


@pytest.mark.covers("ENG-CAP-10")
@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_it_is_tried_again_for_ever_and_order_is_held(tmp_path: Path, replica_root: Path, obstacle: str) -> None:
    hinder: Callable[[Path], AbstractContextManager[None]]
    hinder, reason = OBSTACLES[obstacle]
    directory = changes(tmp_path)
    says: list[str] = []
    with hinder(replica_root / "program"):
        replica = Replica.open(directory, happened=says.append)
        until(lambda: replica.status().target_state == "retrying")
        assert reason in replica.status().says
        assert not replica.settle(0.2)
        assert not (replica_root / "after").exists()
    assert replica.settle(PATIENCE_S)
    assert (replica_root / "program").read_bytes().startswith(b"changed")
    assert (replica_root / "after").exists()
    assert any("done after" in one and reason in one for one in says), says
    assert replica.status().data_state == "good"
    replica.close()


@pytest.mark.covers("ENG-CAP-10")
def test_past_the_limit_it_is_given_up_and_a_mirror_is_called_for(tmp_path: Path, replica_root: Path) -> None:
    directory = changes(tmp_path)
    settings = ReplicaSettings(retry=RetryPolicy(limit=3, first_s=0.01))
    with running(replica_root / "program"):
        replica = Replica.open(directory, settings)
        until(lambda: replica.status().data_state == "mirror_required")
        assert "given up after 3 retries" in replica.status().says
        until(lambda: os.path.exists(replica_root / "after"))
    replica.close()
