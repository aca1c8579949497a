"""What the plans of a file server contain, and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from orchestrator.engine.control import schema
from orchestrator.model.conditions import Stage
from orchestrator.model.inventory import Inventory
from orchestrator.model.servers import Where
from orchestrator.model.settings import Settings
from orchestrator.sdk import addressing
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans import engines, links
from orchestrator.sdk.pair_plans.documents import protection_document
from plugins.fileserver import discover, rules, taking
from plugins.fileserver.inventory import inventory
from tests.conformance.ondisk import World
from tests.faults.rehearsal import pair, ports, protection, rehearsals, scripts, settings, unprotected


def order(kind: str, *ids: str) -> list[int]:
    plan = rehearsals()[kind].plan
    known = [step.id for step in plan.steps]
    return [known.index(one) for one in ids]


def found_on(tmp_path: Path) -> Inventory:
    world = World(tmp_path / "world")
    world.save(unprotected())
    return inventory(ports(world), settings())


def planning(tmp_path: Path, given: Settings | None = None) -> Planning:
    kept = protection(Stage.ENABLED, 1)
    kept = msgspec.structs.replace(kept, settings=given or kept.settings)
    return Planning(kept, found_on(tmp_path), 1, scripts()[0])


def test_a_service_is_restarted_over_the_capture() -> None:
    positions = order(
        "protect", "epoch-source", "stop-files-source", "capture-source", "start-files-source", "connect-protect"
    )
    assert positions == sorted(positions)


@pytest.mark.covers("AM-27")
def test_a_failback_gives_the_epoch_up_before_it_is_taken() -> None:
    positions = order(
        "failback",
        "fence-source",
        "uncapture-source",
        "connect-restore",
        "in-step-restore",
        "stop-files-target",
        "settle-restore",
        "run-pre-failback-target",
        "release-target",
        "capture-source",
        "epoch-source",
        "names-to-source",
        "start-files-source",
        "clients-served",
        "connect-protect",
        "monitor-on",
    )
    assert positions == sorted(positions)


def test_clients_are_without_service_only_from_stop_to_start() -> None:
    down = [step.id for step in rehearsals()["failback"].plan.steps if step.downtime]
    assert (down[0], down[-1]) == ("stop-files-target", "clients-served")


def test_several_directories_each_have_their_own_set_and_link(tmp_path: Path) -> None:
    given = settings().model_dump(mode="json", exclude_unset=True)
    given["connection"]["roots"] = [{"source_path": "/srv/files"}, {"source_path": "/srv/more"}]
    found = [step.id for step in engines.protect(taking.DEEDS, planning(tmp_path, Settings.model_validate(given)))]
    assert {"set-fileprint-alpha-beta-source", "set-fileprint-alpha-beta-2-source"} <= set(found)
    assert {"connect-protect", "connect-protect-2", "in-step-protect-2", "capture-source-2"} <= set(found)


def test_only_the_way_out_is_synchronous_and_ignores_deletions(tmp_path: Path) -> None:
    chosen = {"mode": "synchronous", "synchronous_wait_s": 3, "when_late": "wait", "ignore_deletes": True}
    given = settings()
    tab = type(given.connection).model_validate({**given.connection.model_dump(), **chosen})
    plan = planning(tmp_path, given.model_copy(update={"connection": tab}))
    (out,), (back,) = links.out(plan, 1), links.back(plan, 2)
    assert (out.mode, out.synchronous_wait_s, out.when_late, out.ignore_deletes) == ("synchronous", 3, "wait", True)
    assert (back.mode, back.ignore_deletes) == ("asynchronous", False)


def test_services_start_in_order_and_stop_in_reverse(tmp_path: Path) -> None:
    given = settings().model_dump(mode="json", exclude_unset=True)
    given["failover"]["services"] = [{"name": name, "start_command": [name]} for name in ("base", "top")]
    found = [step.id for step in engines.protect(taking.DEEDS, planning(tmp_path, Settings.model_validate(given)))]
    wanted = ["stop-top-source", "stop-base-source", "capture-source", "start-base-source", "start-top-source"]
    assert [one for one in found if one in wanted] == wanted


@pytest.mark.parametrize("where", [Where.SOURCE, Where.TARGET])
def test_engines_take_the_documents(tmp_path: Path, where: Where) -> None:
    document = protection_document(taking.DEEDS, planning(tmp_path), where, 3)
    taken = schema.Protection.model_validate(document)
    assert (taken.role, taken.epoch, taken.own_side.name) == (
        where.value,
        3,
        {"source": "alpha", "target": "beta"}[where],
    )
    assert taken.monitor.addresses == ["10.0.0.1"]
    assert taken.roots == [schema.Root(source_path="/srv/files", target_path="/srv/replica/files")]


def test_a_lost_server_does_not_hold_the_other_one(tmp_path: Path) -> None:
    given = planning(tmp_path)
    gone = msgspec.structs.replace(given.inventory.source, unreachable="no route", engine=None)
    given = msgspec.structs.replace(given, inventory=msgspec.structs.replace(given.inventory, source=gone))
    found = list(engines.unprotect(taking.DEEDS, given))
    assert found
    assert all(step.where is not Where.SOURCE for step in found)


@pytest.mark.covers("AM-08")
@pytest.mark.parametrize(
    ("tab", "expected"),
    [
        ({}, [{"path": "", "include": True, "recursive": True}]),
        (
            {
                "override_generated_rules": True,
                "rules": [{"path": "/srv/files"}, {"path": "/srv/files/tmp", "include": False}, {"path": "/elsewhere"}],
            },
            [{"path": "", "include": True, "recursive": True}, {"path": "tmp", "include": False, "recursive": True}],
        ),
        (
            {"override_generated_rules": True, "rules": [{"path": "docs/", "recursive": False}]},
            [{"path": "docs", "include": True, "recursive": False}],
        ),
    ],
)
def test_rules_are_generated_or_overridden(tab: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    given = settings().model_dump(mode="json", exclude_unset=True)
    chosen = Settings.model_validate(given | {"advanced": tab})
    assert rules.rules_of(chosen, chosen.connection.roots[0]) == expected


def test_addresses_are_paired_by_family_and_once() -> None:
    sources, targets = ("10.0.0.1", "fd00::1", "10.0.0.3"), ("fd00::2", "10.0.0.2")
    assert addressing.address_pairs(sources, targets) == (("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2"))


def test_the_pair_proposes_its_addresses() -> None:
    given = discover.defaults(pair())
    assert given["monitoring"]["addresses"] == ["10.0.0.1"]
    assert given["failover"]["dns"]["addresses"] == [{"source": "10.0.0.1", "target": "10.0.0.2"}]
