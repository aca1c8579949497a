"""The hosts of the demo: each is a loopback address, a directory and whatever processes carry its mark.

A process started for a host has ``DTAM_DEMO_HOST=<run>/<name>`` in its environment, or names the host's directory in its
command line. A power cut is SIGKILL to all of them at once: nothing on that host gets a chance to say goodbye.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

MARK = "DTAM_DEMO_HOST"


@dataclass(frozen=True, slots=True)
class DemoHost:
    """A pretended machine: ``name``, loopback ``address``, its own ``directory``; ``run`` tells demos apart."""

    name: str
    address: str
    directory: Path
    run: str

    @property
    def mark(self) -> str:
        """What the processes of this host carry in their environment."""
        return f"{self.run}/{self.name}"

    def start(self, *command: str, log: str) -> subprocess.Popen[bytes]:
        """Start a process of this host; its output goes to ``<directory>/<log>.log``."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.directory / f"{log}.log").open("ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, MARK: self.mark},
                start_new_session=True,
            )

    def processes(self) -> Iterator[psutil.Process]:
        """Every living process of the host, whoever started it."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(MARK) == self.mark or self._is_named_by(process):
                    yield process

    def _is_named_by(self, process: psutil.Process) -> bool:
        """An engine gives its services and scripts a clean environment, without the mark: their words name the directory."""
        return process.pid != os.getpid() and any(f"{self.directory}/" in word for word in process.cmdline())

    def cut_power(self) -> int:
        """SIGKILL to everything on the host, all stopped first so that none sees another die. Gives how many."""
        victims = list(self.processes())
        for blow in (signal.SIGSTOP, signal.SIGKILL):
            for victim in victims:
                with contextlib.suppress(psutil.Error):
                    victim.send_signal(blow)
        psutil.wait_procs(victims, timeout=5)
        self.detach_mounts()
        return len(victims)

    def shut_down(self, grace_s: float = 8.0) -> None:
        """End the host's processes in order; what does not go in time is killed."""
        victims = list(self.processes())
        for victim in victims:
            with contextlib.suppress(psutil.Error):
                victim.terminate()
        _, alive = psutil.wait_procs(victims, timeout=grace_s)
        if alive or list(self.processes()):
            self.cut_power()
        self.detach_mounts()

    def detach_mounts(self) -> None:
        """What a reboot does to mounts: none of the host's is left."""
        for mounted in reversed(mounts_below(self.directory)):
            command = ["umount", "-l", mounted] if os.geteuid() == 0 else ["fusermount3", "-u", "-z", mounted]
            subprocess.run(command, check=False, capture_output=True)


def mounts_below(directory: Path) -> list[str]:
    """Mount points inside ``directory``, outermost first (from /proc/self/mountinfo, octal escapes undone)."""
    inside = f"{directory}/"
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    return [point for point in points if point.startswith(inside)]


def wait_until(condition: Callable[[], object], within_s: float, what: str) -> None:
    """Wait for ``condition()`` to be true; raises TimeoutError naming ``what`` when it does not come."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            message = f"{what} did not happen within {within_s:.0f} s"
            raise TimeoutError(message)
        time.sleep(0.05)
