"""The built-in monitoring points of SQL Server, as the target's engine and as `dtam serve` ask them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from orchestrator.engine.control.schema import Monitor
from orchestrator.model.conditions import Stage
from orchestrator.model.servers import Where
from orchestrator.model.settings import Settings
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans.documents import protection_document
from plugins.sql.application import SqlServer
from plugins.sql.engines import DEEDS
from plugins.sql.points import points
from tests.unit.sql import sound_pair


def planning(platform: str = "linux", stage: str = "enabled", **settings: Any) -> Planning:
    case = {"platform": platform, "stage": stage, "settings": settings}
    return Planning(sound_pair.protection(case), sound_pair.inventory(case), 1)


@pytest.mark.covers("AM-22")
def test_each_instance_lets_in_has_its_databases_online_and_reads() -> None:
    ready, probe = points(planning())
    assert ready.command[:4] == ("dtam", "step", "sql", "ready")
    assert set(json.loads(ready.reads)["databases"]) >= {"master", "orders", "archive"}
    told = json.loads(probe.reads)
    assert (told["database"], "write" in told) == ("master", False)
    assert (told["access"]["server"], told["access"]["user"]) == ("alpha", "dtam")
    assert told["access"]["password_file"] == "/etc/dtam/sql", "the target's own, by its file"
    assert all("{state}/application/" in " ".join(one.command) for one in (ready, probe))


@pytest.mark.covers("AM-22")
def test_it_writes_only_where_that_is_allowed() -> None:
    wanted = {"failover": {"sql": {"probe": {"database": "orders", "write": True}}}}
    told = json.loads(points(planning(**wanted))[1].reads)
    assert (told["database"], told["table"], told["write"]) == ("orders", "dtam_probe", True)


@pytest.mark.covers("AM-22")
def test_dtam_serve_asks_with_its_own_account() -> None:
    asked = SqlServer().points(planning("windows"))
    access = json.loads(asked[0].reads)["access"]
    assert access["server"] == "alpha"
    assert "password_file" not in access


@pytest.mark.covers("AM-22")
def test_the_targets_engine_takes_what_it_is_told() -> None:
    wanted = planning(monitoring={"application": {"interval_s": 20, "errors": 2, "timeout_s": 5}})
    told = protection_document(DEEDS, wanted, Where.TARGET, 1)["monitor"]
    watch = Monitor.model_validate(told).application
    assert watch is not None
    assert (watch.interval_s, watch.errors, watch.timeout_s, len(watch.points)) == (20, 2, 5, 2)
    custom = {"points": "custom", "script": "/usr/local/bin/ask", "user": "ada@lab.example", "password_file": "/p"}
    told = protection_document(DEEDS, planning(monitoring={"application": custom}), Where.TARGET, 1)["monitor"]
    assert told["application"]["points"] == [{"name": "script", "command": ["/usr/local/bin/ask"], "reads": ""}]
    assert told["application"]["environment"]["DTAM_PASSWORD_FILE"] == "/p"
    assert protection_document(DEEDS, planning(), Where.TARGET, 1)["monitor"]["application"] is None


@pytest.mark.covers("AM-22")
def test_after_a_failover_the_target_is_the_one_that_is_asked() -> None:
    over = planning()
    held = msgspec.structs.replace(over.protection, stage=Stage.FAILED_OVER)
    told = json.loads(points(msgspec.structs.replace(over, protection=held))[1].reads)
    assert told["access"]["server"] == "beta"


def test_where_nothing_can_be_asked_monitoring_the_application_is_refused() -> None:
    values = {"application": "fileprint", "source": "alpha", "target": "beta", "name": "files.example.com"}
    with pytest.raises(ValidationError, match="nothing to ask"):
        Settings.model_validate(values | {"monitoring": {"application": {}}})
    asks = {"failover": {"health": {"url": "http://{name}/"}}, "monitoring": {"application": {}}}
    Settings.model_validate(values | asks)
