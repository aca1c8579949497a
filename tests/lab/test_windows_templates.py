"""Every template for Windows with every combination of what it may be given, run on the simulated server: looked at, shown, done, done again,
undone, killed on the way and gone on with."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orchestrator.model.servers import Platform
from orchestrator.scripting import render, template_names
from tests.lab.scripts import step
from tests.lab.windows.machine.settings import AddressSettings, MachineSettings
from tests.lab.windows.powershell.commands import Done, program
from tests.lab.windows_script_host import FOLDER, WindowsScriptHost
from tests.lab.windows_script_rounds import Round
from tests.unit.scripting.windows_cases import ADDRESS, ODD, ODD_SERVICE, SHARE, WHOLE, combinations

CASES = list(combinations())
OTHER_CARD = "B\u00fcro's \u2018LAN\u2019"
MACHINE = MachineSettings(
    name="BETA",
    domain="lab.example",
    adapters=("Ethernet", OTHER_CARD, ODD),
    addresses=(AddressSettings("192.0.2.20"), AddressSettings("2001:db8::20", 64, OTHER_CARD)),
)


@program("words.exe")
def words_of_a_program(call):
    """A program that writes down the words which it was given."""
    call.machine.files.open_path("C:\\words.json").write_text(json.dumps(call.argv))
    return Done(0, "written\r\n")


@pytest.fixture
def host(in_memory):
    made = WindowsScriptHost(in_memory / "beta", MACHINE, [SHARE["path"], WHOLE["path"]])
    services = made.machine.services
    services.create(ODD_SERVICE, "Odd", "C:\\odd.exe")
    services.create("Depends", "Depends on it", "C:\\depends.exe", requires=[ODD_SERVICE])
    for one in (ODD_SERVICE, "Depends"):
        services.begin_start(one)
    return made


def cases(template):
    """The combinations that make different scripts; the others are the same text."""
    made = {
        render(
            "post_failover", "files", [step("deed", template, **variables)], platform=Platform.WINDOWS
        ).text: variables
        for name, variables in CASES
        if name == template
    }
    return list(made.values())


@pytest.mark.parametrize("template", template_names(Platform.WINDOWS))
def test_each_combination_is_shown_done_once_and_undone(host, template):
    chosen = cases(template)
    for number, variables in enumerate(chosen):
        Round(host, template, variables, f"r{number}").go(cut=number == len(chosen) - 1)


@pytest.fixture
def taking(host):
    """A takeover of a share, with the file of its run and whether the share is there."""
    host.deliver(
        "post_failover", [step("put-shares", "common/put_shares", "put 1 share on beta", document={"shares": [SHARE]})]
    )
    return host


def shared(host):
    return host.machine.shares.find(SHARE["name"]) is not None


@pytest.mark.covers("ENG-FO-05")
def test_by_hand_it_takes_nothing_from_a_source_that_serves(taking):
    taking.fence("alpha serves epoch 3", epoch=3)
    refused = taking.run("post_failover", "-Run", "run1")
    assert refused.code == 77
    assert "alpha serves epoch 3" in refused.err
    assert "-Force" in refused.err
    assert not shared(taking)
    assert taking.lines("post_failover") == []
    assert taking.run("post_failover", "-Run", "run1", "-Force").code == 0
    assert shared(taking)
    assert [one["says"] for one in taking.lines("post_failover") if one["event"] == "forced"] == [
        "by hand although: alpha serves epoch 3"
    ]
    assert taking.run("post_failover", "-Run", "run1", "-Undo").code == 0
    assert not shared(taking)


def test_nobody_who_says_that_it_may_serve_is_a_no(taking):
    taking.path(f"{FOLDER}\\protection.json").unlink()
    assert taking.run("post_failover", "-Run", "run1").code == 77
    assert not shared(taking)


@pytest.mark.covers("ENG-FO-05")
def test_a_request_of_an_older_epoch_is_refused(taking):
    taking.fence("", epoch=5)
    refused = taking.run("post_failover", epoch=4)
    assert (refused.code, shared(taking)) == (77, False)
    assert "epoch 4 is over" in refused.err
    assert taking.run("post_failover", epoch=5).code == 0


def test_what_the_request_says_of_the_fence_counts(taking):
    taking.fence("alpha serves")
    assert taking.run("post_failover", fenced="").code == 0
    assert taking.run("post_failover", undo=True, fenced="alpha serves").code == 0
    assert taking.run("post_failover", run_id="run2", fenced="alpha serves").code == 77
    assert not shared(taking)


@pytest.mark.parametrize(
    "asked", [{"protection": "others"}, {"run_id": ""}, {"run_id": "../x"}, {"segments": ["nothing"]}, {"epoch": "x"}]
)
def test_a_request_that_is_not_for_this_script_is_refused(taking, asked):
    assert taking.run("post_failover", **asked).code == 2
    assert not shared(taking)


def test_a_request_in_a_file_is_the_same(taking):
    path = f"{FOLDER}\\request.json"
    taking.path(path).write_text(json.dumps({"run_id": "run1", "protection": "files", "epoch": 2}))
    assert taking.run("post_failover", "-RequestFile", path).code == 0
    assert shared(taking)


def test_the_run_file_is_the_bash_forms(taking):
    assert taking.run("post_failover").code == 0
    lines = taking.lines("post_failover")
    assert [list(one) for one in lines] == [["t", "step", "event", "undo", "says"], ["t", "step", "event", "says"]]
    assert lines[0]["says"] == "put 1 share on beta"
    assert lines[1]["says"] == "share data is made"


def test_a_torn_last_line_is_not_counted(taking):
    assert taking.run("post_failover", kill="about-to put-shares").code is None
    path = taking.path(f"{FOLDER}\\runs\\run1.post_failover.jsonl")
    path.write_bytes(path.read_bytes()[:-20])
    assert taking.run("post_failover").code == 0
    whole = [json.loads(one) for one in path.read_text().splitlines() if one.endswith("}")]
    assert [one["event"] for one in whole] == ["about-to", "done"]


def test_two_runs_at_once_are_kept_apart(taking):
    others = []
    assert (
        taking.run("post_failover", meanwhile=lambda: others.append(taking.run("post_failover", run_id="run2"))).code
        == 0
    )
    assert [one.code for one in others] == [75]
    assert "another run" in others[0].err


def test_own_commands_run_once_a_run(host):
    own = (
        '    [System.IO.File]::AppendAllText("C:\\own.txt", "$env:DTAM_RUN_ID $env:DTAM_EPOCH $env:DTAM_PROTECTION;")\n'
    )
    host.deliver("post_failover", [step("wait", "common/wait", seconds=0)], own)
    for _ in range(2):
        assert host.run("post_failover").code == 0
    assert host.path("C:\\own.txt").read_text() == "run1 2 files;"
    assert ("your-own-commands", "done") in host.events("post_failover")


def test_steps_of_a_takeover_are_undone_last_first(host):
    host.deliver(
        "post_failover",
        [
            step("put-shares", "common/put_shares", document={"shares": [SHARE, WHOLE]}),
            step("take-addresses", "common/take_addresses", document={"addresses": [ADDRESS]}),
        ],
    )
    before = host.state()
    assert host.run("post_failover", "-Run", "drill1").code == 0
    assert host.run("post_failover", "-Run", "drill1", "-Undo").code == 0
    undone = [one["step"] for one in host.lines("post_failover", "drill1") if one["event"] == "undone"]
    assert undone == ["take-addresses", "put-shares"]
    assert host.state() == before


@pytest.mark.parametrize(
    ("share", "why"),
    [
        ({**SHARE, "name": "taken"}, "leads to C:\\elsewhere"),
        ({**SHARE, "name": "ADMIN$"}, "share of the system"),
        ({**SHARE, "path": "C:\\nowhere"}, "is not here"),
    ],
)
def test_a_share_that_cannot_be_put_is_refused_before_any_is_made(host, share, why):
    host.path("C:\\elsewhere").mkdir()
    host.machine.shares.create("taken", "C:\\elsewhere", host.machine.shares.descriptor(SHARE["sddl"]))
    host.deliver("post_failover", [step("put-shares", "common/put_shares", document={"shares": [SHARE, share]})])
    before = host.state()
    assert host.run("post_failover").code == 1
    assert why in host.lines("post_failover")[-1]["says"]
    assert host.state() == before


@pytest.mark.parametrize(("asked", "why"), [(True, "is answered for by 00-"), (False, "in use by another server")])
def test_an_address_that_somebody_answers_for_is_not_taken(host, asked, why):
    """Seen by asking, and where nobody asks by the system's own detection, after which it is removed again."""
    host.machine.hooks.answers = lambda address: address == ADDRESS["address"]
    document = {"addresses": [ADDRESS], "conflict_check": asked}
    host.deliver("post_failover", [step("take", "common/take_addresses", document=document)])
    before = host.state()
    assert host.run("post_failover").code == 1
    assert why in host.lines("post_failover")[-1]["says"]
    assert host.state() == before


def test_an_address_of_another_subnet_is_refused(host):
    elsewhere = {**ADDRESS, "address": "198.51.100.10"}
    host.deliver("post_failover", [step("take", "common/take_addresses", document={"addresses": [elsewhere]})])
    assert host.run("post_failover").code == 1
    assert "not in 198.51.100.0/24" in host.lines("post_failover")[-1]["says"]


def test_what_depends_on_a_service_is_named_before_it_is_stopped(host):
    host.deliver("pre_failback", [step("stop", "common/stop_service", "stop it", "pre_failback", service=ODD_SERVICE)])
    assert "Depends" in host.run("pre_failback", dry_run=True).out
    assert host.run("pre_failback").code == 0
    assert host.machine.services.status("Depends") == "Stopped"
    assert host.run("pre_failback", undo=True).code == 0
    assert host.machine.services.status("Depends") == "Running"


def test_what_stays_on_the_target_waits_for_no_failback(host):
    host.deliver(
        "post_failover",
        [step("put-shares", "common/put_shares", document={"shares": [SHARE]}), step("stay-here", "common/stay_here")],
    )
    assert host.run("post_failover").code == 0
    taken = host.path(f"{FOLDER}\\taken")
    assert [one.name for one in taken.iterdir()] == ["shares.jsonl"]
    assert host.run("post_failover", run_id="leave", segments=["stay-here"]).code == 0
    assert [one.name for one in taken.iterdir()] == ["shares.jsonl.left"]
    assert shared(host)


WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12)


def test_a_program_gets_its_words_as_they_are(host):
    """Quotes, empty words and back slashes, of which 5.1 by itself would lose some."""

    @settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(WORDS, min_size=1, max_size=4))
    @example(["", 'a "b" \\', "\\\\", "line\nbreak", ODD])
    def check(words):
        host.deliver("post_failover", [step("own", "common/run_command", command=["words.exe", *words])])
        done = host.run("post_failover")
        assert done.code == 0, done
        assert json.loads(host.path("C:\\words.json").read_text()) == words

    check()


@pytest.mark.parametrize(
    ("template", "variables"),
    [
        ("common/take_names", {"document": {"netbios": ["ALPHA"]}}),
        ("common/restart_service", {"service": "LanmanServer"}),
    ],
)
def test_a_restart_that_was_cut_off_starts_what_it_had_stopped(host, template, variables):
    """Killed when the Server service is down: the next run knows from the disk what ran with it."""
    services = host.machine.services
    services.create("Browser2", "Needs the Server service", "C:\\browser2.exe", requires=["LanmanServer"])
    services.begin_start("Browser2")
    before = host.state()
    host.deliver("post_failover", [step("names", template, **variables)])
    services.on_stopped.setdefault("lanmanserver", []).append(lambda: host.kill())  # noqa: PLW0108  of that run
    assert host.run("post_failover").code is None
    assert (services.status("LanmanServer"), services.status("Browser2")) == ("Stopped", "Stopped")
    services.on_stopped.clear()
    assert host.run("post_failover").code == 0, host.lines("post_failover")
    assert (services.status("LanmanServer"), services.status("Browser2")) == ("Running", "Running")
    assert host.run("post_failover", undo=True).code == 0
    assert host.state() == before


def test_a_protected_service_is_started_by_what_is_installed(host):
    """Which notes that it is wanted, and refuses while this server may not serve."""
    host.install()
    path = host.path(f"{FOLDER}\\protection.json")
    kept = {
        "id": "files", "role": "target", "epoch": 2, "held": 2, "fence": "", "fenced": "", "lease_over": "", "monitor": False,
        "lease": {"n": 0, "boot": "", "until_s": None}, "services": [{"name": "odd", "unit": "Depends"}], "wanted": [], "dependents": [],
    }  # fmt: skip
    path.write_text(json.dumps(kept))
    host.deliver("post_failover", [step("start", "common/start_service", service={"name": "odd", "unit": "Depends"})])
    assert host.run("post_failover").code == 0, host.lines("post_failover")
    assert json.loads(path.read_text())["wanted"] == ["odd"]
    assert host.run("post_failover", undo=True).code == 0, host.lines("post_failover")
    assert json.loads(path.read_text())["wanted"] == []
    assert host.machine.services.status("Depends") == "Stopped"
    path.write_text(json.dumps({**kept, "fence": "alpha serves"}))
    assert host.run("post_failover", run_id="run2", fenced="").code == 1
    assert "alpha serves" in host.lines("post_failover", "run2")[-1]["says"]


def test_open_files_below_a_share_are_closed_and_no_others(host):
    file = {"ClientComputerName": "10.0.0.9", "ClientUserName": "LAB\\u"}
    opened = [
        {"FileId": 1, "Path": f"{SHARE['path']}\\a.txt", **file},
        {"FileId": 2, "Path": "C:\\data2\\b.txt", **file},
    ]
    host.machine.shares.lab_sessions = [{"SessionId": 7, "NumOpens": 2, "OpenFiles": opened, **file}]
    host.deliver(
        "pre_failback", [step("close", "common/close_sessions", "close", "pre_failback", paths=[SHARE["path"]])]
    )
    assert host.run("pre_failback").code == 0, host.lines("pre_failback")
    assert [one["FileId"] for one in host.machine.shares.lab_sessions[0]["OpenFiles"]] == [2]
    host.deliver("pre_failback", [step("close-all", "common/close_sessions", "close", "pre_failback")])
    assert host.run("pre_failback", run_id="run2").code == 0, host.lines("pre_failback", "run2")
    assert host.machine.shares.lab_sessions == []
