"""Detach and attach, on this and another instance: users, owners, options, versions."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.sqlserver.engine.instance import Server
from tests.lab.sqlserver.engine.port import LoginRequest, SqlFailure, WindowsIdentity
from tests.unit.lab_sqlserver.conftest import Answer, ask, done, new, sa

ATTACH = "CREATE DATABASE shop ON (FILENAME = '/var/opt/mssql/data/shop.mdf'), (FILENAME = '/var/opt/mssql/data/shop.mdf-wal') FOR ATTACH"
ORPHANS = (
    "SELECT u.name FROM sys.database_principals u LEFT JOIN sys.server_principals s ON s.sid = u.sid"
    " WHERE u.type = 'S' AND u.principal_id > 4 AND s.sid IS NULL AND u.authentication_type_desc = 'INSTANCE'"
)


@pytest.fixture
def shop(server: Server) -> Server:
    session = sa(server)
    done(session, "CREATE LOGIN app WITH PASSWORD = 'Passw0rd!x', CHECK_POLICY = OFF")
    done(session, "CREATE DATABASE shop")
    done(session, "USE shop")
    done(session, "CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
    done(
        session,
        "CREATE USER app FOR LOGIN app; ALTER ROLE db_datareader ADD MEMBER app; ALTER DATABASE shop SET TRUSTWORTHY ON",
    )
    session.close()
    return server


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Server]:
    made = new(tmp_path / "two", machine="BETA")
    yield made
    made.close()


def _move(one: Server, two: Server) -> None:
    done(sa(one), "EXEC sp_detach_db 'shop'")
    for name in ("shop.mdf", "shop.mdf-wal"):
        shutil.copy(one.settings.root / "data" / name, two.settings.root / "data" / name)


def test_a_detached_database_attaches_again_with_its_rows_and_users(shop: Server) -> None:
    session = sa(shop)
    done(session, "EXEC sp_detach_db N'shop', 'true'")
    assert ask(session, "USE shop").errors == [911]
    done(session, ATTACH)
    assert done(session, "SELECT COUNT(*) FROM shop.dbo.t").rows == [(2,)]
    flags = done(
        session,
        "SELECT is_trustworthy_on, is_broker_enabled, SUSER_SNAME(owner_sid) FROM sys.databases WHERE name = 'shop'",
    ).rows
    assert flags == [(False, False, "sa")]
    assert done(session, "USE shop; " + ORPHANS).rows == []


def test_on_another_instance_its_users_are_orphans_until_they_are_mended(shop: Server, other: Server) -> None:
    _move(shop, other)
    session = sa(other)
    done(session, ATTACH)
    done(session, "USE shop")
    assert done(session, ORPHANS).rows == [("app",)]
    assert done(session, "EXEC sp_change_users_login 'report'").rows[0][0] == "app"
    done(session, "CREATE LOGIN app WITH PASSWORD = 'Passw0rd!x'")
    assert done(session, ORPHANS).rows == [("app",)]
    with pytest.raises(SqlFailure, match="4060"):
        other.login(LoginRequest(user="app", password="Passw0rd!x", database="shop"))
    done(session, "ALTER USER app WITH LOGIN = app")
    assert done(session, ORPHANS).rows == []
    reader = other.login(LoginRequest(user="app", password="Passw0rd!x", database="shop"))
    assert done(reader, "SELECT COUNT(*) FROM t").rows == [(2,)]
    assert ask(reader, "DELETE FROM t").errors == [229]


def test_a_login_with_the_sources_sid_and_hash_needs_no_mending(shop: Server, other: Server) -> None:
    sid, stored = done(sa(shop), "SELECT sid, password_hash FROM sys.sql_logins WHERE name = 'app'").rows[0]
    _move(shop, other)
    session = sa(other)
    done(session, f"CREATE LOGIN app WITH PASSWORD = 0x{stored.hex()} HASHED, SID = 0x{sid.hex()}, CHECK_POLICY = OFF")
    done(session, ATTACH)
    assert other.login(LoginRequest(user="app", password="Passw0rd!x", database="shop")).database == "shop"
    assert ask(session, f"CREATE LOGIN app2 WITH PASSWORD = 'Passw0rd!x', SID = 0x{sid.hex()}").errors == [15433]


@pytest.mark.parametrize(
    ("options", "number"),
    [({"published": True}, 3724), ({"mirroring": True}, 3743), ({"availability_group": "ag1"}, 3752)],
)
def test_what_is_bound_elsewhere_does_not_detach(shop: Server, options: dict[str, object], number: int) -> None:
    shop.lab({"do": "set", "database": "shop", "options": options})
    assert ask(sa(shop), "EXEC sp_detach_db 'shop'").errors == [number]
    assert ask(sa(shop), "DROP DATABASE shop").errors == [number]


def test_a_database_in_use_is_freed_by_single_user(shop: Server) -> None:
    busy = sa(shop, "shop")
    done(busy, "BEGIN TRAN; INSERT INTO t VALUES (9)")
    session = sa(shop)
    assert ask(session, "EXEC sp_detach_db 'shop'").errors == [3703]
    done(session, "ALTER DATABASE shop SET SINGLE_USER WITH ROLLBACK IMMEDIATE")
    assert busy.ended
    assert done(session, "SELECT user_access_desc FROM sys.databases WHERE name = 'shop'").rows == [("SINGLE_USER",)]
    done(session, "EXEC sp_detach_db 'shop'")
    done(session, ATTACH)
    assert done(session, "SELECT COUNT(*) FROM shop.dbo.t").rows == [(2,)]


def test_single_user_lets_one_in(shop: Server) -> None:
    session = sa(shop)
    done(session, "ALTER DATABASE shop SET SINGLE_USER")
    one = sa(shop, "shop")
    with pytest.raises(SqlFailure, match="4060"):
        sa(shop, "shop")
    assert ask(session, "USE shop").errors == [924]
    done(one, "ALTER DATABASE shop SET MULTI_USER")
    done(session, "USE shop")


def test_offline_and_online(shop: Server) -> None:
    session = sa(shop)
    done(session, "ALTER DATABASE shop SET OFFLINE WITH ROLLBACK IMMEDIATE")
    assert ask(session, "SELECT * FROM shop.dbo.t").errors == [942]
    states = done(session, "SELECT state_desc, collation_name FROM sys.databases WHERE name = 'shop'").rows
    assert states == [("OFFLINE", None)]
    (shop.settings.root / "data" / "shop.mdf").rename(shop.settings.root / "data" / "away")
    assert ask(session, "ALTER DATABASE shop SET ONLINE").errors == [5120, 5069]
    assert done(session, "SELECT state_desc FROM sys.databases WHERE name = 'shop'").rows == [("RECOVERY_PENDING",)]
    (shop.settings.root / "data" / "away").rename(shop.settings.root / "data" / "shop.mdf")
    done(session, "ALTER DATABASE shop SET ONLINE")
    assert done(session, "SELECT COUNT(*) FROM shop.dbo.t").rows == [(2,)]


@pytest.mark.parametrize(("newer", "older", "numbers"), [("2022", "2019", [948, 1813]), ("2025", "2017", [948, 1813])])
def test_an_older_server_refuses_and_a_newer_one_upgrades(
    tmp_path: Path, newer: str, older: str, numbers: list[int]
) -> None:
    old, recent = new(tmp_path / "old", version=older), new(tmp_path / "recent", version=newer)
    done(sa(old), "CREATE DATABASE shop; CREATE TABLE shop.dbo.t (a int)")
    _move(old, recent)
    told = done(sa(recent), ATTACH).told
    assert 951 in told
    level = done(sa(recent), "SELECT compatibility_level FROM sys.databases WHERE name = 'shop'").rows[0][0]
    assert level == old.personality.compatibility
    for name in ("shop.mdf", "shop.mdf-wal"):
        (old.settings.root / "data" / name).unlink()
    _move(recent, old)
    assert ask(sa(old), ATTACH).errors == numbers
    old.close()
    recent.close()


def _broken(shop: Server, how: str) -> Answer:
    done(sa(shop), "EXEC sp_detach_db 'shop'")
    data = shop.settings.root / "data"
    if how == "no file":
        (data / "shop.mdf").unlink()
    elif how == "not a database":
        (data / "shop.mdf").write_bytes(b"no" * 5000)
    elif how == "cut":
        with (data / "shop.mdf").open("r+b") as out:
            out.truncate(9000)
    elif how == "a page of zeros":
        with (data / "shop.mdf").open("r+b") as out:
            out.seek(4096 * 3)
            out.write(bytes(4096))
    elif how == "another's log":
        shutil.copy(data / "model.mdf-wal", data / "shop.mdf-wal")
    elif how == "no log":
        (data / "shop.mdf-wal").unlink()
    return ask(sa(shop), ATTACH)


@pytest.mark.parametrize(
    ("how", "numbers"),
    [
        ("no file", [5120]),
        ("not a database", [5171, 1802]),
        ("cut", [5172, 1802]),
        ("a page of zeros", [824, 1813]),
        ("another's log", [9003, 1813]),
        ("no log", [5120, 1813]),
    ],
)
def test_files_that_are_not_right_do_not_attach(shop: Server, how: str, numbers: list[int]) -> None:
    assert _broken(shop, how).errors == numbers
    assert done(sa(shop), "SELECT COUNT(*) FROM sys.databases").rows == [(4,)]


def test_a_missing_log_is_made_again_after_an_orderly_end_alone(shop: Server) -> None:
    done(sa(shop), "EXEC sp_detach_db 'shop'")
    (shop.settings.root / "data" / "shop.mdf-wal").unlink()
    done(sa(shop), "CREATE DATABASE shop ON (FILENAME = '/var/opt/mssql/data/shop.mdf') FOR ATTACH_REBUILD_LOG")
    assert done(sa(shop), "SELECT COUNT(*) FROM shop.dbo.t").rows == [(2,)]


def test_a_second_data_file_must_be_there(shop: Server) -> None:
    shop.lab({"do": "secondary", "database": "shop", "name": "more", "path": "/var/opt/mssql/data/more.ndf"})
    files = done(sa(shop), "SELECT physical_name FROM sys.master_files WHERE database_id = DB_ID('shop')").rows
    assert ("/var/opt/mssql/data/more.ndf",) in files
    done(sa(shop), "EXEC sp_detach_db 'shop'")
    (shop.settings.root / "data" / "more.ndf").rename(shop.settings.root / "data" / "gone")
    assert ask(sa(shop), ATTACH).errors == [5120]
    (shop.settings.root / "data" / "gone").rename(shop.settings.root / "data" / "more.ndf")
    done(sa(shop), ATTACH)


def test_windows_paths_and_logins(tmp_path: Path) -> None:
    drive = tmp_path / "E"
    (drive / "Data").mkdir(parents=True)
    writer = b"\x01\x05\x00\x00\x00\x00\x00\x05\x15" + bytes(19)
    group = b"\x01\x05\x00\x00\x00\x00\x00\x05\x15" + bytes(18) + b"\x01"
    server = new(
        tmp_path / "root",
        platform="windows",
        volumes={"E:": drive},
        data_path="E:\\Data",
        account_sid={"LAB\\writer": writer, "LAB\\dba": group}.get,
    )
    session = sa(server)
    done(session, "CREATE DATABASE shop")
    assert done(session, "SELECT physical_name FROM sys.master_files WHERE database_id = DB_ID('shop')").rows == [
        ("E:\\Data\\shop.mdf",),
        ("E:\\Data\\shop.mdf-wal",),
    ]
    assert (drive / "Data" / "shop.mdf").exists()
    who = WindowsIdentity("LAB\\writer", writer, (("LAB\\dba", group),))
    with pytest.raises(SqlFailure, match="18456"):
        server.login(LoginRequest(windows=who))
    done(session, "CREATE LOGIN [LAB\\dba] FROM WINDOWS; ALTER SERVER ROLE sysadmin ADD MEMBER [LAB\\dba]")
    caller = server.login(LoginRequest(windows=who, auth_scheme="KERBEROS"))
    assert done(caller, "SELECT SUSER_SNAME(), IS_SRVROLEMEMBER('sysadmin')").rows == [("LAB\\writer", 1)]
    done(caller, "EXEC sp_detach_db 'shop'")
    done(caller, "CREATE DATABASE shop ON (FILENAME = 'e:\\data\\SHOP.mdf') FOR ATTACH")
    server.close()
