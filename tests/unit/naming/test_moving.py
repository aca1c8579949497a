"""Planning a move: zones in, changes out; the plan of a plan already made is empty."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.naming import moving
from orchestrator.naming.errors import AddressMapInvalid, NameInvalid
from orchestrator.naming.finding import ZoneContent
from orchestrator.naming.moving import plan_move, plan_ttl
from orchestrator.naming.request import Move, address_map, server_name
from orchestrator.naming.returning import plan_rest, plan_return, restored
from orchestrator.naming.undo import Undo
from orchestrator.naming.values import Change, ChangeSet, NameServer, RecordSet, same_set

NS = NameServer("10.0.0.5")
FORWARD, REVERSE = "lab.example.", "0.0.10.in-addr.arpa."
MOVE = Move("alpha.lab.example.", (("10.0.0.10", "10.0.0.20"),), "beta.lab.example.")


def rr(name, record_type, *data: str, ttl=3600, zone=FORWARD):
    return RecordSet(zone, name, record_type, ttl, tuple(sorted(data)))


def content(*records: RecordSet, zone=FORWARD, server=NS):
    return ZoneContent(server, zone, records)


def applied(contents, changes):
    """The zones after the changes."""
    after = []
    for one in contents:
        held = {(records.name.lower(), records.type): records for records in one.records}
        for change in changes:
            subject = change.subject
            if subject.zone == one.zone and change.server == one.server:
                held.pop((subject.name.lower(), subject.type), None)
                if change.after is not None:
                    held[subject.name.lower(), subject.type] = change.after
        after.append(ZoneContent(one.server, one.zone, tuple(held.values())))
    return tuple(after)


def test_an_address_set_moves_in_its_place():
    plan = plan_move([content(rr("alpha.lab.example.", "A", "10.0.0.10", "10.0.0.99"))], MOVE)
    (change,) = plan.changes
    assert change.after == rr("alpha.lab.example.", "A", "10.0.0.20", "10.0.0.99")
    assert "10.0.0.99, which is mapped to no target address" in plan.remarks[0]


def test_two_addresses_that_meet_fall_together():
    plan = plan_move([content(rr("both.lab.example.", "A", "10.0.0.10", "10.0.0.20"))], MOVE)
    assert plan.changes[0].after.data == ("10.0.0.20",)


def test_the_zones_name_servers_stay():
    zone = content(rr(FORWARD, "NS", "ns1.lab.example."), rr("ns1.lab.example.", "A", "10.0.0.10"))
    plan = plan_move([zone], MOVE)
    assert not plan.changes
    assert "is a name server of lab.example. and stays" in plan.remarks[0]


def test_a_targets_own_alias_to_the_source_does_not_become_a_loop():
    assert not plan_move([content(rr("beta.lab.example.", "CNAME", "alpha.lab.example."))], MOVE).changes


def test_pointers_move_beside_those_of_the_target():
    zone = content(
        rr("10.0.0.10.in-addr.arpa.", "PTR", "alpha.lab.example.", zone=REVERSE),
        rr("20.0.0.10.in-addr.arpa.", "PTR", "beta.lab.example.", ttl=60, zone=REVERSE),
        zone=REVERSE,
    )
    gone, there = plan_move([zone], MOVE).changes
    assert gone.after is None
    assert there.after == rr(
        "20.0.0.10.in-addr.arpa.", "PTR", "alpha.lab.example.", "beta.lab.example.", ttl=60, zone=REVERSE
    )


def test_a_zone_is_gone_through_once_however_many_names_it_has(monkeypatch):
    """A domain of 50,000 computers has as many names in its zones, and clients wait meanwhile."""
    forward = content(*(rr(f"h{one}.lab.example.", "A", f"10.1.0.{one}") for one in range(200)))
    back = content(*(rr(f"{one}.0.1.10.in-addr.arpa.", "PTR", f"h{one}.lab.example.") for one in range(200)))
    found, reversed_ = [], []
    look, turn = ZoneContent.find, moving.reverse_name
    monkeypatch.setattr(ZoneContent, "find", lambda *asked: found.append(asked) or look(*asked))
    monkeypatch.setattr(moving, "reverse_name", lambda address: reversed_.append(address) or turn(address))
    plan_move([forward, back], Move("h1.lab.example.", (("10.1.0.1", "10.2.0.1"), ("10.1.0.2", "10.2.0.2"))))
    assert len(found) + len(reversed_) < 40


def test_no_reverse_zone_for_the_target_is_a_remark():
    zone = content(rr("10.0.0.10.in-addr.arpa.", "PTR", "alpha.lab.example.", zone=REVERSE), zone=REVERSE)
    plan = plan_move([zone], Move("alpha.lab.example.", (("10.0.0.10", "192.168.7.1"),)))
    assert "gets no PTR record" in plan.remarks[0]
    assert [change.kind for change in plan.changes] == ["delete"]


def test_the_ttl_alone_is_changed_by_plan_ttl():
    zone = content(rr("alpha.lab.example.", "A", "10.0.0.10"), rr("gamma.lab.example.", "A", "10.0.0.30"))
    (change,) = plan_ttl([zone], MOVE, 60).changes
    assert (change.before.data, change.after.ttl_s) == (change.after.data, 60)


ADDRESSES = st.sampled_from(["10.0.0.10", "10.0.0.11", "10.0.0.20", "10.0.0.21", "10.0.0.30"])
HOSTS = st.sampled_from([f"{name}.lab.example." for name in ("alpha", "Beta", "gamma", "ns1", "www")])
RECORDS = st.one_of(
    st.builds(lambda n, d: rr(n, "A", *d), HOSTS, st.sets(ADDRESSES, min_size=1)),
    st.builds(lambda n, d: rr(n, "MX", *(f"10 {one}" for one in d)), HOSTS, st.sets(HOSTS, min_size=1)),
    st.builds(lambda n, d: rr(n, "CNAME", d), HOSTS, HOSTS),
    st.builds(
        lambda n, d: rr(f"{n}.0.0.10.in-addr.arpa.", "PTR", *d, zone=REVERSE),
        st.sampled_from(["10", "11", "20", "21"]),
        st.sets(HOSTS, min_size=1),
    ),
)
TWO = Move("alpha.lab.example.", (("10.0.0.10", "10.0.0.20"), ("10.0.0.11", "10.0.0.21")), "beta.lab.example.")


@st.composite
def zones(draw):
    unique = {(one.name.lower(), one.type): one for one in draw(st.lists(RECORDS, max_size=8))}
    by_zone = [tuple(one for one in unique.values() if one.zone == zone) for zone in (FORWARD, REVERSE)]
    return content(*by_zone[0]), content(*by_zone[1], zone=REVERSE)


def sets(contents):
    return {
        (one.name.lower(), one.type): (one.ttl_s, frozenset(map(str.lower, one.data)))
        for c in contents
        for one in c.records
    }


@given(zones())
def test_a_move_leads_everything_away_and_its_undo_puts_all_back(before):
    plan = plan_move(before, TWO)
    after = applied(before, plan.changes)
    assert not [one for c in after for one in c.records if one.type == "A" and "10.0.0.10" in one.data]
    assert not plan_move(after, TWO).changes
    undo = Undo("failover", TWO.source_name, TWO.addresses).merged(plan.changes)
    present = {change.key: change.after for change in undo.changes}
    back = applied(after, plan_return(undo, present).changes)
    assert sets(back) == sets(before)


@given(zones(), st.randoms(use_true_random=False))
def test_a_move_cut_short_anywhere_is_finished_or_put_back(before, random):
    plan = plan_move(before, TWO)
    undo = Undo("failover", TWO.source_name, TWO.addresses).merged(plan.changes)
    done = [change for change in plan.changes if random.random() < 0.5]
    middle = applied(before, done)
    held = {(c.server, one.name.lower(), one.type): one for c in middle for one in c.records}
    present = {
        change.key: held.get((change.server, change.subject.name.lower(), change.subject.type))
        for change in undo.changes
    }
    rest = plan_rest(undo, plan_move(middle, TWO), present)
    assert sets(applied(middle, rest.changes)) == sets(applied(before, plan.changes))
    assert sets(applied(middle, plan_return(undo, present).changes)) == sets(before)


def test_putting_back_keeps_what_others_added():
    change = Change(NS, rr("a.lab.example.", "A", "10.0.0.10"), rr("a.lab.example.", "A", "10.0.0.20"))
    now = rr("a.lab.example.", "A", "10.0.0.20", "10.0.0.77")
    assert same_set(restored(change, now), rr("a.lab.example.", "A", "10.0.0.10", "10.0.0.77"))


def test_a_change_set_reads_as_a_diff():
    change = Change(NS, rr("a.lab.example.", "A", "10.0.0.10", ttl=60), None)
    assert ChangeSet((change,)).diff() == "zone lab.example. on 10.0.0.5\n  - a.lab.example. 60 A 10.0.0.10"


@pytest.mark.parametrize("name", ["alpha", "alpha.lab", "al pha.lab.example", "-a.lab.example", "a..lab.example", ""])
def test_bad_names_are_refused(name):
    with pytest.raises(NameInvalid):
        server_name(name)


def test_addresses_pair_in_order():
    assert address_map(("10.0.0.1", "2001:DB8::1"), ("10.0.0.2", "2001:db8::2"))[1] == ("2001:db8::1", "2001:db8::2")
    with pytest.raises(AddressMapInvalid):
        address_map(("10.0.0.1",), ())


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("10.0.0.5", NameServer("10.0.0.5")),
        ("10.0.0.5:5353", NameServer("10.0.0.5", 5353)),
        ("2001:db8::5", NameServer("2001:db8::5")),
        ("[2001:db8::5]:5353", NameServer("2001:db8::5", 5353)),
    ],
)
def test_servers_are_read_and_written(text, server):
    assert NameServer.parse(text) == server
    assert NameServer.parse(str(server)) == server
