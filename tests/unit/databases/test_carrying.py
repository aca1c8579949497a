"""Which log-ins a target lacks, and which are never touched."""

from __future__ import annotations

import pytest

from orchestrator.databases.carrying import Lacking, Server, lacking
from orchestrator.databases.deeds.carried import create_statement, given, policy_statements, taken_back
from orchestrator.databases.kept import KeptLogin, KeptLogins
from orchestrator.model.sql import SqlInstance, SqlLogin

NEW, OLD = "0x0200AA", "0x0100AA"


def kept(*logins: KeptLogin, accounts: tuple[str, ...] = ()) -> KeptLogins:
    return KeptLogins("ALPHA", "ALPHA", 15, 0.0, logins, accounts)


def login(name: str, sid: str = "0x11", **more: object) -> KeptLogin:
    return KeptLogin(SqlLogin(name, sid=sid, **more), NEW)


def target(*logins: SqlLogin, hashes: dict[str, str] | None = None, version: str = "15.0.1", **more: object) -> Server:
    there = SqlInstance(machine="BETA", version=version, login="dtam", host_platform="Windows")
    return Server(there, logins, hashes or {}, **more)


@pytest.mark.covers("SQL-02")
def test_only_what_is_missing_is_made() -> None:
    app = login(
        "app", roles=("dbcreator",), permissions=("GRANT CONNECT SQL", "GRANT VIEW SERVER STATE"), disabled=True
    )
    found = lacking(kept(app), target(SqlLogin("other", sid="0x22")))
    assert found == Lacking(
        create=("app",),
        disable=("app",),
        roles={"app": ("dbcreator",)},
        permissions={"app": ("GRANT VIEW SERVER STATE",)},
    )
    held = SqlLogin("APP", sid="0x11", disabled=True, roles=("dbcreator",), permissions=("GRANT VIEW SERVER STATE",))
    assert lacking(kept(app), target(held, hashes={"app": NEW})).nothing
    assert lacking(kept(app), target(held, hashes={"app": OLD})).passwords == ("app",)


@pytest.mark.covers("SQL-02")
@pytest.mark.parametrize(
    "name",
    [
        "##MS_Agent##",
        "NT AUTHORITY\\SYSTEM",
        "NT SERVICE\\MSSQLSERVER",
        "BUILTIN\\Users",
        "BETA\\admin",
        "dtam",
        "CORP\\svc",
    ],
)
def test_what_belongs_to_a_server_alone_is_never_touched(name: str) -> None:
    found = lacking(kept(login(name)), target(untouched=("corp\\SVC",)))
    assert found.nothing
    assert found.left == ()


def test_sa_is_known_by_its_sid_whatever_its_name() -> None:
    assert lacking(kept(login("renamed", sid="0x01")), target()).nothing
    assert SqlLogin("renamed", sid="0x01").own_to("X")


def test_accounts_of_the_sources_services_stay_out() -> None:
    assert lacking(kept(login("CORP\\sql"), accounts=("corp\\sql",)), target()).nothing


@pytest.mark.covers("SQL-02")
@pytest.mark.parametrize(
    ("there", "hashed", "version", "says"),
    [
        ((SqlLogin("app", sid="0x99"),), NEW, "15.0", "another log-in there"),
        ((SqlLogin("else", sid="0x11"),), NEW, "15.0", "has the SID of else"),
        ((), NEW, "10.50.1", "newer release than 10.50.1"),
        ((), "0x0300AA", "16.0.1", "newer release"),
        ((), "", "15.0", "did not tell the hash"),
    ],
)
def test_what_cannot_be_carried_is_told(there: tuple[SqlLogin, ...], hashed: str, version: str, says: str) -> None:
    one = KeptLogin(SqlLogin("app", sid="0x11"), hashed)
    found = lacking(kept(one), target(*there, version=version))
    assert found.nothing
    assert says in found.says


def test_statements_quote_every_name_and_keep_sid_and_hash() -> None:
    odd = SqlLogin(
        "a]b", sid="0x11", default_database="Sales", default_language="us_english", policy=True, expiration=True
    )
    assert create_statement(odd, NEW, {"sales"}) == (
        "CREATE LOGIN [a]]b] WITH PASSWORD = 0x0200AA HASHED, SID = 0x11, DEFAULT_DATABASE = [Sales], "
        "DEFAULT_LANGUAGE = [us_english], CHECK_POLICY = OFF, CHECK_EXPIRATION = OFF"
    )
    assert "DEFAULT_DATABASE = [master]" in create_statement(odd, NEW, set())
    assert "FROM WINDOWS" in create_statement(SqlLogin("CORP\\g", kind="group"), "", set())
    assert [one.rpartition(" WITH ")[2] for one in policy_statements(odd)] == [
        "CHECK_POLICY = ON",
        "CHECK_EXPIRATION = ON",
    ]
    with pytest.raises(ValueError, match="hexadecimal"):
        create_statement(odd, "0x02; DROP", set())


def test_what_is_given_is_taken_back() -> None:
    missing = Lacking(
        disable=("app",),
        roles={"app": ("dbcreator",)},
        permissions={"app": ("GRANT ALTER TRACE WITH GRANT OPTION", "DENY CONNECT SQL")},
    )
    assert list(given(missing, 15)) == [
        "ALTER SERVER ROLE [dbcreator] ADD MEMBER [app]",
        "GRANT ALTER TRACE TO [app] WITH GRANT OPTION",
        "DENY CONNECT SQL TO [app]",
        "ALTER LOGIN [app] DISABLE",
    ]
    assert list(taken_back(missing, {"app"}, 10)) == [
        "ALTER LOGIN [app] ENABLE",
        "REVOKE ALTER TRACE FROM [app] CASCADE",
        "REVOKE CONNECT SQL FROM [app] CASCADE",
        "EXEC sp_dropsrvrolemember N'app', N'dbcreator'",
    ]
    assert list(taken_back(missing, set(), 15)) == []
