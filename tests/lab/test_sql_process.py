"""The process of a simulated SQL Server: what it says, how it ends, what SQL Browser tells of it, and many callers at once."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.lab.sqlserver.process import DRIVER_18, FREETDS, PROJECT, SqlServer, sql_server
from tests.lab.waiting import until
from tests.lab.windows.starting import loopback_address

Needs = Callable[[str], None]
BROWSER_PORT = 1434
CALLERS, EACH = 8, 40


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlServer]:
    from tests.conftest import require

    require("odbc")
    directory = tmp_path_factory.mktemp("sql")
    with sql_server(directory, platform="windows", options=("--hidden",)) as made:
        with made.connect() as connection:
            connection.execute("CREATE DATABASE sales")
        yield made
        assert made.lab({"do": "failures"}) == []


@pytest.fixture(params=["freetds", "driver 18"])
def driver(request: pytest.FixtureRequest) -> str:
    return FREETDS if request.param == "freetds" else DRIVER_18


def rows(connection: Any, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    return [tuple(one) for one in connection.execute(sql, *values).fetchall()]


def test_both_drivers(server: SqlServer, driver: str) -> None:
    with server.connect(driver) as connection:
        assert rows(connection, "SELECT 1") == [(1,)]
        assert rows(connection, "SELECT ?, ?", 7, "text") == [(7, "text")]
        assert rows(connection, "SELECT @@SERVERNAME") == [("ALPHA",)]


def test_a_database_is_worked_in(server: SqlServer, driver: str) -> None:
    name = f"t{len(driver)}"
    with server.connect(driver, Database="sales", autocommit=False) as connection:
        connection.execute(f"CREATE TABLE dbo.{name} (id int NOT NULL PRIMARY KEY, text nvarchar(50) NULL)")
        connection.commit()
        cursor = connection.cursor()
        cursor.executemany(f"INSERT INTO dbo.{name} (id, text) VALUES (?, ?)", [(1, "ä"), (2, None)])
        connection.commit()
        connection.execute(f"DELETE FROM dbo.{name}")
        connection.rollback()
        assert rows(connection, f"SELECT id, text FROM dbo.{name} ORDER BY id") == [(1, "ä"), (2, None)]


def test_errors_have_their_numbers(server: SqlServer, driver: str) -> None:
    import pyodbc

    with server.connect(driver) as connection:
        for sql, number in (("SELECT * FROM nonesuch", 208), ("EXEC nonesuch", 2812), ("USE nonesuch", 911)):
            with pytest.raises(pyodbc.Error, match=str(number)):
                connection.execute(sql)
    with pytest.raises(pyodbc.Error, match="18456"):
        server.connect(driver, password="wrong")
    with pytest.raises(pyodbc.Error, match="4060"):
        server.connect(driver, Database="nonesuch")


def test_many_callers_commit_at_once(server: SqlServer) -> None:
    """Each commit is on the disk before it is answered."""
    with server.connect(Database="sales") as connection:
        connection.execute("CREATE TABLE dbo.load (id int IDENTITY PRIMARY KEY, caller int NOT NULL, at int NOT NULL)")

    def one(caller: int) -> None:
        driver = (FREETDS, DRIVER_18)[caller % 2]
        with server.connect(driver, Database="sales", autocommit=False) as connection:
            for at in range(EACH):
                connection.execute("INSERT INTO dbo.load (caller, at) VALUES (?, ?)", caller, at)
                connection.commit()

    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(one, range(CALLERS)))
    with server.connect(Database="sales") as connection:
        assert rows(connection, "SELECT COUNT(*) FROM dbo.load") == [(CALLERS * EACH,)]


# -- its end ----------------------------------------------------------------------------------------------------------
def test_a_power_cut_and_an_orderly_end(tmp_path: Path, driver: str, needs: Needs) -> None:
    import pyodbc

    needs("odbc")
    with sql_server(tmp_path) as server:
        connection = server.connect(driver)
        connection.execute("CREATE DATABASE d")
        connection.execute("CREATE TABLE d.dbo.t (id int)")
        connection.execute("INSERT INTO d.dbo.t VALUES (1)")
        connection.autocommit = False
        connection.execute("INSERT INTO d.dbo.t VALUES (2)")
        server.kill()
        with pytest.raises(pyodbc.Error):
            connection.execute("SELECT 1")
        server.start()
        with server.connect(driver) as again:
            until("the database is recovered", lambda: rows(again, "SELECT id FROM d.dbo.t") == [(1,)])
        assert server.stop() == 0
        server.start()
        with server.connect(driver) as again:
            assert rows(again, "SELECT id FROM d.dbo.t") == [(1,)]


def test_shutdown_ends_the_process(tmp_path: Path, needs: Needs) -> None:
    import pyodbc

    needs("odbc")
    with sql_server(tmp_path) as server:
        with contextlib.suppress(pyodbc.Error):  # the answer may be lost
            server.connect().execute("SHUTDOWN WITH NOWAIT")
        assert server.process is not None
        assert server.process.wait(60) == 0


def test_a_port_that_is_taken(server: SqlServer, tmp_path: Path) -> None:
    second = SqlServer(tmp_path, address=server.address)
    with pytest.raises(AssertionError, match="failed to listen"):
        second.start()


# -- SQL Browser ------------------------------------------------------------------------------------------------------
def browse(address: str, request: bytes, wait_s: float = 30.0) -> bytes | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(wait_s)
        asking.sendto(request, (address, BROWSER_PORT))
        try:
            return asking.recv(65536)
        except (TimeoutError, ConnectionRefusedError):
            return None


def test_several_instances_and_one_browser(tmp_path: Path, needs: Needs) -> None:
    needs("odbc")
    options = ("--port", "0", "--instance", "SALES", "--browser", "127.0.0.1")
    server = SqlServer(tmp_path, platform="windows", options=options)
    server.options = (*options[:-1], server.address)
    try:
        server.start()
        found = browse(server.address, b"\x04SALES\0")
        assert found is not None
        words = found[3:].decode().split(";")
        said = dict(zip(words[::2], words[1::2], strict=False))
        assert (said["ServerName"], said["InstanceName"], said["Version"][:5]) == ("ALPHA", "SALES", "15.0.")
        both = browse(server.address, b"\x03")
        assert both is not None
        assert both.count(b"InstanceName;") == 2
        named = server.connect(FREETDS, Port=said["tcp"])
        assert rows(named, "SELECT @@SERVERNAME, CAST(SERVERPROPERTY('InstanceName') AS nvarchar(128))") == [
            ("ALPHA\\SALES", "SALES")
        ]
        named.close()
        by_name = server.connect(DRIVER_18, Server=f"{server.address}\\SALES")
        assert rows(by_name, "SELECT @@SERVICENAME") == [("SALES",)]
        by_name.close()
    finally:
        server.stop()


@contextlib.contextmanager
def browser_of(address: str, entries: Path) -> Iterator[subprocess.Popen[str]]:
    """SQL Browser in a process of its own."""
    argv = [sys.executable, "-m", "tests.lab.sqlserver.browser", "--address", address, "--entries", str(entries)]
    process = subprocess.Popen(argv, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert '"ready": true' in process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_browser_of_its_own(tmp_path: Path, needs: Needs) -> None:
    needs("odbc")
    entry = tmp_path / "entries" / "MSSQLSERVER.json"
    entry.parent.mkdir()
    with (
        sql_server(tmp_path / "it", platform="windows", options=("--browser-entry", str(entry))) as server,
        browser_of(server.address, entry.parent) as browser,
    ):
        found = browse(server.address, b"\x02")
        assert found is not None
        assert f";tcp;{server.port};;".encode() in found
        server.stop()
        assert not entry.exists()
        assert browse(server.address, b"\x02", 0.5) is None
        browser.terminate()
        assert browser.wait(60) == 0


def test_a_browser_ends_with_its_machine(tmp_path: Path) -> None:
    with browser_of(loopback_address(tmp_path), tmp_path) as browser:
        assert browser.stdout is not None
        browser.stdout.close()
        assert browser.wait(60) == 0
