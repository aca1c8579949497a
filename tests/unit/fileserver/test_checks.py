"""Each check: what makes it speak, and that it is silent on a sound pair."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from orchestrator.model.conditions import Stage
from orchestrator.model.findings import Finding, Severity
from orchestrator.model.inventory import (
    AddressFacts,
    EngineFacts,
    Inventory,
    NameInventory,
    PathFacts,
    ServiceFacts,
    SideInventory,
    WitnessInventory,
)
from orchestrator.model.names import NameChange, NameChanges, NameNode, NameRecords
from orchestrator.model.protections import Protection
from orchestrator.model.servers import Platform, ServerName
from orchestrator.model.settings import Settings
from orchestrator.model.steps import Action
from orchestrator.validate import fixes, validate
from plugins.fileserver.application import FileServer
from tests.faults.rehearsal import protection, settings

replace = msgspec.structs.replace


def engine(name: str, **more: Any) -> EngineFacts:
    given: dict[str, Any] = {
        "name": name,
        "engine_id": "a" * 32,
        "version": "1",
        "fingerprint": "a" * 64,
        "addresses": (),
        "control_port": 6320,
        "data_port": 6321,
        "probe_port": 6320,
        "capture": "fuse",
        "capture_says": "",
        "boot_id": "1",
        "clock_offset_s": 0.0,
    }
    return EngineFacts(**given | more)


def directory(path: str, **more: Any) -> PathFacts:
    given: dict[str, Any] = {"exists": True, "kind": "directory", "bytes": 0, "free_bytes": 10**12, "entries": 0}
    return PathFacts(path, **given | more)


def change(ttl_s: int = 60) -> NameChange:
    before = NameRecords("lab.example.", "files.lab.example.", "A", ttl_s, ("10.0.0.1",))
    return NameChange("10.0.0.53", before, replace(before, data=("10.0.0.2",)))


SOURCE = SideInventory(
    ServerName("alpha"),
    engine=engine("alpha"),
    addresses=(AddressFacts("10.0.0.1", "eth0"),),
    paths=(directory("/srv/files", bytes=10**9, entries=10),),
    services=(ServiceFacts("files", "running"),),
)
TARGET = SideInventory(
    ServerName("beta"),
    engine=engine("beta"),
    addresses=(AddressFacts("10.0.0.2", "eth0"),),
    paths=(directory("/srv/replica/files"),),
    services=(ServiceFacts("files", "stopped"),),
)
SOUND = Inventory(
    1000.0,
    SOURCE,
    TARGET,
    NameInventory((), NameChanges((change(),)), (("10.0.0.53", ("10.0.0.1",)),)),
    WitnessInventory(configured=True),
    paired=True,
)


def findings(inventory: Inventory, given: Protection | None = None) -> list[Finding]:
    report = validate(FileServer().checks(), inventory, given or protection(), 1000.0)
    return [one for one in report.findings if one.severity is not Severity.PASSED]


def source(**more: Any) -> Inventory:
    return replace(SOUND, source=replace(SOURCE, **more))


def target(**more: Any) -> Inventory:
    return replace(SOUND, target=replace(TARGET, **more))


def names(**more: Any) -> Inventory:
    return replace(SOUND, names=replace(SOUND.names, **more))


@pytest.mark.covers("AM-11")
def test_a_sound_pair_passes_every_check() -> None:
    report = validate(FileServer().checks(), SOUND, protection(), 1000.0)
    assert [one.check for one in report.findings if one.severity is not Severity.PASSED] == []
    assert {one.check for one in report.findings} == {
        one.id for one in FileServer().checks() if one.platform is not Platform.WINDOWS
    }
    assert len(report.findings) >= 15


CASES: list[tuple[str, Inventory, str, str]] = [
    ("server-unreachable", target(unreachable="no route", engine=None, paths=(), services=()), "error", "no route"),
    ("source-is-target", source(target_of=("fileprint_gamma_alpha",)), "error", "fileprint_gamma_alpha"),
    ("engines-not-paired", replace(SOUND, paired=False), "warning", "do not know each other"),
    (
        "source-may-write",
        names(problems=(("source-may-write", "10.0.0.53 lets the key alpha write"),)),
        "error",
        "lets",
    ),
    (
        "reverse-zone-missing",
        names(changes=NameChanges((change(),), ("no reverse zone for 10.0.0.1 was found",))),
        "warning",
        "10.0.0.1",
    ),
    ("names-left-alone", names(changes=NameChanges((change(),), ("x stays",))), "warning", "x stays"),
    (
        "record-scavengeable",
        names(
            changes=NameChanges((change(),), (), (NameNode("z", "n", "dn", "", "", (("A", "10.0.0.1", 3_000_000),)),))
        ),
        "warning",
        "days ago",
    ),
    ("versions-differ", target(engine=engine("beta", version="2")), "warning", "1 on alpha, 2 on beta"),
    (
        "capture-weaker",
        source(engine=engine("alpha", capture="watcher", capture_says="no fuse")),
        "warning",
        "no write order",
    ),
    ("clock-offset", source(engine=engine("alpha", clock_offset_s=-7.5)), "warning", "-7.5 s"),
    ("service-running-on-target", target(services=(ServiceFacts("files", "running"),)), "error", "runs on the target"),
    (
        "service-starts-by-itself",
        target(services=(ServiceFacts("files", "stopped", start_type="automatic"),)),
        "error",
        "starts by itself on beta",
    ),
    (
        "service-not-running-on-source",
        source(services=(ServiceFacts("files", "failed"),)),
        "warning",
        "failed on alpha",
    ),
    ("witness-unreachable", replace(SOUND, witness=WitnessInventory(True, "it refused")), "error", "it refused"),
    ("facts-too-old", replace(SOUND, taken_at_s=1000.0 - 3 * 86400), "warning", "3 days old"),
    ("source-directory-missing", source(paths=(PathFacts("/srv/files", False),)), "error", "not there"),
    ("target-directory-missing", target(paths=(PathFacts("/srv/replica/files", False),)), "error", "is missing"),
    ("target-not-a-directory", target(paths=(directory("/srv/replica/files", kind="file"),)), "error", "a file, not"),
    (
        "target-without-space",
        target(paths=(directory("/srv/replica/files", free_bytes=10**8),)),
        "error",
        "100.0 MB free",
    ),
    ("target-data-not-ours", target(paths=(directory("/srv/replica/files", entries=3),)), "warning", "3 entries"),
    ("dns-unreachable", names(problems=(("unreachable", "10.0.0.53 is silent"),)), "error", "silent"),
    ("dns-key-refused", names(problems=(("key-refused", "bad key"),)), "error", "bad key"),
    ("dns-zone-missing", names(problems=(("zone-missing", "no zone"),)), "error", "no zone"),
    ("dns-record-missing", names(resolves_to=(("10.0.0.53", ()),)), "error", "not in DNS"),
    ("name-resolves-elsewhere", names(resolves_to=(("10.0.0.54", ("10.9.9.9",)),)), "error", "10.9.9.9 on 10.0.0.54"),
    ("dns-ttl-too-high", names(changes=NameChanges((change(3600),))), "error", "3600 s is above 300 s"),
    ("addresses-changed", source(addresses=(AddressFacts("10.7.7.7", "eth0"),)), "error", "10.0.0.1"),
]


@pytest.mark.covers("AM-11")
@pytest.mark.parametrize(("check", "inventory", "severity", "what"), CASES, ids=[case[0] for case in CASES])
def test_a_fault_is_found(check: str, inventory: Inventory, severity: str, what: str) -> None:
    found = [one for one in findings(inventory) if one.check == check]
    assert [one.severity for one in found] == [severity]
    assert what in found[0].what
    assert found[0].why
    assert found[0].remedy


def changed(change: Callable[[dict[str, Any]], None]) -> Protection:
    given = settings().model_dump(mode="json", exclude_unset=True)
    change(given)
    return replace(protection(), settings=Settings.model_validate(given))


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("service-missing", lambda given: given["failover"].update(services=[])),
        ("witness-missing", lambda given: given["monitoring"].update(witness=None)),
        ("nothing-to-protect", lambda given: given["connection"].update(roots=[])),
        ("dns-not-configured", lambda given: given["failover"]["dns"].update(servers=[])),
        ("health-not-configured", lambda given: given["failover"].update(health={})),
        (
            "synchronous-wait-short",
            lambda given: given["connection"].update(mode="synchronous", synchronous_wait_s=0.1),
        ),
        ("route-not-on-target", lambda given: given["connection"].update(route={"address": "10.8.8.8"})),
    ],
)
@pytest.mark.covers("AM-11")
def test_a_lack_in_the_settings_is_found(check: str, change: Callable[[dict[str, Any]], None]) -> None:
    found = findings(SOUND, changed(change))
    assert check in [one.check for one in found]


@pytest.mark.covers("ENG-SYNC-01")
def test_only_a_captured_source_can_be_synchronous() -> None:
    given = changed(lambda settings: settings["connection"].update(mode="synchronous", when_late="wait"))
    watching = replace(SOUND, source=replace(SOUND.source, engine=engine("alpha", capture="watcher")))
    assert "synchronous-not-captured" in [one.check for one in findings(watching, given)]
    assert not [one for one in findings(SOUND, given) if one.check.startswith("synchronous")]


def test_a_target_path_inside_a_set_is_found() -> None:
    roots = [{"source_path": "/srv/files", "target_path": "/srv/files/copy"}]
    given = changed(lambda settings: settings["connection"].update(roots=roots))
    assert "target-path-inside-set" in [one.check for one in findings(SOUND, given)]


def test_a_port_taken_by_something_else_is_found() -> None:
    service = {"name": "files", "start_command": ["serve"], "health_url": "http://10.0.0.2:8080/"}
    given = changed(lambda settings: settings["failover"].update(services=[service]))
    for listening in ("0.0.0.0:8080", "10.0.0.2:8080", "[::]:8080"):
        found = [one for one in findings(target(listening=(listening,)), given) if one.check == "port-in-use"]
        assert len(found) == 1, listening
        assert "8080" in found[0].what
    assert not [one for one in findings(target(listening=("10.0.0.9:8080",)), given) if one.check == "port-in-use"]


def test_the_targets_key_must_lie_on_the_target() -> None:
    def with_key(given: dict[str, Any]) -> None:
        given["failover"]["dns"].update(key_file="/etc/dtam/dns.key", target_key_file="/etc/beta.key")

    inventory = target(paths=(*TARGET.paths, PathFacts("/etc/beta.key", False)))
    found = [one for one in findings(inventory, changed(with_key)) if one.check == "key-missing-on-target"]
    assert len(found) == 1


@pytest.mark.covers("AM-12")
def test_the_faults_that_dtam_mends_become_one_plan() -> None:
    inventory = replace(
        SOUND,
        target=replace(
            TARGET,
            paths=(PathFacts("/srv/replica/files", False),),
            services=(ServiceFacts("files", "running", start_type="automatic"),),
        ),
        names=replace(SOUND.names, changes=NameChanges((change(3600),))),
        paired=False,
    )
    report = validate(FileServer().checks(), inventory, protection(), 1000.0)
    plan = fixes(report, protection())
    assert [step.id for step in plan.steps] == [
        "pair-engines",
        "stop-files-target",
        "start-type-files-target",
        "make-directory-target-srv-replica-files",
        "ttl-of-names",
    ]
    lowered = plan.step("ttl-of-names")
    assert (lowered.before, lowered.after) == (
        ("files.lab.example. 3600 A 10.0.0.1",),
        ("files.lab.example. 300 A 10.0.0.1",),
    )


@pytest.mark.covers("AM-11")
def test_a_name_that_is_missing_and_a_service_that_rests_are_mended() -> None:
    resting = replace(SOURCE, services=(ServiceFacts("files", "stopped", managed=True),))
    missing = replace(SOUND.names, resolves_to=(("10.0.0.53", ()),))
    report = validate(FileServer().checks(), replace(SOUND, source=resting, names=missing), protection(), 1000.0)
    plan = fixes(report, protection())
    assert [step.id for step in plan.steps] == ["start-files-source", "add-names"]
    added, data = plan.step("add-names"), protection().settings.failover.dns.addresses[0].source
    assert added.after == (f"files.lab.example. 300 A {data}",)
    assert isinstance(added.undo, Action)


def test_after_a_failover_the_service_may_run_on_the_target() -> None:
    over = replace(protection(Stage.FAILED_OVER, 2))
    inventory = replace(
        SOUND,
        source=replace(SOURCE, services=(ServiceFacts("files", "stopped"),)),
        target=replace(TARGET, services=(ServiceFacts("files", "running"),)),
        names=replace(SOUND.names, resolves_to=(("10.0.0.53", ("10.0.0.2",)),)),
    )
    assert findings(inventory, over) == []


@pytest.mark.covers("AM-35")
def test_the_age_of_facts_is_a_finding() -> None:
    fresh = validate(FileServer().checks(), SOUND, protection(), 1000.0 + 86400)
    stale = validate(FileServer().checks(), SOUND, protection(), 1000.0 + 86401)
    assert "facts-too-old" not in [one.check for one in fresh.warnings]
    assert "facts-too-old" in [one.check for one in stale.warnings]
