"""A database alone follows its name on Windows: the instances' own files lie on C:, the database on E:, which Storage Replica carries.

Windows and SQL Server are simulations. winbeta's instance runs all the time, so who serves is whoever has the database.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.conftest import Told
from tests.lab.domain import Lab
from tests.lab.sqlwindowstage import SqlWindowsStage
from tests.lab.test_sql_windows_story import FEW, lose_alpha, whole
from tests.lab.waiting import until
from tests.lab.windowspairstage import FILE, LEASE_S

FOLDER = r"E:\shop"


class DatabaseStage(SqlWindowsStage):
    """One database of the default instance, on a volume of its own."""

    def machine(self) -> dict[str, Any]:
        """SQL Server's own files stay on the system's volume."""
        made = super().machine()
        return {**made, "sql": [{**one, "data": rf"C:\{one['instance']}\DATA"} for one in made["sql"]]}

    def furnish(self, server: str = "") -> None:
        """The application's database lies on E:."""
        self.ask(f"EXEC master.dbo.xp_create_subdir N'{FOLDER}'", database="master", server=server)
        files = f"(NAME = {self.database}, FILENAME = N'{FOLDER}\\{self.database}.mdf')"
        self.create = f"CREATE DATABASE [{self.database}] ON {files}"
        super().furnish(server)


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[DatabaseStage]:
    made = DatabaseStage(lab, "database", MSSQLSERVER=1433)
    made.begin()
    made.dtam("--sql", "configure", "--file", FILE)
    made.permit()
    made.dtam("--sql", "setup", "--file", FILE, "--yes")
    made.serve()
    until("the source has a lease that ends", lambda: made.said(f"winalpha has a lease of {LEASE_S:g} s"))
    yield made
    made.end()


@pytest.mark.slow
@pytest.mark.covers("SQL-02", "AM-15")
def test_a_database_goes_on_under_the_name_of_its_server(stage: DatabaseStage, told: Told) -> None:
    with stage.open():
        lose_alpha(stage, told)
    whole(stage)
    assert stage.ask("SELECT @@SERVERNAME", database="master") == [["WINBETA"]]
    stage.alpha.host.boot()
    until("winalpha is back, and fenced", lambda: stage.status()["source"].get("fenced"))
    since_ns = time.time_ns()
    with stage.open(*FEW):
        stage.dtam("failback", "--protection", stage.id, "--yes")
        stage.places(sum(FEW))
    assert stage.promised().after(since_ns)
    whole(stage)
    assert stage.ask("SELECT @@SERVERNAME", database="master") == [["WINALPHA"]]
    status = stage.status()
    assert (status["condition"], status["stage"]) == ("healthy", "enabled")
    assert stage.alpha.control.ask("failures") == stage.beta.control.ask("failures") == []
