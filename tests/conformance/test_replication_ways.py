"""The Replication port: what each way to keep data in step must keep, as far as it says it can. One capability, one group of tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orchestrator.errors import DtamError
from orchestrator.model.capabilities import WORDS
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.servers import Where
from orchestrator.replication.errors import NotOffered
from tests.conformance.pairs import patiently
from tests.conformance.ways import WAYS, Way, offering

SOURCE, TARGET = Where.SOURCE, Where.TARGET


@pytest.fixture
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    make, _ = WAYS[request.param]
    with make(tmp_path_factory.mktemp("way")) as made:  # type: ignore[attr-defined]
        yield made


def ways(*capabilities: str) -> Callable[[Any], Any]:
    """Run with every way that offers all of these."""
    return pytest.mark.parametrize("way", offering(*capabilities), indirect=True)


LOSING = [one for one in offering("promote") if not one.startswith("native")]


def in_step(way: Way) -> bool:
    status = way.replication.status(way.out)
    return status is not None and status.in_step


def begun(way: Way) -> Way:
    way.begin()
    patiently(lambda: in_step(way), "in step")
    return way


@pytest.mark.covers("AM-38")
@pytest.mark.parametrize(("way", "able"), [(name, able) for name, (_, able) in WAYS.items()], indirect=["way"])
def test_it_can_what_it_says(way: Way, able: frozenset[str]) -> None:
    assert way.replication.capabilities == able
    assert able <= set(WORDS)


@pytest.mark.covers("AM-38")
@pytest.mark.parametrize("way", offering(quick=False), indirect=True)
def test_what_it_does_not_offer_is_refused_in_words(way: Way) -> None:
    asked: dict[str, Callable[[], object]] = {
        "pairing": way.replication.pair,
        "capture": lambda: way.replication.capture(SOURCE, way.out.source_path, {}),
        "sets": lambda: way.replication.put_replication_set(SOURCE, "files", way.out.source_path, []),
        "connect": lambda: way.replication.connect(way.out),
        "pause": lambda: way.replication.pause(way.out),
        "reverse": lambda: way.replication.reverse(way.out, 1),
    }
    for capability in asked.keys() - way.replication.capabilities:
        with pytest.raises(DtamError) as refused:
            asked[capability]()
        if isinstance(refused.value, NotOffered):
            assert WORDS[capability].removeprefix("a ") in str(refused.value)
            assert refused.value.hint


@ways("connect")
def test_a_link_that_is_not_there(way: Way) -> None:
    assert way.replication.status(way.out) is None
    assert way.replication.replica(way.out) is None
    way.replication.disconnect(way.out)
    way.replication.uncapture(SOURCE, way.out.source_path)


@ways()
def test_it_comes_in_step_settles_and_has_the_data(way: Way) -> None:
    begun(way)
    patiently(lambda: way.replication.settle(way.out) is None, "settled")
    patiently(way.same, "the target has what the source has")


@ways("connect")
def test_connecting_and_ending_again_is_harmless(way: Way) -> None:
    begun(way)
    if "sets" not in way.replication.capabilities:
        way.replication.connect(way.out)
        assert in_step(way)
    for _ in range(2):
        way.replication.disconnect(way.out)
        assert way.replication.status(way.out) is None
    assert way.same()


@ways("age")
def test_the_age_of_what_the_target_holds_is_told(way: Way) -> None:
    begun(way)
    status = way.replication.status(way.out)
    assert status is not None
    assert status.age_s is not None
    assert status.age_s >= 0


@pytest.mark.covers("AM-38")
@pytest.mark.parametrize("way", LOSING, indirect=True)
def test_the_target_lives_on_its_own_when_the_source_is_gone(way: Way) -> None:
    begun(way)
    way.lose(SOURCE)
    for _ in range(2):
        way.replication.promote(way.out, 2)
        replica = way.replication.replica(way.out)
        assert replica is not None
        assert replica.promoted
    way.write(TARGET)
    assert not way.same()


@pytest.mark.parametrize("way", [one for one in LOSING if "connect" in WAYS[one][1]], indirect=True)
def test_a_half_copy_is_not_brought_up(way: Way) -> None:
    way.begin()
    way.lose(SOURCE)
    with pytest.raises(DtamError, match="first copy"):
        way.replication.promote(way.out, 2)
    with pytest.raises(AssertionError, match="down"):
        way.write(TARGET)


@pytest.mark.parametrize("way", offering("reverse", "promote"), indirect=True)
def test_what_was_written_meanwhile_comes_back_and_the_direction_turns(way: Way) -> None:
    begun(way)
    way.lose(SOURCE)
    way.replication.promote(way.out, 2)
    way.write(TARGET)
    way.find(SOURCE)
    if "connect" in way.replication.capabilities:
        for _ in range(2):
            way.replication.connect(way.back)
    else:
        way.replication.reverse(way.back, 2)
    patiently(lambda: way.replication.settle(way.back) is None, "the way back has settled")
    assert way.same()
    patiently(lambda: way.replication.reverse(way.out, 3) is None, "turned")
    patiently(lambda: in_step(way), "in step as before")
    replica = way.replication.replica(way.out)
    assert replica is not None
    assert not replica.promoted
    way.write(SOURCE)
    patiently(lambda: way.replication.settle(way.out) is None, "settled")
    patiently(way.same, "the target follows again")


@ways("pause")
def test_a_pause_holds_back_and_is_no_end(way: Way) -> None:
    begun(way)
    way.replication.pause(way.out)
    assert not in_step(way)
    with pytest.raises((DtamError, TryAgain)):
        way.replication.settle(way.out)
    way.replication.resume(way.out)
    patiently(lambda: in_step(way), "in step again")
