"""Storage Replica between two machines, over TCP."""

from __future__ import annotations

import pytest

from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.machine.replica_wire import Unreachable
from tests.lab.windows.machine.settings import GIB, VolumeSettings
from tests.unit.lab_windows.replicas import LOG, partner, two


@pytest.fixture
def pair(build):
    """A source and a destination that know of each other, with groups."""
    return two(build)


def test_the_destination_has_the_last_consistent_state_after_the_source_died(pair, build):
    a, b = pair
    here, there = partner(a, b)
    assert a.replica.status(here) == "InitialBlockCopy"
    a.files.open_path("E:\\f").write_text("one")
    a.tick()
    assert (a.replica.status(here), b.replica.status(there)) == ("ContinuouslyReplicating", "ContinuouslyReplicating")
    with pytest.raises(Refused, match="not ready"):
        b.files.locate("E:\\f")
    a.power_cut()
    build.clock.sleep(10)
    assert b.replica.status(there) == "ConnectingToSource"
    b.replica.switch(there)
    assert b.files.open_path("E:\\f").read_text() == "one"
    b.tick()
    assert b.replica.status(there) == "WaitingForDestination"


def test_a_source_that_comes_back_becomes_the_destination(pair, build):
    a, b = pair
    here, there = partner(a, b)
    a.tick()
    address = a.hooks.peers["A1"]
    a.power_cut()
    b.replica.switch(there)
    b.files.open_path("E:\\f").write_text("newer")
    a.boot()
    a.replica.listen(*address)
    assert here["role"] == "Secondary"
    build.clock.sleep(1)
    b.tick()
    a.replica.switch(here)
    assert a.files.open_path("E:\\f").read_text() == "newer"
    assert there["role"] == "Secondary"


def test_the_direction_is_not_switched_before_the_first_copy_is_whole(pair):
    a, b = pair
    _, there = partner(a, b)
    with pytest.raises(Refused, match="initial block copy"):
        b.replica.switch(there)


@pytest.mark.parametrize(
    ("volumes", "log", "size", "message"),
    [
        (["C:"], "L:", LOG, "operating system"),
        (["Q:"], "L:", LOG, "Unable to find"),
        (["E:"], "E:", LOG, "another disk"),
        (["E:"], "L:", 1 << 20, "log size"),
        (["M:"], "L:", LOG, "GPT"),
        (["F:"], "L:", LOG, "NTFS or ReFS"),
    ],
)
def test_volumes_that_cannot_be_replicated(build, volumes, log, size, message):
    more = (
        VolumeSettings("C"),
        VolumeSettings("E"),
        VolumeSettings("L"),
        VolumeSettings("M", style="MBR"),
        VolumeSettings("F", file_system="FAT32"),
    )
    machine = build("A1", features=("Storage-Replica",), volumes=more)
    with pytest.raises(Refused, match=message):
        machine.replica.create("rg", volumes, log, size)


@pytest.mark.parametrize(
    ("release", "edition", "size"), [("2016", "Standard", 64 * GIB), ("2022", "Standard", 3 << 40)]
)
def test_the_standard_edition_may_less(build, release, edition, size):
    volumes = (VolumeSettings("C"), VolumeSettings("E", size=size), VolumeSettings("L"))
    machine = build("A1", features=("Storage-Replica",), volumes=volumes, release=release, edition=edition)
    with pytest.raises(Refused, match="edition"):
        machine.replica.create("rg", ["E:"], "L:", LOG)


def test_nobody_answers_without_power(pair):
    a, b = pair
    b.power_cut()
    with pytest.raises(Unreachable):
        a.replica.ask("B1", {"op": "groups"})


def test_a_power_cut_while_the_volume_is_given_back_is_mended_at_the_next_boot(pair, build, monkeypatch):
    a, b = pair
    _, there = partner(a, b)
    a.files.open_path("E:\\f").write_text("one")
    a.tick()
    a.power_cut()

    def cut(_root, _place):
        message = "the power went"
        raise OSError(message)

    with monkeypatch.context() as broken:
        broken.setattr("tests.lab.windows.machine.replica_data.put_in_place", cut)
        with pytest.raises(OSError, match="power"):
            b.replica.switch(there)
    b.power_cut()
    b = build("B1", b.hooks)
    assert b.files.open_path("E:\\f").read_text() == "one"
    assert b.replica.get("rgB1")["role"] == "Primary"


def test_a_look_at_the_destination_changes_nothing_there(pair):
    a, b = pair
    here, there = partner(a, b)
    a.files.open_path("E:\\f").write_text("one")
    a.tick()
    look = b.files.open_path("C:\\Look")
    b.replica.mount(there, look)
    (look / "f").write_text("scribble")
    a.files.open_path("E:\\f").write_text("two")
    a.tick()
    b.replica.dismount(there)
    assert list(look.iterdir()) == []
    b.replica.switch(there)
    assert b.files.open_path("E:\\f").read_text() == "two"
    assert here["role"] == "Secondary"
