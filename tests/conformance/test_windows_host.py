"""What only a Windows host has, against the simulated one: scripts by their digests, deeds asked for by id, runs as tasks, the guard of leases."""

from __future__ import annotations

import io
import json
from pathlib import Path

import msgspec
import pytest

from orchestrator.errors import DtamError
from orchestrator.hosts import errors
from orchestrator.hosts.winrm import WinRmHost
from orchestrator.hosts.winrm_calls import Caller
from orchestrator.hosts.winrm_laying import computer_of, lay, looked, take_away
from orchestrator.hosts.winrm_reach import caller_of
from orchestrator.hosts.winrm_scripts import scripts
from orchestrator.hosts.winrm_shell import Ended
from orchestrator.model.windows import RegistryAsk, WindowsAsk
from tests.conformance.pairs import patiently
from tests.conformance.windows_stage import SERVICE, Stage
from tests.lab.windows.machine.machine import Machine
from tests.lab.windows.machine.settings import Hooks, MachineSettings
from tests.lab.windows.powershell.commands import Session
from tests.lab.windows.powershell.run import start

LANMAN = "HKLM:\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters"
RUN = """\ufeffparam([string] $RequestFile)
$request = [System.IO.File]::ReadAllText($RequestFile) | ConvertFrom-Json
$line = @{ t = 1.5; step = 'one'; event = 'done'; says = "epoch $($request.epoch)" } | ConvertTo-Json -Compress
[System.IO.File]::AppendAllText($RequestFile.Replace('.request.json', '.jsonl'), "$line`n")
exit 0
"""


def test_it_says_what_it_is(stage: Stage) -> None:
    found = stage.host.windows(
        WindowsAsk(
            registry=(RegistryAsk(LANMAN, "Nothing"),),
            commands=("Get-SmbShare", "Get-Nonesuch"),
            sids=("S-1-5-21-9-9-9-1104", "S-1-5-32-544"),
        )
    )
    assert found.problems == (), "outside of a domain, too"
    assert found.unresolved_sids == ("S-1-5-21-9-9-9-1104",)
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


def test_a_port_is_opened_by_a_rule_of_our_own(stage: Stage) -> None:
    def said() -> tuple[bool, tuple[str, ...]]:
        (found,) = stage.host.windows(WindowsAsk(firewall_ports=("tcp 1433",))).firewall_ports
        assert (found.protocol, found.port, found.blocked) == ("tcp", 1433, False)
        return found.open, found.rules

    assert said() == (False, ())
    for _ in range(2):
        stage.host.call("set_firewall_port", {"protocol": "tcp", "port": 1433, "open": True})
        assert said() == (True, ("dtam-tcp-1433",))
    for _ in range(2):
        stage.host.call("set_firewall_port", {"protocol": "tcp", "port": 1433, "open": False})
        assert said() == (False, ())


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
