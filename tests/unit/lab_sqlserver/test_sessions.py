"""Log-ins, permissions, transactions, locks, the flow of a batch."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.lab.sqlserver.engine.instance import Server
from tests.lab.sqlserver.engine.port import Changed, Failure, LoginRequest, SqlFailure, SqlType
from tests.unit.lab_sqlserver.conftest import PASSWORD, ask, done, new, sa


def _login(server: Server, name: str, database: str = "") -> Any:
    return server.login(LoginRequest(user=name, password="Passw0rd!x", database=database))


@pytest.fixture
def app(server: Server) -> Server:
    done(sa(server), "CREATE LOGIN app WITH PASSWORD = 'Passw0rd!x'; CREATE DATABASE shop")
    session = sa(server, "shop")
    done(session, "CREATE TABLE t (a int PRIMARY KEY, b nvarchar(10)); INSERT INTO t VALUES (1, 'one')")
    session.close()
    return server


@pytest.mark.parametrize(
    ("user", "password", "database"),
    [("sa", "wrong", ""), ("nobody", PASSWORD, ""), ("##MS_PolicyTsqlExecutionLogin##", "x", "")],
)
def test_a_wrong_login_is_18456_and_only_the_errorlog_says_why(
    server: Server, user: str, password: str, database: str
) -> None:
    with pytest.raises(SqlFailure, match="18456") as refused:
        server.login(LoginRequest(user=user, password=password, database=database))
    assert refused.value.state == 1
    assert "Error: 18456, Severity: 14, State: " in server.errorlog.path.read_text()


def test_the_other_reasons_not_to_come_in(app: Server) -> None:
    session = sa(app)
    with pytest.raises(SqlFailure, match="4060"):
        _login(app, "app", "nope")
    with pytest.raises(SqlFailure, match="4060"):
        _login(app, "app", "shop")
    done(session, "DENY CONNECT SQL TO app")
    with pytest.raises(SqlFailure, match="18456"):
        _login(app, "app")
    done(session, "GRANT CONNECT SQL TO app; ALTER LOGIN app DISABLE")
    with pytest.raises(SqlFailure, match="18470"):
        _login(app, "app")
    done(
        session,
        "ALTER LOGIN app ENABLE; ALTER LOGIN app WITH PASSWORD = 'Oth3r!pass' MUST_CHANGE, CHECK_EXPIRATION = ON",
    )
    with pytest.raises(SqlFailure, match="18488"):
        app.login(LoginRequest(user="app", password="Oth3r!pass"))
    app.lab({"do": "machine", "values": {"LoginMode": 1}, "now": True})
    with pytest.raises(SqlFailure, match="18456"):
        sa(app)


def test_what_a_login_without_roles_may_not(app: Server) -> None:
    session = _login(app, "app")
    refusals = {
        "CREATE DATABASE x": [262], "USE shop": [916], "SELECT * FROM shop.dbo.t": [916], "CREATE LOGIN x WITH PASSWORD = 'Passw0rd!x'": [15247], "ALTER SERVER ROLE sysadmin ADD MEMBER app": [15151],
        "EXEC sp_configure 'nested triggers', 0": [15247], "RECONFIGURE": [15247], "EXEC sp_detach_db 'shop'": [15247], "EXEC sp_addserver 'x'": [15247], "SELECT * FROM sys.dm_server_services": [300],
        "ALTER DATABASE shop SET OFFLINE": [5011, 5069], "SHUTDOWN": [15247], "KILL 60": [6102], "EXEC xp_instance_regwrite 'HKEY_LOCAL_MACHINE', 'k', 'LoginMode', REG_DWORD, 1": [229],
        "CREATE TABLE t (a int)": [262], "DROP DATABASE shop": [3701], "ALTER LOGIN sa DISABLE": [15151],
    }  # fmt: skip
    for statement, numbers in refusals.items():
        assert ask(session, statement).errors == numbers, statement
    assert {name for (name,) in done(session, "SELECT name FROM sys.server_principals WHERE type = 'S'").rows} == {
        "sa",
        "app",
    }
    assert done(session, "SELECT password_hash FROM sys.sql_logins WHERE name = 'app'").rows == [(None,)]
    assert done(session, "SELECT COUNT(*) FROM sys.databases").rows == [(5,)]


def test_roles_and_grants_open_what_they_say(app: Server) -> None:
    owner = sa(app, "shop")
    done(owner, "CREATE USER app FOR LOGIN app")
    session = _login(app, "app", "shop")
    assert ask(session, "SELECT * FROM t").errors == [229]
    done(owner, "GRANT SELECT ON t TO app")
    assert done(session, "SELECT a FROM t").rows == [(1,)]
    assert ask(session, "INSERT INTO t VALUES (2, 'x')").errors == [229]
    done(owner, "ALTER ROLE db_datawriter ADD MEMBER app; DENY DELETE ON SCHEMA::dbo TO app")
    done(session, "INSERT INTO t VALUES (2, 'x')")
    assert ask(session, "DELETE FROM t").errors == [229]
    done(owner, "REVOKE SELECT ON t FROM app; DENY SELECT ON t TO app")
    assert ask(session, "SELECT a FROM t").errors == [229]
    done(owner, "ALTER ROLE db_owner ADD MEMBER app")
    done(session, "SELECT a FROM t; CREATE TABLE u (a int)")
    done(sa(app), "ALTER SERVER ROLE dbcreator ADD MEMBER app")
    done(session, "CREATE DATABASE mine")
    assert done(session, "SELECT SUSER_SNAME(owner_sid) FROM sys.databases WHERE name = 'mine'").rows == [("app",)]


def test_a_transaction_is_all_or_nothing_and_a_statement_too(app: Server) -> None:
    session = sa(app, "shop")
    events = list(
        session.execute(
            "BEGIN TRAN; INSERT INTO t VALUES (2, 'x'); INSERT INTO t VALUES (3, 'y'), (1, 'again'); COMMIT"
        )
    )
    assert [event.number for event in events if isinstance(event, Failure)] == [2627]
    assert [event.kind for event in events if isinstance(event, Changed)] == ["transaction_begin", "commit"]
    assert done(session, "SELECT a FROM t").rows == [(1,), (2,)]
    ask(
        session,
        "SET XACT_ABORT ON; BEGIN TRAN; INSERT INTO t VALUES (5, 'x'); INSERT INTO t VALUES (1, 'again'); COMMIT",
    )
    assert session.trancount == 0
    assert done(session, "SELECT COUNT(*) FROM t").rows == [(2,)]
    done(session, "BEGIN TRAN; CREATE TABLE gone (a int); CREATE USER lone WITHOUT LOGIN; ROLLBACK")
    assert ask(session, "SELECT * FROM gone").errors == [208]
    assert done(session, "SELECT COUNT(*) FROM sys.database_principals WHERE name = 'lone'").rows == [(0,)]


def test_one_that_writes_is_waited_for_and_a_ring_is_broken(app: Server) -> None:
    done(sa(app), "CREATE DATABASE other; CREATE TABLE other.dbo.u (a int)")
    one, two = sa(app), sa(app)
    done(one, "BEGIN TRAN; INSERT INTO shop.dbo.t VALUES (2, 'x')")
    done(two, "SET LOCK_TIMEOUT 20")
    assert ask(two, "SELECT * FROM shop.dbo.t").errors == [1222]
    done(two, "SET LOCK_TIMEOUT -1; BEGIN TRAN; INSERT INTO other.dbo.u VALUES (1)")
    found: list[list[int]] = []
    waiting = threading.Thread(target=lambda: found.append(ask(one, "INSERT INTO other.dbo.u VALUES (2)").errors))
    waiting.start()
    errors = ask(two, "INSERT INTO shop.dbo.t VALUES (3, 'y')").errors
    if not errors:
        done(two, "COMMIT")
    waiting.join()
    assert sorted([*errors, *found[0]]) == [1205]


def test_a_batch_that_waits_can_be_cancelled(app: Server) -> None:
    one, two = sa(app, "shop"), sa(app, "shop")
    done(one, "BEGIN TRAN; DELETE FROM t")
    ended = threading.Event()

    def wait() -> None:
        ask(two, "SELECT * FROM t")
        ended.set()

    thread = threading.Thread(target=wait)
    thread.start()
    while two.waits_for is None:
        ended.wait(0.01)
    two.cancel()
    assert ended.wait(60)
    thread.join()
    done(one, "ROLLBACK")
    assert done(two, "SELECT COUNT(*) FROM t").rows == [(1,)]


def test_eight_connections_write_at_once(app: Server) -> None:
    done(sa(app, "shop"), "CREATE TABLE load (id int IDENTITY PRIMARY KEY, who int, n int)")

    def work(who: int) -> None:
        session = sa(app, "shop")
        for number in range(25):
            session.begin()
            done(
                session,
                "INSERT INTO load (who, n) VALUES (@w, @n)",
                ("@w", SqlType("int"), who),
                ("@n", SqlType("int"), number),
            )
            done(
                session,
                "UPDATE load SET n = n + 1 WHERE who = @w AND n = @n",
                ("@w", SqlType("int"), who),
                ("@n", SqlType("int"), number),
            )
            session.commit()
        session.close()

    threads = [threading.Thread(target=work, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done(sa(app, "shop"), "SELECT COUNT(*), COUNT(DISTINCT id) FROM load").rows == [(200, 200)]


def test_the_flow_of_a_batch(app: Server) -> None:
    session = sa(app, "shop")
    assert done(
        session,
        "DECLARE @i int = 0, @s nvarchar(20) = ''; WHILE @i < 5 BEGIN SET @i += 1; IF @i = 2 CONTINUE; IF @i = 4 BREAK; SET @s = @s + CAST(@i AS nvarchar(2)) END SELECT @s, @i",
    ).rows == [("13", 4)]
    caught = (
        "BEGIN TRY SELECT 1/0 END TRY BEGIN CATCH SELECT ERROR_NUMBER(), ERROR_SEVERITY(), ERROR_MESSAGE() END CATCH"
    )
    assert done(session, caught).rows == [(8134, 16, "Divide by zero error encountered.")]
    assert ask(session, "BEGIN TRY INSERT INTO t VALUES (1, 'x') END TRY BEGIN CATCH THROW END CATCH").errors == [2627]
    inside = "BEGIN TRY EXEC('INSERT INTO t VALUES (1, ''x''); SELECT 5') END TRY BEGIN CATCH SELECT ERROR_NUMBER() END CATCH"
    assert done(session, inside).rows == [(2627,)]
    missing = "BEGIN TRY EXEC('SELECT * FROM nope') END TRY BEGIN CATCH SELECT ERROR_NUMBER() END CATCH"
    assert done(session, missing).rows == [(208,)]
    assert ask(session, "BEGIN TRY SELECT * FROM nope END TRY BEGIN CATCH SELECT ERROR_NUMBER() END CATCH").errors == [
        208
    ]
    done(
        session,
        "CREATE PROCEDURE add_one @n int, @m int = 10, @out int OUTPUT AS SET @out = @n + @m; SELECT @n AS n; RETURN 7",
    )
    answer = done(session, "DECLARE @o int, @r int; EXEC @r = add_one 1, @out = @o OUTPUT; SELECT @o, @r")
    assert answer.rows == [(1,), (11, 7)]
    assert ask(session, "EXEC add_one").errors == [201]
    assert ask(session, "INSERT INTO t VALUES (1, 'x') SELECT @@ERROR, @@ROWCOUNT").rows == [(2627, 0)]
    assert done(
        session,
        "SELECT a INTO #copy FROM t; INSERT INTO #copy VALUES (5); SELECT COUNT(*) FROM #copy c JOIN t ON t.a = c.a",
    ).rows == [(1,)]
    assert done(
        session, "IF EXISTS (SELECT 1 FROM sys.tables WHERE name = 't') PRINT 'there' ELSE PRINT 'not'"
    ).texts == ["there"]
    assert done(
        session, "DECLARE @b int; SELECT @b = a FROM t; EXEC sp_executesql N'SELECT @x * 2', N'@x int', @x = @b"
    ).rows == [(2,)]
    assert done(session, "INSERT INTO t OUTPUT inserted.a VALUES (9, 'n')").rows == [(9,)]
    assert done(
        session,
        "UPDATE x SET b = 'changed' FROM t AS x JOIN #copy AS c ON c.a = x.a WHERE x.a = 1; SELECT b FROM t WHERE a = 1",
    ).rows == [("changed",)]


def test_types_come_back_as_they_were_declared(app: Server) -> None:
    session = sa(app, "shop")
    done(
        session,
        "CREATE TABLE k (a bigint, b bit, c decimal(10,3), d float, e date, f time(3), g datetime2(3), h uniqueidentifier, i varbinary(10), j nvarchar(max), k money, l datetimeoffset)",
    )
    done(
        session,
        "INSERT INTO k VALUES (5000000000, 1, 1.5, 2.5, '2026-01-02', '10:11:12.345', '2026-01-02 03:04:05.678', '6F9619FF-8B86-D011-B42D-00C04FC964FF', 0x0102, N'ü', 1.25, '2026-01-02 03:04:05 +02:00')",
    )
    answer = done(session, "SELECT * FROM k")
    assert answer.types == [
        "bigint",
        "bit",
        "decimal",
        "float",
        "date",
        "time",
        "datetime2",
        "uniqueidentifier",
        "varbinary",
        "nvarchar",
        "money",
        "datetimeoffset",
    ]
    row = answer.rows[0]
    assert [type(value).__name__ for value in row] == [
        "int",
        "bool",
        "Decimal",
        "float",
        "date",
        "time",
        "datetime",
        "UUID",
        "bytes",
        "str",
        "Decimal",
        "datetime",
    ]
    assert str(row[2]) == "1.500"
    assert str(row[11]) == "2026-01-02 03:04:05+02:00"


@pytest.mark.parametrize(("version", "hashed"), [("2012", 2), ("2019", 2), ("2025", 3)])
def test_personalities(tmp_path: Any, version: str, hashed: int) -> None:
    platform = "windows" if version == "2012" else "linux"
    server = new(tmp_path, version=version, platform=platform, name="PROD")
    session = sa(server)
    row = done(
        session,
        "SELECT SERVERPROPERTY('ProductVersion'), LOGINPROPERTY('sa', 'PasswordHashAlgorithm'), SERVERPROPERTY('InstanceName'), @@SERVERNAME",
    ).rows[0]
    assert row == (server.version, hashed, "PROD", "ALPHA\\PROD")
    stored = "0300" + "00" * 80
    assert ask(session, f"CREATE LOGIN x WITH PASSWORD = 0x{stored} HASHED").errors == ([] if hashed == 3 else [15021])
    assert ask(session, "SELECT * FROM sys.dm_os_host_info").errors == ([208] if version == "2012" else [])
    server.close()
