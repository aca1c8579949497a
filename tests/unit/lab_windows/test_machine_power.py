"""What outlives the power and what does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lab.windows.machine.descriptors import parse
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.machine.settings import Hooks

ALL = parse("O:SYG:SYD:(A;;FA;;;WD)")


def test_a_share_outlives_the_power_and_a_temporary_one_does_not(build):
    machine = build()
    for name in ("kept", "gone"):
        machine.files.open_path(f"E:\\{name}").mkdir()
        machine.shares.create(name, f"E:\\{name}", ALL, temporary=name == "gone")
    machine = build.again(machine)
    assert [one["name"] for one in machine.shares.all()] == ["ADMIN$", "C$", "E$", "IPC$", "kept", "L$"]
    assert machine.shares.get("KEPT")["sddl"] == "O:SYG:SYD:(A;;FA;;;WD)"


def test_automatic_services_start_after_what_they_need_and_manual_ones_do_not(build):
    machine = build()
    machine.services.configure("Spooler", start="Manual")
    machine.services.configure("SamSs", start="Manual")
    machine = build.again(machine)
    states = {name: machine.services.status(name) for name in ("LanmanServer", "Spooler", "SamSs", "RemoteRegistry")}
    assert states == {"LanmanServer": "Running", "Spooler": "Stopped", "SamSs": "Running", "RemoteRegistry": "Stopped"}
    build.clock.sleep(121)
    machine.tick()
    assert machine.services.is_running("RemoteRegistry")


def test_a_new_name_waits_for_the_restart(build):
    machine = build()
    machine.computer.rename("fs9")
    assert machine.computer.name == "FS1"
    machine.restart()
    assert machine.computer.name == "FS9"
    assert (
        machine.registry.value(r"SYSTEM\CurrentControlSet\Control\ComputerName\ActiveComputerName", "ComputerName")
        == "FS9"
    )


def test_a_process_behind_a_service_is_started_and_stopped_with_it(build):
    seen = []
    hooks = Hooks(deeds={"LanmanServer": (lambda: seen.append("start"), lambda: seen.append("stop"))})
    machine = build("FS1", hooks)
    machine.services.begin_stop("LanmanServer")
    machine.services.begin_start("LanmanServer")
    machine.power_cut()
    assert seen == ["start", "stop", "start", "stop"]


def test_state_is_written_whole(build):
    machine = build()
    machine.registry.put(r"SOFTWARE\X", "n", "DWord", 7)
    on_disk = json.loads((machine.directory / "registry.json").read_text())
    assert on_disk["keys"]["software\\x"]["values"] == {"n": ["n", "DWord", 7]}
    assert not list(machine.directory.glob("*.new"))


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("E:\\a<b", 123), ("E:\\con.txt", 123), ("Q:\\x", 3), ("E:\\" + "x" * 250 + "\\" + "y" * 20, 206),
        ("\\\\other\\share\\x", 53), ("\\\\fs1\\nothing", 67), ("\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy9\\x", 3),
    ],
)  # fmt: skip
def test_paths_that_windows_does_not_take(machine, path, code):
    with pytest.raises(Refused) as refusal:
        machine.files.locate(path)
    assert refusal.value.code == code


def test_names_are_found_whatever_the_case(machine):
    machine.files.open_path("E:\\Data").mkdir()
    machine.files.open_path("e:\\dATA\\Report.TXT").write_text("x")
    assert machine.files.locate("E:/data/../DATA/report.txt. ").windows == "E:\\Data\\Report.TXT"
    assert isinstance(machine.files.open_path("E:\\data\\new"), Path)


def test_a_shadow_copy_keeps_what_was(machine):
    machine.files.open_path("E:\\f").write_text("old")
    assert machine.shadows.create("E:") == (2, "")
    assert machine.shadows.create("Q:\\")[0] == 3
    result, copy = machine.shadows.create("E:\\")
    machine.files.open_path("E:\\f").write_text("new")
    device = machine.shadows.find(copy)["device"]
    assert result == 0
    assert machine.files.open_path(f"{device}\\F").read_text() == "old"
    assert machine.shadows.delete(copy)


def test_a_hanging_stop_stays_pending_and_a_failing_start_falls_back(machine):
    machine.faults.hanging_stop.add("spooler")
    machine.faults.failing_start["vss"] = 1053
    machine.services.begin_stop("Spooler")
    assert not machine.wait(lambda: machine.services.status("Spooler") == "Stopped", 60)
    machine.services.begin_start("VSS")
    assert (machine.services.status("VSS"), machine.services.state("VSS").exit_code) == ("Stopped", 1053)


@pytest.mark.parametrize(
    "text",
    ["D:(A;;FA;;;ZZ)", "D:(A;;FA;;WD)", "hello", "D:(X;;FA;;;WD)", "D:(A;;QQ;;;WD)", "D:A;;FA;;;WD", "", "O:SYG:SY"],
)
def test_malformed_descriptors_are_refused(machine, text):
    with pytest.raises(Refused) as refusal:
        machine.shares.descriptor(text)
    assert refusal.value.id == "Windows System Error 1338"


@pytest.mark.parametrize(
    "text", ["O:SYG:SYD:(A;;0x1301bf;;;S-1-5-21-1-2-3-513)(A;;FA;;;BA)", "D:PAI(D;OICI;FA;;;BG)", "O:BAD:"]
)
def test_descriptors_come_back_from_bytes(text):
    from tests.lab.windows.machine import descriptors

    assert descriptors.sddl(descriptors.from_bytes(descriptors.to_bytes(descriptors.parse(text)))) == text


def test_ticks_begin_anew_with_each_boot_and_do_not_follow_the_clock(build):
    machine = build()
    build.clock.sleep(5)
    machine.computer.set_clock_offset(3600)
    assert machine.boot_ticks() == 50_000_000
    machine.restart()
    assert machine.boot_ticks() == 0
