"""Who must answer under the clients' name: whoever is to serve, at its own port, and never the other server in its place."""

from __future__ import annotations

import msgspec
import pytest

from orchestrator.model.conditions import Stage
from orchestrator.sdk.application import Planning
from plugins.sql.asking_clients import clients_served
from tests.faults.sql_rehearsal import SqlPair


@pytest.mark.covers("SQL-01")
@pytest.mark.parametrize("platform", ["windows", "linux"])
@pytest.mark.parametrize(
    ("stage", "server", "other", "port"),
    [
        (Stage.ENABLED, "beta", "alpha", 1444),
        (Stage.FAILED_OVER, "alpha", "beta", 1433),
        (Stage.RESTORED, "alpha", "beta", 1433),
    ],
)
def test_the_side_that_is_to_serve_is_asked(platform: str, stage: Stage, server: str, other: str, port: int) -> None:
    of = SqlPair(platform, "database")
    settings = of.settings(instances=[{"source_port": 1433, "target_port": 1444}])
    protection = msgspec.structs.replace(of.protection(stage, 2), settings=settings)
    (step,) = clients_served(Planning(protection, of.inventory(of.fresh()), 2, by="test"), "")
    (document,) = step.do.arguments["probe"]["sql"]
    access = document["access"]
    assert (access["server"], access["other"], access["port"]) == (server, other, port)
    assert access["full_name"] == "sales.lab.example"
