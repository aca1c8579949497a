"""Facts out of rows: every release has its own columns, what is refused is a problem, and a thousand databases cost no more questions."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.databases import statements as ask
from orchestrator.databases.deeds.deed import Desk, read
from orchestrator.databases.deeds.files import Attach, Detach
from orchestrator.databases.deeds.own import ServerName
from orchestrator.databases.deeds.settled import OwnersAndOptions
from orchestrator.databases.deeds.standing import Ready
from orchestrator.databases.errors import DeedRefused
from orchestrator.databases.facts import facts
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.sql import SqlAsk
from tests.unit.databases.canned import Canned, database, refused

MASTER = ask.databases(15).statement
DESK: Any = Desk(None, lambda: 0.0)  # type: ignore[arg-type]


def file(number: int, name: str, kind: str = "ROWS", pages: int = 100) -> dict[str, Any]:
    return {
        "database_id": number,
        "type_desc": kind,
        "name": name,
        "physical_name": f"/d/{name}",
        "state_desc": "ONLINE",
        "pages": pages,
    }


def many(count: int) -> Canned:
    def features(statement: str) -> list[dict[str, Any]]:
        return [
            {"in_database": f"db{i}", "feature_name": "Compression"} for i in range(count) if f"'db{i}'" in statement
        ]

    return Canned(
        {
            MASTER: [database(f"db{i}", i + 5) for i in range(count)],
            ask.FILES.statement: [file(i + 5, f"db{i}.mdf") for i in range(count)],
            "SELECT N'db": lambda statement: features(statement) if "sku_features" in statement else [],
        }
    )


@pytest.mark.covers("SQL-04")
def test_a_thousand_databases_are_asked_in_few_statements() -> None:
    one, thousand = many(1), many(1000)
    names = tuple(f"db{i}" for i in range(1000))
    few = facts(one, SqlAsk(databases=names))
    found = facts(thousand, SqlAsk(databases=names))
    assert len(found.databases) == 1000
    assert all(each.features == ("Compression",) and each.orphans == () for each in found.databases)
    assert [each.path for each in found.databases[7].files] == ["/d/db7.mdf"]
    assert found.databases[7].files[0].bytes == 100 * 8192
    assert len(thousand.asked) - len(one.asked) == 2 * (1000 // 50 - 1)
    assert few.problems == found.problems == ()


def test_what_is_refused_is_a_problem_and_the_rest_is_good() -> None:
    session = Canned({MASTER: [database("Sales", 5)], ask.SERVICES.statement: refused, ask.JOBS.statement: refused})
    found = facts(session, SqlAsk())
    assert len(found.problems) == 2
    assert found.problems[0].startswith("services: ")
    assert found.databases[0].name == "Sales"


def test_one_database_that_cannot_be_asked_spoils_no_other() -> None:
    def features(statement: str) -> list[dict[str, Any]]:
        if "[bad]" in statement:
            refused(statement)
        return []

    session = Canned({MASTER: [database("good", 5), database("bad", 6)], "SELECT N'": features})
    found = facts(session, SqlAsk(databases=("good", "bad")))
    assert [(one.name, one.features) for one in found.databases] == [("good", ()), ("bad", None)]
    assert any("database bad" in one for one in found.problems)


@pytest.mark.parametrize(
    ("version", "columns", "parts"),
    [("9.0.5000", ("owner_sid",), 0), ("10.50.6000", ("is_encrypted",), 1), ("15.0.1", ("containment_desc",), 3)],
)
def test_older_releases_are_asked_for_what_they_have(version: str, columns: tuple[str, ...], parts: int) -> None:
    session = Canned({ask.databases(int(version.partition(".")[0])).statement: []}, version=version)
    found = facts(session, SqlAsk())
    text = " ".join(session.asked)
    assert found.problems == ()
    assert all(one in text for one in columns)
    newer = [part for part in (ask.KEYS, ask.PLATFORM, ask.SERVICES) if part.statement in session.asked]
    assert len(newer) == (parts if parts != 1 else 2)


def test_the_registry_tells_ports_protocols_and_parameters() -> None:
    base = "HKLM\\Software\\Microsoft\\Microsoft SQL Server\\MSSQL15.X\\MSSQLServer"
    values = [
        (f"{base}\\SuperSocketNetLib\\Tcp\\IPAll", "TcpPort", ""),
        (f"{base}\\SuperSocketNetLib\\Tcp\\IPAll", "TcpDynamicPorts", "57137"),
        (f"{base}\\SuperSocketNetLib\\Tcp", "Enabled", "1"),
        (f"{base}\\SuperSocketNetLib\\Np", "Enabled", "0"),
        (f"{base}\\Parameters", "SQLArg0", "-dE:\\master.mdf\0"),
    ]
    rows = [{"registry_key": key, "value_name": name, "value_data": data} for key, name, data in values]
    connection = [{"auth_scheme": "KERBEROS", "encrypt_option": "TRUE", "local_tcp_port": 57137}]
    session = Canned({ask.REGISTRY.statement: rows, ask.CONNECTION.statement: connection}, instance_name="X")
    found = facts(session, SqlAsk())
    assert (found.name, found.port, found.port_dynamic, found.protocols) == ("X", 57137, True, ("tcp",))
    assert (found.auth_scheme, found.encrypted, found.startup_parameters) == ("KERBEROS", True, ("-dE:\\master.mdf",))


def looked(kind: Any, session: Canned, **document: Any) -> Any:
    return kind(session, read(kind, document), DESK)


def test_what_is_registered_and_not_online_is_attached_anew() -> None:
    session = Canned(
        {MASTER: [database("Sales", 5, state_desc="RECOVERY_PENDING")], ask.FILES.statement: [file(5, "s.mdf")]}
    )
    deed = looked(Attach, session, databases=[{"name": "Sales", "files": ["/d/s.mdf", "/d/s.ldf"]}])
    assert not deed.look().done
    deed.do({})
    assert session.did == [
        "ALTER DATABASE [Sales] SET OFFLINE WITH ROLLBACK IMMEDIATE",
        "EXEC sp_detach_db @dbname = N'Sales', @skipchecks = N'true'",
        "CREATE DATABASE [Sales] ON (FILENAME = N'/d/s.mdf'), (FILENAME = N'/d/s.ldf') FOR ATTACH",
    ]
    assert min(session.limits_s) > 3600  # recovery that is cut off begins anew, and would never end


def test_a_database_of_other_files_is_left_alone() -> None:
    session = Canned({MASTER: [database("Sales", 5)], ask.FILES.statement: [file(5, "theirs.mdf")]})
    deed = looked(Attach, session, databases=[{"name": "Sales", "files": ["/d/s.mdf"]}])
    with pytest.raises(DeedRefused, match=r"of other files: /d/theirs\.mdf"):
        deed.do({})
    deed.undo({"there": []})
    assert session.did == []


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"is_published": True}, "published"),
        ({"is_distributor": True}, "system database"),
        ({"source_database_id": 9}, "snapshot of base"),
        ({"state_desc": "SUSPECT"}, "suspect"),
    ],
)
def test_what_cannot_be_detached_is_refused_before_anything_is(more: dict[str, Any], says: str) -> None:
    session = Canned({MASTER: [database("free", 4), database("Sales", 5, **more), database("base", 9)]})
    with pytest.raises(DeedRefused, match=says):
        looked(Detach, session, databases=["free", "Sales"]).do({})
    assert session.did == []


def test_the_name_of_a_published_server_stays() -> None:
    session = Canned({MASTER: [database("Sales", 5, is_published=True)]})
    with pytest.raises(DeedRefused, match="knows its name"):
        looked(ServerName, session, name="BETA").do({})


@pytest.mark.parametrize(("state", "error"), [("RECOVERING", TryAgain), ("SUSPECT", DeedRefused)])
def test_recovering_is_waited_for_and_suspect_is_not(state: str, error: type[Exception]) -> None:
    session = Canned({"SELECT name, state_desc": [{"name": "Sales", "state_desc": state}]})
    with pytest.raises(error, match=state):
        looked(Ready, session, databases=["sales"]).do({})


def test_owners_that_are_missing_become_sa_and_options_follow() -> None:
    session = Canned(
        {MASTER: [database("Sales", 5, owner="gone")], "SELECT name FROM sys.server_principals": [{"name": "boss"}]}
    )
    deed = looked(
        OwnersAndOptions,
        session,
        databases=[{"name": "Sales", "owner": "CORP\\x", "broker": False, "trustworthy": True}],
    )
    found = deed.look().found
    deed.do(found)
    assert session.did == [
        "ALTER AUTHORIZATION ON DATABASE::[Sales] TO [boss]",
        "ALTER DATABASE [Sales] SET DISABLE_BROKER WITH ROLLBACK IMMEDIATE",
    ]
    assert "Sales not made trustworthy" in deed.look().says


def test_nobody_takes_the_one_seat_before_a_detach() -> None:
    """Whoever closes a database from outside leaves its one seat to the client that comes next: it is one batch, from inside."""
    session = Canned({MASTER: [database("Sales", 5)]})
    looked(Detach, session, databases=["sales"]).do({})
    (batch,) = session.did
    assert batch.startswith(
        "USE [Sales]; ALTER DATABASE [Sales] SET SINGLE_USER WITH ROLLBACK IMMEDIATE; USE master; EXEC"
    )


def test_a_detach_that_was_cut_off_leaves_nobody_shut_out() -> None:
    closed = [
        database("Sales", 5, user_access_desc="SINGLE_USER"),
        database("Ops", 6, user_access_desc="RESTRICTED_USER"),
    ]
    session = Canned({MASTER: closed})
    files = [{"name": name, "files": ["/d/x.mdf"]} for name in ("Sales", "Ops")]
    looked(Detach, session, databases=["Sales", "Ops"]).undo({"databases": files})
    assert session.did == ["ALTER DATABASE [Sales] SET MULTI_USER"]
