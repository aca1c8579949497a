"""``dtam --sql`` as a person meets it: setup asked through on a terminal, servers discovered, an instance tested."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from demo.stage import program
from orchestrator.model.servers import EngineAddress, Server, ServerName
from orchestrator.store.store import Store
from tests.conftest import require
from tests.lab.sqlserver.process import DRIVER_18, SqlServer, sql_server

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Desk:
    """Two known servers with SQL Server, and the programs of an administrator. Their engines are off."""

    def __init__(self, home: Path, source: SqlServer, target: SqlServer) -> None:
        self.source, self.target = source, target
        self.env = {**os.environ, "DTAM_HOME": str(home), "TERM": "xterm", "COLUMNS": "200"}
        home.mkdir(mode=0o700)
        store = Store(home / "dtam.db", time.time)
        for one in (source, target):
            store.put_server(Server(ServerName(one.machine), (one.address,), EngineAddress(one.address)))
        store.close()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [program("dtam"), *words]
        return subprocess.run(
            command, check=False, env=self.env, stdin=subprocess.DEVNULL, text=True, capture_output=True, timeout=300
        )

    def terminal(self, *words: str) -> pexpect.spawn:
        return pexpect.spawn(
            program("dtam"), list(words), env=self.env, timeout=120, encoding="utf-8", dimensions=(60, 200)
        )


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    require("odbc")
    directory = tmp_path_factory.mktemp("asked")
    with sql_server(directory / "alpha") as source, sql_server(directory / "beta", machine="BETA") as target:
        connection = source.connect()
        for name in ("Sales", "Ops"):
            connection.execute(f"CREATE DATABASE {name}")
        connection.close()
        yield Desk(directory / "home", source, target)


@pytest.mark.covers("SQL-02", "SQL-05", "AM-01")
def test_setup_is_asked_through_on_a_terminal(desk: Desk) -> None:
    asked = desk.terminal("--sql", "setup", "--plan")
    answers = [
        ("Which server is to be protected", "ALPHA"),
        ("Which server takes over", "BETA"),
        ("Account of SQL Server for dtam", "sa"),
        ("Password of sa at ALPHA", desk.source.sa_password),
        ("Password of sa at BETA", desk.target.sa_password),
        ("File on BETA with that password", ""),
        ("File with the authority", ""),
        ("Trust whatever certificate is shown", "y"),
        ("ALPHA: SQL Server 15.0", None),
        ("BETA: SQL Server 15.0", None),
        ("Protect whole instances, or databases only", "database"),
        (r"Ops  \(", None),
        ("that are not protected", "ops"),
        ("other folders on the target", "y"),
        ("Folder for Sales on the target", "/srv/fromalpha"),
        ("Folder for its log", ""),
        ("Full name that clients use", "sql.corp.example.com"),
        ("DNS servers that hold", ""),
        ("Witness", ""),
    ]
    for question, answer in answers:
        asked.expect(question)
        if answer is not None:
            asked.sendline(answer)
    asked.expect("failover.sql.mode +database")
    assert desk.source.sa_password not in (asked.before or "")
    asked.close(force=True)


@pytest.mark.covers("SQL-05")
def test_an_instance_is_tested_from_the_command_line(desk: Desk) -> None:
    login = ("--set", "failover.sql.login.user=sa", "--set", f"failover.sql.login.ca_file={desk.source.ca_file}")
    password = desk.run(
        "credentials", "set", "sa", "--server", "ALPHA", "--password-file", str(desk.source.password_file)
    )
    assert password.returncode == 0, password.stderr
    driver = ("--set", f"failover.sql.login.driver={DRIVER_18}")
    good = desk.run("--sql", "discover", "--test", "alpha", *login, *driver, "--json")
    assert (good.returncode, json.loads(good.stdout)["ok"]) == (0, True), good.stderr
    assert "15.0.4322.2" in json.loads(good.stdout)["says"]
    strange = desk.run("--sql", "discover", "--test", "ALPHA\\NONESUCH", *login)
    assert strange.returncode == 1
    assert "SQL Browser" in strange.stdout
    assert desk.source.sa_password not in good.stdout + strange.stdout + strange.stderr


@pytest.mark.covers("SQL-05")
def test_without_search_only_what_was_named_is_asked(desk: Desk) -> None:
    found = desk.run("--sql", "--nosqlsearch", "discover", "--server", desk.source.address, "--json")
    assert found.returncode == 0, found.stderr
    assert [one["host"] for one in json.loads(found.stdout)] == [desk.source.address]
