"""The embedded DNS server answers as BIND does: the same requests, the same codes, the same zone afterwards."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdataset
import dns.tsig
import dns.update
import dns.xfr
import dns.zone
import pytest

from orchestrator.naming.keys import Key
from tests.lab.dnsserver import KEY, embedded, named, zone_texts

ZONE = "lab.example."


@pytest.fixture(params=["embedded", "bind"])
def server(request, tmp_path, needs):
    if request.param == "bind":
        needs("bind")
    make = named if request.param == "bind" else embedded
    with make(zone_texts(), tmp_path / "dns") as served:
        yield served.at


def ask(server, name, record_type, **how: object):
    return dns.query.udp(dns.message.make_query(name, record_type, **how), server.address, 5, server.port)


def send(server, message, key=KEY):
    if key is not None:
        message.use_tsig(key.tsig())
    return dns.query.tcp(message, server.address, 5, server.port)


def texts(answer):
    return sorted(f"{rr.name} {rr.ttl} {rr.rdtype.name} {item}" for rr in answer.answer for item in rr)


def serial(server, zone=ZONE):
    return ask(server, zone, "SOA").answer[0][0].serial


def update(zone=ZONE):
    return dns.update.UpdateMessage(zone)


def records(record_type, ttl, *data: str):
    return dns.rdataset.from_text_list("IN", record_type, ttl, list(data))


def test_answers_with_authority(server):
    answer = ask(server, "alpha.lab.example.", "A")
    assert answer.flags & dns.flags.AA
    assert texts(answer) == ["alpha.lab.example. 1200 A 10.0.0.10"]


def test_case_of_the_question_does_not_matter(server):
    assert [item.address for rr in ask(server, "ALPHA.LAB.example.", "A").answer for item in rr] == ["10.0.0.10"]


def test_follows_an_alias_within_the_zone(server):
    answer = ask(server, "www.lab.example.", "A")
    assert [rr.rdtype.name for rr in answer.answer] == ["CNAME", "A"]


def test_a_missing_name_is_denied_with_the_soa(server):
    answer = ask(server, "nobody.lab.example.", "A")
    assert answer.rcode() == dns.rcode.NXDOMAIN
    assert answer.authority[0].rdtype.name == "SOA"


def test_a_missing_type_is_no_error(server):
    answer = ask(server, "beta.lab.example.", "MX")
    assert answer.rcode() == dns.rcode.NOERROR
    assert not answer.answer
    assert answer.authority[0].name == dns.name.from_text(ZONE)


def test_an_empty_non_terminal_exists(server):
    assert ask(server, "_tcp.lab.example.", "A").rcode() == dns.rcode.NOERROR


def test_foreign_zones_are_refused(server):
    assert ask(server, "www.elsewhere.example.", "A").rcode() == dns.rcode.REFUSED


def test_an_update_is_shown_and_raises_the_serial(server):
    before = serial(server)
    message = update()
    message.add("new.lab.example.", records("A", 30, "10.0.0.77"))
    answer = send(server, message)
    assert answer.rcode() == dns.rcode.NOERROR
    assert answer.had_tsig
    assert texts(ask(server, "new.lab.example.", "A")) == ["new.lab.example. 30 A 10.0.0.77"]
    assert serial(server) == before + 1


def test_unsigned_updates_are_refused(server):
    message = update()
    message.add("new.lab.example.", records("A", 30, "10.0.0.77"))
    assert send(server, message, None).rcode() == dns.rcode.REFUSED
    assert ask(server, "new.lab.example.", "A").rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (Key("other-key", "hmac-sha256", KEY.secret), dns.tsig.PeerBadKey),
        (Key("dtam-key", "hmac-sha256", "d3Jvbmctc2VjcmV0LXdyb25nLXNlY3JldC13cm9uZw=="), dns.tsig.PeerBadSignature),
        (Key("dtam-key", "hmac-sha512", KEY.secret), dns.tsig.PeerBadKey),
    ],
    ids=["unknown-key", "wrong-secret", "wrong-algorithm"],
)
def test_wrong_keys(server, key, error):
    message = update()
    message.add("new.lab.example.", records("A", 30, "10.0.0.77"))
    with pytest.raises(error):
        send(server, message, key)
    assert ask(server, "new.lab.example.", "A").rcode() == dns.rcode.NXDOMAIN


def test_a_clock_that_is_off(server, monkeypatch):
    message = update()
    message.add("new.lab.example.", records("A", 30, "10.0.0.77"))
    message.use_tsig(KEY.tsig())
    real = dns.message.time.time
    monkeypatch.setattr(dns.message.time, "time", lambda: real() - 3600)
    wire = message.to_wire()
    monkeypatch.undo()
    answer = _exchange_raw(server, wire)
    parsed = dns.message.from_wire(answer, keyring=False)
    assert parsed.rcode() == dns.rcode.NOTAUTH
    assert parsed.tsig[0].error == dns.rcode.BADTIME


def _exchange_raw(server, wire):
    import socket
    import struct

    with socket.create_connection((server.address, server.port), 5) as sock:
        sock.sendall(struct.pack("!H", len(wire)) + wire)
        length = struct.unpack("!H", sock.recv(2, socket.MSG_WAITALL))[0]
        return sock.recv(length, socket.MSG_WAITALL)


def test_not_authoritative(server):
    message = update("elsewhere.example.")
    message.add("new.elsewhere.example.", records("A", 30, "10.0.0.77"))
    assert send(server, message).rcode() == dns.rcode.NOTAUTH


def test_a_name_outside_the_zone(server):
    message = update()
    message.add(dns.name.from_text("new.elsewhere.example."), records("A", 30, "10.0.0.77"))
    assert send(server, message).rcode() == dns.rcode.NOTZONE


@pytest.mark.parametrize(
    ("require", "code"),
    [
        (lambda m: m.present("alpha.lab.example.", records("A", 0, "10.0.0.10")), "NOERROR"),
        (lambda m: m.present("alpha.lab.example.", records("A", 0, "10.0.0.11")), "NXRRSET"),
        (lambda m: m.present("alpha.lab.example.", records("A", 0, "10.0.0.10", "10.0.0.11")), "NXRRSET"),
        (lambda m: m.present("lab.example.", records("MX", 0, "10 alpha.lab.example.")), "NXRRSET"),
        (
            lambda m: m.present("lab.example.", records("MX", 0, "20 beta.lab.example.", "10 ALPHA.lab.example.")),
            "NOERROR",
        ),
        (lambda m: m.present("alpha.lab.example.", "MX"), "NXRRSET"),
        (lambda m: m.present("alpha.lab.example.", "A"), "NOERROR"),
        (lambda m: m.present("nobody.lab.example."), "NXDOMAIN"),
        (lambda m: m.present("alpha.lab.example."), "NOERROR"),
        (lambda m: m.absent("alpha.lab.example."), "YXDOMAIN"),
        (lambda m: m.absent("alpha.lab.example.", "A"), "YXRRSET"),
        (lambda m: m.absent("alpha.lab.example.", "MX"), "NOERROR"),
        (lambda m: m.absent("nobody.lab.example."), "NOERROR"),
    ],
)
def test_prerequisites(server, require, code):
    message = update()
    require(message)
    message.add("new.lab.example.", records("A", 30, "10.0.0.77"))
    assert dns.rcode.to_text(send(server, message).rcode()) == code
    shown = ask(server, "new.lab.example.", "A").rcode() == dns.rcode.NOERROR
    assert shown is (code == "NOERROR")


def test_replacing_a_set_changes_its_ttl_at_once(server):
    message = update()
    message.delete("alpha.lab.example.", "A")
    message.add("alpha.lab.example.", records("A", 60, "10.0.0.20", "10.0.0.21"))
    assert send(server, message).rcode() == dns.rcode.NOERROR
    assert texts(ask(server, "alpha.lab.example.", "A")) == [
        "alpha.lab.example. 60 A 10.0.0.20",
        "alpha.lab.example. 60 A 10.0.0.21",
    ]


def test_adding_to_a_set_gives_all_of_it_the_new_ttl(server):
    message = update()
    message.add("alpha.lab.example.", records("A", 60, "10.0.0.21"))
    send(server, message)
    assert {rr.ttl for rr in ask(server, "alpha.lab.example.", "A").answer} == {60}


def test_deleting_what_is_not_there_changes_nothing(server):
    before = serial(server)
    message = update()
    message.present("alpha.lab.example.", records("A", 0, "10.0.0.10"))
    message.delete("alpha.lab.example.", records("A", 0, "192.0.2.254"))
    assert send(server, message).rcode() == dns.rcode.NOERROR
    assert serial(server) == before


def test_an_alias_beside_other_records_is_ignored(server):
    message = update()
    message.add("alpha.lab.example.", records("CNAME", 60, "beta.lab.example."))
    assert send(server, message).rcode() == dns.rcode.NOERROR
    assert texts(ask(server, "alpha.lab.example.", "A")) == ["alpha.lab.example. 1200 A 10.0.0.10"]


def test_a_record_beside_an_alias_is_ignored(server):
    message = update()
    message.add("www.lab.example.", records("A", 60, "10.0.0.9"))
    assert send(server, message).rcode() == dns.rcode.NOERROR
    assert texts(ask(server, "www.lab.example.", "CNAME")) == ["www.lab.example. 3600 CNAME Alpha.lab.example."]


def test_an_alias_replaces_an_alias(server):
    message = update()
    message.add("www.lab.example.", records("CNAME", 60, "beta.lab.example."))
    send(server, message)
    assert texts(ask(server, "www.lab.example.", "CNAME")) == ["www.lab.example. 60 CNAME beta.lab.example."]


def test_the_apex_keeps_its_soa_and_name_server(server):
    message = update()
    message.delete(ZONE)
    message.delete(ZONE, records("NS", 0, "ns1.lab.example."))
    assert send(server, message).rcode() == dns.rcode.NOERROR
    assert ask(server, ZONE, "NS").answer
    assert ask(server, ZONE, "SOA").answer
    assert not ask(server, ZONE, "MX").answer


def transfer(server, key):
    zone = dns.zone.Zone(dns.name.from_text(ZONE), relativize=False)
    query, _ = dns.xfr.make_query(zone)
    if key is not None:
        query.use_tsig(key.tsig())
    dns.query.inbound_xfr(server.address, zone, query, port=server.port, timeout=5)
    return zone


def test_a_signed_transfer_gives_the_whole_zone(server):
    zone = transfer(server, KEY)
    assert zone.get_rdataset("alpha.lab.example.", "A")[0].address == "10.0.0.10"
    assert len(zone.nodes) == 8


def test_a_long_transfer_in_several_messages(server):
    message = update()
    for number in range(900):
        message.add(f"host{number}.lab.example.", records("A", 30, f"10.1.{number // 250}.{number % 250}"))
    assert send(server, message).rcode() == dns.rcode.NOERROR
    assert len(transfer(server, KEY).nodes) == 908


def test_an_unsigned_transfer_is_refused(server):
    with pytest.raises(dns.xfr.TransferError) as refused:
        transfer(server, None)
    assert refused.value.rcode == dns.rcode.REFUSED


def test_an_answer_too_long_for_udp_is_cut(server):
    message = update()
    message.add("many.lab.example.", records("A", 30, *[f"10.2.0.{number}" for number in range(1, 96)]))
    send(server, message)
    assert ask(server, "many.lab.example.", "A").flags & dns.flags.TC
    query = dns.message.make_query("many.lab.example.", "A")
    assert len(dns.query.tcp(query, server.address, 5, server.port).answer[0]) == 95
