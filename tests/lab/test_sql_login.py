"""Integrated log-in at the simulated SQL Server: tickets of the lab's own domain for MSSQLSvc, and NTLM, through both ODBC drivers."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from demo.stage import program
from tests.conftest import require
from tests.lab.domain import Lab
from tests.lab.hosts import PROJECT, LabHost
from tests.lab.places import WORKGROUP
from tests.lab.sqlserver.process import DRIVER_18, FREETDS
from tests.lab.waiting import until

ROOT, PORT = "/var/lib/sqltest", 1433
WHO = (
    "SELECT SUSER_SNAME(), CAST(auth_scheme AS nvarchar(40)), CAST(encrypt_option AS nvarchar(40)) "
    "FROM sys.dm_exec_connections WHERE session_id = @@SPID"
)
SCRIPT = """
import json, os, pyodbc
try:
    connection = pyodbc.connect(os.environ["ODBC"], timeout=60, autocommit=True)
    for one in json.loads(os.environ["STATEMENTS"]):
        cursor = connection.execute(one)
    print(json.dumps([list(row) for row in cursor.fetchall()] if cursor.description else []))
except pyodbc.Error as error:
    print(json.dumps({"state": error.args[0], "said": error.args[1]}))
"""


@dataclass
class Server:
    """One instance on a host of the lab."""

    lab: Lab
    host: LabHost

    def ask(self, words: dict[str, str], *statements: str, ticket_of: str = "") -> object:
        """From the lab's client, with a ticket or without one."""
        text = ";".join(f"{name}={value}" for name, value in words.items())
        environment = {"ODBC": text, "STATEMENTS": json.dumps(statements), "KRB5CCNAME": "FILE:/run/nobody"}
        environment |= self.lab.ticket("client", ticket_of) if ticket_of else {}
        return json.loads(self.lab.host("client").run([sys.executable, "-c", SCRIPT], env=environment).stdout)

    def words(self, driver: str, server: str = "", **more: str) -> dict[str, str]:
        """A connection string's."""
        server = server or self.host.fqdn
        if driver == FREETDS:
            return {"Driver": driver, "Server": server, "Port": str(PORT), "TDS_Version": "7.4", **more}
        return {"Driver": driver, "Server": f"tcp:{server},{PORT}", "TrustServerCertificate": "yes", **more}

    def as_sa(self, *statements: str) -> object:
        """By its own log-in."""
        return self.ask(self.words(FREETDS, UID="sa", PWD=self.lab.admin_password), *statements)


@contextlib.contextmanager
def running(lab: Lab, host: LabHost) -> Iterator[None]:
    """It runs there, with the keys of the host's account."""
    argv = [sys.executable, "-m", "tests.lab.sqlserver", "--root", ROOT, "--machine", "BETA", "--domain", WORKGROUP]
    argv += ["--address", "0.0.0.0", "--port", str(PORT), "--sa-password-file", str(lab.admin_password_file)]
    argv += ["--accounts", f"{ROOT}/accounts.json", "--keytab", "/etc/krb5.keytab", "--ready-file", f"{ROOT}/ready"]
    log, ready = host.path(f"{ROOT}/said"), host.path(f"{ROOT}/ready")
    with log.open("w") as out:
        process = host.popen(argv, stdout=out, stderr=out, env={"PYTHONPATH": str(PROJECT)})
    try:
        until("it serves", lambda: ready.exists() or process.poll() is not None)
        assert ready.exists(), log.read_text()
        yield
    finally:  # what popen started is on the other side of nsenter
        host.run(["pkill", "-f", f"tests.lab.sqlserver --root {ROOT}"], check=False)
        until("it has ended", lambda: f":{PORT} " not in host.run(["ss", "-Hltn"]).stdout)
        process.wait(60)


@pytest.fixture(scope="module")
def server(lab: Lab) -> Iterator[Server]:
    require("odbc")
    lab.reset()
    host, spn = lab.host("beta"), ["MSSQLSvc/beta.lab.example:1433", "BETA$"]
    lab.keytab("BETA$")
    lab.host("dc1").run(["samba-tool", "spn", "add", *spn])
    sid = host.run(["wbinfo", "-n", f"{WORKGROUP}\\writer"]).stdout.split()[0]
    account: dict[str, object] = {f"{WORKGROUP}\\writer": {"sid": sid, "password": lab.user_password}}
    account[f"{WORKGROUP}\\operator"] = {"sid": "S-1-5-21-0", "groups": {"BUILTIN\\Administrators": "S-1-5-32-544"}}
    host.run(["mkdir", "-p", ROOT])
    host.write(f"{ROOT}/accounts.json", json.dumps(account), 0o600)
    made = Server(lab, host)
    with running(lab, host):
        made.as_sa(f"CREATE LOGIN [{WORKGROUP}\\writer] FROM WINDOWS")
        yield made
    host.run(["rm", "-rf", ROOT])
    lab.host("dc1").run(["samba-tool", "spn", "delete", *spn])


@pytest.mark.parametrize(("driver", "encrypted"), [(FREETDS, "FALSE"), (DRIVER_18, "TRUE")])
def test_a_ticket(server: Server, driver: str, encrypted: str) -> None:
    words = server.words(driver, Trusted_Connection="yes")
    assert server.ask(words, WHO, ticket_of="writer") == [[f"{WORKGROUP}\\writer", "KERBEROS", encrypted]]


@pytest.mark.parametrize("driver", [FREETDS, DRIVER_18])
def test_a_ticket_for_a_name_at_an_address(server: Server, driver: str) -> None:
    words = server.words(driver, server=server.host.address, ServerSPN=f"MSSQLSvc/{server.host.fqdn}:{PORT}")
    found = server.ask(words | {"Trusted_Connection": "yes"}, WHO, ticket_of="writer")
    assert isinstance(found, list), found
    assert found[0][:2] == [f"{WORKGROUP}\\writer", "KERBEROS"]


def test_a_group_of_the_machine_counts_too(server: Server) -> None:
    server.as_sa("CREATE LOGIN [BUILTIN\\Administrators] FROM WINDOWS")
    words = server.words(FREETDS, Trusted_Connection="yes")
    assert server.ask(words, WHO, ticket_of="operator") == [[f"{WORKGROUP}\\operator", "KERBEROS", "FALSE"]]


def test_a_group_of_the_ticket_lets_in(server: Server) -> None:
    words = server.words(FREETDS, Trusted_Connection="yes")
    refused = server.ask(words, WHO, ticket_of="reader")
    assert isinstance(refused, dict)
    assert f"Login failed for user '{WORKGROUP}\\reader'" in refused["said"]
    server.as_sa(f"CREATE LOGIN [{WORKGROUP}\\Domain Users] FROM WINDOWS")
    assert server.ask(words, WHO, ticket_of="reader") == [[f"{WORKGROUP}\\reader", "KERBEROS", "FALSE"]]


def test_ntlm(server: Server) -> None:
    words = server.words(FREETDS, UID=f"{WORKGROUP}\\writer", PWD=server.lab.user_password)
    assert server.ask(words, WHO) == [[f"{WORKGROUP}\\writer", "NTLM", "FALSE"]]
    wrong = server.ask(words | {"PWD": "wrong"}, WHO)
    assert isinstance(wrong, dict)


def test_without_a_ticket_nobody_is_let_in(server: Server) -> None:
    for driver in (FREETDS, DRIVER_18):
        assert isinstance(server.ask(server.words(driver, Trusted_Connection="yes"), WHO), dict)


def test_a_name_without_a_service_of_its_own(server: Server) -> None:
    """The name is there, but nobody holds MSSQLSvc for it: no ticket."""
    words = server.words(DRIVER_18, server=server.host.address, Trusted_Connection="yes")
    assert isinstance(server.ask(words, WHO, ticket_of="writer"), dict)


def step(server: Server, driver: str, *, keytab: bool, **environment: str) -> tuple[int, dict[str, Any]]:
    """The product's own ``dtam step sql ready`` on the lab's client; its exit code and what it says."""
    host = server.host
    access: dict[str, Any] = {"server": "BETA", "host": host.address, "full_name": host.fqdn, "port": PORT}
    access |= {"driver": driver, "trust_server_certificate": True}
    if keytab:
        access |= {"principal": "writer", "keytab": "/etc/lab/writer.keytab", "domain": host.fqdn.partition(".")[2]}
    words = [program("dtam"), "step", "sql", "ready", "--undo", "/var/lib/stepping/ready.json", "--json"]
    done = server.lab.host("client").run(words, env=environment, input=json.dumps({"access": access}), check=False)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("driver", [FREETDS, DRIVER_18], ids=["freetds", "driver-18"])
def test_a_step_of_dtam_logs_in_by_keytab_or_ticket_cache(server: Server, driver: str) -> None:
    """By address: the ticket is asked for the server's own name all the same."""
    server.lab.keytab("writer")
    code, said = step(server, driver, keytab=True)
    assert (code, said.get("so")) == (0, True), said
    code, said = step(server, driver, keytab=False, **server.lab.ticket("client", "writer"))
    assert (code, said.get("so")) == (0, True), said
    code, said = step(server, driver, keytab=False, KRB5CCNAME="FILE:/run/nobody")
    assert code != 0
    assert "kinit" in said["error"]["hint"]
