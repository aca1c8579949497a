"""Which driver is chosen, what it is told, and what its errors mean."""

from __future__ import annotations

import pytest

from orchestrator.databases.drivers import chosen
from orchestrator.databases.errors import DriverMissing, SqlError
from orchestrator.databases.failures import explained
from orchestrator.databases.odbc import connection_string, freetds_settings
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.sqlaccess import SqlAccess

MICROSOFT, OLDER, FREE = "ODBC Driver 18 for SQL Server", "ODBC Driver 17 for SQL Server", "FreeTDS"


@pytest.mark.parametrize(
    ("given", "installed", "name", "oldest"),
    [
        (None, [FREE, OLDER, MICROSOFT], MICROSOFT, 11),
        (None, [FREE, OLDER], OLDER, 10),
        (None, ["SQLite3", FREE], FREE, 9),
        (FREE, [FREE, MICROSOFT], FREE, 9),
    ],
)
def test_the_newest_driver_is_taken_unless_one_is_named(
    given: str | None, installed: list[str], name: str, oldest: int
) -> None:
    driver = chosen(given, installed)
    assert (driver.name, driver.oldest_major) == (name, oldest)


def test_a_library_is_named_by_its_path(tmp_path) -> None:
    library = tmp_path / "libmsodbcsql-18.6.so.2.1"
    library.write_bytes(b"")
    assert chosen(str(library), []).kind == "microsoft"
    with pytest.raises(DriverMissing, match="none is installed"):
        chosen(None, ["SQLite3"])
    with pytest.raises(DriverMissing, match="known to ODBC: SQLite3"):
        chosen("/no/such.so", ["SQLite3"])


WAY = SqlAccess("ALPHA", "10.0.0.1", full_name="alpha.corp.example.com")


def test_passwords_may_hold_anything_and_names_are_those_of_the_domain() -> None:
    text = connection_string(chosen(None, [MICROSOFT]), SqlAccess("A", "10.0.0.1", user="app"), 1433, "a;b}{=c")
    assert "PWD={a;b}}{=c};" in text
    assert "Encrypt={yes};" in text
    assert "HostNameInCertificate={10.0.0.1};" in text
    integrated = connection_string(chosen(None, [FREE]), WAY, 1500, "")
    assert "ServerSPN={MSSQLSvc/alpha.corp.example.com:1500};" in integrated
    assert "PWD" not in integrated


@pytest.mark.parametrize(
    ("more", "lines"),
    [
        ({}, {"encryption = require", "ca file = system", "check certificate hostname = yes"}),
        ({"full_name": "alpha.x"}, {"check certificate hostname = no", "host = 10.0.0.1", "port = 1500"}),
        ({"ca_file": "/etc/ca.pem", "host": "alpha"}, {"ca file = /etc/ca.pem", "check certificate hostname = yes"}),
        ({"trust_server_certificate": True}, {"encryption = require"}),
        ({"encrypt": False}, {"encryption = request"}),
    ],
)
def test_freetds_is_told_whom_to_trust(more: dict[str, object], lines: set[str]) -> None:
    access = SqlAccess(**{"server": "A", "host": "10.0.0.1"} | more)
    told = set(freetds_settings(access, 1500).splitlines())
    assert lines <= told
    assert ("trust_server_certificate" in more or "encrypt" in more) == (not any("ca file" in one for one in told))


@pytest.mark.parametrize(
    ("state", "text", "kind", "says"),
    [
        ("28000", "[28000] [M][SQL Server]Login failed for user 'x'. (18456) (SQLDriverConnect)", "SqlLoginRefused", "18456"),
        ("42000", "[42000] [F][SQL Server]Login failed for user 'x'. (18456) (SQLDriverConnect)", "SqlLoginRefused", "18456"),
        ("42000", "[42000] [M][SQL Server]Permission was denied on object 'x'. (229) (SQLExecDirectW)", "SqlNotAllowed", "229"),
        ("08001", "[08001] [M]SSL Provider: [error:0A000086:SSL routines::certificate verify failed:self-signed certificate] (-1)", "SqlCertificateRefused", "verify failed"),
        ("08001", "[08001] [M]SSL Provider: [error:0A000102:SSL routines::unsupported protocol] (-1) (SQLDriverConnect)", "SqlTooOld", "unsupported protocol"),
        ("HY000", "[HY000] [M]SSPI Provider: No Kerberos credentials available (851968) (SQLDriverConnect)", "SqlLoginRefused", "No Kerberos"),
        ("HYT00", "[HYT00] [M]Login timeout expired (0) (SQLDriverConnect)", "SqlUnreachable", "timeout"),
        ("08S01", "[08S01] [FreeTDS][SQL Server]Unable to connect: Adaptive Server is unavailable (20009) (SQLDriverConnect)", "SqlUnreachable", "unavailable"),
        ("01000", "[01000] [unixODBC][Driver Manager]Can't open lib 'x' : file not found (0) (SQLDriverConnect)", "DriverMissing", "Can't open lib"),
        ("42000", "[42000] [M][SQL Server]Unable to open the physical file. (5120) (SQLExecDirectW)", "SqlError", "Msg 5120"),
    ],
)  # fmt: skip
def test_a_drivers_error_says_what_it_means(state: str, text: str, kind: str, says: str) -> None:
    found = explained(Exception(state, text), "ALPHA", "app")
    assert type(found).__name__ == kind
    assert says in str(found)
    assert isinstance(found, SqlError)
    assert found.hint


@pytest.mark.parametrize("number", [922, 18401, 1205, 3703])
def test_what_passes_by_waiting_is_waited_for(number: int) -> None:
    found = explained(Exception("42000", f"[42000] [M][SQL Server]Database 'x' is busy. ({number}) (SQL)"), "A", "app")
    assert isinstance(found, TryAgain)
    assert str(number) in found.reason
