"""The port to SQL Server: one suite, over the simulation through FreeTDS and through Microsoft's driver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orchestrator.databases.errors import DeedRefused
from orchestrator.databases.port import OdbcServers
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.sql import SqlAsk
from tests.conformance.sql_port import PROTECTION, SOURCE, TARGET, Pair, pair
from tests.conftest import require
from tests.lab.sqlserver.process import DRIVER_18, FREETDS, sql_server
from tests.lab.windows.starting import loopback_address

DATA = "/var/opt/mssql/data"


@pytest.fixture(scope="module", params=[FREETDS, DRIVER_18], ids=["freetds", "driver-18"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    require("odbc")
    with pair(tmp_path_factory.mktemp("sql"), request.param) as servers:
        servers.run(
            SOURCE,
            "CREATE LOGIN app WITH PASSWORD = 'Corr3ct!', CHECK_POLICY = OFF",
            "CREATE LOGIN idle WITH PASSWORD = 'Corr3ct!', CHECK_POLICY = OFF",
            "ALTER LOGIN idle DISABLE",
            "ALTER SERVER ROLE dbcreator ADD MEMBER app",
            "GRANT VIEW SERVER STATE TO app",
            "CREATE DATABASE Sales",
            "USE Sales; CREATE TABLE dbo.orders (id int PRIMARY KEY, what nvarchar(40)); INSERT INTO dbo.orders VALUES (1, N'käse'); USE master",
            "USE Sales; CREATE USER app FOR LOGIN app; USE master",
            "ALTER LOGIN app WITH DEFAULT_DATABASE = Sales",
            "ALTER DATABASE Sales SET TRUSTWORTHY ON",
        )
        yield servers


@pytest.mark.covers("SQL-01")
def test_facts_tell_all_of_an_instance(both: Pair) -> None:
    found = both.port.facts(SOURCE, "MSSQLSERVER", SqlAsk(databases=("Sales",)))
    assert (found.silence, found.problems) == ("", ())
    assert (found.name, found.machine, found.major, found.sysadmin) == ("MSSQLSERVER", "ALPHA", 15, True)
    assert (found.server_name, found.login, found.auth_scheme, found.encrypted) == ("ALPHA", "sa", "SQL", True)
    assert found.host_platform == "Linux"
    assert {"master", "model", "msdb", "tempdb", "Sales"} <= {one.name for one in found.databases}
    sales = found.database("sales")
    assert sales is not None
    assert (sales.state, sales.trustworthy, sales.system, sales.owner) == ("ONLINE", True, False, "sa")
    assert [one.kind for one in sales.files] == ["rows", "log"]
    assert all(one.path.startswith(f"{DATA}/") for one in sales.files)
    assert (sales.orphans, sales.features) == ((), ())
    app = found.login_of("app")
    assert app is not None
    assert (app.kind, app.roles, app.default_database, app.disabled) == ("sql", ("dbcreator",), "Sales", False)
    assert "GRANT VIEW SERVER STATE" in app.permissions
    assert len(app.sid) == len("0x") + 32
    assert found.configuration("show advanced options") is not None


@pytest.mark.covers("SQL-05")
def test_why_an_instance_cannot_be_used_is_said(both: Pair) -> None:
    good = both.port.test(SOURCE, "MSSQLSERVER")
    assert good.ok, good.says
    wrong = both.as_user("sa", "wrong").test(SOURCE, "MSSQLSERVER")
    assert (wrong.ok, "18456" in wrong.says) == (False, True), wrong.says
    plain = both.as_user("app", "Corr3ct!").test(SOURCE, "MSSQLSERVER")
    assert (plain.ok, "not a member of sysadmin" in plain.says) == (False, True), plain.says
    assert "ALTER SERVER ROLE sysadmin ADD MEMBER [app]" in plain.hint
    unknown = both.as_user("sa", both.source.sa_password, ca_file=None).test(SOURCE, "MSSQLSERVER")
    assert not unknown.ok, unknown.says
    assert "certificate" in unknown.says
    trusting = both.as_user("sa", both.source.sa_password, ca_file=None, trust_server_certificate=True)
    assert trusting.test(SOURCE, "MSSQLSERVER").ok


def test_silence_is_a_fact_and_deeds_wait_for_it(both: Pair) -> None:
    gone = msgspec.structs.replace(both.access(SOURCE), port=1)
    closed = OdbcServers(lambda _where, _instance: gone, lambda _user, _server: "x", None)
    assert "port 1" in closed.facts(SOURCE, "MSSQLSERVER").silence
    with pytest.raises(TryAgain, match="port 1"):
        closed.look(SOURCE, "ready", {})


@pytest.mark.covers("SQL-02")
def test_log_ins_are_carried_with_sid_and_password(both: Pair) -> None:
    both.port.do(TARGET, "keep-logins", {"protection": PROTECTION}, {})
    assert both.port.kept_at_s(PROTECTION, "MSSQLSERVER") is not None
    found = both.done(TARGET, "logins")
    assert set(found["create"]) == {"app", "idle"}
    ours, theirs = (both.port.facts(where, "MSSQLSERVER") for where in (SOURCE, TARGET))
    for name in ("app", "idle"):
        left, right = ours.login_of(name), theirs.login_of(name)
        assert left is not None
        assert right is not None
        assert (left.sid, left.disabled, left.roles, left.permissions) == (
            right.sid, right.disabled, right.roles, right.permissions
        )  # fmt: skip
    assert "sysadmin" in both.as_user("app", "Corr3ct!").test(TARGET, "MSSQLSERVER").says  # it is let in
    both.undone(TARGET, "logins", found)
    assert both.port.facts(TARGET, "MSSQLSERVER").login_of("app") is None


@pytest.mark.covers("SQL-02")
def test_a_database_goes_over_with_its_users_and_comes_back(both: Pair) -> None:
    files = [one.path for one in both.port.facts(SOURCE, "MSSQLSERVER").database("Sales").files]  # type: ignore[union-attr]
    off = both.done(SOURCE, "detach", databases=["Sales"])
    both.carry_files("Sales")
    databases = [{"name": "Sales", "files": files}]
    both.port.do(TARGET, "keep-logins", {"protection": PROTECTION}, {})
    both.run(TARGET, "CREATE LOGIN app WITH PASSWORD = 'Corr3ct!', CHECK_POLICY = OFF")  # of another SID
    both.port.do(TARGET, "logins", {"protection": PROTECTION}, {})
    on = both.done(TARGET, "attach", databases=databases)
    assert both.port.look(TARGET, "ready", {"databases": ["Sales"]}).done
    assert both.value(TARGET, "SELECT what FROM Sales.dbo.orders WHERE id = 1") == "käse"
    both.done(TARGET, "owners-and-options", databases=[{"name": "Sales", "owner": "sa", "trustworthy": True}])
    both.done(TARGET, "orphans", databases=["Sales"])
    app = both.as_user("app", "Corr3ct!")
    assert app.look(TARGET, "probe", {"database": "Sales"}).done
    both.port.do(TARGET, "probe", {"database": "Sales", "write": True}, {})
    assert both.value(TARGET, "SELECT COUNT(*) FROM Sales.dbo.dtam_probe") == 1
    both.done(TARGET, "check", databases=["Sales"])
    both.undone(TARGET, "attach", on, databases=databases)
    both.run(TARGET, "DROP LOGIN app")
    both.undone(SOURCE, "detach", off, databases=["Sales"])
    assert both.value(SOURCE, "SELECT what FROM Sales.dbo.orders WHERE id = 1") == "käse"


def test_a_copy_is_checked_under_another_name_and_a_torn_one_is_refused(both: Pair) -> None:
    files = [one.path for one in both.port.facts(SOURCE, "MSSQLSERVER").database("Sales").files]  # type: ignore[union-attr]
    both.done(SOURCE, "detach", databases=["Sales"])
    both.carry_files("Sales")
    both.run(SOURCE, f"CREATE DATABASE Sales ON (FILENAME = '{files[0]}'), (FILENAME = '{files[1]}') FOR ATTACH")
    told = {"databases": [{"name": "Sales", "files": files}], "attach_as": "dtam_check_{name}", "protection": "copies"}
    both.port.do(TARGET, "check", told, {})
    assert both.port.look(TARGET, "check", told).done
    assert both.port.facts(TARGET, "MSSQLSERVER").database("dtam_check_Sales") is None
    data = both.target.root / "data" / "Sales.mdf"
    data.write_bytes(data.read_bytes()[:5000])
    with pytest.raises(DeedRefused, match="Sales of BETA is not good"):
        both.port.do(TARGET, "check", told | {"protection": "torn"}, {})


def test_system_databases_stay(both: Pair) -> None:
    with pytest.raises(DeedRefused, match="system database"):
        both.port.do(TARGET, "detach", {"databases": ["msdb"]}, {})


def test_the_registered_name_is_changed_and_given_back(both: Pair) -> None:
    found = both.done(TARGET, "server-name", name="ALPHA")
    assert both.value(TARGET, "SELECT name FROM sys.servers WHERE server_id = 0") == "ALPHA"
    both.undone(TARGET, "server-name", found, name="ALPHA")


def test_options_are_set_and_given_back(both: Pair) -> None:
    options = {"xp_cmdshell": 1, "max degree of parallelism": 2}
    found = both.done(TARGET, "configuration", options=options)
    assert (
        both.value(TARGET, "SELECT CAST(value AS int) FROM sys.configurations WHERE name = 'show advanced options'")
        == 0
    )
    both.undone(TARGET, "configuration", found, options=options)


@pytest.fixture(scope="module")
def windows(both: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A pair whose target runs on Windows, and has a registry."""
    with sql_server(tmp_path_factory.mktemp("gamma"), machine="GAMMA", platform="windows") as target:
        yield Pair(both.source, target, both.driver, both.folder)


@pytest.mark.parametrize(("deed", "document"), [("login-mode", {}), ("protocol", {"protocol": "np"})])
def test_what_the_registry_holds_is_set_and_given_back(windows: Pair, deed: str, document: dict[str, object]) -> None:
    word = "mixed" if deed == "login-mode" else "enabled"
    now = windows.port.look(TARGET, deed, document | {word: True}).done
    found = windows.done(TARGET, deed, **document, **{word: not now})
    windows.undone(TARGET, deed, found, **document, **{word: not now})
    assert windows.port.look(TARGET, deed, document | {word: now}).done


def test_owners_directories_and_single_log_ins(both: Pair) -> None:
    both.run(TARGET, "CREATE LOGIN owner1 WITH PASSWORD = 'Corr3ct!', CHECK_POLICY = OFF", "CREATE DATABASE Ops")
    found = both.done(TARGET, "authorization", database="Ops", owner="owner1")
    both.undone(TARGET, "authorization", found, database="Ops", owner="owner1")
    both.done(TARGET, "make-directory", path="/var/opt/mssql/data/other")
    assert (both.target.root / "data" / "other").is_dir()
    copied = both.done(TARGET, "copy-logins", names=["app"])
    assert copied["create"] == ["app"]
    both.undone(TARGET, "copy-logins", copied, names=["app"])
    both.run(TARGET, "DROP DATABASE Ops", "DROP LOGIN owner1")


@pytest.mark.covers("SQL-01", "SQL-05")
def test_a_named_instance_is_found_by_sql_browser(both: Pair, tmp_path: Path) -> None:
    address = loopback_address(tmp_path)
    words: dict[str, Any] = {
        "instance": "SALES",
        "machine": "GAMMA",
        "platform": "windows",
        "address": address,
        "port": 0,
    }
    with sql_server(tmp_path, options=("--browser", address), **words) as named:
        by_name = Pair(named, named, both.driver, both.folder).as_user("sa", named.sa_password, port=None)
        browser = by_name.browse(SOURCE)
        assert [(one.instance, one.port) for one in browser.entries] == [("SALES", named.port)], browser.silence
        found = by_name.facts(SOURCE, "SALES")
        assert (found.silence, found.name, found.server_name, found.full_name) == (
            "",
            "SALES",
            "GAMMA\\SALES",
            "GAMMA\\SALES",
        )
        assert found.on_windows
        wrong = by_name.test(SOURCE, "NONESUCH")
        assert (wrong.ok, "SALES at port" in wrong.says) == (False, True), wrong.says
