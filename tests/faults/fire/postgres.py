"""A PostgreSQL server of the test's own: run as its own user, reached over a UNIX socket, killed with all its processes."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psutil

from tests.faults.witness_process import eventually

USER = "postgres"
PATIENCE_S = 120.0
SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "8MB",
    "max_wal_size": "8MB",
    "min_wal_size": "2MB",
    "checkpoint_timeout": "30s",
    "bgwriter_delay": "20ms",
    "autovacuum_naptime": "5s",
    "max_connections": "12",
}


def programs() -> Path:
    """Where PostgreSQL's programs are."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"))


def as_postgres(program: str, *arguments: object, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run one of its programs to its end."""
    return subprocess.run(
        [programs() / program, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        cwd="/",
        user=USER,
        group=USER,
        extra_groups=[],
    )


class Postgres:
    """One server over one data directory. ``sockets`` lies outside of what is captured."""

    def __init__(self, data: Path, sockets: Path, **settings: str) -> None:
        self.data = data
        self.sockets = sockets
        self._settings = SETTINGS | settings
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """What starts it in the foreground."""
        settings = [part for key, value in self._settings.items() for part in ("-c", f"{key}={value}")]
        return [str(programs() / "postgres"), "-D", str(self.data), "-k", str(self.sockets), *settings]

    def start(self) -> None:
        """Start, recover, and answer."""
        self.sockets.mkdir(exist_ok=True)
        shutil.chown(self.sockets, USER, USER)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True,
                user=USER, group=USER, extra_groups=[],
            )  # fmt: skip
        eventually(self._answers, f"PostgreSQL over {self.data} answers", PATIENCE_S)

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.sockets.with_suffix(".log")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()[-3000:]
        return as_postgres("pg_isready", "-q", "-h", self.sockets).returncode == 0

    def ask(self, query: str) -> str:
        """One query's answer."""
        answer = as_postgres("psql", "-X", "-h", self.sockets, "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-Atc", query)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.strip()

    def stop(self) -> None:
        """A fast shutdown: sessions end, a checkpoint is made."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            assert self._process.wait(PATIENCE_S) == 0, self.log.read_text()[-3000:]
            self._process = None

    def kill(self) -> None:
        """SIGKILL to all its processes at once."""
        if self._process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            main = psutil.Process(self._process.pid)
            main.suspend()
            everybody = [main, *main.children(recursive=True)]
            for one in everybody:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
            psutil.wait_procs(everybody[1:], timeout=PATIENCE_S)
        self._process.wait(PATIENCE_S)
        self._process = None


def forget_owner(data: Path) -> None:
    """A copy of a running server's directory names the original's process: without it the copy starts as after a crash elsewhere."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(data / "postmaster.pid")


def make_template(data: Path, sockets: Path) -> None:
    """A small cluster with pgbench's tables and the numbered one, stopped in order."""
    made = as_postgres("initdb", "-D", data, "-A", "trust", "--wal-segsize=1", "--no-sync", "--no-instructions")
    assert made.returncode == 0, made.stderr
    server = Postgres(data, sockets, fsync="off")
    server.start()
    filled = as_postgres("pgbench", "-i", "-q", "-s", "1", "-h", sockets, "postgres")
    assert filled.returncode == 0, filled.stderr
    server.ask("create table deed (n integer primary key, note text)")
    server.stop()
