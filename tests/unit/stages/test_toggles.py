"""What enabling makes can be left out, each thing alone; and the cushion of a cluster reaches whoever watches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from orchestrator import planning
from orchestrator.model.conditions import Stage
from orchestrator.model.plan import Plan, PlanKind
from orchestrator.model.servers import Where
from orchestrator.model.settings import MonitoringTab, Settings
from orchestrator.pipeline import Pipeline
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans.documents import protection_document
from orchestrator.service.probing import settings_of
from plugins.fileserver import taking
from plugins.fileserver.application import FileServer
from plugins.fileserver.inventory import inventory
from tests.conformance.ondisk import World
from tests.faults.rehearsal import pair, ports, protection, scripts, settings, unprotected

MADE: dict[str, set[str]] = {
    "replication_set": {"put-replication-set"},
    "scripts": {"deliver-script"},
    "connection": {"set-capture", "connect", "await-in-step"},
    "monitor": set(),
}


def given(tmp_path: Path, **tabs: Any) -> Planning:
    world = World(tmp_path / "world")
    world.save(unprotected())
    values = settings().model_dump(mode="json", exclude_unset=True)
    for tab, more in tabs.items():
        values[tab] = values.get(tab, {}) | more
    held = msgspec.structs.replace(protection(Stage.CONFIGURED), settings=Settings.model_validate(values))
    return Planning(held, inventory(ports(world), held.settings), 0, scripts()[0], by="test")


def made(tmp_path: Path, **create: bool) -> Plan:
    return planning.plan(PlanKind.PROTECT, FileServer(), given(tmp_path, advanced={"create": create}))


def verbs(plan: Plan) -> set[str]:
    return {step.do.verb for step in plan.steps}


@pytest.mark.covers("AM-10")
@pytest.mark.parametrize("name", MADE)
def test_each_thing_alone_can_be_left_out_of_enabling(tmp_path: Path, name: str) -> None:
    whole = made(tmp_path)
    less = made(tmp_path, **{name: False})
    gone = {step.id for step in whole.steps} - {step.id for step in less.steps}
    assert verbs(whole) - verbs(less) == MADE[name]
    assert MADE[name] <= {whole.step(one).do.verb for one in gone}
    assert less.remarks == (f"left out by advanced.create: {name.replace('_', ' ')}",)
    watched = {step.do.arguments["on"] for step in less.steps if step.do.verb == "set-monitor"}
    assert watched == {name not in {"monitor", "connection"}}, "nobody watches for what nothing carries"


@pytest.mark.covers("AM-10")
def test_without_a_connection_the_service_is_not_restarted_for_a_capture(tmp_path: Path) -> None:
    stopped = [
        (step.where, step.id) for step in made(tmp_path, connection=False).steps if step.do.verb == "stop-service"
    ]
    assert all(where is Where.TARGET for where, _ in stopped)


@pytest.mark.covers("AM-10")
def test_a_set_that_somebody_keeps_himself_survives_disable(tmp_path: Path) -> None:
    for keeps in (True, False):
        wanted = given(tmp_path, advanced={"create": {"replication_set": not keeps}})
        held = msgspec.structs.replace(wanted.protection, stage=Stage.ENABLED)
        plan = planning.plan(PlanKind.UNPROTECT, FileServer(), msgspec.structs.replace(wanted, protection=held))
        assert ("remove-replication-set" in verbs(plan)) is not keeps


@pytest.mark.covers("AM-10")
def test_scripts_that_lie_on_the_hosts_stay_where_none_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr("orchestrator.pipeline.on_hosts", lambda *_: ("as they lie",))
    monkeypatch.setattr("orchestrator.pipeline.rendered", lambda *_: asked.append(1) or ("anew",))
    with Pipeline(tmp_path / "home", "test") as pipeline:
        monkeypatch.setattr(pipeline.reach, "ports", lambda *_: None)
        for create, found in ((True, ("anew",)), (False, ("as they lie",))):
            wanted = given(tmp_path, advanced={"create": {"scripts": create}})
            assert pipeline._scripts(PlanKind.PROTECT, FileServer(), wanted) == found
    assert len(asked) == 1


def test_the_cushion_reaches_the_targets_engine_and_dtam_serve(tmp_path: Path) -> None:
    paces = [{"address": "10.0.0.1", "interval_s": 1, "missed": 2}]
    watch = {"addresses": ["10.0.0.1"], "interval_s": 5, "missed": 5, "cushion_s": 60, "paces": paces}
    wanted = given(tmp_path, monitoring=watch)
    told = protection_document(taking.DEEDS, wanted, Where.TARGET, 1)["monitor"]
    assert (told["missed"], told["paces"][0]["missed"]) == (17, 62)
    served = settings_of(MonitoringTab.model_validate(watch), pair().source)
    assert (served.missed, served.pace("10.0.0.1").missed) == (17, 62)
