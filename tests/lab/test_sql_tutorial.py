"""docs/tutorial/sql-server.md is followed to the letter: every command of it is run where its prompt says."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.domain import Lab
from tests.lab.hosts import PROJECT
from tests.lab.pairstage import HOME
from tests.lab.sqlstage import SqlStage
from tests.lab.tutorials import Told, follow

TUTORIAL = PROJECT / "docs/tutorial/sql-server.md"


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[SqlStage]:
    """What ``make lab LAB_HOSTS=sql`` makes ready."""
    lab.reset()
    made = SqlStage(lab)
    try:
        made.begin()
        yield made
    finally:
        made.client.run(["pkill", "-f", "[s]qlclient load"], check=False)
        made.end()


def on_the_machine(lab: Lab, told: Told, directory: Path) -> str:
    """The reader's own machine: the lab is there already, and this process has its switch."""
    words = told.command
    if words.startswith("make lab LAB_HOSTS=sql"):
        return ""
    if words.startswith("make lab-power"):
        power = dict(one.split("=") for one in words.split()[2:])
        host = lab.host(power["HOST"])
        host.boot() if power["POWER"] == "on" else host.power_cut()
        return ""
    command = words.replace("make ", f"make -C {PROJECT} ", 1)
    environment = {**os.environ, "LAB": str(os.getpid())}
    done = subprocess.run(
        ["sh", "-c", command], cwd=directory, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.covers("SQL-06")
def test_every_command_of_the_tutorial_does_what_it_says(stage: SqlStage, tmp_path: Path) -> None:
    lab = stage.lab
    hosts = {name: lab.host(name) for name in ("alpha", "beta", "client", "witness")}
    environment = {"DTAM_HOME": HOME, "LAB_PROJECT": str(PROJECT), "KRB5CCNAME": "FILE:/run/krb5cc"}
    follow(TUTORIAL, hosts, environment, lambda told: on_the_machine(lab, told, tmp_path))
    assert stage.status()["stage"] == "enabled"
    assert len(stage.promised().rows) > 100
    assert stage.orders()
