"""The capture program as a process: started to outlive us, watched by a descriptor instead of its number.

It is started in a session of its own and inherits only the descriptors it is given, so the daemon may end or be upgraded while it
runs. A pidfd never points to another process, whoever reaps the old one.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from dataclasses import dataclass
from pathlib import Path

READY_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Descriptors:
    """What the program inherits: directories opened before the mount."""

    root: int
    log: int
    memory: int
    disk: int


class CaptureProcess:
    """A running capture program, ours or one that an earlier daemon started."""

    def __init__(self, pid: int) -> None:
        """Watch the process ``pid``.

        Raises:
            OSError: there is no such process.
        """
        self.pid = pid
        self._pidfd = os.pidfd_open(pid)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return not self.wait(0)

    def wait(self, timeout_s: float | None) -> bool:
        """Wait for its end, for ever if ``timeout_s`` is None; true when it has ended."""
        poller = select.poll()
        poller.register(self._pidfd, select.POLLIN)
        ended = bool(poller.poll(None if timeout_s is None else timeout_s * 1000))
        if ended:
            self._reap()
        return ended

    def kill(self) -> None:
        """End it at once, as a crash would."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def close(self) -> None:
        """Stop watching; the process goes on."""
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):  # not our child: an earlier daemon's
            os.waitpid(self.pid, os.WNOHANG)


def spawn(program: Path, mountpoint: Path, descriptors: Descriptors, messages: Path) -> tuple[CaptureProcess, str]:
    """Start the program; it and what it said when it was ready (``ready``) or gave up (why).

    Args:
        program: the built binary.
        mountpoint: the protected directory.
        descriptors: inherited under their own numbers.
        messages: the file its messages are appended to.
    """
    ready_end, program_end = os.pipe2(os.O_CLOEXEC)
    try:
        process = CaptureProcess(_spawned(program, mountpoint, descriptors, program_end, messages))
    finally:
        os.close(program_end)
    try:
        return process, _first_line(ready_end)
    finally:
        os.close(ready_end)


def _spawned(program: Path, mountpoint: Path, descriptors: Descriptors, ready: int, messages: Path) -> int:
    given = {
        "--root-fd": descriptors.root,
        "--log-fd": descriptors.log,
        "--memory-fd": descriptors.memory,
        "--disk-fd": descriptors.disk,
        "--ready-fd": ready,
    }
    arguments = [str(program), "--mountpoint", str(mountpoint)]
    arguments += [word for name, fd in given.items() for word in (name, str(fd))]
    actions: list[tuple[int, int, int]] = [
        (os.POSIX_SPAWN_DUP2, fd, fd) for fd in given.values()
    ]  # same number: no close-on-exec
    output = os.open(messages, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    standard = [(os.POSIX_SPAWN_DUP2, nothing, 0), (os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)]
    try:
        return os.posix_spawn(
            program,
            arguments,
            {"PATH": os.environ.get("PATH", os.defpath)},
            file_actions=[*standard, *actions],
            setsid=True,
        )
    finally:
        os.close(output)
        os.close(nothing)


def _first_line(ready_end: int) -> str:
    deadline, text = time.monotonic() + READY_TIMEOUT_S, b""
    while not text.endswith(b"\n"):
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not select.select([ready_end], [], [], left_s)[0]:
            return "it was not ready in time"
        part = os.read(ready_end, 4096)
        if not part:
            return "it ended before it was ready"
        text += part
    return text.decode(errors="replace").strip()
