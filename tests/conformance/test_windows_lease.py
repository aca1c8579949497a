"""The lease of a Windows host against the simulated one: the guard, boots, fences, givers, what is kept over a power cut."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from orchestrator.errors import DtamError
from tests.conformance.pairs import laid_on, patiently
from tests.conformance.windows_stage import SERVICE, Stage
from tests.lab.windows.starting import windows_host


def lease(stage: Stage, n: int, seconds: float | None) -> None:
    view = stage.host.protection("p")
    assert view is not None
    assert view.ticks_s is not None
    until_s = None if seconds is None else view.ticks_s + seconds
    stage.host.act("p", "renew_lease", {"epoch": 1, "n": n, "boot": view.boot, "until_s": until_s})


@pytest.mark.covers("AM-27")
def test_a_lease_that_runs_out_stops_the_services_and_a_newer_one_starts_them(stage: Stage) -> None:
    stage.host.start_service("files")
    lease(stage, 1, 600.0)
    assert stage.state_of_service() == "running"
    lease(stage, 2, 3.0)
    patiently(lambda: stage.state_of_service() == "stopped", "the guard stops what has no lease")
    patiently(lambda: (stage.host.protection("p") or 0).says == "the lease ran out", "it says why")
    with pytest.raises(DtamError, match="the lease ran out"):
        stage.host.start_service("files")
    with pytest.raises(DtamError, match="not newer"):
        lease(stage, 2, 600.0)
    lease(stage, 3, None)
    assert stage.state_of_service() == "running"


@pytest.mark.covers("AM-27")
def test_a_fence_outlives_a_lease(stage: Stage) -> None:
    stage.host.start_service("files")
    stage.host.act("p", "fence", {"reason": "a test"})
    with pytest.raises(DtamError, match="a test"):
        lease(stage, 10, 600.0)
    assert stage.state_of_service() == "stopped"


@pytest.mark.covers("AM-27")
def test_after_a_power_cut_nothing_serves_until_there_is_a_new_lease(stage: Stage) -> None:
    stage.host.start_service("files")
    lease(stage, 1, None)
    before = stage.host.protection("p")
    stage.served.power_cut()
    stage.served.boot()
    patiently(lambda: "started anew" in (stage.host.protection("p") or before).says, "the guard finds the lease void")
    patiently(lambda: stage.state_of_service() == "stopped", "what starts by itself is stopped")
    after = stage.host.protection("p")
    assert before is not None
    assert after is not None
    assert (after.boot != before.boot, after.epoch, after.lease_n) == (True, 1, 1)
    lease(stage, 2, 600.0)
    assert stage.state_of_service() == "running"


def of_machine(stage: Stage, call: str, *arguments: object) -> object:
    return stage.served.control.ask("machine", call=call, arguments=list(arguments))


@pytest.mark.covers("AM-27")
def test_what_somebody_else_starts_is_stopped_again_while_fenced_or_without_a_lease(stage: Stage) -> None:
    stage.host.start_service("files")
    stage.host.act("p", "fence", {"reason": "a test"})
    of_machine(stage, "services.begin_start", "Spooler")
    patiently(lambda: stage.state_of_service() == "stopped", "the guard stops what a fence forbids")
    stage.host.act("p", "set_epoch", {"epoch": 1})
    assert stage.state_of_service() == "running"
    lease(stage, 1, 1.0)
    patiently(lambda: stage.state_of_service() == "stopped", "the lease ran out")
    of_machine(stage, "services.begin_start", "Spooler")
    patiently(lambda: stage.state_of_service() == "stopped", "the guard stops what has no lease")


@pytest.mark.covers("AM-27")
def test_what_depends_on_a_service_comes_back_with_it_after_a_lease_and_a_fence(stage: Stage) -> None:
    named = {"requires": ["Spooler"], "start": "Manual"}
    stage.served.control.ask("machine", call="services.create", arguments=["Fax", "Fax", "C:\\fax.exe"], named=named)

    def fax() -> object:
        return of_machine(stage, "services.status", "Fax")

    stage.host.start_service("files")
    of_machine(stage, "services.begin_start", "Fax")
    patiently(lambda: fax() == "Running", "it runs")
    lease(stage, 1, 1.0)
    patiently(lambda: fax() == "Stopped" and stage.state_of_service() == "stopped", "both are stopped")
    patiently(lambda: (stage.host.protection("p") or 0).says == "the lease ran out", "and that is noted")
    lease(stage, 2, None)
    assert (stage.state_of_service(), fax()) == ("running", "Running")
    stage.host.act("p", "fence", {"reason": "a test"})
    assert (stage.state_of_service(), fax()) == ("stopped", "Stopped")
    stage.host.act("p", "set_epoch", {"epoch": 1})
    assert (stage.state_of_service(), fax()) == ("running", "Running")


@pytest.mark.covers("AM-27")
def test_a_lease_that_is_over_starts_nothing_where_no_guard_looks(stage: Stage) -> None:
    stage.host.start_service("files")
    stage.host.stop_service("files")
    stage.caller.do("set_guard", {"Wanted": False})
    try:
        lease(stage, 1, 1.0)
        patiently(lambda: (stage.host.protection("p") or 0).says == "the lease ran out", "it knows by itself")
        with pytest.raises(DtamError, match="the lease ran out"):
            stage.host.start_service("files")
        view = stage.host.protection("p")
        assert view is not None
        patiently(lambda: (stage.host.protection("p") or view).guard_s > 1.0, "nobody looks")  # type: ignore[operator]
    finally:
        stage.caller.do("set_guard", {"Wanted": True})


@pytest.mark.covers("AM-27")
def test_a_damaged_protection_keeps_no_other_from_being_guarded(stage: Stage) -> None:
    stage.host.put_protection({"id": "a-broken", "role": "source", "epoch": 1, "services": []})
    stage.host.start_service("files")
    lease(stage, 1, 600.0)
    stage.path("C:\\ProgramData\\dtam\\protections\\a-broken\\protection.json").write_text("{")
    try:
        lease(stage, 2, 1.0)
        held = "C:\\ProgramData\\dtam\\protections\\p\\protection.json"
        patiently(lambda: json.loads(stage.path(held).read_text())["lease_over"], "p is guarded all the same")
    finally:
        stage.host.remove_protection("a-broken")
    assert stage.state_of_service() == "stopped"


@pytest.mark.covers("AM-27")
def test_setting_the_clock_is_no_boot(stage: Stage) -> None:
    stage.host.start_service("files")
    lease(stage, 1, 600.0)
    before = stage.host.protection("p")
    of_machine(stage, "__setattr__", "booted_at", 86400.0)
    after = stage.host.protection("p")
    assert before is not None
    assert after is not None
    assert (after.boot, after.fenced) == (before.boot, False)
    lease(stage, 2, 600.0)
    assert stage.state_of_service() == "running"


@pytest.mark.covers("AM-27")
def test_a_boot_is_another_boot_however_early_the_power_goes(tmp_path: Path) -> None:
    with windows_host(tmp_path, name="ALPHA") as served, ExitStack() as stack:
        stage = Stage(served, *laid_on(served, stack))
        stage.protect()
        stage.caller.do("set_guard", {"Wanted": False})
        stage.host.start_service("files")
        lease(stage, 1, None)
        before = stage.host.protection("p")
        served.power_cut()
        served.boot()
        patiently(lambda: stage.host.protection("p"), "it answers again")
        after = stage.host.protection("p")
        assert before is not None
        assert after is not None
        assert after.boot != before.boot
        with pytest.raises(DtamError, match="started anew"):
            stage.host.start_service("files")


@pytest.mark.covers("AM-27")
def test_one_dtam_gives_the_leases_until_an_epoch_is_taken(stage: Stage) -> None:
    view = stage.host.protection("p")
    assert view is not None
    given = {"epoch": 1, "boot": view.boot, "until_s": None}
    stage.host.act("p", "renew_lease", {**given, "n": 1, "giver": "one"})
    with pytest.raises(DtamError, match="another dtam"):
        stage.host.act("p", "renew_lease", {**given, "n": 2, "giver": "two"})
    assert (stage.host.protection("p") or view).lease_giver == "one"
    stage.host.act("p", "set_epoch", {"epoch": 1})
    stage.host.act("p", "renew_lease", {**given, "n": 2, "giver": "two"})


@pytest.mark.covers("AM-27")
def test_a_power_cut_within_a_replacement_forgets_no_fence(stage: Stage) -> None:
    stage.host.act("p", "fence", {"reason": "a test"})
    stage.host.act("p", "disable_monitor", {})
    path = stage.path("C:\\ProgramData\\dtam\\protections\\p\\protection.json")
    path.unlink()
    view = stage.host.protection("p")
    assert view is not None
    assert view.fenced
    with pytest.raises(DtamError, match="knows epoch"):
        stage.host.put_protection({"id": "p", "role": "source", "epoch": 0, "services": [SERVICE]})


@pytest.mark.covers("AM-27")
def test_a_target_that_gave_its_epoch_back_keeps_its_own_services(stage: Stage) -> None:
    stage.protect(role="target")
    stage.host.start_service("files")
    lease(stage, 1, 1.0)
    patiently(lambda: stage.state_of_service() == "stopped", "it served as a master, and its lease ran out")
    stage.host.put_protection({"id": "p", "role": "target", "epoch": 2, "services": [SERVICE]})
    of_machine(stage, "services.begin_start", "Spooler")
    patiently(lambda: stage.state_of_service() == "running", "what it has of its own is started")
    view = stage.host.protection("p")
    assert view is not None
    ticks = (view.ticks_s or 0.0) + 3.0
    patiently(lambda: (stage.host.protection("p") or view).ticks_s > ticks, "the guard has looked")  # type: ignore[operator]
    assert stage.state_of_service() == "running"


def test_a_service_belongs_to_one_protection(stage: Stage) -> None:
    other = {"id": "q", "role": "source", "epoch": 1, "services": [{"name": "print", "unit": "spooler"}]}
    with pytest.raises(DtamError, match="belongs to protection p on this host already"):
        stage.host.put_protection(other)
    assert stage.host.protection("q") is None


@pytest.mark.covers("AM-27")
def test_a_newly_laid_guard_is_the_one_that_looks(stage: Stage) -> None:
    guard = stage.path("C:\\Program Files\\dtam\\bin\\guard.ps1")
    ours = guard.read_bytes()
    blind = ours.replace(b"    if ($Held.fence) { return", b"    return ''\r\n    if ($Held.fence) { return", 1)
    assert blind != ours
    stage.caller.do("set_guard", {"Wanted": False})
    guard.write_bytes(blind)
    try:
        stage.caller.do("set_guard", {"Wanted": True})
    finally:
        guard.write_bytes(ours)
    stage.caller.do("set_guard", {"Wanted": True})
    stage.host.start_service("files")
    lease(stage, 1, 1.0)
    patiently(lambda: stage.state_of_service() == "stopped", "the new guard stops what has no lease")
