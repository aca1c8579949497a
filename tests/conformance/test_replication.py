"""The Replication port between engines: pairing, sets, capture, epochs. What every way keeps is in ``test_replication_ways``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.errors import DtamError
from orchestrator.model.ports import LinkStatus
from orchestrator.model.servers import Where
from tests.conformance.pairs import KINDS, RULES, HostPair, link_of, patiently, protected

SOURCE, TARGET = Where.SOURCE, Where.TARGET


@pytest.fixture(params=list(KINDS))
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostPair]:
    with KINDS[request.param](tmp_path_factory.mktemp("pair")) as made:
        yield made


def test_pairing_goes_both_ways_and_back(pair: HostPair) -> None:
    assert not pair.replication.paired()
    for _ in range(2):
        pair.replication.pair()
        assert pair.replication.paired()
    for _ in range(2):
        pair.replication.unpair()
        assert not pair.replication.paired()


def test_sets_are_kept_changed_and_forgotten(pair: HostPair) -> None:
    replication = pair.replication
    assert replication.replication_set(SOURCE, "files") is None
    other = [{"path": "tmp", "include": False, "recursive": True}, *RULES]
    for rules in (RULES, RULES, other):
        replication.put_replication_set(SOURCE, "files", pair.source_path, rules)
        held = replication.replication_set(SOURCE, "files")
        assert held is not None
        assert (held["root"], [dict(rule) for rule in held["rules"]]) == (pair.source_path, rules)
    for _ in range(2):
        replication.remove_replication_set(SOURCE, "files")
        assert replication.replication_set(SOURCE, "files") is None


def test_a_link_that_is_not_there(pair: HostPair) -> None:
    assert pair.replication.status(link_of(pair)) is None
    assert pair.replication.replica(link_of(pair)) is None
    pair.replication.disconnect(link_of(pair))
    pair.replication.uncapture(SOURCE, pair.source_path)


def status(pair: HostPair) -> LinkStatus:
    found = pair.replication.status(link_of(pair))
    assert found is not None
    return found


def test_data_comes_in_step_settles_and_stays_after_the_end(pair: HostPair) -> None:
    link = protected(pair)
    patiently(lambda: pair.replication.settle(link) is None, "settled")
    patiently(pair.read, "the target has what the source has")
    assert status(pair).epoch == 1
    for _ in range(2):
        pair.replication.disconnect(link)
        assert pair.replication.status(link) is None
    assert pair.read()


@pytest.mark.covers("AM-27")
def test_a_promoted_side_takes_nothing_more(pair: HostPair) -> None:
    link = protected(pair)
    pair.replication.promote(link, 2)
    replica = pair.replication.replica(link)
    assert replica is not None
    assert replica.promoted
    patiently(lambda: not status(pair).in_step, "the link knows that it is refused")
    pair.replication.disconnect(link)
    pair.replication.demote(link, 3, discard_changes=True)
    replica = pair.replication.replica(link)
    assert replica is None or not replica.promoted


@pytest.mark.covers("AM-27")
def test_an_older_epoch_is_refused(pair: HostPair) -> None:
    link = protected(pair)
    pair.replication.disconnect(link)
    pair.hosts[TARGET].put_protection(pair.document(TARGET, 5))
    try:
        pair.replication.connect(link_of(pair, 1))
    except DtamError:
        return
    patiently(lambda: status(pair).last_error, "it says why")
    assert not status(pair).in_step
