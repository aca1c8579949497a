"""pyodbc against the wire of the simulated SQL Server, through FreeTDS and through Microsoft's own driver; a tiny engine behind it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.certificates import Authority
from tests.lab.sqlserver.engine.port import Changed, Done, Failure, Info, SqlType
from tests.lab.sqlserver.process import DRIVER_18, FREETDS
from tests.lab.waiting import until
from tests.lab.windows.starting import write_secret
from tests.unit.lab_sqlserver.wire_engine import PASSWORD, table
from tests.unit.lab_sqlserver.wire_server import Wire, connect, string, wire

Needs = Callable[[str], None]
INT = SqlType("int")


@pytest.fixture
def served(tmp_path: Path, needs: Needs) -> Iterator[Wire]:
    needs("odbc")
    with wire(tmp_path) as server:
        server.instance.replies["SELECT 1"] = lambda *_: table({"": INT}, (1,))
        yield server


@pytest.fixture(params=["freetds", "driver 18"])
def driver(request: pytest.FixtureRequest) -> str:
    return FREETDS if request.param == "freetds" else DRIVER_18


# -- the way in -------------------------------------------------------------------------------------------------------
def test_a_log_in(served: Wire, driver: str) -> None:
    import pyodbc

    with connect(served, driver, Database="sales", APP="the application", WSID="client") as connection:
        assert connection.getinfo(pyodbc.SQL_DBMS_VER) == "15.00.4322"
        assert connection.execute("SELECT 1").fetchval() == 1
    asked = served.instance.logins[-1]
    assert (asked.user, asked.database, asked.application, asked.host) == ("sa", "sales", "the application", "client")
    assert (asked.client_address, asked.local_port) == ("127.0.0.1", served.port)


@pytest.mark.parametrize("wanted", [True, False])
def test_encryption_is_the_callers_choice(served: Wire, driver: str, wanted: bool) -> None:
    said = (
        {"Encrypt": {True: "yes", False: "no"}[wanted]}
        if driver == DRIVER_18
        else {"Encryption": "require" if wanted else "off"}
    )
    connect(served, driver, **said).close()
    assert served.instance.logins[-1].encrypted is wanted


def test_encryption_may_be_forced(tmp_path: Path, driver: str, needs: Needs) -> None:
    needs("odbc")
    with wire(tmp_path, force_encryption=True) as server:
        connect(server, driver, **({"Encrypt": "no"} if driver == DRIVER_18 else {"Encryption": "request"})).close()
        assert server.instance.logins[-1].encrypted


def test_a_wrong_password(served: Wire, driver: str) -> None:
    import pyodbc

    with pytest.raises(pyodbc.Error, match="18456") as caught:
        connect(served, driver, PWD="wrong")
    assert caught.value.args[0] in {"28000", "42000"}
    assert "Login failed for user 'sa'" in str(caught.value)


def ask_apart(
    text: str, environment: dict[str, str], script: str = "print(connection.execute('SELECT 1').fetchval())"
) -> subprocess.CompletedProcess[str]:
    """From a process of its own, with an environment of its own."""
    script = (
        f"import os, pyodbc; connection = pyodbc.connect(os.environ['ODBC'], timeout=60, autocommit=True); {script}"
    )
    environment = {**os.environ, **environment, "ODBC": text}
    return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("trusted", [True, False])
def test_the_certificate_is_verified(tmp_path: Path, driver: str, needs: Needs, trusted: bool) -> None:
    needs("odbc")
    authority = Authority()
    ca = write_secret(tmp_path / "ca.pem", authority.text if trusted else Authority().text)
    with wire(tmp_path, authority=authority) as server:
        server.instance.replies["SELECT 1"] = lambda *_: table({"": INT}, (1,))
        if driver == DRIVER_18:
            text = string(server, driver, TrustServerCertificate="no", HostNameInCertificate="alpha.test")
            done = ask_apart(text, {"SSL_CERT_FILE": str(ca)})
        else:
            section = f"[it]\nhost = {server.address}\nport = {server.port}\nca file = {ca}\nencryption = require\n"
            file = write_secret(tmp_path / "freetds.conf", section)
            text = f"Driver={driver};Servername=it;UID=sa;PWD={PASSWORD};TDS_Version=7.4"
            done = ask_apart(text, {"FREETDSCONF": str(file)})
    assert (done.stdout == "1\n") is trusted, done.stderr


@pytest.mark.parametrize("version", ["10.50.6000.34", "9.0.5000.0"])
def test_a_server_that_is_too_old_for_microsofts_driver(tmp_path: Path, needs: Needs, version: str) -> None:
    """Its TLS is; FreeTDS takes it."""
    import pyodbc

    needs("odbc")
    with wire(tmp_path, version=version) as server:
        server.instance.replies["SELECT 1"] = lambda *_: table({"": INT}, (1,))
        with pytest.raises(pyodbc.Error, match="SSL Provider"):
            connect(server, DRIVER_18)
        assert server.instance.logins == []
        with connect(server, FREETDS) as connection:
            assert connection.execute("SELECT 1").fetchval() == 1


# -- statements -------------------------------------------------------------------------------------------------------
def test_several_results(served: Wire, driver: str) -> None:
    second = table({"b": SqlType("nvarchar", 9)}, ("x",))
    served.instance.replies["both"] = lambda *_: [*table({"a": INT}, (1,), (None,)), Done(3, "UPDATE"), *second]
    with connect(served, driver) as connection:
        cursor = connection.execute("both")
        assert [tuple(one) for one in cursor.fetchall()] == [(1,), (None,)]
        assert cursor.nextset()
        assert cursor.rowcount == 3
        assert cursor.nextset()
        assert [one.b for one in cursor.fetchall()] == ["x"]
        assert not cursor.nextset()


@pytest.mark.parametrize(
    ("number", "severity", "state"),
    [
        (208, 16, "42S02"),
        (2812, 16, "42000"),
        (2627, 14, "23000"),
        (547, 16, "23000"),
        (3960, 16, "42000"),
        (15151, 16, "42000"),
    ],
)
def test_errors_arrive_with_their_number(served: Wire, driver: str, number: int, severity: int, state: str) -> None:
    import pyodbc

    served.instance.replies["bad"] = lambda *_: [
        Failure(number, 1, severity, "said by the server"),
        Done(None, "SELECT"),
    ]
    with connect(served, driver) as connection:
        with pytest.raises(pyodbc.Error, match=f"said by the server.*{number}") as caught:
            connection.execute("bad")
        assert caught.value.args[0] == state
        assert connection.execute("SELECT 1").fetchval() == 1


def test_an_error_in_the_midst_of_rows(served: Wire, driver: str) -> None:
    import pyodbc

    events = table({"a": INT}, (1,), (2,))
    served.instance.replies["half"] = lambda *_: [
        *events[:-1],
        Failure(8134, 1, 16, "Divide by zero"),
        Done(2, "SELECT"),
    ]
    with connect(served, driver) as connection, pytest.raises(pyodbc.Error, match="8134"):
        connection.execute("half").fetchall()


def test_informations_are_messages(served: Wire, driver: str) -> None:
    served.instance.replies["print"] = lambda *_: [Info(0, 1, 0, "hello"), Done(None, "PRINT")]
    with connect(served, driver) as connection:
        cursor = connection.execute("print")
        assert "hello" in cursor.messages[0][1]


INSERT = "INSERT INTO t VALUES (@P1, @P2)"
FAST = """
cursor = connection.cursor()
cursor.fast_executemany = True
cursor.executemany('INSERT INTO t VALUES (?, ?)', [(at, f'row {at}') for at in range(25)])
"""


def described(*_: Any) -> list[Any]:
    """What the server suggests for the two parameters."""
    words = "suggested_system_type_id suggested_system_type_name suggested_max_length suggested_precision suggested_scale suggested_user_type_id"
    words += " suggested_user_type_database suggested_user_type_schema suggested_user_type_name suggested_assembly_qualified_type_name"
    words += " suggested_xml_collection_id suggested_xml_collection_database suggested_xml_collection_schema suggested_xml_collection_name"
    words += " suggested_is_xml_document suggested_is_case_sensitive suggested_is_fixed_length_clr_type suggested_is_input suggested_is_output"
    words += " formal_parameter_name suggested_tds_type_id suggested_tds_length"
    texts = ("_name", "_database", "_schema")
    columns = {"parameter_ordinal": INT, "name": SqlType("nvarchar", 128)}
    columns |= {one: SqlType("nvarchar", 256) if one.endswith(texts) else INT for one in words.split()}
    rest = (*(None,) * 6, *(0, 0, 0, 1, 0, None))
    first = (1, "@P1", 56, "int", 4, 10, 0, None, None, None, *rest, 38, 4)
    return table(columns, first, (2, "@P2", 231, "nvarchar(50)", 100, 0, 0, None, None, None, *rest, 231, 100))


@pytest.mark.parametrize(("driver", "fast"), [(FREETDS, False), (DRIVER_18, False), (DRIVER_18, True)])
def test_a_statement_that_runs_many_times(served: Wire, driver: str, fast: bool) -> None:
    """Without arrays of parameters through FreeTDS, which does not survive them itself."""
    served.instance.replies["sp_describe_undeclared_parameters"] = described
    seen: list[Any] = []

    def keep(_: Any, parameters: Any) -> list[Done]:
        seen.append(tuple(value for *_, value in parameters))
        return [Done(1, "INSERT")]

    served.instance.replies[INSERT] = keep
    rows = [(at, f"row {at}") for at in range(25)]
    if fast:  # from outside: pyodbc keeps the interpreter while it asks what a parameter is
        done = ask_apart(string(served, driver), {}, f"exec({FAST!r})")
        assert done.returncode == 0, done.stderr
    else:
        with connect(served, driver) as connection:
            connection.cursor().executemany("INSERT INTO t VALUES (?, ?)", rows)
    assert seen == rows


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_transactions(served: Wire, driver: str, end: str) -> None:
    connection = connect(served, driver, autocommit=False)
    connection.execute("SELECT 1").fetchall()
    getattr(connection, end)()
    assert served.instance.heard[:3] == ["begin 0", "SELECT 1", end]
    connection.close()
    until("the session is closed", lambda: served.instance.sessions[0].closed)


def test_another_database(served: Wire, driver: str) -> None:
    served.instance.replies["USE sales"] = lambda *_: [
        Changed("database", "sales", "master"),
        Info(5701, 2, 0, "Changed database context to 'sales'."),
        Done(None, "USE"),
    ]
    import pyodbc

    with connect(served, driver) as connection:
        connection.execute("USE sales")
        assert connection.getinfo(pyodbc.SQL_DATABASE_NAME) == "sales"


def test_several_statements_at_once_are_refused(served: Wire) -> None:
    """MARS is not agreed upon: Microsoft's driver gives up then, FreeTDS goes on without."""
    import pyodbc

    with pytest.raises(pyodbc.Error):
        connect(served, DRIVER_18, MARS_Connection="yes")
    assert served.instance.logins == []
    with connect(served, FREETDS, MARS_Connection="yes") as connection:
        assert connection.execute("SELECT 1").fetchval() == 1


@pytest.mark.parametrize("parameters", [(), (1,)])
def test_a_running_statement_is_cancelled(served: Wire, driver: str, parameters: tuple[int, ...]) -> None:
    import pyodbc

    def wait(*_: Any) -> Iterator[Done]:
        served.instance.sessions[0].cancelled.wait(60)
        yield Done(0, "SELECT")

    text = "wait @P1" if parameters else "wait"
    served.instance.replies[text] = wait
    with connect(served, driver) as connection:
        cursor = connection.cursor()
        late = threading.Thread(
            target=lambda: (until("it runs", lambda: text in served.instance.heard), cursor.cancel())
        )
        late.start()
        with pytest.raises(pyodbc.Error) as caught:
            cursor.execute(text.replace("@P1", "?"), *parameters).fetchall()
        late.join()
        assert caught.value.args[0] in {"HY008", "HY000", "24000", "No results.  Previous SQL was not a query."}
        assert connection.execute("SELECT 1").fetchval() == 1


def test_a_time_limit_of_the_caller(served: Wire, driver: str) -> None:
    import pyodbc

    def wait(*_: Any) -> Iterator[Done]:
        served.instance.sessions[0].cancelled.wait(60)
        yield Done(0, "SELECT")

    served.instance.replies["wait"] = wait
    with connect(served, driver) as connection:
        connection.timeout = 1
        with pytest.raises(pyodbc.OperationalError, match="HYT00"):
            connection.execute("wait")


def test_an_ended_session_is_a_lost_connection(served: Wire, driver: str) -> None:
    import pyodbc

    connection = connect(served, driver)
    connection.execute("SELECT 1").fetchall()
    served.instance.sessions[0].ended = True
    until("the session is closed", lambda: served.instance.sessions[0].closed)
    with pytest.raises(pyodbc.Error) as caught:
        connection.execute("SELECT 1")
    assert caught.value.args[0] in {"08S01", "HY000"}
