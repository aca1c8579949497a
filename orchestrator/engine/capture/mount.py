"""A protected directory under capture: starting the program over it, finding a running one again, stopping it in order.

Example::

    mount = Mount.start(Path("/srv/files"), log_dir=..., mem_dir=..., disk_dir=...)
    mount.mark("before the mirror")      # a barrier in the log
    os.listdir(mount.lower_path)         # the files below the mount, read without the log
    mount.stop()                         # orderly: the clean mark is set

Words: the *lower* directory is the one below the mount; it is reached through a descriptor opened before the mount, so the program
never meets itself. Invariant: at most one capture program per directory and per log.
"""

from __future__ import annotations

import contextlib
import os
import stat
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.engine.capture.build import ensure_built
from orchestrator.engine.capture.control import CaptureStatus, ControlClient
from orchestrator.engine.capture.errors import CaptureSilent, MountBusy, MountFailed, MountRefused
from orchestrator.engine.capture.mounts import detach, is_captured, is_dead
from orchestrator.engine.capture.process import CaptureProcess, Descriptors, spawn
from orchestrator.engine.capture.state import (
    DEFAULT_MEMORY_LIMIT_BYTES,
    DEFAULT_MINIMUM_FREE_BYTES,
    DEFAULT_SEGMENT_BYTES,
    UNLIMITED,
    StatePage,
)

STOP_TIMEOUT_S = 30.0
MESSAGES = "capture.log"


@dataclass(frozen=True, slots=True)
class CaptureLimits:
    """How large the log may grow before the connection is marked out of step (bytes)."""

    memory_limit_bytes: int = DEFAULT_MEMORY_LIMIT_BYTES
    disk_limit_bytes: int = UNLIMITED
    minimum_free_bytes: int = DEFAULT_MINIMUM_FREE_BYTES
    segment_bytes: int = DEFAULT_SEGMENT_BYTES


@dataclass(frozen=True, slots=True)
class CapturePlaces:
    """The directories of one log."""

    log_dir: Path
    mem_dir: Path
    disk_dir: Path


class Mount:
    """A directory under capture. Its program goes on when this object (or its process) is gone."""

    def __init__(self, path: Path, places: CapturePlaces, process: CaptureProcess, root_fd: int) -> None:
        self.path = path
        self.places = places
        self.process = process
        self.control = ControlClient(places.log_dir)
        self.state = StatePage(places.log_dir / "state")
        self._root_fd = root_fd

    @classmethod
    def start(  # noqa: PLR0917 -- the places of a log belong together and are named at every call
        cls,
        path: Path,
        log_dir: Path,
        mem_dir: Path,
        disk_dir: Path,
        limits: CaptureLimits | None = None,
        program: Path | None = None,
    ) -> Mount:
        """Put a capture program over ``path``; a dead one that lies there is taken away first.

        Args:
            path: the protected directory; not ``/``.
            log_dir: holds the state page, the control socket and the program's messages; on a disk.
            mem_dir: for the segments in memory; on a tmpfs.
            disk_dir: for the segments past the memory limit.
            limits: kept as they are in an existing log when None.
            program: the binary; built if None.

        Raises:
            MountRefused: this directory cannot or may not be captured.
            MountFailed: the program could not mount.
            BuildFailed: the program cannot be built.
        """
        chosen = _checked(path, (log_dir, mem_dir, disk_dir))
        places = CapturePlaces(log_dir=log_dir, mem_dir=mem_dir, disk_dir=disk_dir)
        _prepare(places, limits)
        binary = program or ensure_built()
        with _opened(chosen, places) as descriptors:
            process, said = spawn(binary, chosen, descriptors, log_dir / MESSAGES)
            if said != "ready":
                process.wait(5)
                process.close()
                raise MountFailed(path=chosen, why=said, log=log_dir / MESSAGES)
            return cls(chosen, places, process, descriptors.root)

    @classmethod
    def attach(cls, path: Path, log_dir: Path, mem_dir: Path, disk_dir: Path) -> Mount:
        """Find the program again that an earlier daemon started for this log.

        Raises:
            CaptureSilent: none answers, or its mount is gone; then it was ended.
        """
        status = ControlClient(log_dir).status()
        try:
            process = CaptureProcess(status.pid)
        except OSError as error:
            raise CaptureSilent(log_dir=log_dir, why=error.strerror) from error
        if not is_captured(path):
            process.kill()
            process.wait(STOP_TIMEOUT_S)
            process.close()
            raise CaptureSilent(log_dir=log_dir, why=f"its mount over {path} is gone")
        return cls(Path(os.path.abspath(path)), CapturePlaces(log_dir, mem_dir, disk_dir), process, status.root_fd)  # noqa: PTH100

    @property
    def alive(self) -> bool:
        """Whether the program runs."""
        return self.process.alive

    @property
    def lower_path(self) -> Path:
        """The directory below the mount, as a path any process of our user can open while the program runs."""
        return Path(f"/proc/{self.process.pid}/fd/{self._root_fd}")

    def open_lower(self) -> int:
        """A descriptor of the directory below the mount; it stays good when the program ends. The caller closes it."""
        return os.open(self.lower_path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def status(self) -> CaptureStatus:
        """How the program stands."""
        return self.control.status()

    def mark(self, name: str) -> int:
        """A barrier in the log; its sequence."""
        return self.control.mark(name)

    def fence(self, *, on: bool) -> None:
        """Refuse every change (EROFS), or allow them again. When it returns, no change is under way."""
        self.control.fence(on=on)

    def restart_log(self) -> uuid.UUID:
        """Drop the log and begin another, whose id is returned; what was out of step is then a matter of mirroring."""
        return self.control.restart()

    def stop(self) -> None:
        """Unmount in order; the clean mark is set.

        Raises:
            MountBusy: files are open; nothing was changed.
        """
        if self.alive and not self.control.stop():
            raise MountBusy(path=self.path)
        self.process.wait(STOP_TIMEOUT_S)
        self.close()

    def abandon(self) -> None:
        """End the program at once and uncover the directory: open files are lost and the log is not clean."""
        self.process.kill()
        self.process.wait(STOP_TIMEOUT_S)
        if is_captured(self.path):
            detach(self.path)
        self.close()

    def close(self) -> None:
        """Let go of the program without touching it."""
        self.process.close()
        self.state.close()


def _checked(path: Path, log_places: tuple[Path, ...]) -> Path:
    chosen = Path(os.path.abspath(path))  # noqa: PTH100 -- Path.resolve would ask a dead mount
    if is_dead(chosen):
        _uncover(chosen)
    chosen = chosen.resolve()
    if chosen == Path("/"):
        raise MountRefused(
            path=chosen, why="the root cannot be a replication mount", next="choose directories below it"
        )
    if not chosen.exists() or not stat.S_ISDIR(chosen.stat().st_mode):
        raise MountRefused(path=chosen, why="it is not a directory", next="ls -ld " + str(chosen))
    if is_captured(chosen):
        raise MountRefused(path=chosen, why="it is captured already", next="findmnt " + str(chosen))
    for place in log_places:
        if place.resolve().is_relative_to(chosen):
            raise MountRefused(
                path=chosen, why=f"its own log {place} would lie inside it", next="choose another state directory"
            )
    return chosen


def _uncover(path: Path) -> None:
    if not is_captured(path):
        raise MountRefused(
            path=path, why="another file system lies there, whose program is gone", next=f"umount -l {path}"
        )
    detach(path)


def _prepare(places: CapturePlaces, limits: CaptureLimits | None) -> None:
    for place in (places.log_dir, places.mem_dir, places.disk_dir):
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    state_file = places.log_dir / "state"
    page = StatePage(state_file) if state_file.exists() else StatePage.create(state_file, uuid.UUID(int=0))
    if limits:
        page.memory_limit_bytes = limits.memory_limit_bytes
        page.disk_limit_bytes = limits.disk_limit_bytes
        page.minimum_free_bytes = limits.minimum_free_bytes
        page.segment_bytes = limits.segment_bytes
    page.close()


@contextlib.contextmanager
def _opened(root: Path, places: CapturePlaces) -> Iterator[Descriptors]:
    opened = [
        os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for place in (root, places.log_dir, places.mem_dir, places.disk_dir)
    ]
    try:
        yield Descriptors(*opened)
    finally:
        for fd in opened:
            os.close(fd)
