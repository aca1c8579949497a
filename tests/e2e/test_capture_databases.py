"""Databases on a captured directory: they work, replaying the log gives their files, and every prefix of the log is a crash-consistent one."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import threading
import uuid
from pathlib import Path

import pytest

from orchestrator.engine.capture.mount import CaptureLimits
from orchestrator.engine.oplog.format import Kind
from tests.unit.capture.captured import Captured, apply_one, assert_replay_is_true, open_directory

GIB = 1 << 30


@pytest.fixture
def captured(needs):
    needs("fuse")
    with open_directory() as base, Captured(base, CaptureLimits(memory_limit_bytes=GIB)) as captured:
        yield captured


def transfer_money(path: Path, journal: str, rounds: int) -> None:
    """Transactions that keep a sum: a torn or reordered one would show."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as db:
        db.execute(f"pragma journal_mode={journal}")
        db.execute("pragma wal_autocheckpoint=20")
        db.execute("create table if not exists account (id integer primary key, amount integer, note text)")
        if not db.execute("select count(*) from account").fetchone()[0]:
            db.executemany("insert into account values (?, 100, ?)", [(i, "n" * 200) for i in range(50)])
        for i in range(rounds):
            db.execute("begin immediate")
            db.execute("update account set amount = amount - 1, note = ? where id = ?", (uuid.uuid4().hex * 6, i % 50))
            db.execute("update account set amount = amount + 1 where id = ?", ((i * 7 + 3) % 50,))
            db.execute("commit")


def sound(path: Path) -> tuple[str, int, int]:
    with contextlib.closing(sqlite3.connect(path)) as db:
        verdict = db.execute("pragma integrity_check").fetchone()[0]
        try:
            return verdict, *db.execute("select coalesce(sum(amount), 0), count(*) from account").fetchone()
        except sqlite3.OperationalError:  # before the table was made
            return verdict, 0, 0


@pytest.mark.parametrize("journal", ["wal", "delete", "truncate", "persist"])
def test_sqlite_under_several_writers(captured, journal) -> None:
    path = captured.path / "bank.db"
    transfer_money(path, journal, 1)
    writers = [threading.Thread(target=transfer_money, args=(path, journal, 20)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sound(path) == ("ok", 5000, 50)
    assert_replay_is_true(captured)
    assert sound(captured.replica / "bank.db") == ("ok", 5000, 50)


@pytest.mark.covers("ENG-CAP-02")
@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_every_prefix_of_the_log_is_a_state_that_sqlite_recovers_from(captured, journal) -> None:
    transfer_money(captured.path / "bank.db", journal, 12)
    captured.settle()
    checked, whole = 0, 0
    trial = captured.base / "trial"
    for operation in captured.reading():
        apply_one(operation, os.fsencode(captured.replica))
        if operation.kind not in {Kind.WRITE, Kind.UNLINK, Kind.TRUNCATE}:
            continue
        shutil.rmtree(trial, ignore_errors=True)
        shutil.copytree(
            captured.replica, trial, ignore=shutil.ignore_patterns("*-shm")
        )  # an index that a crash loses, too
        if (trial / "bank.db").exists():
            verdict, total, accounts = sound(trial / "bank.db")
            assert (verdict, total) == ("ok", accounts * 100), operation.sequence
            checked, whole = checked + 1, whole + (accounts == 50)
    assert checked > 60
    assert whole > 30


class Postgres:
    """A throw-away PostgreSQL, run as its own user, with its data where it is told."""

    def __init__(self, data: Path, sockets: Path, port: int) -> None:
        self.bin = max(Path("/usr/lib/postgresql").glob("*/bin"))
        self.data, self.sockets, self.port = data, sockets, port

    def run(self, program: str, *arguments: object, check: bool = True) -> str:
        command = ["runuser", "-u", "postgres", "--", str(self.bin / program), *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd="/")
        assert result.returncode == 0 or not check, result.stderr + result.stdout
        return result.stdout

    def create(self) -> None:
        self.run("initdb", "-D", self.data, "-A", "trust")

    def start(self) -> None:
        options = f"-p {self.port} -k {self.sockets} -c listen_addresses=''"
        subprocess.run(
            ["runuser", "-u", "postgres", "--", self.bin / "pg_ctl", "-D", self.data, "-o", options, "-w", "-l", self.sockets / "log", "start"],
            check=True, stdout=subprocess.DEVNULL, timeout=120, cwd="/",
        )  # fmt: skip

    def stop(self, how: str = "fast") -> None:
        self.run("pg_ctl", "-D", self.data, "-m", how, "-w", "stop", check=False)

    def client(self, program: str, *arguments: object) -> str:
        return self.run(program, "-h", self.sockets, "-p", self.port, *arguments)

    def ask(self, query: str) -> str:
        return self.client("psql", "-d", "postgres", "-Atc", query).strip()


@pytest.mark.slow
@pytest.mark.covers("ENG-CAP-08")
def test_postgresql_works_and_its_replica_recovers(needs, captured) -> None:
    needs("postgresql")
    sockets = captured.base / "sockets"
    sockets.mkdir()
    for folder in (captured.path, captured.replica, sockets):
        shutil.chown(folder, "postgres")
    server = Postgres(captured.path / "pg", sockets, 5999)
    server.create()
    server.start()
    try:
        server.client("pgbench", "-i", "-s", "1", "-q", "postgres")
        server.client("pgbench", "-c", "4", "-j", "2", "-t", "150", "postgres")
        first = captured.mount.mark("under way")
        acknowledged = int(server.ask("select count(*) from pgbench_history"))
        server.client("pgbench", "-c", "4", "-j", "2", "-t", "50", "postgres")
    finally:
        server.stop("immediate")
    check_prefix_recovers(captured, sockets, first, acknowledged)
    rest_of_the_log_is_true(captured, first)


def check_prefix_recovers(captured: Captured, sockets: Path, last: int, acknowledged: int) -> None:
    """Replay up to the mark, start PostgreSQL on a copy: it recovers, and has all that was committed before the mark."""
    before = os.umask(0)
    for operation in captured.reading():
        if operation.sequence > last:
            break
        apply_one(operation, os.fsencode(captured.replica))
    os.umask(before)
    trial = captured.base / "trial"
    subprocess.run(["cp", "-a", captured.replica, trial], check=True)
    (trial / "pg/postmaster.pid").unlink()
    replica = Postgres(trial / "pg", sockets, 5998)
    replica.start()
    try:
        assert int(replica.ask("select count(*) from pgbench_history")) == acknowledged == 600
        sums = replica.ask(
            "select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history),"
            " (select sum(bbalance) from pgbench_branches) = (select sum(delta) from pgbench_history)"
        )
        assert sums == "t|t"
    finally:
        replica.stop()


def rest_of_the_log_is_true(captured: Captured, first: int) -> None:
    shutil.rmtree(captured.replica)
    captured.replica.mkdir()
    assert_replay_is_true(captured)
    assert captured.mount.state.committed_sequence > first
    captured.mount.stop()
