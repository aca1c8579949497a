"""The built-in monitoring points against a simulated SQL Server that is a process: each thing that is wrong is said, and nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.monitor.application import Answered, Point, ask
from orchestrator.sdk.application import Planning
from plugins.sql.points import points
from tests.lab.sqlserver.process import SqlServer, sql_server
from tests.unit.sql import sound_pair

Needs = Callable[..., None]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlServer]:
    with sql_server(tmp_path_factory.mktemp("points")) as made:
        with made.connect() as connection:
            connection.execute("CREATE DATABASE orders")
            connection.execute("CREATE DATABASE archive")
        yield made


class Asking:
    """The points of a protection whose source is that server, with the target's secrets."""

    def __init__(self, server: SqlServer, tmp_path: Path, **probe: Any) -> None:
        self.state = tmp_path
        login = {"user": "sa", "target_user": "sa", "target_password_file": str(server.password_file)}
        login |= {"trust_server_certificate": True}
        one = {"source_host": server.address, "source_port": server.port}
        sql = {"instances": [one], "login": login, "probe": probe}
        case = {"platform": "linux", "stage": "enabled", "mode": "database", "settings": {"failover": {"sql": sql}}}
        self.planning = Planning(sound_pair.protection(case), sound_pair.inventory(case), 1)

    def __call__(self) -> Answered:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        asked = [Point(one.name, one.command, one.reads) for one in points(self.planning)]
        return ask(asked, {"PATH": path, "HOME": str(self.state), "LANG": "C.UTF-8"}, 120.0, str(self.state))


@pytest.mark.covers("AM-22")
def test_an_instance_that_is_well_reads_and_writes_where_that_is_allowed(
    server: SqlServer, tmp_path: Path, needs: Needs
) -> None:
    needs("odbc")
    answer = Asking(server, tmp_path, database="orders", write=True)()
    assert answer.ok, answer.says
    assert "databases are online" in answer.says
    assert "reads in orders" in answer.says
    with server.connect() as connection:
        assert connection.execute("SELECT COUNT(*) FROM orders.dbo.dtam_probe").fetchone()[0] == 1


@pytest.mark.covers("AM-22")
def test_a_database_that_is_not_online_is_named(server: SqlServer, tmp_path: Path, needs: Needs) -> None:
    needs("odbc")
    with server.connect() as connection:
        connection.execute("ALTER DATABASE archive SET OFFLINE")
        try:
            answer = Asking(server, tmp_path)()
        finally:
            connection.execute("ALTER DATABASE archive SET ONLINE")
    assert not answer.ok
    assert "archive is OFFLINE" in answer.says


@pytest.mark.covers("AM-22")
def test_a_password_that_is_good_no_more_is_told_without_it(server: SqlServer, tmp_path: Path, needs: Needs) -> None:
    needs("odbc")
    asking = Asking(server, tmp_path)
    server.password_file.write_text("Wrong-1-and-long")
    try:
        answer = asking()
    finally:
        server.password_file.write_text(server.sa_password)
    assert not answer.ok
    assert "sa" in answer.says
    assert "Wrong-1" not in answer.says


@pytest.mark.covers("AM-22")
def test_a_server_whose_power_is_gone_does_not_answer(server: SqlServer, tmp_path: Path, needs: Needs) -> None:
    needs("odbc")
    asking = Asking(server, tmp_path)
    server.kill()
    try:
        answer = asking()
    finally:
        server.start()
    assert not answer.ok
    assert answer.says.startswith("MSSQLSERVER ready: ")
