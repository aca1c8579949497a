"""Databases are files: what was written is there after any end, and files that do not fit are refused and left as they are."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.sqlserver.engine.datafile import Broken, DataFile
from tests.lab.sqlserver.engine.instance import Server
from tests.lab.sqlserver.engine.port import InstanceDoesNotStart
from tests.unit.lab_sqlserver.conftest import ask, done, new, sa

PROJECT = Path(__file__).parents[3]
WRITER = """
import sys
from collections.abc import Iterator
from pathlib import Path
from tests.unit.lab_sqlserver.conftest import done, new, sa
server = new(Path(sys.argv[1]))
session = sa(server)
done(session, "CREATE DATABASE shop")
done(session, "USE shop")
done(session, "CREATE TABLE t (id int PRIMARY KEY, text nvarchar(400))")
for number in range(1, 100000):
    done(session, f"INSERT INTO t VALUES ({number}, REPLICATE('x', {number % 400}))")
    print(number, flush=True)
"""


def _shop(server: Server, rows: int = 3) -> None:
    session = sa(server)
    done(session, "CREATE DATABASE shop")
    done(session, "USE shop")
    done(session, "CREATE TABLE t (id int PRIMARY KEY, text nvarchar(400))")
    for number in range(rows):
        done(session, f"INSERT INTO t VALUES ({number}, REPLICATE('x', 300))")
    session.close()


def _state(server: Server, name: str = "shop") -> str:
    return str(done(sa(server), f"SELECT state_desc FROM sys.databases WHERE name = '{name}'").rows[0][0])


def test_kill_9_under_load_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        last = 0
        for line in process.stdout:
            last = int(line)
            if last == 700:
                process.send_signal(signal.SIGKILL)
    server = new(tmp_path)
    session = sa(server, "shop")
    count, top = done(session, "SELECT COUNT(*), MAX(id) FROM t").rows[0]
    assert count == top >= last >= 700
    assert not ask(session, "DBCC CHECKDB").errors
    server.close()


def test_an_orderly_stop_is_known_as_one(tmp_path: Path) -> None:
    server = new(tmp_path)
    _shop(server)
    server.close()
    assert (tmp_path / "data" / "shop.mdf-wal").read_bytes().startswith(b"LOG CLOSED")
    again = new(tmp_path)
    assert done(sa(again, "shop"), "SELECT COUNT(*) FROM t").rows == [(3,)]
    again.close()


class Copies:
    """Copies of the files of one database at three moments."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file = DataFile.create(
            directory / "x.mdf",
            lambda _: None,
            lambda connection: connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b)"),
        )

    def write(self, start: int, count: int) -> None:
        for number in range(start, start + count):
            self.file.before_writing()
            self.file.connection.execute("INSERT INTO t VALUES (?, ?)", (number, "x" * 500))
            self.file.after_commit()

    def copy(self, name: str) -> Path:
        to = self.directory / name
        to.mkdir()
        for path in (self.file.path, self.file.log):
            if path.exists():
                shutil.copy(path, to / path.name)
        return to


def _opened(directory: Path) -> int:
    opened = DataFile.open(directory / "x.mdf", lambda _: None)
    count = int(opened.rows("SELECT COUNT(*) FROM t")[0][0])
    assert opened.rows("PRAGMA integrity_check") == [("ok",)]
    assert opened.differing_pages() == []
    opened.close()
    return count


def _refused(directory: Path) -> str:
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    with pytest.raises(Broken) as broken:
        DataFile.open(directory / "x.mdf", lambda _: None)
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before
    return broken.value.why


def test_files_of_one_moment_recover_and_mixed_ones_do_not(tmp_path: Path) -> None:
    copies = Copies(tmp_path)
    copies.write(0, 50)
    early = copies.copy("early")
    copies.file.checkpoint()
    between = copies.copy("between")
    copies.write(50, 50)
    late = copies.copy("late")
    copies.file.close()
    closed = copies.copy("closed")

    mixed = tmp_path / "mixed"
    shutil.copytree(late, mixed)
    shutil.copy(early / "x.mdf", mixed / "x.mdf")
    assert _refused(mixed) in {"no-fit", "torn"}
    other = tmp_path / "other"
    shutil.copytree(closed, other)
    shutil.copy(early / "x.mdf-wal", other / "x.mdf-wal")
    assert _refused(other) in {"no-fit", "torn"}

    assert [_opened(one) for one in (early, between, late, closed)] == [50, 50, 100, 100]
    assert _opened(early) == 50  # once more, after the recovery and the orderly end


@pytest.mark.parametrize("moment", ["running", "closed"])
def test_damage_is_found_when_a_file_is_opened(tmp_path: Path, moment: str) -> None:
    copies = Copies(tmp_path)
    copies.write(0, 50)
    copies.file.checkpoint()
    copies.write(50, 5)
    if moment == "closed":
        copies.file.close()
    cut = copies.copy("cut")
    os.truncate(cut / "x.mdf", 6000)
    assert _refused(cut) == "bad-size"
    short = copies.copy("short")
    os.truncate(short / "x.mdf", 8192)
    assert _refused(short) in {"torn", "no-fit"}
    flipped = copies.copy("flipped")
    with (flipped / "x.mdf").open("r+b") as out:
        out.seek(5 * 4096 + 100)
        out.write(b"damage")
    assert _refused(flipped) in {"torn", "no-fit"}
    foreign = copies.copy("foreign")
    (foreign / "x.mdf").write_bytes(b"nothing of ours" * 1000)
    assert _refused(foreign) == "not-primary"
    without = copies.copy("without")
    (without / "x.mdf-wal").unlink()
    if moment == "running":
        assert _refused(without) == "log-missing"
    else:
        assert _opened(without) == 55
    copies.file.abandon()


def test_a_log_that_ends_early_is_an_earlier_moment_unless_the_file_is_later(tmp_path: Path) -> None:
    copies = Copies(tmp_path)
    copies.write(0, 50)
    early = copies.copy("early")
    with (early / "x.mdf-wal").open("r+b") as out:
        out.truncate(out.seek(0, 2) // 2)
    copies.file.checkpoint()
    later = copies.copy("later")
    with (later / "x.mdf-wal").open("r+b") as out:
        out.truncate(out.seek(0, 2) // 2)
    assert 0 < _opened(early) < 50
    assert _refused(later) in {"no-fit", "torn"}
    copies.file.abandon()


def test_an_instance_starts_without_a_broken_user_database_and_says_so(tmp_path: Path) -> None:
    server = new(tmp_path)
    _shop(server)
    server.close()
    os.truncate(tmp_path / "data" / "shop.mdf", 8192)
    server = new(tmp_path)
    assert _state(server) == "SUSPECT"
    assert ask(sa(server), "USE shop").errors == [926]
    assert ask(sa(server), "EXEC sp_detach_db 'shop'").errors == [3707]
    log = server.errorlog.path.read_text()
    assert "Error: 824" in log
    assert "Error: 3414" in log
    server.close()
    (tmp_path / "data" / "shop.mdf").unlink()
    server = new(tmp_path)
    assert _state(server) == "RECOVERY_PENDING"
    assert ask(sa(server), "USE shop").errors == [945]
    assert "17204" in server.errorlog.path.read_text()
    done(sa(server), "DROP DATABASE shop")
    server.close()


@pytest.mark.parametrize("name", ["master", "model"])
def test_an_instance_does_not_start_without_its_system_databases(tmp_path: Path, name: str) -> None:
    new(tmp_path).close()
    whole = (tmp_path / "data" / f"{name}.mdf").read_bytes()
    (tmp_path / "data" / f"{name}.mdf").write_bytes(whole[:-4096])
    with pytest.raises(InstanceDoesNotStart):
        new(tmp_path)
    log = (tmp_path / "log" / "errorlog").read_text()
    assert ("Error: 3417" if name == "master" else "Error: 945") in log
    (tmp_path / "data" / f"{name}.mdf").write_bytes(whole)
    new(tmp_path).close()


def test_tempdb_begins_anew(tmp_path: Path) -> None:
    server = new(tmp_path)
    done(sa(server), "CREATE TABLE tempdb.dbo.t (a int)")
    server.close()
    server = new(tmp_path)
    assert ask(sa(server), "SELECT * FROM tempdb.dbo.t").errors == [208]
    server.close()


def test_checkdb_finds_what_another_wrote_into_the_file(tmp_path: Path) -> None:
    server = new(tmp_path)
    _shop(server, 50)
    session = sa(server)
    assert done(session, "DBCC CHECKDB (shop)").told[:1] == [8989]
    with (tmp_path / "data" / "shop.mdf").open("r+b") as out:
        out.seek(-4096, 2)
        out.write(b"damage")
    assert 8939 in ask(session, "DBCC CHECKDB (shop)").errors
    server.abandon()


def test_the_data_of_a_whole_instance_starts_on_another_machine(tmp_path: Path) -> None:
    server = new(tmp_path / "one", name="PROD", machine="ALPHA")
    session = sa(server)
    done(session, "CREATE LOGIN app WITH PASSWORD = 'Passw0rd!x'")
    sid = done(session, "SELECT sid FROM sys.server_principals WHERE name = 'app'").rows
    _shop(server)
    server.abandon()
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    other = new(tmp_path / "two", name="PROD", machine="BETA")
    session = sa(other)
    assert done(session, "SELECT sid FROM sys.server_principals WHERE name = 'app'").rows == sid
    names = done(session, "SELECT @@SERVERNAME, SERVERPROPERTY('ServerName')").rows
    assert names == [("ALPHA\\PROD", "BETA\\PROD")]
    done(session, "EXEC sp_dropserver 'ALPHA\\PROD'; EXEC sp_addserver 'BETA\\PROD', 'local'")
    assert done(session, "SELECT @@SERVERNAME").rows == [("ALPHA\\PROD",)]
    other.close()
    other = new(tmp_path / "two", name="PROD", machine="BETA")
    assert done(sa(other), "SELECT @@SERVERNAME").rows == [("BETA\\PROD",)]
    assert done(sa(other, "shop"), "SELECT COUNT(*) FROM t").rows == [(3,)]
    other.close()


def test_many_databases_start_and_are_listed(tmp_path: Path) -> None:
    server = new(tmp_path)
    server.lab({"do": "many", "count": 60})
    server.close()
    server = new(tmp_path)
    session = sa(server)
    assert done(session, "SELECT COUNT(*) FROM sys.databases WHERE state_desc = 'ONLINE'").rows == [(64,)]
    assert done(session, "SELECT COUNT(*) FROM sys.master_files").rows == [(128,)]
    server.close()


class Volume:
    """Counts the moments of writing, and whether any byte changed outside of one."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.inside = 0
        self.entered = 0
        self.ready = True
        self.left: dict[str, bytes] = {}

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.root.glob("data/*")) if path.is_file()}

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        if not self.ready:
            raise OSError(5, "a destination of replication")
        assert self.inside == 0
        if self.entered:
            assert self.files() == self.left
        self.inside, self.entered = 1, self.entered + 1
        yield
        self.inside, self.left = 0, self.files()


def test_bytes_change_within_moments_alone(tmp_path: Path) -> None:
    volume = Volume(tmp_path)
    server = new(tmp_path, writing=volume.writing)
    _shop(server)
    session = sa(server, "shop")
    before = volume.entered
    done(session, "BEGIN TRAN; INSERT INTO t VALUES (10, 'x'); UPDATE t SET text = 'y'; COMMIT")
    assert volume.entered == before + 1
    done(
        session,
        "USE master; EXEC sp_detach_db 'shop'; CREATE DATABASE shop ON (FILENAME = '/var/opt/mssql/data/shop.mdf') FOR ATTACH",
    )
    done(
        session,
        "DBCC CHECKDB (shop); ALTER DATABASE shop SET OFFLINE; ALTER DATABASE shop SET ONLINE; DROP DATABASE shop; CREATE LOGIN a WITH PASSWORD = 'Passw0rd!x'",
    )
    assert volume.files() == volume.left
    volume.ready = False
    assert ask(session, "CREATE DATABASE other").errors == [823]
    volume.ready = True
    server.close()
    assert volume.files() == volume.left
