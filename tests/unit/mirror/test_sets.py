"""Replication sets: names and places."""

from __future__ import annotations

import pytest

from orchestrator.engine.mirror.errors import IllegalCharacter, SetConflict
from orchestrator.engine.mirror.names import ILLEGAL, check_set_name, check_target_location
from orchestrator.engine.mirror.placement import Placement, check_placement


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
