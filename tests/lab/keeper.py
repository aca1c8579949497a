"""The place where a lab lives: one process, PID 1 of namespaces of its own, with which everything of the lab dies.

The kernel ends it when the process that made the lab ends, however that happens; then all processes of the lab are killed, and
its mounts, links and files (a tmpfs that nobody else sees) go with the namespaces. Nothing is left to be cleaned up.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.lab.waiting import until

ROOM = Path("/run/lab")  # seen by the keeper only
HOST_MARK, LAB_MARK = "DTAM_LAB_HOST", "DTAM_LAB"  # in the environment of each init: how a lab is found from outside


def children(pid: int) -> list[int]:
    """The processes whose parent is ``pid``."""
    processes = (entry for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [int(entry.name) for entry in processes if _parent(entry) == pid]


def _ended(pid: int) -> bool:
    """Gone, or only waiting for its new parent to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return -1


def marks(pid: int) -> dict[str, str]:
    """Which host of which lab ``pid`` is the init of; empty when of none."""
    try:
        words = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return {}
    pairs = (word.partition("=")[::2] for word in words if word.startswith((HOST_MARK + "=", LAB_MARK + "=")))
    return dict(pairs)


def the_init_below(process: subprocess.Popen[bytes], name: str, timeout_s: float = 60) -> int:
    """The PID, as seen here, of the init called ``name`` that ``process`` starts somewhere below itself."""

    def look() -> int:
        if process.poll() is not None:
            raise AssertionError(f"{name} did not boot: exit code {process.returncode}")
        todo = [process.pid]
        while todo:
            pid = todo.pop()
            if marks(pid).get(HOST_MARK) == name:
                return pid
            todo.extend(children(pid))
        return 0

    return until(f"{name} has booted", look, timeout_s)


class Keeper:
    """The namespaces of one lab. Make it in the main thread: it lives no longer than the thread that made it."""

    def __init__(self) -> None:
        init = ["env", "-i", "--ignore-signal=CHLD", f"{HOST_MARK}=keeper", "sleep", "infinity"]
        room = f"mount -t tmpfs -o mode=0755 run /run && mkdir -m 0700 {ROOM} && ip link set lo up && exec " + " ".join(
            init
        )
        self._process = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL"),
                *("unshare", "-n", "-m", "-p", "-i", "-u", "--fork", "--kill-child=KILL", "--mount-proc"),
                *("--propagation", "private", "sh", "-c", room),
            ],
            stdin=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,  # Ctrl-C is for the one who made the lab, who then ends it
        )
        self.pid = the_init_below(self._process, "keeper")

    def inside(self, *namespaces: str) -> list[str]:
        """The words before a command that is to run in some of the lab's namespaces: "net", "mount", "pid"."""
        return ["nsenter", "-t", str(self.pid), *(f"--{one}" for one in namespaces), "--"]

    def run(self, argv: Sequence[str], *namespaces: str, text: str = "") -> str:
        """Run a command of the machine there; its output. Raises AssertionError with what it said."""
        done = subprocess.run(
            [*self.inside(*(namespaces or ("net", "mount", "pid"))), *argv],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{argv}: {done.stderr}{done.stdout}"
        return done.stdout

    def seen(self, path: Path) -> Path:
        """A file of the keeper as seen from outside."""
        return Path(f"/proc/{self.pid}/root{path}")

    def close(self) -> None:
        """End the lab at once."""
        self._process.kill()
        self._process.wait()
        until("the lab has ended", lambda: _ended(self.pid), 60, 0.005)
