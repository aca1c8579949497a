"""dfo against real servers: the same story with BIND's named and with the embedded one."""

from __future__ import annotations

import json

import pytest

from tests.lab.dnsserver import KEY, Key, embedded, free_port, named, write_key, zone_texts
from tests.lab.names import MOVE, SOURCE, Dfo, soa_serial, zone

REVERSE = "0.0.10.in-addr.arpa."


@pytest.fixture(params=["embedded", "bind"])
def server(request, tmp_path, needs):
    if request.param == "bind":
        needs("bind")
    make = named if request.param == "bind" else embedded
    with make(zone_texts(), tmp_path / "dns") as served:
        yield served.at


@pytest.fixture
def dfo(server, tmp_path):
    return Dfo(tmp_path / "home", (server,), write_key(tmp_path / "key"))


V6 = ["--source-ip", "2001:db8::10", "--target-ip", "2001:db8::20"]
ALL = [*MOVE, *V6, "--target-name", "beta.lab.example"]


@pytest.mark.covers("DNS-01", "DNS-09")
def test_every_record_moves_and_comes_back_exactly(server, dfo):
    forward, reverse = zone(server), zone(server, REVERSE)
    done = dfo.run("failover", *ALL)
    assert done.returncode == 0, done.stderr
    moved = zone(server)
    assert moved["alpha.lab.example.", "A"] == (1200, ("10.0.0.20",))
    assert moved["alpha.lab.example.", "AAAA"] == (3600, ("2001:db8::20",))
    assert moved["files.lab.example.", "A"] == (600, ("10.0.0.20",))
    assert moved["lab.example.", "MX"][1] == ("10 beta.lab.example.", "20 beta.lab.example.")
    assert moved["www.lab.example.", "CNAME"][1] == ("beta.lab.example.",)
    assert moved["_ldap._tcp.lab.example.", "SRV"][1] == ("0 100 389 beta.lab.example.", "0 50 389 gamma.lab.example.")
    assert moved["gamma.lab.example.", "A"] == forward["gamma.lab.example.", "A"]
    pointers = zone(server, REVERSE)
    assert ("10.0.0.10.in-addr.arpa.", "PTR") not in pointers
    assert pointers["20.0.0.10.in-addr.arpa.", "PTR"][1] == (
        "alpha.lab.example.",
        "beta.lab.example.",
        "files.lab.example.",
    )
    back = dfo.run("failback", "--source-name", SOURCE)
    assert back.returncode == 0, back.stderr
    assert zone(server) == forward
    assert zone(server, REVERSE) == reverse


@pytest.mark.covers("DNS-08")
def test_running_twice_changes_nothing_more(server, dfo):
    dfo.run("failover", *ALL)
    first, serial = zone(server), soa_serial(server)
    again = dfo.facts("failover", *ALL)
    assert again["ok"]
    assert again["diff"] == []
    assert {outcome["state"] for outcome in again["outcomes"]} == {"already"}
    assert (zone(server), soa_serial(server)) == (first, serial)
    dfo.run("failback", "--source-name", SOURCE)
    restored, serial = zone(server), soa_serial(server)
    assert dfo.run("failback", "--source-name", SOURCE).returncode == 0
    assert (zone(server), soa_serial(server)) == (restored, serial)


def test_without_the_targets_name_aliases_follow(server, dfo):
    assert dfo.run("failover", *MOVE).returncode == 0
    moved = zone(server)
    assert moved["lab.example.", "MX"][1] == ("10 alpha.lab.example.", "20 beta.lab.example.")
    assert moved["alpha.lab.example.", "A"][1] == ("10.0.0.20",)


@pytest.mark.covers("DNS-05")
def test_source_addresses_map_to_their_targets(server, dfo):
    assert dfo.run("failover", *MOVE, *V6).returncode == 0
    moved = zone(server)
    assert moved["alpha.lab.example.", "A"][1] == ("10.0.0.20",)
    assert moved["alpha.lab.example.", "AAAA"][1] == ("2001:db8::20",)


@pytest.mark.covers("DNS-05")
@pytest.mark.parametrize(
    ("addresses", "says"),
    [
        (["10.0.0.10", "10.0.0.20", "10.0.0.11", "10.0.0.20"], "target address 10.0.0.20 is used more than once"),
        (["10.0.0.10", "2001:db8::20"], "10.0.0.10 and 2001:db8::20 are not of the same family"),
        (["10.0.0.10", "10.0.0.20", "10.0.0.20", "10.0.0.21"], "10.0.0.20 is both a source and a target"),
        (["10.0.0.10", "here"], "'here' is not an IP address"),
    ],
)
def test_addresses_that_cannot_be_mapped_are_refused(server, dfo, addresses, says):
    before = soa_serial(server)
    pairs = zip(addresses[::2], addresses[1::2], strict=True)
    words = [word for one, other in pairs for word in ("--source-ip", one, "--target-ip", other)]
    done = dfo.run("failover", "--source-name", SOURCE, *words)
    assert done.returncode == 44
    assert says in done.stderr
    assert soa_serial(server) == before


@pytest.mark.covers("DNS-03")
def test_the_ttl_is_lowered_while_protected_and_put_back(server, dfo):
    before = zone(server)
    assert dfo.run("ttl", "--source-name", SOURCE, "--source-ip", "10.0.0.10", "--ttl", "60").returncode == 0
    lowered = zone(server)
    assert lowered["alpha.lab.example.", "A"] == (60, ("10.0.0.10",))
    assert lowered["www.lab.example.", "CNAME"][0] == 60
    assert lowered["beta.lab.example.", "A"] == before["beta.lab.example.", "A"]
    assert dfo.run("failover", *MOVE).returncode == 0
    assert zone(server)["alpha.lab.example.", "A"] == (60, ("10.0.0.20",))
    assert dfo.run("failback", "--source-name", SOURCE).returncode == 0
    assert zone(server) == lowered
    assert dfo.run("ttl", "--source-name", SOURCE, "--restore").returncode == 0
    assert zone(server) == before


@pytest.mark.covers("DNS-03")
def test_a_ttl_can_be_given_with_the_failover(server, dfo):
    before = zone(server)
    assert dfo.run("failover", *MOVE, "--ttl", "30").returncode == 0
    assert zone(server)["alpha.lab.example.", "A"] == (30, ("10.0.0.20",))
    assert dfo.run("failback", "--source-name", SOURCE).returncode == 0
    assert zone(server) == before


@pytest.mark.covers("DNS-06")
def test_the_test_changes_nothing_and_proves_every_record(server, dfo):
    before, serials = zone(server), (soa_serial(server), soa_serial(server, REVERSE))
    for words in (["test", *ALL], ["failover", *ALL, "--test"]):
        document = dfo.facts(*words)
        assert document["ok"]
        proved = {(one["zone"], one["name"].lower(), one["type"]) for one in document["outcomes"]}
        assert ("lab.example.", "alpha.lab.example.", "A") in proved
        assert (REVERSE, "20.0.0.10.in-addr.arpa.", "PTR") in proved
        assert len(proved) == 8
    assert zone(server) == before
    assert (soa_serial(server), soa_serial(server, REVERSE)) == serials
    assert not list(dfo.home.glob("names/*.json"))


@pytest.mark.covers("DNS-06")
@pytest.mark.parametrize(
    ("key", "says"),
    [
        (Key("other-key", "hmac-sha256", KEY.secret), "BADKEY"),
        (Key("dtam-key", "hmac-sha256", "d3Jvbmctc2VjcmV0LXdyb25nLXNlY3JldC13cm9uZw=="), "BADSIG"),
    ],
    ids=["unknown", "wrong-secret"],
)
def test_a_wrong_key_is_named_and_nothing_is_changed(server, dfo, tmp_path, key, says):
    before = zone(server)
    dfo.key_file = write_key(tmp_path / "wrong", key)
    for words in (["test", *MOVE], ["failover", *MOVE]):
        done = dfo.run(*words)
        assert done.returncode == 41
        assert says in done.stderr
        assert f"{server} refused the key {key.name}" in done.stderr
    assert zone(server) == before


@pytest.mark.covers("DNS-06")
def test_a_missing_forward_zone_is_an_error_and_a_missing_reverse_zone_a_note(server, dfo):
    done = dfo.run(
        "test", "--source-name", "mail.elsewhere.example", "--source-ip", "172.16.0.1", "--target-ip", "172.16.0.2"
    )
    assert done.returncode == 42
    assert "no listed DNS server is authoritative for mail.elsewhere.example." in done.stderr
    fine = dfo.run("test", *MOVE, *V6)
    assert fine.returncode == 0
    assert "no reverse zone holds" in fine.stdout


def test_what_somebody_added_meanwhile_is_kept(server, dfo):
    dfo.run("failover", *MOVE)
    second = Dfo(dfo.home, dfo.servers, dfo.key_file)
    added = second.run(
        "failover", "--source-name", "gamma.lab.example", "--source-ip", "10.0.0.30", "--target-ip", "10.0.0.20"
    )
    assert added.returncode == 0
    back = dfo.run("failback", "--source-name", SOURCE)
    assert back.returncode == 0
    assert zone(server)["gamma.lab.example.", "A"][1] == ("10.0.0.20",)
    assert zone(server)["alpha.lab.example.", "A"] == (1200, ("10.0.0.10",))


@pytest.mark.covers("DNS-08")
def test_the_switches_of_old(server, dfo, tmp_path):
    log = tmp_path / "old.log"
    old = ["/srcname", SOURCE, "/srcip", "10.0.0.10"]
    listed = dfo.run(*old)
    assert "alpha.lab.example. 1200 A 10.0.0.10" in listed.stdout
    tested = dfo.run(*old, "/TARIP", "10.0.0.20", "/test")
    assert tested.returncode == 0, tested.stderr
    assert zone(server)["alpha.lab.example.", "A"][1] == ("10.0.0.10",)
    moved = dfo.run(*old, "-tarip", "10.0.0.20", "/ttl", "45", "/recordtype", "A", "/logfile", str(log), "/verbose")
    assert moved.returncode == 0, moved.stderr
    assert zone(server)["alpha.lab.example.", "A"] == (45, ("10.0.0.20",))
    assert ("10.0.0.10.in-addr.arpa.", "PTR") in zone(server, REVERSE)
    back = dfo.run(*old, "/tarip", "10.0.0.20", "/failback")
    assert back.returncode == 0, back.stderr
    assert zone(server)["alpha.lab.example.", "A"] == (1200, ("10.0.0.10",))
    text = log.read_text()
    assert "+ alpha.lab.example. 45 A 10.0.0.20" in text
    assert log.stat().st_mode & 0o077 == 0


@pytest.mark.covers("DNS-08")
def test_help_and_log(dfo, tmp_path):
    bare = Dfo(tmp_path, (), None)
    for word in ("--help", "/?", "/help"):
        shown = bare.run(word)
        assert "Examples:" in shown.stdout
        assert "Exit codes" in shown.stdout
    dfo.run("failover", *MOVE)
    log = (dfo.home / "log" / "dfo.log").read_text()
    assert "- alpha.lab.example. 1200 A 10.0.0.10" in log
    assert KEY.secret not in log


def test_a_password_is_refused_with_the_reason(dfo):
    done = dfo.run("/srcname", SOURCE, "/tarip", "10.0.0.20", "/password", "swordfish")
    assert done.returncode == 2
    assert "can be read by every user" in done.stderr
    assert "--key-file" in done.stderr
    assert "swordfish" not in done.stderr


def test_a_plan_is_shown_and_nothing_done(server, dfo):
    before = soa_serial(server)
    shown = dfo.run("failover", *MOVE, "--plan")
    assert shown.returncode == 0
    assert "+ alpha.lab.example. 1200 A 10.0.0.20" in shown.stdout
    assert soa_serial(server) == before
    assert not list(dfo.home.glob("names/*.json"))


def test_lock_says_who_may_write(server, dfo, tmp_path):
    closed = dfo.run("lock", "--source-name", SOURCE, "--source-ip", "10.0.0.10")
    assert closed.returncode == 0, closed.stderr
    open_door = dfo.run(
        "lock", "--source-name", SOURCE, "--source-ip", "10.0.0.10", "--source-key-file", str(dfo.key_file)
    )
    assert open_door.returncode == 39
    assert "the source could take its name back" in open_door.stderr
    foreign = write_key(tmp_path / "foreign", Key("alpha-key", "hmac-sha256", KEY.secret))
    shut = dfo.run("lock", "--source-name", SOURCE, "--source-ip", "10.0.0.10", "--source-key-file", str(foreign))
    assert shut.returncode == 0


def test_names_listed_where_no_transfer_is_allowed(tmp_path, needs):
    needs("bind")
    with named(zone_texts(), tmp_path / "dns", transfer="none;") as served:
        dfo = Dfo(tmp_path / "home", (served.at,), write_key(tmp_path / "key"))
        document = dfo.facts("failover", *MOVE, "--name", "files.lab.example")
        assert document["ok"]
        diff = "\n".join(document["diff"])
        assert "+ alpha.lab.example. 1200 A 10.0.0.20" in diff
        assert "+ files.lab.example. 600 A 10.0.0.20" in diff.lower().replace(" a ", " A ")
        assert any("does not transfer zone lab.example." in remark for remark in document["remarks"])


@pytest.mark.covers("DNS-06")
def test_the_record_that_would_fail_is_named(tmp_path, needs):
    needs("bind")
    policy = "grant dtam-key name alpha.lab.example. A; grant dtam-key zonesub PTR;"
    with named(zone_texts(), tmp_path / "dns", policy=policy) as served:
        dfo = Dfo(tmp_path / "home", (served.at,), write_key(tmp_path / "key"))
        before = soa_serial(served.at)
        document = dfo.facts("test", *MOVE)
        failed = [one for one in document["outcomes"] if one["state"] == "failed"]
        assert [(one["server"], one["zone"], one["name"].lower(), one["type"]) for one in failed] == [
            (str(served.at), "lab.example.", "files.lab.example.", "A")
        ]
        assert document["exit_code"] == 43
        assert soa_serial(served.at) == before
        part = dfo.facts("failover", *MOVE)
        assert part["exit_code"] == 48
        assert zone(served.at)["alpha.lab.example.", "A"][1] == ("10.0.0.20",)
        assert zone(served.at)["files.lab.example.", "A"][1] == ("10.0.0.10",)


def test_bad_key_files(server, dfo, tmp_path):
    loose = write_key(tmp_path / "loose")
    loose.chmod(0o644)
    for path, says in ((loose, "chmod 600"), (tmp_path / "absent", "No such file")):
        dfo.key_file = path
        done = dfo.run("failover", *MOVE)
        assert done.returncode == 45
        assert says in done.stderr


def test_a_json_key_file(server, dfo, tmp_path):
    path = tmp_path / "key.json"
    path.touch(0o600)
    path.write_text(json.dumps({"name": KEY.name, "algorithm": KEY.algorithm, "secret": KEY.secret}))
    dfo.key_file = path
    assert dfo.run("failover", *MOVE).returncode == 0


def test_a_single_label_domain_is_refused(dfo):
    for name in ("alpha", "alpha.lab"):
        done = dfo.run("failover", "--source-name", name, "--source-ip", "10.0.0.10", "--target-ip", "10.0.0.20")
        assert done.returncode == 46


@pytest.mark.covers("DNS-09")
def test_unsigned_only_when_chosen(tmp_path, needs):
    """A zone that takes anybody's updates: without a key nothing is sent until that is chosen."""
    needs("bind")
    with named(zone_texts(), tmp_path / "dns", update="any;", transfer="any;") as served:
        dfo = Dfo(tmp_path / "home", (served.at,), None)
        refused = dfo.run("failover", *MOVE)
        assert refused.returncode == 43
        assert "unsigned updates were not chosen" in refused.stderr
        open_door = dfo.run("lock", "--source-name", SOURCE, "--source-ip", "10.0.0.10")
        assert open_door.returncode == 39
        assert "anybody without a key" in open_door.stderr
        assert dfo.run("failover", *MOVE, "--unsigned").returncode == 0
        assert zone(served.at)["alpha.lab.example.", "A"][1] == ("10.0.0.20",)


def test_a_key_for_each_server(server, dfo, tmp_path):
    odd = tmp_path / "a=b"
    odd.mkdir()
    good, dfo.key_file = write_key(odd / "key"), None
    wrong = write_key(tmp_path / "wrong", Key("other-key", "hmac-sha256", KEY.secret))
    words = ["--key-file", str(wrong), "--key-file", f"{server}={good}"]
    assert dfo.run("failover", *MOVE, *words).returncode == 0


def test_asking_through_the_name(server, dfo):
    bare = Dfo(dfo.home, (server,), None)
    asked = ["ask", "--source-name", "ns1.lab.example"]
    served = bare.run(*asked, "--tcp-port", str(server.port), "--budget", "5")
    assert served.returncode == 0, served.stderr
    assert f"takes connections at 127.0.0.1:{server.port}" in served.stdout
    silent = bare.run(*asked, "--url", f"http://ns1.lab.example:{free_port()}/", "--budget", "1")
    assert silent.returncode == 36
    assert "clients of ns1.lab.example are not served after 1 s" in silent.stderr
