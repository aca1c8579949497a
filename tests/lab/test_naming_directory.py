"""dfo in a real domain: records move with signed updates, the source is locked out, and all comes back, age and rights included."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import replace

import pytest

from orchestrator.directory.port import DirectoryAccess, Replace
from orchestrator.model.names import NameMove
from orchestrator.model.outcomes import TryAgain
from orchestrator.naming.adzones import AdZones
from orchestrator.naming.dnsp import write_record
from orchestrator.naming.port import Rfc2136NameService
from orchestrator.naming.request import Access
from orchestrator.naming.values import NameServer
from tests.lab.clock import clock_off
from tests.lab.domain import Lab
from tests.lab.waiting import until

SOURCE, FORWARD, REVERSE = "alpha.lab.example", "lab.example.", "0.53.10.in-addr.arpa."
DC1 = "10.53.0.2"
MOVE = ["--source-name", SOURCE, "--source-ip", "10.53.0.10", "--target-ip", "10.53.0.20"]
WATCHED = (
    (FORWARD, f"{SOURCE}."),
    (FORWARD, "www.lab.example."),
    (REVERSE, f"10.{REVERSE}"),
    (REVERSE, f"20.{REVERSE}"),
)


def admin(lab):
    return DirectoryAccess(
        lab.domain, (DC1,), principal="Administrator", password_file=lab.admin_password_file, dns_servers=(DC1,)
    )


def kept(access, places):
    """What the directory keeps of names: records byte for byte without their serial, and who may do what."""
    with AdZones.open(access) as zones:
        found = {}
        for zone_name, name in places:
            node = zones.node(zones.zones[zone_name], name)
            live = [] if node is None else [record for _, record, _ in node.live()]
            security = zones.directory.security(node.dn) if live else None
            found[name] = (sorted(write_record(replace(one, serial=0)) for one in live), security)
        return found


def stamp(access, zone_name, name, stamp_h):
    """Give a name's records this age."""
    with AdZones.open(access) as zones:
        node = zones.node(zones.zones[zone_name], name)
        values = tuple(write_record(record.stamped(stamp_h)) for _, record, _ in node.live())
        zones.directory.change(node.dn, (Replace("dnsRecord", values),))


class Names:
    """dfo on beta, as the failover scripts run it, and the source's own registration."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.beta = lab.host("beta")
        self.way = ["--principal", "Administrator", "--password-file", str(lab.admin_password_file)]

    def run(self, deed, *words: str, way=None, env=None, servers=(DC1,)):
        reach = ["--kerberos", *(self.way if way is None else way), "--wait", "60", "--timeout", "20"]
        listed = [word for server in servers for word in ("--server", server)]
        env = {"DTAM_HOME": "/run/dfo", **(env or {})}
        return self.beta.run(["dfo", deed, *words, *listed, *reach], env=env, check=False)

    def facts(self, deed, *words: str, **more: object):
        done = self.run(deed, *words, "--json", **more)
        document = json.loads(done.stdout)
        assert done.returncode == document.get("exit_code", done.returncode), done.stderr
        return document

    def kept(self):
        return self.beta.call(kept, admin(self.lab), WATCHED)

    def shown(self, name=SOURCE):
        return self.beta.run(["dig", "+short", f"@{DC1}", name]).stdout.split()

    def registers(self):
        """Whether alpha may write its own record, with its own account."""
        alpha, cache = self.lab.host("alpha"), {"KRB5CCNAME": "FILE:/run/alpha.own"}
        alpha.run(["kinit", "-k", "ALPHA$"], env=cache)
        return self._sent(alpha, cache, f"update delete {SOURCE} A", f"update add {SOURCE} 3600 A 10.53.0.10")

    def updates(self, line):
        """What an administrator changes by hand."""
        assert self._sent(self.beta, self.lab.ticket("beta", "Administrator"), line)

    def _sent(self, host, cache, *lines: str):
        """Whether a signed update was taken; Samba's signature on the answer is not understood by nsupdate."""
        words = "\n".join(("server dc1.lab.example", "zone lab.example", *lines, "send", ""))
        said = host.run(["nsupdate", "-g"], input=words, env=cache, check=False).stderr
        assert "SERVFAIL" in said or "update failed" not in said, said
        return "SERVFAIL" not in said


@pytest.fixture
def names(lab):
    ours = Names(lab)
    samba_tool(lab, "add", "www", "CNAME", f"{SOURCE}.")
    yield ours
    ours.run("failback", "--source-name", SOURCE)
    ours.beta.run(["rm", "-rf", "/run/dfo"])
    samba_tool(lab, "delete", "www", "CNAME", f"{SOURCE}.", check=False)


def samba_tool(lab, deed, name, kind, data, *, check=True, zone="lab.example"):
    words = ["samba-tool", "dns", deed, "dc1.lab.example", zone, name, kind, data, "-U", "Administrator"]
    lab.host("dc1").run(words, input=lab.admin_password + "\n", check=check)


@pytest.mark.covers("DNS-01", "DNS-02", "DNS-04")
def test_there_locked_and_back_with_age_owner_and_access_list(names):
    names.beta.call(stamp, admin(names.lab), FORWARD, f"{SOURCE}.", 3_700_000)
    names.beta.call(stamp, admin(names.lab), REVERSE, f"10.{REVERSE}", 0)
    before = names.kept()
    listed = names.facts("list", "--source-name", SOURCE)["outcomes"]
    assert sorted(one["type"] for one in listed) == ["A", "CNAME", "PTR"]
    done = names.facts("failover", *MOVE, "--target-name", "beta.lab.example")
    assert done["ok"], done
    assert names.shown() == ["10.53.0.20"]
    assert names.shown("www.lab.example")[0] == "beta.lab.example."
    assert names.beta.run(["dig", "+short", f"@{DC1}", "-x", "10.53.0.10"]).stdout == ""
    assert not names.registers()
    assert names.shown() == ["10.53.0.20"]
    moved = names.kept()[f"{SOURCE}."]
    assert moved[1].owner != before[f"{SOURCE}."][1].owner
    again = names.facts("failover", *MOVE, "--target-name", "beta.lab.example")
    assert again["ok"]
    assert again["diff"] == []
    back = names.facts("failback", "--source-name", SOURCE)
    assert back["ok"], back
    assert names.kept() == before
    assert names.registers()


@pytest.mark.covers("DNS-02", "DNS-04")
def test_locking_alone_and_a_key_from_a_keytab(names):
    before = names.kept()
    dc1, keytab = names.lab.host("dc1"), names.lab.keytab("operator")
    dc1.run(["samba-tool", "group", "addmembers", "DnsAdmins", "operator"])
    try:
        way = ["--principal", "operator", "--keytab", str(keytab)]
        assert names.facts("lock", *MOVE[:4], way=way)["ok"]
        assert not names.registers()
        assert names.facts("unlock", "--source-name", SOURCE, way=way)["ok"]
        assert names.kept() == before
        old = ["/srcname", SOURCE, "/srcip", "10.53.0.10", "/trustee", "LAB\\ALPHA$"]
        assert names.run(old[0], *old[1:], "/lock", way=way).returncode == 0
        assert not names.registers()
        assert names.run(old[0], *old[1:], "/unlock", way=way).returncode == 0
        assert names.kept() == before
        assert names.registers()
    finally:
        dc1.run(["samba-tool", "group", "removemembers", "DnsAdmins", "operator"])


@pytest.mark.covers("DNS-08")
def test_what_a_failover_wrote_is_never_scavenged(names):
    assert names.facts("failover", *MOVE)["ok"]
    age = [record.stamp_h for record in names.beta.call(records, admin(names.lab), f"{SOURCE}.")]
    assert age == [0]
    names.beta.call(stamp, admin(names.lab), FORWARD, f"{SOURCE}.", 3_500_000)
    assert names.facts("refresh", "--source-name", SOURCE)["ok"]
    assert [record.stamp_h for record in names.beta.call(records, admin(names.lab), f"{SOURCE}.")] == [0]
    samba_tool(names.lab, "delete", "alpha", "A", "10.53.0.20")
    assert names.shown() == []
    assert names.facts("refresh", "--source-name", SOURCE)["ok"]
    assert names.shown() == ["10.53.0.20"]


def records(access, name):
    with AdZones.open(access) as zones:
        return [record for _, record, _ in zones.node(zones.zones[FORWARD], name).live()]


def expired(names):
    cache = {"KRB5CCNAME": "FILE:/run/dfo.short"}
    names.beta.run(["kinit", "-l", "1s", "Administrator"], input=names.lab.admin_password + "\n", env=cache)
    until("the ticket has expired", lambda: names.beta.run(["klist", "-s"], env=cache, check=False).returncode)
    return {"way": [], "env": cache}


def wrong_password(names):
    names.beta.write("/run/wrong.password", "not-this-one", 0o600)
    return {"way": ["--principal", "reader", "--password-file", "/run/wrong.password"]}


def clock_ten_minutes_off(names):
    return {"env": clock_off(names.beta, 600)}


def no_right(names):
    return {"way": ["--principal", "reader", "--password-file", str(names.lab.user_password_file)]}


@pytest.mark.covers("DNS-06")
@pytest.mark.parametrize(
    ("trouble", "says", "hint"),
    [
        (wrong_password, "credentials of reader", "password"),
        (expired, "has expired", "kinit"),
        (clock_ten_minutes_off, "clock", "clock"),
        (no_right, "alpha.lab.example. A", "DnsAdmins"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_would_fail_is_found_before_anything_is_changed(names, trouble, says, hint):
    before = names.kept()
    given = trouble(names)
    done = names.run("failover", *MOVE, "--test", **given)
    assert done.returncode not in (0, 1, 2), done.stdout
    assert says in done.stderr
    assert hint in done.stderr
    assert names.kept() == before


@pytest.mark.covers("DNS-06")
def test_a_missing_reverse_zone_a_hosts_file_and_a_scavenged_record(names):
    hosts = names.beta.path("/etc/hosts").read_text()
    names.beta.write("/etc/hosts", f"{hosts}\n10.53.0.10 {SOURCE} alpha\n")
    try:
        elsewhere = [*MOVE, "--source-ip", "172.16.9.1", "--target-ip", "172.16.9.2"]
        noted = " ".join(names.facts("failover", *elsewhere, "--test")["remarks"])
        assert "no reverse zone holds 1.9.16.172.in-addr.arpa." in noted
        assert "remove the line" in noted
    finally:
        names.beta.write("/etc/hosts", hosts)
    words = ["--source-name", "gone.lab.example", "--source-ip", "10.53.0.77", "--target-ip", "10.53.0.20"]
    samba_tool(names.lab, "add", "gone", "A", "10.53.0.77")
    assert names.run("test", *words).returncode == 0
    names.updates("update delete gone.lab.example A")
    lost = names.run("test", *words)
    assert lost.returncode == 35
    assert "it was scavenged or deleted" in lost.stderr
    assert "register" in lost.stderr


def port_of(lab, *servers: str):
    domain = replace(admin(lab), controllers=servers, dns_servers=servers, timeout_s=20)
    return Rfc2136NameService(Access(tuple(map(NameServer, servers)), kerberos=domain, timeout_s=3))


def through_the_port(lab):
    """The order of a plan: planned, applied twice, asked, put back twice."""
    names = port_of(lab, DC1)
    changes = names.plan(NameMove(SOURCE, (("10.53.0.10", "10.53.0.20"),)))
    states = [bool(changes.nodes), names.is_locked(changes), names.is_put_back(changes)]
    for _ in range(2):
        names.apply(changes)
    names.refresh(changes)
    states += [names.applied(changes), names.is_locked(changes), names.is_put_back(changes)]
    names.unlock(changes)
    states += [names.is_locked(changes), names.is_unlocked(changes), names.is_put_back(changes)]
    names.lock(changes)
    for _ in range(2):
        names.put_back(changes)
    return [*states, names.is_put_back(changes), names.is_unlocked(changes)]


@pytest.mark.covers("DNS-04")
def test_the_port_locks_first_and_unlocks_last(names):
    before = names.kept()
    states = names.beta.call(through_the_port, names.lab)
    assert states == [True, False, True, True, True, False, False, True, False, True, True]
    assert names.kept() == before


@pytest.mark.covers("DNS-08", "DNS-09")
def test_what_failed_on_one_of_two_servers_is_named_and_finished_by_running_again(names):
    """ns2 has a reverse zone of its own beside the directory's, and takes another key."""
    ns2, reverse = names.lab.host("ns2").address, ["+noall", "+answer", "10.0.53.10.in-addr.arpa", "PTR"]
    there, before = names.beta.run(["dig", f"@{ns2}", *reverse]).stdout, names.kept()
    key, wrong = names.beta.path(names.lab.tsig_key_file).read_text(), "/run/wrong.key"
    names.beta.write(wrong, re.sub(r'secret "[^"]*"', 'secret "d3Jvbmd3cm9uZ3dyb25n"', key), 0o600)
    reach = {"servers": (DC1, ns2)}
    partly = names.facts("failover", *MOVE, "--each-server", "--key-file", f"{ns2}={wrong}", **reach)
    assert partly["exit_code"] == 48
    assert [ns2 in one["server"] for one in partly["outcomes"] if one["state"] == "failed"] == [True]
    assert names.shown() == ["10.53.0.20"]
    own = ["--each-server", "--key-file", f"{ns2}={names.lab.tsig_key_file}"]
    assert names.facts("failover", *MOVE, *own, **reach)["ok"]
    assert names.beta.run(["dig", f"@{ns2}", *reverse]).stdout == ""
    assert names.facts("failback", "--source-name", SOURCE, *own, **reach)["ok"]
    assert names.beta.run(["dig", f"@{ns2}", *reverse]).stdout == there
    assert names.kept() == before


def planned(lab, *servers: str):
    return port_of(lab, *servers).plan(NameMove(SOURCE, (("10.53.0.10", "10.53.0.20"),)))


def written_at(lab, preferred, *servers: str):
    """Where a move would be written, when people choose a server."""
    ours = port_of(lab, *servers)
    ours._access = replace(ours._access, preferred=NameServer(preferred))
    return {change.server for change in ours.plan(NameMove(SOURCE, (("10.53.0.10", "10.53.0.20"),))).changes}


@pytest.mark.covers("DNS-07")
def test_the_server_that_was_chosen_for_clients_is_written_where_it_answers(names):
    dc2 = names.lab.host("dc2").address
    for chosen in (DC1, dc2):
        assert names.beta.call(written_at, names.lab, chosen, DC1, dc2) == {chosen}
        moved = names.facts("failover", *MOVE, "--test", "--client-server", chosen, servers=(DC1, dc2))
        assert moved["exit_code"] == 0
    names.lab.link("dc2").cut()
    try:
        assert names.beta.call(written_at, names.lab, dc2, DC1, dc2) == {DC1}
    finally:
        names.lab.link("dc2").mend()


def applied(lab, changes, *servers: str):
    ours = port_of(lab, *servers)
    ours.apply(changes)
    return ours.applied(changes), ours.is_locked(changes)


def put_back(lab, changes, *servers: str):
    """Put back, waiting as the executor does; a controller that was cut off may follow at Samba's next round, each five minutes."""
    ours = port_of(lab, *servers)

    hindered = []

    def done():
        with suppress(TryAgain):
            try:
                ours.put_back(changes)
            except TryAgain as error:
                hindered.append(str(error))
                raise
            return ours.is_put_back(changes)

    try:
        until("the names are back on both controllers", done, 420)
    except AssertionError as error:
        raise AssertionError(f"{error}: {hindered[-1:]}") from error
    return True


@pytest.mark.covers("DNS-08")
def test_a_dead_controller_is_replaced_by_another(names):
    """dc1, which the plan speaks of, is cut off: dc2 takes the change, and dc1 hears of it afterwards."""
    dc2 = names.lab.host("dc2").address
    both = (DC1, dc2)
    changes = names.beta.call(planned, names.lab, *both)
    before = names.kept()
    assert {change.server for change in changes.changes} <= set(both)
    names.lab.link("dc1").cut()
    try:
        assert names.beta.call(applied, names.lab, changes, *both) == (True, True)
        assert names.beta.run(["dig", "+short", f"@{dc2}", SOURCE]).stdout.split() == ["10.53.0.20"]
    finally:
        names.lab.link("dc1").mend()
    assert names.beta.call(put_back, names.lab, changes, *both)
    until("dc1 has it back, too", lambda: names.kept() == before, 420)
