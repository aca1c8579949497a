"""Servers that are dead, behind, unwilling or changed under our hands: named, bounded in time, and mended by running again."""

from __future__ import annotations

import socket
import sys
import time
from contextlib import ExitStack, contextmanager

import dns.name
import dns.rdataset
import pytest

from demo.dnsserver import DnsServer, RunningServer
from demo.dnszone import ServedZone
from orchestrator.naming.values import NameServer
from tests.lab.dnsserver import KEY, Key, free_port, named, write_key, zone_texts
from tests.lab.names import MOVE, SOURCE, Dfo, zone


@contextmanager
def silent_server():
    """A server that takes everything and says nothing."""
    port = free_port("127.0.0.1")
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", port))
        tcp.listen(64)
        udp.bind(("127.0.0.1", port))
        yield NameServer("127.0.0.1", port)


def serve(stack, zones, address="127.0.0.1", keys=(KEY,), port=0):
    running = stack.enter_context(RunningServer(DnsServer(zones, keys), address, port))
    return NameServer(running.address, running.port)


def lab_zones():
    return [ServedZone.from_text(name, text) for name, text in zone_texts().items()]


@pytest.fixture
def key_file(tmp_path):
    return write_key(tmp_path / "key")


@pytest.mark.covers("DNS-08")
def test_a_dead_server_is_named_and_delays_by_its_timeout_only(tmp_path, key_file):
    with ExitStack() as stack:
        zones = lab_zones()
        alive = serve(stack, zones)
        dead = stack.enter_context(silent_server())
        dfo = Dfo(tmp_path / "home", (dead, alive), key_file, ["--timeout", "2"])
        alone = Dfo(tmp_path / "home", (alive,), key_file).facts("test", *MOVE)["seconds"]
        document = dfo.facts("failover", *MOVE)
        assert document["seconds"] < 2 * 2 + 10 * alone
        assert document["exit_code"] == 48
        failed = [one for one in document["outcomes"] if one["state"] == "failed"]
        assert [one["server"] for one in failed] == [str(dead)]
        assert "silence for 2 s" in failed[0]["says"]
        assert zone(alive)["alpha.lab.example.", "A"][1] == ("10.0.0.20",)


@pytest.mark.covers("DNS-08")
def test_a_server_that_was_dead_is_done_by_running_again(tmp_path, key_file):
    """Each server writes for itself; the second comes back with the old records."""
    with ExitStack() as stack:
        alive = serve(stack, lab_zones())
        with silent_server() as dead:
            dfo = Dfo(tmp_path / "home", (alive, dead), key_file, ["--timeout", "1", "--each-server"])
            assert dfo.run("failover", *MOVE).returncode == 48
        back = serve(stack, lab_zones(), port=dead.port)
        document = dfo.facts("failover", *MOVE)
        assert document["ok"]
        assert zone(back)["alpha.lab.example.", "A"][1] == ("10.0.0.20",)
        assert dfo.run("failback", "--source-name", SOURCE).returncode == 0
        assert zone(back)["alpha.lab.example.", "A"] == (1200, ("10.0.0.10",))
        assert zone(alive)["alpha.lab.example.", "A"] == (1200, ("10.0.0.10",))


@pytest.mark.covers("DNS-08")
def test_one_of_several_servers_refuses(tmp_path, key_file):
    """Independent servers: one does not know the key at first; what is done stays done."""
    with ExitStack() as stack:
        willing = serve(stack, lab_zones())
        unwilling = DnsServer(lab_zones(), (Key("else", "hmac-sha256", KEY.secret),))
        running = stack.enter_context(RunningServer(unwilling))
        other = NameServer(running.address, running.port)
        dfo = Dfo(tmp_path / "home", (willing, other), key_file, ["--each-server"])
        done = dfo.run("failover", *MOVE)
        assert done.returncode == 48
        assert f"{other} refused the key dtam-key (BADKEY" in done.stdout + done.stderr
        assert zone(willing)["alpha.lab.example.", "A"][1] == ("10.0.0.20",)
        unwilling._keyring[KEY.tsig().name] = KEY.tsig()
        assert dfo.run("failover", *MOVE).returncode == 0
        assert zone(other)["alpha.lab.example.", "A"][1] == ("10.0.0.20",)


@pytest.mark.covers("DNS-01", "DNS-08")
def test_a_server_that_does_not_follow_is_reported(tmp_path, key_file):
    """Two servers of one zone, of which the second never hears of changes: taken, but not shown everywhere."""
    with ExitStack() as stack:
        first = serve(stack, [ServedZone.from_text(n, t) for n, t in zone_texts("127.0.0.2").items()], "127.0.0.2")
        second = serve(stack, [ServedZone.from_text(n, t) for n, t in zone_texts("127.0.0.2").items()])
        dfo = Dfo(tmp_path / "home", (second, first), key_file, ["--wait", "0.5"])
        document = dfo.facts("failover", *MOVE)
        assert document["exit_code"] == 48
        behind = [one for one in document["outcomes"] if one["state"] == "failed"]
        assert {one["server"] for one in behind} == {str(second)}
        assert "--each-server" in behind[0]["hint"]
        assert zone(first)["alpha.lab.example.", "A"][1] == ("10.0.0.20",)


def test_a_record_changed_under_our_hands_is_left_and_then_done(tmp_path, key_file):
    zones = lab_zones()
    interfered = []

    def interfere(name: str, when: str) -> None:
        if when == "before" and name == "lab.example." and not interfered:
            interfered.append(True)
            with zones[0].content.writer() as txn:
                both = dns.rdataset.from_text("IN", "A", 1200, "10.0.0.10", "10.0.0.99")
                txn.replace(dns.name.from_text("alpha.lab.example."), both)

    with RunningServer(DnsServer(zones, (KEY,), interfere)) as running:
        server = NameServer(running.address, running.port)
        dfo = Dfo(tmp_path / "home", (server,), key_file)
        done = dfo.run("failover", *MOVE)
        assert done.returncode == 48
        assert "alpha.lab.example. A" in done.stderr
        assert "no longer what was read" in done.stderr
        assert zone(server)["alpha.lab.example.", "A"][1] == ("10.0.0.10", "10.0.0.99")
        assert zone(server)["files.lab.example.", "A"][1] == ("10.0.0.20",)
        assert dfo.run("failover", *MOVE).returncode == 0
        assert zone(server)["alpha.lab.example.", "A"][1] == ("10.0.0.20", "10.0.0.99")


def test_an_undo_that_cannot_be_written_stops_everything(tmp_path, key_file):
    with ExitStack() as stack:
        server = serve(stack, lab_zones())
        before = zone(server)
        (tmp_path / "file").write_text("")
        dfo = Dfo(tmp_path / "home", (server,), key_file)
        done = dfo.run("failover", *MOVE, "--undo-file", str(tmp_path / "file" / "undo.json"))
        assert done.returncode == 49
        assert zone(server) == before


def test_a_damaged_undo_is_refused(tmp_path, key_file):
    with ExitStack() as stack:
        server = serve(stack, lab_zones())
        dfo = Dfo(tmp_path / "home", (server,), key_file)
        assert dfo.run("failover", *MOVE).returncode == 0
        (undo,) = (tmp_path / "home" / "names").glob("*.json")
        undo.write_text(undo.read_text()[:100])
        done = dfo.run("failback", "--source-name", SOURCE)
        assert done.returncode == 49
        assert "damaged" in done.stderr


def test_another_move_of_the_same_source_is_refused(tmp_path, key_file):
    with ExitStack() as stack:
        dfo = Dfo(tmp_path / "home", (serve(stack, lab_zones()),), key_file)
        assert dfo.run("failover", *MOVE).returncode == 0
        other = dfo.run("failover", "--source-name", SOURCE, "--source-ip", "10.0.0.10", "--target-ip", "10.0.0.77")
        assert other.returncode == 49
        assert "10.0.0.10 -> 10.0.0.20" in other.stderr


def big_zones(ns1: str) -> dict[str, str]:
    """200 records of one source in 12 zones."""
    head = "$TTL 300\n@ IN SOA ns1.z0.example. admin.z0.example. 1 3600 600 86400 60\n@ IN NS ns1.z0.example.\n"
    zones = {}
    for number in range(11):
        name = f"z{number}.example."
        hosts = "".join(f"host{index} IN A 10.0.0.10\n" for index in range(17))
        zones[name] = head + (f"ns1 IN A {ns1}\n" if number == 0 else "") + hosts
    zones["z0.example."] += "alpha IN A 10.0.0.10\n"
    pointers = "".join(f"10 IN PTR host{index}.z0.example.\n" for index in range(12))
    zones["0.0.10.in-addr.arpa."] = head + pointers
    return zones


BIG = ["--source-name", "alpha.z0.example", "--source-ip", "10.0.0.10", "--target-ip", "10.0.0.20"]
BIG_ZONES = [word for number in range(11) for word in ("--zone", f"z{number}.example")]


@pytest.mark.covers("DNS-01", "DNS-09")
@pytest.mark.slow
def test_200_records_in_12_zones_on_3_servers_cost_little_more_than_a_few(tmp_path, key_file, needs):
    """BIND as primary and two BIND secondaries that must be seen to follow."""
    needs("bind")
    texts = big_zones("127.0.0.1")
    followers = tuple(NameServer("127.0.0.1", free_port()) for _ in range(2))
    with ExitStack() as stack:
        first = stack.enter_context(named(texts, tmp_path / "ns1", notify=followers)).at
        for one in followers:
            stack.enter_context(named(texts, tmp_path / str(one), port=one.port, primary=first))
        dfo = Dfo(tmp_path / "home", (first, *followers), key_file, ["--primary", str(first)])
        document = dfo.facts("failover", *BIG, *BIG_ZONES)
        assert document["ok"], [one for one in document["outcomes"] if one["state"] == "failed"][:3]
        changed = sum(line.lstrip().startswith("-") for line in document["diff"])
        assert changed == 200
        assert len({one["server"] for one in document["outcomes"]}) == 3
        back = dfo.facts("failback", "--source-name", "alpha.z0.example")
        assert back["ok"]
        few = dfo.facts("failover", *BIG, "--record-type", "PTR", "--undo-file", str(tmp_path / "few.json"))
        assert few["ok"]
        sys.stdout.write(f"200 records {document['seconds']} s, back {back['seconds']} s; twelve {few['seconds']} s\n")
        assert document["seconds"] < 50 * few["seconds"]


@pytest.mark.covers("DNS-09")
def test_a_bind_secondary_is_awaited_and_read_back(tmp_path, key_file, needs):
    needs("bind")
    follower = NameServer("127.0.0.1", free_port())
    with (
        named(zone_texts(), tmp_path / "ns1", notify=(follower,)) as first,
        named(zone_texts(), tmp_path / "ns2", port=follower.port, primary=first.at),
    ):
        dfo = Dfo(tmp_path / "home", (follower, first.at), key_file, ["--primary", str(first.at)])
        document = dfo.facts("failover", *MOVE)
        assert document["ok"]
        assert {one["server"] for one in document["outcomes"]} == {str(first.at), str(follower)}
        assert zone(follower)["alpha.lab.example.", "A"][1] == ("10.0.0.20",)


@pytest.mark.covers("DNS-06")
def test_a_clock_that_is_off_is_told_with_the_time_here(tmp_path, key_file, monkeypatch):
    import dns.message

    from orchestrator.naming.errors import KeyRefused
    from orchestrator.naming.exchange import Exchange
    from orchestrator.naming.request import Access

    with ExitStack() as stack:
        server = serve(stack, lab_zones())
        real = time.time
        stack.enter_context(_clock(monkeypatch, dns.message, lambda: real() + 600))
        with pytest.raises(KeyRefused) as refused:
            Exchange(Access((server,), (("", KEY),))).transfer(server, "lab.example.")
        assert "BADTIME" in str(refused.value)
        assert "the clock here says" in refused.value.hint


@contextmanager
def _clock(monkeypatch, module, now):
    """The signer's clock: the server in this process checks with its own copy of the true time."""

    class Clock:
        @staticmethod
        def time() -> float:
            import threading

            return now() if threading.current_thread() is threading.main_thread() else time.time()

    with monkeypatch.context() as patched:
        patched.setattr(module, "time", Clock)
        yield
