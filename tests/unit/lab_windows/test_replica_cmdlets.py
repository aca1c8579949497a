"""Storage Replica by its cmdlets, on two servers, as Microsoft's page on server-to-server replication goes through it."""

from __future__ import annotations

import pytest

from tests.lab.windows.machine.settings import Hooks
from tests.lab.windows.powershell.commands import Session
from tests.lab.windows.powershell.run import run

NEW = (
    "New-SRPartnership -SourceComputerName SRV05 -SourceRGName rg01 -SourceVolumeName e: -SourceLogVolumeName l: "
    "-DestinationComputerName SRV06 -DestinationRGName rg02 -DestinationVolumeName e: -DestinationLogVolumeName l: -LogSizeInBytes 1gb"
)
TURN = "Set-SRPartnership -NewSourceComputerName SRV06 -SourceRGName rg02 -DestinationComputerName SRV05 -DestinationRGName rg01"


@pytest.fixture
def servers(build):
    machines = [build(name, Hooks(peers={}), features=("Storage-Replica",)) for name in ("SRV05", "SRV06")]
    addresses = {one.computer.name: one.replica.listen("127.0.0.1") for one in machines}
    for one in machines:
        one.hooks.peers.update(addresses)
    return machines


def told(machine, script, *, elevated=True):
    ran = run(script, machine, Session(elevated=elevated))
    return " ".join(ran.stdout.decode().split()), ran.stderr.decode()


def test_it_is_made_told_and_taken_apart(servers):
    source, destination = servers
    source.files.open_path("E:\\f.txt").write_text("1")
    assert told(source, f"({NEW}).DestinationComputerName") == ("SRV06", "")
    assert told(source, "(Get-SRGroup).Replicas.ReplicationStatus")[0] == "InitialBlockCopy"
    source.tick()
    assert told(destination, "(Get-SRGroup -Name rg02).Replicas.ReplicationStatus") == ("ContinuouslyReplicating", "")
    assert (
        told(source, "(Get-SRPartnership).DestinationRGName; (Get-SRGroup -ComputerName SRV06).IsPrimary")[0]
        == "rg02 False"
    )
    assert "not ready" in told(destination, "Get-Content E:\\f.txt")[1]
    assert told(destination, "(Get-Volume -DriveLetter E).Size")[0] == "0"
    assert "NonInteractive" in told(source, "Get-SRPartnership | Remove-SRPartnership")[1]
    assert told(
        source, "Get-SRPartnership | Remove-SRPartnership -Confirm:$false; Remove-SRGroup -Name rg01 -Force"
    ) == ("", "")
    assert told(destination, "Remove-SRGroup -Name rg02 -Force; Get-Content E:\\f.txt") == ("1", "")


def test_the_direction_is_turned_with_both_alive(servers):
    source, destination = servers
    told(source, NEW)
    source.tick()
    assert told(source, "Set-Content E:\\f.txt last") == ("", "")
    assert told(destination, f"{TURN} -Force") != ("", "NonInteractive")
    assert told(destination, "Get-Content E:\\f.txt; (Get-SRGroup).IsPrimary") == ("last True", "")
    assert "not ready" in told(source, "Get-Content E:\\f.txt")[1]


def test_the_direction_is_turned_with_the_source_dead(servers):
    source, destination = servers
    told(source, NEW)
    source.tick()
    told(source, "Set-Content E:\\f.txt last")
    source.power_cut()
    assert "NonInteractive" in told(destination, TURN)[1]
    assert told(destination, f"{TURN} -WhatIf; Test-Path E:\\f.txt")[0].endswith("False")
    assert told(destination, f"[void]({TURN} -Force); Get-Content E:\\f.txt") == ("last", "")
    destination.tick()
    assert told(destination, "(Get-SRGroup).ReplicationStatus")[0] == "WaitingForDestination"
    assert "unavailable" in told(destination, "Get-SRGroup -ComputerName SRV05")[1]
    assert "unavailable" in told(destination, "Get-SRPartnership | Remove-SRPartnership -Force")[1]
    assert told(
        destination, "Get-SRPartnership | Remove-SRPartnership -Force -IgnoreRemovalFailure; Get-SRPartnership"
    ) == ("", "")


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (NEW.replace("SourceLogVolumeName l:", "SourceLogVolumeName e:"), "another disk"),
        (NEW.replace("DestinationVolumeName e:", "DestinationVolumeName q:"), "Unable to find the volume"),
        (NEW.replace("-DestinationComputerName SRV06", "-DestinationComputerName SRV99"), "unavailable"),
        (NEW.replace("1gb", "1mb"), "log size"),
        ("Get-SRGroup -Name nothing", "Unable to find replication group"),
        ("Remove-SRGroup -Name nothing -Force", "Unable to find replication group"),
        (TURN, "Unable to find"),
        ("New-SRGroup -Name x -VolumeName c: -LogVolumeName l: -LogSizeInBytes 1gb", "operating system"),
    ],
)
def test_refusals_leave_nothing_behind(servers, script, says):
    out, err = told(servers[0], script)
    assert says in err
    assert out == ""
    assert told(servers[0], "Get-SRGroup") == ("", "")
    assert told(servers[1], "Get-SRGroup") == ("", "")


def test_only_an_administrator_asks(servers):
    assert "Windows System Error 5,Get-SRGroup" in told(servers[0], "Get-SRGroup", elevated=False)[1]
