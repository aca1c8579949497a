"""A protected service that is a command of ours: started in its own session, found again after a restart of the daemon.

The child writes its own process id, start time and boot id before it becomes the service, so that there is no moment at which a
service runs and nobody could know it. A process is believed to be the service only when all three agree.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.engine.control.hostfacts import boot_id

PLAIN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SAY_WHO_THEN_BECOME = (
    "read -r stat </proc/$$/stat; read -r boot </proc/sys/kernel/random/boot_id; umask 077; "
    'printf "%s\\n%s\\n" "$stat" "$boot" >"$1.new" && mv "$1.new" "$1" && shift && exec "$@"'
)


@dataclass(frozen=True, slots=True)
class Process:
    """A process by its id and its start time in clock ticks since boot."""

    pid: int
    start_ticks: int


def parse_stat(line: str) -> tuple[Process, str] | None:
    """Process and state letter from a line of /proc/PID/stat; the name in it may contain anything."""
    head, _, tail = line.rpartition(")")
    fields = tail.split()
    pid = head.partition(" ")[0]
    if len(fields) < 20 or not pid.isdigit():
        return None
    return Process(int(pid), int(fields[19])), fields[0]


def running(pid_file: Path) -> Process | None:
    """The process that wrote ``pid_file``, if it still runs."""
    try:
        recorded, boot = pid_file.read_text(encoding="utf-8", errors="replace").splitlines()[:2]
    except (OSError, ValueError):
        return None
    then = parse_stat(recorded)
    if then is None or boot != boot_id():
        return None
    now = process_state(then[0].pid)
    return then[0] if now is not None and now[0] == then[0] and now[1] not in "ZX" else None


def process_state(pid: int) -> tuple[Process, str] | None:
    """The process with this id now, with its state letter."""
    try:
        return parse_stat(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None


def spawn(
    command: Sequence[str],
    pid_file: Path,
    output: Path,
    *,
    environment: Mapping[str, str],
    user: str | None = None,
    stdin: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a command in its own session, its output appended to ``output`` (0600). The caller reaps it."""
    pid_file.unlink(missing_ok=True)
    out = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    source = os.open(stdin or os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        child = subprocess.Popen(
            ["/bin/sh", "-c", SAY_WHO_THEN_BECOME, "sh", str(pid_file), *as_user(command, user)],
            stdin=source,
            stdout=out,
            stderr=out,
            cwd="/",
            env=dict(environment),
            start_new_session=True,
        )
    finally:
        os.close(out)
        os.close(source)
    _wait_until_said(child, pid_file)
    return child


def as_user(command: Sequence[str], user: str | None) -> list[str]:
    """The command, run as another user where one is asked for (needs root and util-linux' setpriv)."""
    if user is None:
        return list(command)
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--", *command]


def _wait_until_said(child: subprocess.Popen[bytes], pid_file: Path, budget_s: float = 5.0) -> None:
    until = time.monotonic() + budget_s
    while not pid_file.exists() and child.poll() is None and time.monotonic() < until:
        time.sleep(0.002)


def end_group(process: Process, grace_s: float) -> bool:
    """End a session leader's process group: TERM, then KILL after ``grace_s``. True when it went by itself."""
    _signal_group(process, signal.SIGTERM)
    if _gone_within(process, grace_s):
        _signal_group(process, signal.SIGKILL)  # children that outlived their leader
        return True
    _signal_group(process, signal.SIGKILL)
    _gone_within(process, 10.0)
    return False


def _signal_group(process: Process, number: signal.Signals) -> None:
    """Only a group whose leader is ours, or whose leader has gone and left its group."""
    now = process_state(process.pid)
    if now is not None and now[0] != process:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _gone_within(process: Process, budget_s: float) -> bool:
    until = time.monotonic() + budget_s
    while True:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)
        now = process_state(process.pid)
        if now is None or now[0] != process or now[1] in "ZX":
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(0.01)
