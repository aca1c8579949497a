"""The NameService port over RFC 2136, as the executor uses it."""

from __future__ import annotations

import dns.update
import pytest

from orchestrator.model.names import NameMove
from orchestrator.model.outcomes import TryAgain
from orchestrator.naming.errors import KeyRefused, NameChangeIncomplete
from orchestrator.naming.exchange import Exchange
from orchestrator.naming.keys import Key
from orchestrator.naming.port import Rfc2136NameService
from orchestrator.naming.request import Access
from orchestrator.naming.values import NameServer
from tests.lab.dnsserver import KEY, embedded, free_port, named, zone_texts
from tests.lab.names import soa_serial, zone

MOVE = NameMove("alpha.lab.example", (("10.0.0.10", "10.0.0.20"),), ttl_s=30)


@pytest.fixture(params=["embedded", "bind"])
def server(request, tmp_path, needs):
    if request.param == "bind":
        needs("bind")
    make = named if request.param == "bind" else embedded
    with make(zone_texts(), tmp_path / "dns") as served:
        yield served.at


@pytest.fixture
def names(server):
    return Rfc2136NameService(Access((server,), (("", KEY),), timeout_s=2))


def test_planned_applied_and_put_back(server, names):
    before = zone(server)
    changes = names.plan(MOVE)
    assert "alpha.lab.example. 1200 A 10.0.0.10" in changes.before
    assert "alpha.lab.example. 30 A 10.0.0.20" in changes.after
    assert names.is_put_back(changes)
    assert not names.applied(changes)
    for _ in range(2):
        names.apply(changes)
        assert names.applied(changes)
    assert not names.plan(MOVE).changes
    assert zone(server)["alpha.lab.example.", "A"] == (30, ("10.0.0.20",))
    for _ in range(2):
        names.put_back(changes)
        assert names.is_put_back(changes)
    assert zone(server) == before


def test_records_that_others_changed_are_refused_by_name(server, names):
    changes = names.plan(MOVE)
    names.apply(changes)
    names.apply(names.plan(NameMove("alpha.lab.example", (("10.0.0.20", "10.0.0.77"),))))
    with pytest.raises(NameChangeIncomplete, match=r"alpha\.lab\.example\. A"):
        names.put_back(changes)


def test_what_is_in_no_directory_is_nobodys_to_lock(server, names):
    changes = names.plan(MOVE)
    assert changes.nodes == ()
    for deed in (names.lock, names.lock, names.unlock, names.unlock):
        deed(changes)
        assert names.is_locked(changes)
        assert names.is_unlocked(changes)
    assert names.is_put_back(changes)


@pytest.mark.covers("DNS-08")
def test_refreshed_records_stay_and_lost_ones_come_back(server, names):
    changes = names.plan(MOVE)
    names.apply(changes)
    moved, serial = zone(server), soa_serial(server)
    names.refresh(changes)
    assert (zone(server), soa_serial(server)) == (moved, serial)
    exchange, gone = Exchange(Access((server,), (("", KEY),))), next(c for c in changes.changes if c.after.type == "A")
    message = dns.update.UpdateMessage("lab.example.")
    message.delete(gone.after.name, "A")
    exchange.update(server, message)
    assert zone(server) != moved
    names.refresh(changes)
    assert zone(server) == moved
    foreign = dns.update.UpdateMessage("lab.example.")
    foreign.replace(gone.after.name, 60, "A", "10.0.0.99")
    exchange.update(server, foreign)
    names.refresh(changes)
    assert zone(server)[gone.after.name, "A"] == (60, ("10.0.0.99",))


@pytest.mark.covers("DNS-01")
def test_two_sources_that_share_a_target_come_home_in_any_order(server, names):
    """The target's reverse name is both sources' meanwhile; each takes away and brings back its own name only."""
    add(server, "lab.example.", "gamma.lab.example.", "A", "10.0.0.30")
    add(server, "0.0.10.in-addr.arpa.", "30.0.0.10.in-addr.arpa.", "PTR", "gamma.lab.example.")
    before = zone(server), names.resolve("gamma.lab.example")
    first = names.plan(MOVE)
    names.apply(first)
    second = names.plan(NameMove("gamma.lab.example", (("10.0.0.30", "10.0.0.20"),)))
    names.apply(second)
    assert names.applied(first)
    assert names.applied(second)
    names.put_back(first)
    assert names.is_put_back(first)
    assert names.applied(second)
    names.put_back(first)
    names.put_back(second)
    assert names.is_put_back(second)
    assert (zone(server), names.resolve("gamma.lab.example")) == before


def add(server, zone_name, name, kind, data):
    message = dns.update.UpdateMessage(zone_name)
    message.add(name, 1200, kind, data)
    Exchange(Access((server,), (("", KEY),))).update(server, message)


def test_records_and_resolving(server, names):
    assert {one.type for one in names.records(MOVE)} == {"A", "PTR"}
    assert names.resolve("alpha.lab.example") == ((str(server), ("10.0.0.10", "2001:db8::10")),)
    assert names.resolve("nobody.lab.example") == ((str(server), ()),)


def test_a_test_finds_nothing_and_changes_nothing(server, names):
    serial = soa_serial(server)
    assert names.test("alpha.lab.example") == ()
    assert names.test("new.lab.example") == ()
    assert soa_serial(server) == serial


def test_problems_have_kinds(server):
    wrong = Rfc2136NameService(Access((server,), (("", Key("other", "hmac-sha256", KEY.secret)),)))
    assert [kind for kind, _ in wrong.test("alpha.lab.example")] == ["key-refused"]
    with pytest.raises(KeyRefused):
        wrong.plan(MOVE)
    good = Rfc2136NameService(Access((server,), (("", KEY),)))
    assert [kind for kind, _ in good.test("www.elsewhere.example")] == ["zone-missing"]
    unsigned = Rfc2136NameService(Access((server,)))
    assert [kind for kind, _ in unsigned.test("alpha.lab.example")] == ["other"]


def test_a_dead_server_among_several_holds_nothing_up(server):
    dead = NameServer("127.0.0.1", free_port())
    names = Rfc2136NameService(Access((server, dead), (("", KEY),), timeout_s=0.5))
    changes = names.plan(MOVE)
    names.apply(changes)
    assert names.applied(changes)
    assert "unreachable" in [kind for kind, _ in names.test("alpha.lab.example")]


def test_no_server_at_all_may_come_right_by_waiting(server):
    dead = Rfc2136NameService(Access((NameServer("127.0.0.1", free_port()),), (("", KEY),), timeout_s=0.5))
    with pytest.raises(TryAgain):
        dead.plan(MOVE)
