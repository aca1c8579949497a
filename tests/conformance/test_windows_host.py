"""What only a Windows host has, against the simulated one: scripts by their digests, deeds asked for by id, runs as tasks, the guard of leases."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from orchestrator.errors import DtamError
from orchestrator.hosts import errors
from orchestrator.hosts.winrm import WinRmHost
from orchestrator.hosts.winrm_calls import Caller
from orchestrator.hosts.winrm_laying import computer_of, lay, looked, take_away
from orchestrator.hosts.winrm_reach import caller_of, winrm_host
from orchestrator.hosts.winrm_scripts import scripts
from orchestrator.hosts.winrm_shell import Ended
from orchestrator.model.servers import Server
from orchestrator.model.windows import RegistryAsk, WindowsAsk
from tests.conformance.pairs import laid_on, patiently
from tests.lab.windows.machine.machine import Machine
from tests.lab.windows.machine.settings import Hooks, MachineSettings
from tests.lab.windows.powershell.commands import Session
from tests.lab.windows.powershell.run import start
from tests.lab.windows.starting import WindowsHost, windows_host

SERVICE = {"name": "files", "unit": "Spooler"}
LANMAN = "HKLM:\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters"
RUN = """\ufeffparam([string] $RequestFile)
$request = [System.IO.File]::ReadAllText($RequestFile) | ConvertFrom-Json
$line = @{ t = 1.5; step = 'one'; event = 'done'; says = "epoch $($request.epoch)" } | ConvertTo-Json -Compress
[System.IO.File]::AppendAllText($RequestFile.Replace('.request.json', '.jsonl'), "$line`n")
exit 0
"""


class Stage:
    """One host with the scripts laid and a protection p, whose epoch it holds."""

    def __init__(self, served: WindowsHost, server: Server, caller: Caller) -> None:
        self.served, self.server, self.caller = served, server, caller
        self.host: WinRmHost = winrm_host(server, caller)

    def protect(self, **more: object) -> None:
        self.host.put_protection({"id": "p", "role": "source", "epoch": 1, "services": [SERVICE], **more})
        self.host.act("p", "set_epoch", {"epoch": 1})

    def path(self, windows: str) -> Path:
        return Path(str(self.served.control.ask("machine", call="files.open_path", arguments=[windows])))

    def state_of_service(self) -> str:
        return self.host.services()[0].state


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with ExitStack() as stack:
        served = stack.enter_context(windows_host(tmp_path_factory.mktemp("windows")))
        yield Stage(served, *laid_on(served, stack))


@pytest.fixture
def stage(made: Stage) -> Iterator[Stage]:
    made.protect()
    yield made
    made.served.control.ask("heal")
    lay(made.caller)
    made.host.stop_service("files")
    made.host.remove_protection("p")


def test_it_says_what_it_is(stage: Stage) -> None:
    found = stage.host.windows(
        WindowsAsk(registry=(RegistryAsk(LANMAN, "Nothing"),), commands=("Get-SmbShare", "Get-Nonesuch"))
    )
    assert {one.partition(":")[0] for one in found.problems} <= {"security identifiers"}
    assert found.computer_name == "ALPHA" == computer_of(stage.caller)
    assert abs(found.clock_offset_s or 0) < 60
    server, admin = found.service("LanmanServer"), found.share("ADMIN$")
    assert server is not None
    assert admin is not None
    assert (server.is_running, server.start_type, admin.special) == (True, "automatic", True)
    assert "SamSS" in server.needs or server.needs
    assert stage.served.address in {one.address for one in found.addresses}
    system = found.volume("C:\\Windows")
    assert system is not None
    assert system.letter == "C"
    assert "EnableStrictNameChecking" in found.smb_server
    assert [one.exists for one in found.registry] == [False]
    assert found.missing_commands == ("Get-Nonesuch",)
    assert [one.name for one in found.tasks] == ["guard"]


def test_what_is_kept_there_is_for_administrators_alone(stage: Stage) -> None:
    with stage.caller._shell() as shell:
        said = shell.run("icacls.exe", ("C:\\ProgramData\\dtam",), b"", 60.0).out.decode()
    assert "BUILTIN\\Administrators" in said
    assert "SYSTEM" in said
    assert "Users" not in said


def test_a_script_that_was_changed_is_not_run(stage: Stage) -> None:
    with stage.path("C:\\Program Files\\dtam\\bin\\host_facts.ps1").open("ab") as script:
        script.write(b"# harmless?\r\n")
    with pytest.raises(errors.HostScriptChanged, match=r"host_facts\.ps1"):
        stage.host.facts()
    assert [one.name for one in looked(stage.caller) if one.state == "changed"] == ["host_facts.ps1"]
    assert lay(stage.caller) == ("host_facts.ps1",)
    assert stage.host.facts().hostname == "ALPHA"


def test_an_error_is_told_with_its_script_and_line(stage: Stage) -> None:
    with pytest.raises(errors.HostScriptFailed, match=r"has a service other \(start_service\.ps1, line \d+\)"):
        stage.host.start_service("other")


def test_another_computer_is_not_spoken_to(stage: Stage) -> None:
    known = msgspec.structs.replace(
        stage.server, winrm=msgspec.structs.replace(stage.server.own_winrm, computer="BETA")
    )
    other = caller_of(known, lambda account, _: stage.served.passwords[account])
    with pytest.raises(errors.HostIsAnother, match="ALPHA, not BETA"):
        other.do("start_service", {"Name": "files"})
    other.close()
    assert stage.state_of_service() != "running"


def test_a_deed_whose_answer_was_lost_was_done_once(stage: Stage) -> None:
    stage.served.control.trouble("reset", verb="Receive")
    assert stage.caller.do("start_service", {"Name": "files"}) == ({"changed": True},)
    assert stage.caller.do("start_service", {"Name": "files"}) == ({"changed": False},)


def test_a_deed_that_is_still_at_work_is_waited_for(stage: Stage) -> None:
    stage.served.control.ask("machine", call="faults.__setattr__", arguments=["slow_start_s", {"spooler": 1.5}])
    stage.served.control.trouble("reset", verb="Receive")
    assert stage.caller.do("start_service", {"Name": "files"}) == ({"changed": True},)
    assert stage.state_of_service() == "running"


def test_a_deed_that_failed_behind_a_lost_link_says_why(stage: Stage) -> None:
    stage.served.control.trouble("reset", verb="Receive")
    with pytest.raises(errors.HostScriptFailed, match="has a service other"):
        stage.caller.do("start_service", {"Name": "other"})


def test_big_documents_go_there_and_back(stage: Stage) -> None:
    words = {f"w{one}": "ä\"'$(x)`\\" * 20 for one in range(900)}
    stage.protect(more=words)
    held = stage.host.protection_document("p")
    assert held is not None
    assert held["more"] == words


def run_of(stage: Stage, run_id: str) -> str:
    run = stage.host.script_run(run_id, "post_failover")
    return run.state if run else ""


def test_a_run_is_a_task_of_the_system(stage: Stage) -> None:
    stage.host.deliver_script("p", "post_failover", RUN)
    stage.host.run_script("p", "post_failover", "run-1", ["one"], undo=False, epoch=1)
    patiently(lambda: run_of(stage, "run-1") == "done", "the run ends")
    run = stage.host.script_run("run-1", "post_failover")
    assert run is not None
    assert (run.steps, run.says) == ({"one": "done"}, "epoch 1")


def test_a_delivered_script_that_was_changed_is_refused(stage: Stage) -> None:
    stage.host.deliver_script("p", "post_failover", RUN)
    with stage.path("C:\\ProgramData\\dtam\\protections\\p\\scripts\\post_failover.ps1").open("ab") as script:
        script.write(b"exit 1\r\n")
    assert stage.host.changed_scripts("p") == ("post_failover",)
    with pytest.raises(DtamError, match="was changed on this host"):
        stage.host.run_script("p", "post_failover", "run-2", [], undo=False, epoch=1)


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


class Here:
    """A shell whose programs run in this process, on a machine of its own, in the session that is wanted."""

    def __init__(self, machine: Machine, session: Session) -> None:
        self.machine, self.session = machine, session

    def run(self, program: str, arguments: tuple[str, ...], given: bytes, budget_s: float) -> Ended:  # noqa: ARG002
        out, err = bytearray(), bytearray()
        line = [program, *arguments]
        code = start(line, self.machine, self.session, out.extend, err.extend, io.BytesIO(given))()
        return Ended(code, bytes(out), bytes(err))

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    booted = Machine(tmp_path_factory.mktemp("machine"), MachineSettings(name="ALPHA"), Hooks())
    booted.boot()
    caller_in(booted, Session(user="ALPHA\\dtam", elevated=True)).install("lay", tuple(scripts()))
    return booted


def caller_in(machine: Machine, session: Session) -> Caller:
    return Caller("alpha", "here", "dtam", lambda: Here(machine, session))


@pytest.mark.parametrize(
    "forbidding",
    [{"execution_policy": "Restricted"}, {"execution_policy": "AllSigned"}, {"language_mode": "ConstrainedLanguage"}],
)
def test_what_keeps_scripts_from_running_is_named(machine: Machine, forbidding: dict[str, str]) -> None:
    session = Session(user="ALPHA\\dtam", elevated=True, is_network_logon=True, **forbidding)
    with pytest.raises(errors.ScriptsForbidden):
        caller_in(machine, session).ask("protection_state", {})


def test_questions_change_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, MachineSettings(name="ALPHA", features=("FS-FileServer", "Storage-Replica")), Hooks())
    machine.boot()
    caller = caller_in(machine, Session(user="ALPHA\\dtam", elevated=True))
    caller.install("lay", tuple(scripts()))
    caller.do("set_guard", {"Wanted": False})
    host = WinRmHost("alpha", caller)
    host.put_protection({"id": "p", "role": "source", "epoch": 1, "services": [SERVICE]})
    assert host.protection("p")  # the first question of a boot gives it its id, in memory only

    def everything() -> dict[str, bytes]:
        return {str(one): one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()}

    before = everything()
    host.windows(WindowsAsk(registry=(RegistryAsk(LANMAN, "Nothing"),), commands=("Get-SmbShare",)))
    host.facts(["C:\\Windows", "C:\\none"])
    host.services([SERVICE])
    assert host.protections() == (("p", "source"),)
    assert host.protection_document("p")
    assert host.changed_scripts("p") == ()
    assert host.script_run("run-1", "post_failover") is None
    host.call("storage_replica_state", {"group": "g-source", "volumes": ["E:"]}, deed=False)
    assert everything() == before


def test_a_folder_that_somebody_filled_before_is_not_trusted(tmp_path: Path) -> None:
    machine = Machine(tmp_path, MachineSettings(name="ALPHA"), Hooks())
    machine.boot()
    planted = machine.files.open_path("C:\\ProgramData\\dtam\\protections\\p")
    planted.mkdir(parents=True)
    caller = caller_in(machine, Session(user="ALPHA\\dtam", elevated=True))
    with pytest.raises(DtamError, match="not to be trusted"):
        caller.install("lay", tuple(scripts()))
    planted.rmdir()
    planted.parent.rmdir()
    caller.install("lay", tuple(scripts()))
    planted.mkdir(parents=True)
    caller.install("lay", tuple(scripts()))


def test_the_scripts_can_be_taken_away(stage: Stage) -> None:
    take_away(stage.caller)
    assert {one.state for one in looked(stage.caller)} == {"missing"}
    with pytest.raises(errors.HostScriptMissing):
        stage.host.facts()
    assert json.loads(json.dumps(lay(stage.caller)))
