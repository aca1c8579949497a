"""Connecting: what is looked at before a driver is asked, what it is told, and what stays behind: nothing."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.databases import connecting
from orchestrator.databases.errors import SqlError, SqlSecretUnusable, SqlTooOld, SqlUnreachable
from orchestrator.model.sqlaccess import SqlAccess

PASSWORD = "s3;cr}et"


class Odbc:
    """pyodbc, as far as connecting needs it: it notes what it was told."""

    SQL_DBMS_VER = 18

    class Error(Exception):
        pass

    def __init__(self, drivers: list[str], version: str = "15.00.4322") -> None:
        self._drivers, self._version = drivers, version
        self.told = ""
        self.settings = ""
        self.environment: dict[str, str] = {}
        self.closed = False

    def drivers(self) -> list[str]:
        return self._drivers

    def connect(self, text: str, **_more: Any) -> Odbc:
        self.told = text
        self.environment = dict(os.environ)
        if "FREETDSCONF" in os.environ:
            self.settings = Path(os.environ["FREETDSCONF"]).read_text()
        return self

    def getinfo(self, _what: int) -> str:
        return self._version

    def close(self) -> None:
        self.closed = True

    def cursor(self) -> Cursor:
        return Cursor()


class Cursor:
    """What a machine of that name says of itself."""

    description = (("instance_name",), ("machine",))

    def execute(self, _statement: str, *_values: object) -> None: ...

    def fetchall(self) -> list[tuple[str | None, str]]:
        return [(None, "ALPHA")]

    def nextset(self) -> bool:
        return False

    def close(self) -> None: ...


@pytest.fixture
def port() -> Iterator[int]:
    """Somebody listens there."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        yield door.getsockname()[1]


def use(monkeypatch: pytest.MonkeyPatch, odbc: Odbc) -> Odbc:
    monkeypatch.setattr(connecting, "_pyodbc", lambda: odbc)
    return odbc


def access(port: int | None, **more: Any) -> SqlAccess:
    return SqlAccess(
        **{"server": "ALPHA", "host": "127.0.0.1", "port": port, "user": "app", "full_name": "alpha"} | more
    )


def test_passwords_go_to_the_driver_in_memory_alone(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    odbc = use(monkeypatch, Odbc(["FreeTDS"]))
    before = dict(os.environ)
    connecting.connect(access(port), lambda _user, _server: PASSWORD)
    assert "PWD={s3;cr}et}" in odbc.told
    assert PASSWORD not in odbc.settings + str(odbc.environment)
    assert f"port = {port}" in odbc.settings
    assert not Path(odbc.environment["FREETDSCONF"]).exists()
    assert dict(os.environ) == before


def test_an_authority_is_told_by_the_environment(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    odbc = use(monkeypatch, Odbc(["ODBC Driver 18 for SQL Server"]))
    connecting.connect(access(port, ca_file="/etc/ca.pem"), lambda _user, _server: PASSWORD)
    assert odbc.environment["SSL_CERT_FILE"] == "/etc/ca.pem"
    assert "HostNameInCertificate={alpha};" in odbc.told


@pytest.mark.parametrize(
    ("driver", "version", "fits"),
    [
        ("ODBC Driver 18 for SQL Server", "10.50.6000", False),
        ("FreeTDS", "10.50.6000", True),
        ("FreeTDS", "08.00.2039", False),
    ],
)
def test_a_release_that_the_driver_does_not_serve_is_told(
    monkeypatch: pytest.MonkeyPatch, port: int, driver: str, version: str, fits: bool
) -> None:
    odbc = use(monkeypatch, Odbc([driver], version))
    if fits:
        connecting.connect(access(port), lambda _user, _server: PASSWORD)
        return
    with pytest.raises(SqlTooOld, match=version) as told:
        connecting.connect(access(port), lambda _user, _server: PASSWORD)
    assert odbc.closed
    assert "failover.sql.login.driver" in told.value.hint


def test_nobody_there_is_said_before_the_driver_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    odbc = use(monkeypatch, Odbc(["FreeTDS"]))
    with pytest.raises(SqlUnreachable, match=r"127\.0\.0\.1 port 1: Connection refused"):
        connecting.connect(access(1), lambda _user, _server: PASSWORD)
    with pytest.raises(SqlUnreachable, match="SQL Browser"):
        connecting.connect(access(None, instance="SALES"), lambda _user, _server: PASSWORD)
    assert odbc.told == ""


def test_a_password_that_cannot_be_had_is_said(monkeypatch: pytest.MonkeyPatch, port: int, tmp_path: Path) -> None:
    odbc = use(monkeypatch, Odbc(["FreeTDS"]))
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    file.chmod(0o644)
    with pytest.raises(SqlSecretUnusable, match="lets others read it"):
        connecting.connect(access(port, password_file=str(file)))
    with pytest.raises(SqlSecretUnusable, match="none is given"):
        connecting.connect(access(port))
    file.chmod(0o600)
    connecting.connect(access(port, password_file=str(file)))
    assert "PWD={s3;cr}et}" in odbc.told


def test_a_keytab_needs_a_domain(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    use(monkeypatch, Odbc(["FreeTDS"]))
    with pytest.raises(SqlError, match="needs a domain"):
        connecting.connect(access(port, user=None, principal="BETA$", keytab="/etc/krb5.keytab"))
