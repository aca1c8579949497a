"""What must not happen at a SQL Server, whatever its databases, log-ins and neighbours are called: tried on the simulation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orchestrator.databases.errors import DeedRefused, SqlError
from orchestrator.databases.port import OdbcServers
from orchestrator.model.sql import SqlAsk
from tests.conformance.sql_port import PROTECTION, SOURCE, TARGET, Pair, pair
from tests.conftest import require
from tests.lab.sqlserver.process import DRIVER_18, FREETDS

DATA = "/var/opt/mssql/data"
SPITEFUL = ("a]b'c;DROP", "x'); DROP LOGIN [keep]; --", "naïve — 数据", "]]", "two\nlines")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    require("odbc")
    with pair(tmp_path_factory.mktemp("sql"), FREETDS) as servers:
        yield servers


def _reached(both: Pair, **more: Any) -> OdbcServers:
    """The port by a way that was told wrongly."""
    one = msgspec.structs.replace(both.access(SOURCE), **more)
    return OdbcServers(lambda _where, _instance: one, lambda _user, _server: both.source.sa_password, both.folder)


@pytest.mark.covers("SQL-05")
def test_the_port_of_another_instance_is_not_asked_for_anything(both: Pair) -> None:
    wrong = _reached(both, instance="SALES")
    assert "is another instance" in wrong.facts(SOURCE, "SALES").silence
    with pytest.raises(SqlError, match="is answered by ALPHA, which is another instance"):
        wrong.do(SOURCE, "detach", {"instance": "SALES", "databases": ["Ops"]}, {})


@pytest.mark.covers("SQL-05")
def test_the_other_server_at_the_address_of_this_one_is_left_alone(both: Pair) -> None:
    moved = _reached(both, server="BETA", other="alpha")
    with pytest.raises(SqlError, match="is answered by ALPHA, which is the other server"):
        moved.do(TARGET, "detach", {"databases": ["Ops"]}, {})
    assert _reached(both, server="alpha", other="beta").test(SOURCE, "MSSQLSERVER").ok


@pytest.mark.covers("SQL-02")
def test_what_sa_takes_over_is_not_made_trustworthy(both: Pair) -> None:
    """The owner of a database that trusts its code acts as its owner: with sa as that, as the whole instance."""
    both.run(TARGET, "CREATE DATABASE Trusting", "CREATE LOGIN boss WITH PASSWORD = 'Corr3ct!', CHECK_POLICY = OFF")
    wanted = [{"name": "Trusting", "owner": "gone", "trustworthy": True}]
    both.port.do(TARGET, "owners-and-options", {"databases": wanted}, {})
    seen = both.port.look(TARGET, "owners-and-options", {"databases": wanted})
    assert (seen.done, "Trusting not made trustworthy" in seen.says) == (True, True), seen.says
    found = both.port.facts(TARGET, "MSSQLSERVER").database("Trusting")
    assert found is not None
    assert (found.owner, found.trustworthy) == ("sa", False)
    both.done(TARGET, "owners-and-options", databases=[{"name": "Trusting", "owner": "boss", "trustworthy": True}])


@pytest.mark.covers("SQL-01")
def test_a_database_of_the_same_name_with_other_files_is_not_taken_off(both: Pair) -> None:
    both.run(TARGET, "CREATE DATABASE Theirs")
    told = {"databases": [{"name": "Theirs", "files": [f"{DATA}/ours/Theirs.mdf"]}]}
    with pytest.raises(DeedRefused, match="has a database Theirs of other files"):
        both.port.do(TARGET, "detach", told, {})
    assert both.value(TARGET, "SELECT state_desc FROM sys.databases WHERE name = 'Theirs'") == "ONLINE"


@pytest.mark.covers("SQL-02")
def test_a_damaged_database_keeps_no_other_from_being_attached(both: Pair) -> None:
    both.run(SOURCE, "CREATE DATABASE Torn", "CREATE DATABASE Whole")
    off = both.done(SOURCE, "detach", databases=["Torn", "Whole"])
    both.carry_files("Torn", "Whole")
    data = both.target.root / "data" / "Torn.mdf"
    data.write_bytes(data.read_bytes()[:5000])
    with pytest.raises(SqlError, match=r"Msg 517\d"):
        both.port.do(TARGET, "attach", {"databases": off["databases"]}, {})
    ready = both.port.look(TARGET, "ready", {"databases": ["Torn", "Whole"]})
    assert ready.says == "BETA: Torn is missing"
    both.undone(SOURCE, "detach", off, databases=["Torn", "Whole"])


@pytest.mark.covers("SQL-02")
@pytest.mark.parametrize("name", SPITEFUL)
def test_no_name_becomes_a_statement(both: Pair, name: str) -> None:
    quoted = f"[{name.replace(']', ']]')}]"
    both.run(SOURCE, f"CREATE LOGIN {quoted} WITH PASSWORD = 'Corr3ct!', CHECK_POLICY = OFF")
    both.run(SOURCE, f"CREATE DATABASE {quoted} ON (NAME = d, FILENAME = '{DATA}/spite.mdf')")
    both.run(SOURCE, f"ALTER LOGIN {quoted} WITH DEFAULT_DATABASE = {quoted}")
    found = both.port.facts(SOURCE, "MSSQLSERVER", SqlAsk(databases=(name,)))
    assert found.problems == ()
    (database,) = [one for one in found.databases if one.name == name]
    both.port.do(TARGET, "keep-logins", {"protection": PROTECTION}, {})
    both.done(TARGET, "logins", only=[name])
    assert name in {one.name for one in both.port.facts(TARGET, "MSSQLSERVER").logins}
    off = both.done(SOURCE, "detach", databases=[name])
    both.carry_files("spite")
    on = both.done(TARGET, "attach", databases=off["databases"])
    both.done(TARGET, "default-databases", databases=[name])
    both.undone(TARGET, "attach", on, databases=off["databases"])
    both.undone(SOURCE, "detach", off, databases=[name])
    both.run(SOURCE, f"DROP DATABASE {quoted}", f"DROP LOGIN {quoted}")
    for left in (both.target.root / "data").glob("spite*"):
        left.unlink()
    assert database.files


@pytest.mark.covers("SQL-05")
@pytest.mark.parametrize("driver", [FREETDS, DRIVER_18], ids=["freetds", "driver-18"])
@pytest.mark.parametrize("password", ["a}b;C1{d", "C1};UID=sa;x", "{C1}", "C1}", " C1 ;"])
def test_no_password_becomes_a_word_of_the_connection(both: Pair, driver: str, password: str) -> None:
    both.run(SOURCE, f"CREATE LOGIN spite WITH PASSWORD = '{password}', CHECK_POLICY = OFF")
    told_apart = driver == DRIVER_18 or "};" not in password
    try:
        said = both.as_user("spite", password, driver=driver).test(SOURCE, "MSSQLSERVER").says
        assert ("not a member of sysadmin" if told_apart else "FreeTDS takes no };") in said, said
    finally:
        both.run(SOURCE, "DROP LOGIN spite")


def test_no_error_tells_a_password(both: Pair, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("S3cretWord!\n")
    file.chmod(0o600)
    for way in ({"user": "sa"}, {"user": "nobody"}, {"user": "sa", "driver": "None such"}):
        seen = _reached(both, **way | {"password_file": str(file)}).test(SOURCE, "MSSQLSERVER")
        assert "S3cretWord!" not in f"{seen.says}{seen.hint}"
        assert not seen.ok
