"""SQL Server on a simulated Windows machine: what setup leaves, what the services do, and what the power takes."""

from __future__ import annotations

import contextlib
import socket

import pytest

from tests.lab.sqlserver.process import DRIVER_18, FREETDS
from tests.lab.waiting import until
from tests.lab.windows.starting import WindowsHost, windows_host, write_secret

PASSWORD = "a.Password-0f-a-test"
SERVER = r"SOFTWARE\Microsoft\Microsoft SQL Server"


@pytest.fixture
def host(tmp_path):
    """A machine with a default instance and one named PROD, whose port is its own choice."""
    password = str(write_secret(tmp_path / "sa", PASSWORD))
    instances = [
        {"instance": "MSSQLSERVER", "data": r"E:\MSSQL\DATA", "sa_password_file": password},
        {"instance": "PROD", "port": 50123, "data": r"E:\PROD\DATA", "sa_password_file": password, "start": "Manual"},
    ]
    with windows_host(tmp_path / "host", machine={"sql": instances}) as made:
        yield made


def ask(host: WindowsHost, call: str, *arguments: object) -> object:
    return host.control.ask("machine", call=call, arguments=list(arguments))


def listens(host: WindowsHost, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host.address, port), 1):
        return True
    return False


def rows(host: WindowsHost, port: int, *statements: str) -> list[tuple[object, ...]]:
    """Of the last statement."""
    import pyodbc

    pyodbc.pooling = False
    words = f"DRIVER={FREETDS};SERVER={host.address};PORT={port};UID=sa;PWD={PASSWORD};TDS_Version=7.4"
    with contextlib.closing(pyodbc.connect(words, autocommit=True)) as opened:
        for one in statements[:-1]:
            opened.execute(one)
        return [tuple(row) for row in opened.execute(statements[-1]).fetchall()]


@pytest.mark.slow
def test_services_registry_files_and_power(host, needs):
    needs("odbc")
    assert ask(host, "services.status", "MSSQLSERVER") == "Running"
    assert ask(host, "services.status", "MSSQL$PROD") == "Stopped"
    assert ask(host, "registry.value", rf"{SERVER}\Instance Names\SQL", "PROD") == "MSSQL15.PROD"
    assert listens(host, 1433)
    assert not listens(host, 50123)
    ask(host, "services.begin_start", "MSSQL$PROD")
    assert rows(host, 50123, "SELECT @@SERVERNAME") == [(rf"{host.name}\PROD",)]
    rows(
        host,
        1433,
        "CREATE DATABASE shop",
        "CREATE TABLE shop.dbo.t (n int)",
        "INSERT INTO shop.dbo.t VALUES (1)",
        "SELECT n FROM shop.dbo.t",
    )
    assert (host.state / "machine/volumes/E/MSSQL/DATA/shop.mdf").exists()
    host.power_cut()
    until("nothing listens any more", lambda: not listens(host, 1433))
    host.boot()
    assert rows(host, 1433, "SELECT n FROM shop.dbo.t") == [(1,)]
    ask(host, "services.begin_stop", "MSSQLSERVER")
    assert not listens(host, 1433)
    ask(host, "volumes.block", "E", "replication")
    ask(host, "services.begin_start", "MSSQLSERVER")
    assert ask(host, "services.status", "MSSQLSERVER") == "Stopped"
    assert not listens(host, 1433)
    assert host.control.ask("failures") == []
    assert DRIVER_18
