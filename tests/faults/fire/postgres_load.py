"""PostgreSQL under load: pgbench, and one session that commits numbered rows and keeps a diary of them.

The rows are numbered by the client, one commit each, so what a copy holds must be the numbers 1 to N without a hole.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

from tests.faults.fire import diary
from tests.faults.fire.postgres import PATIENCE_S, USER, Postgres, forget_owner, programs

PACE_S = 0.01
BENCH_PER_S = 25
CHECKS = """select count(*) = coalesce(max(n), 0) from deed;
select coalesce(max(n), 0) from deed;
select (select sum(abalance) from pgbench_accounts) = coalesce((select sum(delta) from pgbench_history), 0);
select (select sum(tbalance) from pgbench_tellers) = coalesce((select sum(delta) from pgbench_history), 0)"""


class PostgresLoad:
    """A server over ``data`` below the captured directory, and who writes to it."""

    name = "postgresql"

    def __init__(self, data: Path, work: Path, page: Path, seed: int) -> None:
        self.server = Postgres(data, work / "sockets")
        self.diary = work / "postgres.diary"
        self._work = work
        self._page = page
        self._chance = random.Random(seed)
        self._bench: subprocess.Popen[bytes] | None = None
        self._session: subprocess.Popen[str] | None = None
        self._writer: threading.Thread | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        """Start (or recover) the server and write to it."""
        self.server.start()
        self._stopping.clear()
        number = int(self.server.ask("select coalesce(max(n), 0) from deed"))
        socket = str(self.server.sockets)
        self._bench = self._client("pgbench", "-n", "-c", "2", "-R", str(BENCH_PER_S), "-T", "100000", "-h", socket)
        self._session = self._client("psql", "-X", "-qAt", "-v", "ON_ERROR_STOP=1", "-h", socket, "-d", "postgres")
        self._writer = threading.Thread(target=self._write, args=(self._session, number))
        self._writer.start()

    def _client(self, program: str, *arguments: str) -> subprocess.Popen[str]:
        with (self._work / f"{program}.log").open("ab") as log:
            return subprocess.Popen(
                [programs() / program, *arguments], text=True, stderr=log, cwd="/", user=USER, group=USER, extra_groups=[],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE if program == "psql" else log,
            )  # fmt: skip

    def _write(self, session: subprocess.Popen[str], number: int) -> None:
        """The answer to the select comes after the commit of the insert before it was answered."""
        kept = diary.Diary(self.diary, self._page)
        with contextlib.suppress(BrokenPipeError):
            while not self._stopping.wait(PACE_S):
                number += 1
                session.stdin.write(
                    f"insert into deed values ({number}, '{'x' * self._chance.randrange(2000)}');\nselect {number};\n"
                )
                session.stdin.flush()
                if session.stdout.readline().strip() != str(number):
                    break
                kept.note(number)
        kept.close()

    def stop(self) -> None:
        """End the writers, then the server in order."""
        self._end_clients()
        self.server.stop()

    def kill(self) -> None:
        """The server first, with SIGKILL; its clients lose it."""
        self.server.kill()
        self._end_clients()

    def _end_clients(self) -> None:
        self._stopping.set()
        for process in (self._session, self._bench):
            if process is not None:
                process.terminate()
        if self._writer is not None:
            self._writer.join(PATIENCE_S)
        for process in (self._session, self._bench):
            if process is not None:
                process.wait(PATIENCE_S)
                for pipe in (process.stdin, process.stdout):
                    if pipe is not None:
                        with contextlib.suppress(BrokenPipeError):
                            pipe.close()
        self._session = self._bench = self._writer = None

    def alive(self) -> bool:
        return self._writer is not None and self._writer.is_alive()

    def said(self) -> str:
        return self.server.log.read_text()[-3000:] if self.server.log.exists() else ""

    def commits(self) -> list[diary.Commit]:
        """All commits that were answered."""
        return diary.read(self.diary)

    def numbers(self, tree: Path) -> int:
        """Start PostgreSQL over a copy: it recovers, and holds the numbers 1 to N; N."""
        data = tree / self.server.data.name
        forget_owner(data)
        with tempfile.TemporaryDirectory(dir=self._work) as place:
            Path(place).chmod(0o755)
            server = Postgres(data, Path(place, "sockets"), fsync="off", autovacuum="off")
            server.start()
            try:
                return numbers_in(server)
            finally:
                server.stop()


def numbers_in(server: Postgres) -> int:
    """The last number in a running server, proved to be without holes, and pgbench's sums to agree."""
    whole, last, accounts, tellers = server.ask(CHECKS).split("\n")
    assert (whole, accounts, tellers) == ("t", "t", "t"), (
        f"holes or broken sums: {whole} {accounts} {tellers} at {last}"
    )
    return int(last)


def lay_out(template: Path, data: Path) -> None:
    """A data directory as the template is."""
    shutil.copytree(template, data, symlinks=True)
    subprocess.run(["chown", "-R", f"{USER}:{USER}", data], check=True)
