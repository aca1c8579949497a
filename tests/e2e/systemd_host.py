"""A host of its own on which a real systemd is the first process: namespaces, an overlay over a root, a control group.

    python -m tests.e2e.systemd_host /var/tmp/host [ROOT]     # one to try things on, as root: a shell, gone when it ends

It ends with the thread that booted it. Nothing stands in for anything there: units are started, ordered, restarted and stopped by systemd itself. The disk outlives a power
cut. Where the root under the overlay is this machine's own, the clone is not seen on it, nor what an engine keeps.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.conftest import wait_for

CLONE = Path(__file__).parents[2]
BOOT = Path(__file__).with_name("systemd_boot.sh")
HIDDEN = ("/opt/dtam", "/etc/dtam", "/var/cache/dtam", "/var/lib/dtam")
NAMESPACES = ("--mount", "--pid", "--uts", "--ipc", "--net")
BOOTS_WITHIN_S = 120
UP = {"running", "degraded"}


@dataclass
class SystemdHost:
    """One such host, by name; ``place`` holds its disk and what systemd said."""

    name: str
    place: Path
    lower: Path = Path("/")
    process: subprocess.Popen[bytes] | None = None
    pid: int = 0
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.place / "boot.log"

    def boot(self) -> SystemdHost:
        """Power on; returns when systemd has nothing more to start."""
        self.place.mkdir(parents=True, exist_ok=True)
        words = ["sh", str(BOOT), self.name, str(self.place), str(self.lower), *HIDDEN]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "unshare", *NAMESPACES, "--fork", "--kill-child", *words],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.pid = int(str(wait_for(self._first_process, BOOTS_WITHIN_S, "the first process")))
        wait_for(self._is_up, BOOTS_WITHIN_S, f"systemd of {self.name}")
        return self

    def _first_process(self) -> str:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        comm = Path(f"/proc/{children[0]}/comm") if children else None
        return children[0] if comm is not None and comm.read_text() == "systemd\n" else ""

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        return self.ask("systemctl is-system-running") in UP and not self.ask("systemctl list-jobs --no-legend")

    @property
    def enter(self) -> list[str]:
        """What stands before a command that is to run on the host."""
        return ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "-C", "--"]

    def shell(self, command: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run a shell's words there, whatever comes of it."""
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        words = [*self.enter, "env", "-i", path, "HOME=/root", "sh", "-c", command]
        return subprocess.run(words, capture_output=True, input=given or b"", check=False)

    def ask(self, command: str) -> str:
        """What the words print, without the last line's end; a failure is no matter."""
        return self.shell(command).stdout.decode().strip()

    def run(self, command: str, given: bytes | None = None) -> str:
        """The same, and it must go well."""
        done = self.shell(command, given)
        assert done.returncode == 0, (command, done.stdout.decode(), done.stderr.decode())
        return done.stdout.decode()

    def python(self, text: str, *words: str) -> str:
        """Run Python with the packages of the engine that is installed there."""
        done = subprocess.run(
            [*self.enter, "/opt/dtam/current/bin/python3", "-I", "-c", text, *words],
            capture_output=True, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (text, done.stdout.decode(), done.stderr.decode())
        return done.stdout.decode()

    def shut_down(self) -> None:
        """Power off in order: systemd stops all, unmounts all, and ends."""
        assert self.process is not None
        self.shell("systemctl poweroff --no-block")
        self.process.wait(BOOTS_WITHIN_S)

    def power_cut(self) -> None:
        """Every process of the host is gone at once."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGKILL)  # the first process goes with it
        self.process.wait(30)
        wait_for(lambda: not Path(f"/proc/{self.pid}").exists(), 30, "the end of all processes")

    def remove(self) -> None:
        """Power off and leave nothing, not the control group either."""
        self.power_cut()
        unmounted = ["unshare", "--mount", "sh", "-c"]
        group = f"$1/cgroup/dtam-{self.name}.{self.place.name}"
        drop = f'mount -t cgroup2 cgroup2 "$1/cgroup" && find "{group}" -depth -type d -exec rmdir {{}} \\;'
        subprocess.run([*unmounted, drop, "sh", str(self.place)], capture_output=True, check=False)
        shutil.rmtree(self.place, ignore_errors=True)


if __name__ == "__main__":
    host = SystemdHost("alpha", Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "/"))
    try:
        subprocess.run([*host.boot().enter, "bash"], check=False)
    finally:
        host.remove()
