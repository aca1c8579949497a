"""Replication sets: names, generations, places."""

from __future__ import annotations

import msgspec
import pytest

from orchestrator.engine.mirror.errors import (
    IllegalCharacter,
    SetConflict,
    SetIsConnected,
    SetUnreadable,
    StaleGeneration,
)
from orchestrator.engine.mirror.names import ILLEGAL, check_set_name, check_target_location
from orchestrator.engine.mirror.replication_set import Placement, ReplicationSet, ReplicationSetStore, check_placement
from orchestrator.engine.mirror.rules import Rule


@pytest.fixture
def store(tmp_path):
    return ReplicationSetStore(tmp_path / "sets")


@pytest.mark.covers("ENG-RS-04")
@pytest.mark.parametrize("character", ILLEGAL)
def test_illegal_characters_are_refused_by_name(character):
    with pytest.raises(IllegalCharacter) as refused:
        check_set_name(f"a{character}b")
    assert repr(character) in str(refused.value)
    if character != "/":
        with pytest.raises(IllegalCharacter) as refused:
            check_target_location(f"/srv/a{character}b")
        assert repr(character) in str(refused.value)


def test_a_location_below_a_directory_with_a_period_is_accepted():
    assert check_target_location("/tmp/tmp.x1/replica") == "/tmp/tmp.x1/replica"


@pytest.mark.covers("ENG-RS-05")
def test_a_save_from_a_stale_generation_is_refused_and_nothing_is_overwritten(store):
    first, _ = store.save(ReplicationSet("set1", "/srv/files"))
    second, _ = store.save(msgspec.structs.replace(first, rules=(Rule("a"),)))
    assert (first.generation, second.generation) == (1, 2)
    with pytest.raises(StaleGeneration, match="generation 1, it is now 2"):
        store.save(msgspec.structs.replace(first, rules=(Rule("b"),)))
    assert store.load("set1") == second


@pytest.mark.covers("ENG-RS-01")
def test_renaming_a_saved_set_copies_it(store):
    saved, _ = store.save(ReplicationSet("set1", "/srv/files"))
    copied, _ = store.save(store.rename(saved, "set2"))
    assert store.names() == ["set1", "set2"]
    assert copied.rules == saved.rules
    assert copied.generation == 1
    unsaved = ReplicationSet("draft", "/srv/files")
    assert store.rename(unsaved, "other").name == "other"
    with pytest.raises(SetConflict, match="another set has it"):
        store.rename(copied, "set1")
    store.delete("set1")
    assert store.names() == ["set2"]


@pytest.mark.covers("ENG-RS-08")
def test_a_connected_set_warns_when_saved_and_cannot_be_deleted(tmp_path):
    store = ReplicationSetStore(tmp_path, connected=lambda name: "beta" if name == "set1" else "")
    saved, warning = store.save(ReplicationSet("set1", "/srv/files"))
    assert "difference mirror" in warning
    with pytest.raises(SetIsConnected, match="connected to beta"):
        store.delete("set1")
    assert store.load("set1") == saved
    assert store.save(ReplicationSet("set2", "/srv/files"))[1] == ""


def test_a_damaged_or_missing_file_is_named(store, tmp_path):
    with pytest.raises(SetUnreadable, match="no such set"):
        store.load("set1")
    (tmp_path / "sets/set1.json").write_text("{")
    with pytest.raises(SetUnreadable, match=r"set1\.json"):
        store.load("set1")


HELD = [Placement("set1", "/srv/files", "beta", "/replicas/files")]


@pytest.mark.covers("ENG-RS-06", "ENG-RS-09")
@pytest.mark.parametrize(
    ("wanted", "others", "why"),
    [
        (Placement("set2", "/srv/other", "beta", "/replicas/files"), HELD, "'set1' already goes to /replicas/files"),
        (Placement("set2", "/srv/other", "beta", "/replicas/files/below"), HELD, "already goes to"),
        (Placement("set2", "/srv/files/part", "gamma", "/r"), HELD, "already replicated by 'set1'"),
        (Placement("set2", "/srv/files", "alpha", "/srv/files/copy"), [], "inside its own data"),
        (Placement("set2", "/srv/files/x", "alpha", "/srv/files"), [], "inside its own data"),
        (Placement("set2", "/replica", "beta", "/r"), [Placement("set1", "/srv", "alpha", "/replica")], "loop"),
    ],
)
def test_places_that_cannot_work(wanted, others, why):
    with pytest.raises(SetConflict, match=why):
        check_placement(wanted, "alpha", others)


@pytest.mark.covers("ENG-RS-06")
def test_places_that_can_work():
    check_placement(Placement("set1", "/srv/files", "gamma", "/replicas/files"), "alpha", HELD)
    check_placement(Placement("set2", "/srv/files2", "beta", "/replicas/files2"), "alpha", HELD)
    check_placement(Placement("set3", "/srv/third", "alpha", "/srv/copy"), "alpha", HELD)
